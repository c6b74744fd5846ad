"""Records of the restricted topics are opened once; what is kept says the same for the same content, and nothing personal."""

import json
from base64 import urlsafe_b64encode
from datetime import date
from hashlib import sha256
from typing import Any

import pytest

from pelangi.audit.history import Record
from pelangi.audit.sealed import AuditKeys, DeadLetter, Opened, Sealed, Submission, SubmissionAnswer, open_record
from pelangi.contracts import events, topics
from pelangi.contracts.encryption import KeyRing
from pelangi.contracts.events import PublicRequest, SubmissionAnswered, Window
from pelangi.contracts.request import RequestPlace
from pelangi.contracts.sealing import DetailsKeys, seal_details, seal_visits
from pelangi.contracts.snapshots import (
    Address,
    Contact,
    Identity,
    IdentityPerson,
    Planning,
    PlanningItem,
    Visit,
    VisitItem,
    Visits,
)
from pelangi.contracts.submissions import submission_headers
from tests.unit.audit import stories

NAME, ID, ITEM = "Siti Rahayu", stories.uid("sealed"), stories.uid("item")
PLACE = RequestPlace(visit_kind="HOME", village_code="19.71.04.1009")


def ring(name: str) -> KeyRing:
    return KeyRing.of({name: urlsafe_b64encode(sha256(name.encode()).digest()).decode().rstrip("=")})


KEYS = AuditKeys(
    ring("planning"), ring("person"), ring("contact"), ring("visits"), {s: ring(f"{s}.dlq") for s in topics.SERVICES}
)


def details(name: str = NAME, *, version: int = 4, keys: AuditKeys = KEYS) -> bytes:
    public = PublicRequest(
        request_id=ID, received_at=stories.START, area_code="19.71", visit_kind="HOME", channel="LETTER", requester_kind="SELF",
        services=["KK_NEW"], persons_count=1, items_count=1, due_on=date(2026, 12, 1), status="ACCEPTED", version=version,
    )  # fmt: skip
    item = PlanningItem(item_id=ITEM, person_ref="1", service_kind="KK_NEW")
    planning = Planning(
        filled_at=stories.START, place=PLACE, persons=[], items=[item], companion=None, availability=[], deadline=None
    )
    unknown = dict.fromkeys(IdentityPerson.model_fields)
    person = IdentityPerson(**{**unknown, "ref": "1", "name": name, "aliases": []})
    contact = Contact(
        receipt_code="ABCDE", village_code="19.71.04.1009", requester_kind="SELF", requester=Address(name=name), persons=[],
        guardians=[], companion=None, channel="SMS", to="PERSON",
    )  # fmt: skip
    rings = DetailsKeys(keys.planning, keys.person, keys.contact)
    return seal_details(public, planning, Identity(persons=[person], items=[item]), contact, rings).model_dump_json().encode()


def visits() -> bytes:
    at = "2026-11-26T{}:00:00+07:00".format
    visit = Visit(
        visit_id=stories.uid("v"), revision=2, status="DONE", visit_kind="HOME", date=date(2026, 11, 26), place=PLACE,
        window=Window(start=at("09"), end=at("10")), team_id="A",
        items=[VisitItem(item_id=ITEM, service_kind="KK_NEW", outcome="DONE")],
    )  # fmt: skip
    return seal_visits(ID, Visits(visits=[visit]), KEYS.visits).model_dump_json().encode()


def opened(topic: str, value: bytes, *, key: str = ID, headers: Any = (), null: bool = False) -> Opened:
    return open_record(Record(topic, 3, 7, key.encode(), tuple(headers), value), null, KEYS)


def snapshot(topic: str, value: bytes, **more: Any) -> Sealed:
    found = opened(topic, value, **more)
    assert isinstance(found, Sealed)
    return found


