"""The life of a request: what is decided at receipt, what its facts make of it, and how it closes."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelangi.chassis.case import Fact
from pelangi.contracts.codes import ServiceKind
from pelangi.contracts.topics import DOCUMENT_HANDED_OVER, DOCUMENT_ISSUED, DOCUMENT_WITHDRAWN, VISIT_DETAILS
from services.intake.handlers import HANDLERS
from services.intake.model import public_services, withdraw
from services.intake.views import receipt, tracking, whole
from tests.support.bodies import KERAMAT
from tests.unit.intake.facts import (
    ITEMS,
    NOW,
    Life,
    R,
    closed_item,
    completed,
    details,
    fact,
    scheduled,
    uid,
)


def test_a_received_request_says_so_once() -> None:
    it = Life().submit()
    assert it.sent == ["request-created.v1", "request-details.v1"]
    assert it.case["version"] == 1
    created = it.event("request-created.v1")
    assert created.model_dump(mode="json") == {
        "request_id": R,
        "received_at": "2026-11-24T02:10:00Z",
        "area_code": "19.71",
        "visit_kind": "HOME",
        "channel": "KELURAHAN_FORM",
        "requester_kind": "RT_RW",
        "services": ["KTP_RECORDING", "KK_CHANGE"],
        "persons_count": 1,
        "items_count": 2,
        "due_on": "2026-12-14",
    }


@pytest.mark.parametrize("kind", ["PRISON", "HOSPITAL", "CARE_HOME", "PUSKESMAS", "SCHOOL"])
def test_an_institution_is_not_named_in_public(kind: str) -> None:
    it = Life().submit(
        requester={"kind": kind, "phone": "081200000000"},
        persons=[{"services": ["VULNERABLE_DATA_COLLECTION", "CONSULTATION"]}],
        place={"visit_kind": "INSTITUTION", "village_code": KERAMAT, "address": "Jalan Contoh 1"},
    )
    created = it.event("request-created.v1")
    assert (created.requester_kind, created.area_code, created.services) == ("INSTITUTION", "19.71", ["CONSULTATION"])
    assert created.items_count == 2
    assert public_services(it.case) == [ServiceKind.CONSULTATION]


@pytest.mark.parametrize(
    ("kind", "area"),
    [
        ("HOME", "19.71"),
        ("INSTITUTION", "19.71"),
        ("OFFICE_APPOINTMENT", "19.71"),
        ("COMMUNITY_POINT", KERAMAT),
        ("DISASTER_POST", KERAMAT),
    ],
)
def test_the_area_is_a_kelurahan_only_where_everybody_may_come(kind: str, area: str) -> None:
    it = Life().submit(place={"visit_kind": kind, "village_code": KERAMAT, "address": "x"})
    assert it.event("request-created.v1").area_code == area


def test_nothing_personal_is_in_what_leaves() -> None:
    it = Life().submit(
        persons=[{"name": "Nama Rahasia", "nik": "1971010107519001", "categories": ["ELDERLY"], "services": ["KIA"]}],
        notes="catatan",
    )
    for envelope in it.change.envelopes:
        for secret in (b"Rahasia", b"1971010107519001", b"ELDERLY", b"catatan", b"Jalan Contoh"):
            assert secret not in envelope.get("data", b"")


def test_without_address_and_contact_it_needs_info() -> None:
    nowhere = {"visit_kind": "HOME", "village_code": KERAMAT}
    assert Life().submit(requester={"kind": "SELF"}, place=nowhere).case["status"] == "NEEDS_INFO"
    assert Life().submit(requester={"kind": "SELF", "phone": "081200000000"}, place=nowhere).case["status"] == "ACCEPTED"
    assert Life().submit(requester={"kind": "SELF"}, place={**nowhere, "landmark": "masjid"}).case["status"] == "ACCEPTED"


def test_needs_info_stays_whatever_visits_are_said_to_be() -> None:
    nowhere = {"visit_kind": "HOME", "village_code": KERAMAT}
    it = Life().submit(requester={"kind": "SELF"}, place=nowhere).take(scheduled(0, 1))
    assert it.case["status"] == "NEEDS_INFO"


def test_outside_the_city_it_closes_at_once() -> None:
    it = Life().submit(place={"visit_kind": "COMMUNITY_POINT", "village_code": "19.05.01.2001", "address": "x"})
    assert it.sent == ["request-created.v1", "request-closed.v1", "request-details.v1"]
    assert (it.case["status"], it.event("request-closed.v1").outcome) == ("OUT_OF_AREA", "OUT_OF_AREA")
    assert it.event("request-created.v1").area_code == "19.05.01.2001"
    assert [w["code"] for w in it.case["warnings"]] == ["out_of_area"]


def test_facts_that_come_before_the_request_are_kept() -> None:
    it = Life().take(scheduled(0, 1), closed_item(0))
    assert it.sent == []
    assert "status" not in it.case
    it.submit()
    assert it.case["status"] == "SCHEDULED"
    it.take(closed_item(1))
    assert it.case["status"] == "COMPLETED"


STATUSES = [
    ([], "ACCEPTED"),
    ([scheduled(0, 1)], "SCHEDULED"),
    ([scheduled(0, 1), scheduled(0, 2, "RESCHEDULED")], "SCHEDULED"),
    ([scheduled(0, 1), scheduled(0, 2, "CANCELLED")], "ACCEPTED"),
    ([scheduled(0, 1), details(1, "CONFIRMED")], "SCHEDULED"),
    ([scheduled(0, 1), details(2, "EN_ROUTE")], "IN_SERVICE"),
    ([scheduled(0, 1), details(2, "ON_SITE")], "IN_SERVICE"),
    ([scheduled(0, 1), completed(0, 2)], "IN_SERVICE"),
    ([scheduled(0, 1), completed(0, 2, "PARTIAL")], "IN_SERVICE"),
    ([scheduled(0, 1), completed(0, 2, "FAILED")], "DEFERRED"),
    ([scheduled(0, 1), details(2, "ON_SITE"), completed(0, 3, "FAILED"), details(3, "FAILED")], "DEFERRED"),
    ([scheduled(0, 1), completed(0, 2, "FAILED"), scheduled(1, 3)], "SCHEDULED"),
    ([scheduled(0, 1), completed(0, 2, "PARTIAL"), scheduled(1, 3), scheduled(1, 4, "CANCELLED")], "IN_SERVICE"),
    ([closed_item(0)], "ACCEPTED"),
]


@pytest.mark.parametrize(("facts", "status"), STATUSES)
def test_the_status_follows_from_the_visits(facts: list[Fact[Any]], status: str) -> None:
    it = Life().submit().take(*facts)
    assert it.case["status"] == status
    assert Life().submit().take(*reversed(facts)).case["status"] == status
    assert Life().take(*facts).submit().case["status"] == status


def test_a_changed_status_is_a_snapshot_and_an_unchanged_one_is_none() -> None:
    it = Life().submit().take(scheduled(0, 1))
    assert it.sent.count("request-details.v1") == 2
    it.take(scheduled(0, 2, "RESCHEDULED"), fact("document-issued.v1", 1, document_id=uid(1), item_id=ITEMS[0]))
    assert it.sent.count("request-details.v1") == 2


@pytest.mark.parametrize(
    ("outcomes", "outcome"),
    [
        (("DONE", "DONE"), "COMPLETED"),
        (("DONE", "REJECTED"), "PARTIAL"),
        (("WITHDRAWN", "DONE"), "PARTIAL"),
        (("REJECTED", "REJECTED"), "REJECTED"),
        (("REJECTED", "WITHDRAWN"), "REJECTED"),
        (("WITHDRAWN", "WITHDRAWN"), "REJECTED"),
    ],
)
def test_the_last_item_closes_the_request_once(outcomes: tuple[str, str], outcome: str) -> None:
    first, second = (closed_item(at, outcome=o) for at, o in enumerate(outcomes))
    it = Life().submit().take(first)
    assert "request-closed.v1" not in it.sent
    it.take(second, now=NOW + timedelta(hours=25, minutes=59))
    event = it.event("request-closed.v1")
    assert (event.outcome, event.turnaround_hours) == (outcome, 25)
    assert it.case["status"] == outcome
    it.take(first, second, closed_item(0, 9, "REJECTED"), scheduled(0, 1), completed(0, 2))
    assert it.sent.count("request-closed.v1") == 1
    assert it.case["status"] == outcome


def test_turnaround_is_never_negative() -> None:
    it = Life().submit().take(closed_item(0), closed_item(1), now=NOW - timedelta(hours=3))
    assert it.event("request-closed.v1").turnaround_hours == 0


def test_an_item_of_nobody_here_closes_nothing() -> None:
    other = fact("item-closed.v1", 1, item_id=uid(77))
    it = Life().submit().take(other, closed_item(0))
    assert "closing" not in it.case


def test_withdrawn_wins_over_whatever_arrives_later() -> None:
    it = Life().submit().take(scheduled(0, 1))
    it.then(withdraw(it.case, "pindah", NOW))
    assert it.sent[-2:] == ["request-closed.v1", "request-details.v1"]
    it.take(closed_item(0), closed_item(1), completed(0, 2), scheduled(0, 3))
    assert (it.case["status"], it.case["closing"]["outcome"]) == ("WITHDRAWN", "WITHDRAWN")
    assert it.sent.count("request-closed.v1") == 1


def test_documents_count_after_closing_too() -> None:
    """Shown, in any order, and never a reason to open the request again."""
    issued, handed_over = (fact(t, 1, document_id=uid(5), item_id=ITEMS[0]) for t in (DOCUMENT_ISSUED, DOCUMENT_HANDED_OVER))
    gone = fact(DOCUMENT_WITHDRAWN, 2, document_id=uid(5), item_id=ITEMS[0], reason="SUPERSEDED", replaced_by=uid(6), edition=1)
    closed = Life().submit().take(closed_item(0), closed_item(1))
    shown = {"document_id": uid(5), "item_id": ITEMS[0], "document_kind": "KK", "edition": 1, "replaced_by": None}
    it = closed.take(issued)
    assert whole(it.case)["documents"] == [{**shown, "status": "ISSUED"}]
    assert whole(it.take(handed_over).case)["documents"] == [{**shown, "status": "HANDED_OVER"}]
    for order in permutations((issued, handed_over, gone)):
        it = Life().submit().take(closed_item(0), closed_item(1), *order)
        assert whole(it.case)["documents"] == [{**shown, "status": "SUPERSEDED", "replaced_by": uid(6)}]
        assert (it.case["status"], it.sent.count("request-closed.v1")) == ("COMPLETED", 1)


def test_an_unknown_status_of_a_visit_is_no_cancellation() -> None:
    unknown = fact("visit-scheduled.v1", 1, visit_id=uid(0))
    unknown = Fact(unknown.type, R, unknown.aggregate, 1, "", unknown.data.model_copy(update={"status": "UNKNOWN"}))
    assert Life().submit().take(unknown).case["status"] == "SCHEDULED"


def test_erased_visits_are_no_longer_under_way() -> None:
    it = Life().submit().take(scheduled(0, 1), details(1, "ON_SITE"))
    it.take(Fact(VISIT_DETAILS, R, R, 2, "", None))
    assert it.case["status"] == "SCHEDULED"


# Every order and repetition ends the same. Each aggregate's facts carry the sequences of their sender's document, so that
# the newest is the same in every order; an item is closed once.
def _history(draw: Any) -> list[Fact[Any]]:
    facts: list[Fact[Any]] = []
    for visit in range(draw(st.integers(0, 3))):
        for sequence in range(1, draw(st.integers(1, 3)) + 1):
            status = draw(st.sampled_from(["SCHEDULED", "RESCHEDULED", "CANCELLED"]))
            facts.append(scheduled(visit, sequence, status, f"2026-12-0{draw(st.integers(1, 9))}"))
        if draw(st.booleans()):
            facts.append(completed(visit, 4, draw(st.sampled_from(["DONE", "PARTIAL", "FAILED"]))))
    snapshots = st.lists(st.sampled_from(["CONFIRMED", "EN_ROUTE", "ON_SITE", "DONE"]), max_size=3)
    facts += [details(sequence, *draw(snapshots)) for sequence in range(1, draw(st.integers(0, 3)) + 1)]
    outcomes = st.sampled_from(["DONE", "REJECTED", "WITHDRAWN"])
    facts += [closed_item(at, 5, draw(outcomes)) for at in draw(st.sets(st.integers(0, 1)))]
    of_documents = st.sets(st.sampled_from(["document-issued.v1", "document-handed-over.v1", "document-withdrawn.v1"]))
    return facts + [fact(t, 6, document_id=uid(50 + d), item_id=ITEMS[0]) for d in range(2) for t in draw(of_documents)]


def outcome(it: Life) -> Any:
    """The facts and everything derived from them; without version, events, ids drawn and times."""
    case = {k: v for k, v in it.case.items() if k not in {"version", "content_version", "changed_at", "emits", "trace"}}
    if "closing" in case:
        case["closing"] = {k: v for k, v in case["closing"].items() if k != "at"}
    shown = tracking(it.case) | {"closed": case.get("closing")}
    return case, receipt(it.case), whole(it.case), shown, it.sent.count("request-closed.v1"), it.sent.count("request-created.v1")


history = st.composite(_history)()


@given(data=st.data(), facts=history, at=st.integers(0, 20))
def test_any_order_and_repetition_of_the_facts_ends_the_same(data: st.DataObject, facts: list[Fact[Any]], at: int) -> None:
    straight = Life().submit().take(*facts)
    shuffled = data.draw(
        st.permutations([*facts, *data.draw(st.lists(st.sampled_from(facts), max_size=4) if facts else st.just([]))])
    )
    mixed = Life().take(*shuffled[:at]).submit().take(*shuffled[at:])
    assert outcome(mixed) == outcome(straight)


@given(data=st.data(), facts=history)
def test_withdrawn_at_any_moment_ends_the_same(data: st.DataObject, facts: list[Fact[Any]]) -> None:
    """Where the request was open still; a closed one refuses (409)."""
    shuffled = data.draw(st.permutations(facts))
    at = data.draw(st.integers(0, len(facts)))
    it = Life().submit().take(*shuffled[:at])
    if "closing" in it.case:
        return
    it.then(withdraw(it.case, None, NOW)).take(*shuffled[at:], *shuffled)
    straight = Life().submit()
    straight.then(withdraw(straight.case, None, NOW)).take(*facts)
    assert it.case["status"] == straight.case["status"] == "WITHDRAWN"
    facts_of = ("visits", "visited", "closed_items", "documents", "under_way", "applied", "closing")
    assert {k: it.case.get(k) for k in facts_of} == {k: straight.case.get(k) for k in facts_of}


def test_every_topic_has_its_handler() -> None:
    assert {t.type for t in (scheduled(0, 1), completed(0, 1), details(1), closed_item(0))} < HANDLERS.keys()
