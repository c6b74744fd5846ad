"""What each reader of a request's snapshot gets after a death, a correction, a duplicate; and what it does not get."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from pydantic import SecretStr

from pelangi.chassis.settings import development_key, key_ring
from pelangi.contracts.events import PublicRequest
from pelangi.contracts.sealing import DetailsKeys, contact_opener, identity_opener, planning_opener
from pelangi.contracts.snapshots import Contact, Identity, Planning
from services.intake.life import close_as_duplicate, learn, passed_on
from services.intake.snapshot import render_details
from tests.unit.intake.facts import ITEMS, NOW, Life
from tests.unit.intake.test_life import COUPLE, IDS, corrected, died

RING = key_ring(SecretStr(development_key("test")))
KEYS = DetailsKeys(RING, RING, RING)
PHONE, OTHER_PHONE = "+6281200000001", "+6281200000002"


@dataclass
class Seen:
    """A snapshot as its readers see it."""

    public: PublicRequest
    planning: Planning
    identity: Identity
    contact: Contact


def seen(it: Life) -> Seen:
    details = render_details(it.case, KEYS)
    assert details is not None
    planning, identity, contact = (f(RING)(details) for f in (planning_opener, identity_opener, contact_opener))
    return Seen(details.request, planning.part, identity.part, contact.part)


def person(ref: str, **changes: Any) -> dict[str, Any]:
    return {"ref": ref, "name": f"Orang {ref}", "services": ["KTP_RECORDING"], **changes}


def test_withdrawn_items_are_marked_for_planning_and_issuance() -> None:
    it = died(Life().submit(persons=COUPLE), "a")
    corrected(it, persons=[{"ref": "b", "services": ["KTP_NEW", "KK_CHANGE"]}])
    now = seen(it)
    for part in (now.planning, now.identity):
        assert [(i.item_id, i.withdrawn) for i in part.items] == [(ITEMS[0], True), (ITEMS[1], False), (IDS[0], False)]
    assert (now.public.items_count, now.public.services) == (2, ["KK_CHANGE", "KTP_NEW"]), "what is still asked for"
    assert (now.public.status, now.public.version) == ("ACCEPTED", 3)


def test_a_snapshot_of_a_request_that_a_death_ended() -> None:
    now = seen(died(Life().submit(), "1"))
    assert (now.public.status, now.public.items_count) == ("DECEASED", 2)
    assert all(i.withdrawn for i in now.planning.items)


@pytest.mark.parametrize(
    ("born", "precision", "married", "service", "not_before"),
    [
        ("2009-12-24", "EXACT", None, "KTP_NEW", date(2026, 12, 24)),
        ("2009-12-24", "EXACT", False, "KTP_REISSUE", date(2026, 12, 24)),
        ("2012-02-29", "EXACT", None, "KTP_NEW", date(2029, 3, 1)),
        ("2009-12-24", "EXACT", None, "KTP_RECORDING", None),
        ("2009-12-24", "EXACT", True, "KTP_NEW", None),
        ("2009-12-24", "YEAR", None, "KTP_NEW", None),
        ("2009-11-24", "EXACT", None, "KTP_NEW", None),
    ],
)
def test_trap_04_a_card_before_17_waits_for_the_birthday(
    born: str, precision: str, married: bool | None, service: str, not_before: date | None
) -> None:
    who = person("1", birth_date=born, birth_date_precision=precision, ever_married=married, services=[service, "KK_CHANGE"])
    it = Life().submit(persons=[who])
    for part in (seen(it).planning, seen(it).identity):
        assert [i.not_before for i in part.items] == [not_before, None]


def test_trap_14_nobody_can_call_the_dead() -> None:
    guardian = {"name": "Wali", "phone": OTHER_PHONE}
    it = Life().submit(persons=[person("a", phone=PHONE, email="a@example.test", guardian=guardian), person("b", phone=PHONE)])
    assert [p.phone for p in seen(it).contact.persons] == [PHONE, PHONE]
    contact = seen(died(it, "a")).contact
    dead, living = contact.persons
    assert (dead.deceased, dead.phone, dead.email, dead.name) == (True, None, None, "Orang a")
    assert (living.deceased, living.phone) == (False, PHONE)
    assert contact.guardians[0] is not None
    assert (contact.guardians[0].phone, contact.guardians[0].deceased) == (OTHER_PHONE, False)
    assert contact.requester.phone is not None
    assert not contact.requester.deceased


@pytest.mark.parametrize(
    ("kind", "people", "dead"),
    [
        ("SELF", [person("a")], True),
        ("SELF", [person("a", name="Diri Sendiri"), person("b")], True),
        ("SELF", [person("a"), person("b", name="Diri Sendiri")], False),
        ("FAMILY", [person("a", name="Diri Sendiri")], False),
    ],
)
def test_trap_14_who_asked_for_themselves_died(kind: str, people: list[Any], dead: bool) -> None:
    it = Life().submit(requester={"kind": kind, "name": "Diri Sendiri", "phone": PHONE}, persons=people)
    requester = seen(died(it, "a")).contact.requester
    assert (requester.deceased, requester.phone) == (dead, None if dead else PHONE)


def test_the_original_tells_notify_who_else_asked() -> None:
    duplicate = Life().submit(requester={"kind": "TKSK", "name": "Pak Contoh", "phone": PHONE}, reach={"channel": "SMS"})
    original = Life().submit()
    assert seen(original).contact.also == []
    duplicate.then(close_as_duplicate(duplicate.case, "x", NOW))
    original.then(learn(original.case, passed_on(duplicate.case), NOW))
    (also,) = seen(original).contact.also
    assert (also.receipt_code, also.requester_kind, also.channel) == (duplicate.case["receipt_code"], "TKSK", "SMS")
    assert (also.requester.name, also.requester.phone) == ("Pak Contoh", PHONE)


@pytest.mark.parametrize(
    ("kind", "name", "people", "dead"),
    [
        ("SELF", None, [person("a", services=["DEATH_CERT"])], True),
        ("SELF", "Bpk. ORANG A", [person("a"), person("b")], True),
        ("SELF", "Orang b", [person("a"), person("b")], False),
        ("FAMILY", "Orang a", [person("a"), person("b")], False),
    ],
)
def test_trap_14_who_asked_for_themselves_in_a_duplicate_died(kind: str, name: str | None, people: list[Any], dead: bool) -> None:
    duplicate = Life().submit(requester={"kind": kind, "name": name, "phone": PHONE})
    duplicate.then(close_as_duplicate(duplicate.case, "x", NOW))
    original = died(Life().submit(requester={"kind": "RT_RW"}, persons=people), "a")
    original.then(learn(original.case, passed_on(duplicate.case), NOW))
    (also,) = seen(original).contact.also
    assert (also.requester.deceased, also.requester.phone) == (dead, None if dead else PHONE)


def test_each_reader_gets_its_part_only() -> None:
    now = seen(died(Life().submit(persons=[person("a", categories=["ELDERLY"], phone=PHONE), person("b")]), "a"))
    assert "Orang" not in now.planning.model_dump_json()
    assert PHONE not in now.identity.model_dump_json()
    assert "ELDERLY" not in now.contact.model_dump_json()
    assert "ELDERLY" not in now.public.model_dump_json()