def test_the_same_content_has_the_same_digest_whenever_it_was_encrypted() -> None:
    one, again, other = (snapshot(topics.REQUEST_DETAILS, details(name)) for name in (NAME, NAME, "Somebody Else"))
    assert details() != details()
    assert one.digest == again.digest != other.digest
    assert one.problem == ""
    assert one.said == {"version": 4, "status": "ACCEPTED", "items": {ITEM: False}}


def test_nothing_personal_is_kept() -> None:
    for found in (snapshot(topics.REQUEST_DETAILS, details()), snapshot(topics.VISIT_DETAILS, visits())):
        assert found.record.value == b""
        assert NAME not in repr(found)


def test_visits_are_kept_as_the_store_has_them() -> None:
    said = snapshot(topics.VISIT_DETAILS, visits()).said
    assert said == {
        stories.uid("v"): {
            "revision": 2, "status": "DONE", "date": "2026-11-26", "team_id": "A", "start": 540, "end": 600,
            "items": {ITEM: "DONE"},
        }
    }  # fmt: skip


def test_a_tombstone_is_no_problem() -> None:
    found = snapshot(topics.REQUEST_DETAILS, b"", null=True)
    assert found.tombstone
    assert not snapshot(topics.REQUEST_DETAILS, details()).tombstone


@pytest.mark.parametrize(
    ("value", "key", "problem"),
    [
        (details(keys=AuditKeys(ring("planning"), ring("old"), ring("contact"), ring("visits"), {})), ID, "undecryptable"),
        (json.dumps({**json.loads(details()), "contact": "a.b.c.d.e"}).encode(), ID, "undecryptable"),
        (b"{}", ID, "schema-broken"),
        (b"\xff", ID, "schema-broken"),
        (details(), stories.uid("another"), "wrong-key"),
    ],
)
def test_what_cannot_be_used_is_named(value: bytes, key: str, problem: str) -> None:
    found = snapshot(topics.REQUEST_DETAILS, value, key=key)
    assert (found.problem, found.digest) == (problem, "")
    assert not found.tombstone


def test_submissions_and_their_answers() -> None:
    posted = opened(topics.REQUEST_SUBMITTED, b"token", headers=submission_headers("form"))
    assert posted == Submission("request-submitted.v1-3-7", ID)
    assert opened(topics.REQUEST_SUBMITTED, b"token") == Submission("request-submitted.v1-3-7", "")
    data = SubmissionAnswered(submission_id=ID, outcome="ACCEPTED", request_id=ITEM, problems=[])
    raw = events.encode(topics.SUBMISSION_ANSWERED, data)
    answer = opened(topics.SUBMISSION_ANSWERED, raw, headers=[("ce_id", b"x")])
    assert isinstance(answer, SubmissionAnswer)
    assert (answer.id, answer.key, answer.request_id, answer.problem) == ("x", ID, ITEM, "")
    broken = opened(topics.SUBMISSION_ANSWERED, b"{}")
    strange = opened(topics.SUBMISSION_ANSWERED, raw, key=ITEM)
    assert isinstance(broken, SubmissionAnswer) and isinstance(strange, SubmissionAnswer)
    assert (broken.problem, strange.problem) == ("schema-broken", "wrong-key")


def test_dead_letters_are_opened_and_nothing_of_them_is_kept() -> None:
    key = "item-closed.v1-4-2"
    token = KEYS.dead_letters["notify"].encrypt(NAME.encode(), topic="notify.dlq", key=key).encode()
    said = [("reason", b"handler"), ("source_topic", b"item-closed.v1"), ("request_id", ID.encode())]
    letter = DeadLetter("notify", key, "handler", "item-closed.v1", ID)
    assert opened("notify.dlq", token, key=key, headers=said) == letter
    assert opened("notify.dlq", token, key="item-closed.v1-4-3", headers=said) == DeadLetter(
        "notify", "item-closed.v1-4-3", "handler", "item-closed.v1", ID, "undecryptable"
    )
    assert opened("notify.dlq", b"", key=key, null=True) == DeadLetter("notify", key, "", "", "", gone=True)
