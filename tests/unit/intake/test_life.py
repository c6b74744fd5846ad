"""What happens to a request after its receipt: corrections, deaths, nobody to be reached; and the same end in any order."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelangi.chassis.case import Fact
from pelangi.contracts.request import RequestBody
from pelangi.contracts.topics import REQUEST_DETAILS
from services.intake.life import correct, decease, give_up, may_give_up
from services.intake.views import tracking, whole
from tests.support.bodies import KERAMAT, body
from tests.unit.intake.facts import ITEMS, NOW, Life, completed, details, fact, scheduled, uid

IDS = [uid(at) for at in range(900, 920)]
NOWHERE = {"visit_kind": "HOME", "village_code": KERAMAT}
COUPLE = [{"ref": "a", "services": ["KTP_RECORDING"]}, {"ref": "b", "services": ["KK_CHANGE"]}]


def corrected(it: Life, now: Any = NOW, ids: list[str] = IDS, **changes: Any) -> Life:
    return it.then(correct(it.case, RequestBody.model_validate(body(**changes)), ids, now))


def died(it: Life, ref: str, on: date | None = None) -> Life:
    return it.then(decease(it.case, ref, on, NOW))


def items(it: Life) -> list[tuple[str, str, str, bool]]:
    return [(i["item_id"], i["person_ref"], i["service_kind"], i.get("withdrawn", False)) for i in it.case["items"]]


def closed_one(item_id: str, outcome: str, sequence: int = 1) -> Fact[Any]:
    return fact("item-closed.v1", sequence, item_id=item_id, outcome=outcome)


def test_items_match_by_person_and_service() -> None:
    it = Life().submit(persons=COUPLE)
    corrected(it, persons=[{"ref": "b", "services": ["KTP_NEW", "KK_CHANGE"]}, {"ref": "c", "services": ["KTP_RECORDING"]}])
    assert items(it) == [
        (ITEMS[0], "a", "KTP_RECORDING", True),
        (ITEMS[1], "b", "KK_CHANGE", False),
        (IDS[0], "b", "KTP_NEW", False),
        (IDS[1], "c", "KTP_RECORDING", False),
    ]
    assert it.sent.count("request-created.v1") == 1, "never emitted again"
    assert it.sent.count("request-details.v1") == 2
    assert it.case["content_version"] == it.case["version"] == 2


def test_a_withdrawn_pair_that_comes_back_is_a_new_item() -> None:
    it = Life().submit(persons=COUPLE)
    corrected(it, persons=COUPLE[1:])
    corrected(it, persons=COUPLE, ids=IDS[5:])
    assert items(it) == [
        (ITEMS[0], "a", "KTP_RECORDING", True),
        (ITEMS[1], "b", "KK_CHANGE", False),
        (IDS[5], "a", "KTP_RECORDING", False),
    ]


def test_what_is_derived_is_derived_anew() -> None:
    it = Life().submit(requester={"kind": "SELF"}, place=NOWHERE, persons=[{"services": ["KTP_RECORDING"]}])
    assert it.case["status"] == "NEEDS_INFO"
    before = it.case
    corrected(
        it,
        now=NOW + timedelta(days=20),
        persons=[{"name": "Kakek Contoh", "services": ["KTP_RECORDING", "BIRTH_CERT"]}],
        deadline={"date": "2026-12-01", "reason": "AID"},
    )
    assert it.case["status"] == "ACCEPTED"
    missing = [{m["code"] for m in i["missing"]} for i in (before["items"][0], it.case["items"][0])]
    assert {"NAME", "CONTACT", "ADDRESS"} <= missing[0]
    assert not {"NAME", "CONTACT", "ADDRESS"} & missing[1]
    assert "deadline_past" in [w["code"] for w in it.case["warnings"]]
    for fixed in ("receipt_code", "received_at", "filled_at"):
        assert it.case[fixed] == before[fixed]


def test_the_time_allowed_counts_from_receipt() -> None:
    plain = Life().submit(persons=[{"services": ["KTP_RECORDING"]}])
    for later in (timedelta(0), timedelta(days=40)):
        it = Life().submit(persons=[{"services": ["BIRTH_CERT"]}])
        assert it.case["due_on"] != plain.case["due_on"]
        corrected(it, now=NOW + later, persons=[{"services": ["KTP_RECORDING"]}])
        assert it.case["due_on"] == plain.case["due_on"]


def test_the_waiting_age_stays_whatever_is_corrected() -> None:
    filled = (NOW - timedelta(days=10)).isoformat()
    it = Life().submit(filled_at=filled)
    for again in ({}, {"filled_at": filled}):
        corrected(it, now=NOW + timedelta(days=30), place={**NOWHERE, "address": "Jalan Baru 2"}, **again)
        assert it.case["filled_at"] == NOW - timedelta(days=10)
        assert "filled_at_clamped" not in [w["code"] for w in it.case["warnings"]]


def test_corrected_to_a_place_outside_the_city_it_closes() -> None:
    it = Life().submit().take(scheduled(0, 1))
    corrected(it, place={"visit_kind": "HOME", "village_code": "19.05.01.2001", "address": "x"})
    assert (it.case["status"], it.event("request-closed.v1").outcome) == ("OUT_OF_AREA", "OUT_OF_AREA")
    assert it.case["village_code"] == "19.05.01.2001"
    assert "out_of_area" in [w["code"] for w in it.case["warnings"]]
    it.take(scheduled(0, 2), completed(0, 3), closed_one(ITEMS[0], "DONE"), closed_one(ITEMS[1], "DONE"))
    assert it.case["status"] == "OUT_OF_AREA"


def test_a_withdrawn_item_counts_once_issuance_says_so() -> None:
    it = Life().submit(persons=COUPLE)
    corrected(it, persons=COUPLE[1:])
    it.take(closed_one(ITEMS[1], "DONE"))
    assert "closing" not in it.case, "the withdrawn one is still to be closed"
    it.take(closed_one(ITEMS[0], "WITHDRAWN"))
    assert it.event("request-closed.v1").outcome == "PARTIAL"


def test_trap_14_a_death_ends_everything_of_a_single_person_at_once() -> None:
    it = Life().submit().take(scheduled(0, 1))
    died(it, "1", date(2026, 11, 23))
    closed = it.event("request-closed.v1")
    assert (it.case["status"], closed.outcome) == ("DECEASED", "OTHER"), "the public is not told of a death"
    assert it.sent[-2:] == ["request-closed.v1", REQUEST_DETAILS]
    assert all(withdrawn for *_, withdrawn in items(it))
    assert whole(it.case)["deceased"] == [{"person_ref": "1", "date": "2026-11-23"}]
    it.take(scheduled(1, 2), completed(0, 3), closed_one(ITEMS[0], "DONE"), closed_one(ITEMS[1], "DONE"))
    assert it.case["status"] == "DECEASED"
    assert tracking(it.case)["visit"] is None


def test_trap_14_of_two_persons_the_living_one_is_served() -> None:
    it = Life().submit(persons=COUPLE)
    died(it, "a")
    assert (it.case["status"], "closing" in it.case) == ("ACCEPTED", False)
    assert items(it) == [(ITEMS[0], "a", "KTP_RECORDING", True), (ITEMS[1], "b", "KK_CHANGE", False)]
    assert tracking(it.case)["items"][0]["status"] == "WITHDRAWN"
    version = it.case["version"]
    died(it, "a")
    assert it.case["version"] == version, "a second time changes nothing"
    it.take(closed_one(ITEMS[1], "DONE"), closed_one(ITEMS[0], "WITHDRAWN"))
    assert it.case["status"] == "PARTIAL"


def test_trap_14_the_last_of_them_closes_it() -> None:
    it = Life().submit(persons=COUPLE)
    died(died(it, "a"), "b")
    assert (it.case["status"], it.sent.count("request-closed.v1")) == ("DECEASED", 1)


def test_the_services_of_the_dead_stay_withdrawn_but_for_their_certificate() -> None:
    it = died(Life().submit(persons=COUPLE), "a")
    corrected(it, persons=[{"ref": "a", "services": ["KTP_RECORDING", "KIA", "DEATH_CERT"]}, COUPLE[1]])
    assert items(it)[2:] == [(IDS[0], "a", "DEATH_CERT", False)]
    assert items(it)[0] == (ITEMS[0], "a", "KTP_RECORDING", True)


def test_a_death_does_not_end_the_request_for_its_certificate() -> None:
    it = Life().submit(persons=[{"ref": "a", "services": ["DEATH_CERT", "KK_CHANGE"]}])
    died(it, "a")
    assert "closing" not in it.case
    assert [withdrawn for *_, withdrawn in items(it)] == [False, True]


def test_a_correction_that_leaves_only_the_dead_closes_it() -> None:
    it = died(Life().submit(persons=COUPLE), "a")
    corrected(it, persons=COUPLE[:1])
    assert (it.case["status"], it.case["closing"]["outcome"]) == ("DECEASED", "OTHER")


@pytest.mark.parametrize(
    ("facts", "allowed"),
    [([], False), ([scheduled(0, 1)], False), ([scheduled(0, 1), completed(0, 2, "FAILED")], True), ([completed(0, 2)], False)],
)
def test_only_who_waits_in_vain_is_given_up(facts: list[Fact[Any]], allowed: bool) -> None:
    assert may_give_up(Life().submit().take(*facts).case) is allowed
    it = Life().submit(requester={"kind": "SELF"}, place=NOWHERE)
    assert may_give_up(it.case)
    it.then(give_up(it.case, NOW))
    assert (it.case["status"], it.event("request-closed.v1").outcome) == ("CLOSED_NO_CONTACT", "OTHER")


# Whatever is called while the request is open, and whichever facts come before and after it, in any order and repetition: what
# was called decides how it ends, unless the facts alone had closed it before.
CALLS = {
    "death-of-one": lambda it: died(it, "a"),
    "death-of-all": lambda it: died(died(it, "a"), "b"),
    "one-left-out": lambda it: corrected(it, persons=COUPLE[1:]),
    "moved-away": lambda it: corrected(it, place={"visit_kind": "HOME", "village_code": "19.05.01.2001"}, persons=COUPLE),
    "more": lambda it: corrected(it, persons=[{"ref": "a", "services": ["KTP_RECORDING", "KIA"]}, COUPLE[1]]),
    "nothing": lambda it: corrected(it, persons=COUPLE),
}
KNOWN = ("visits", "visited", "closed_items", "documents", "under_way", "applied", "items", "deceased", "status", "needs_info")


@st.composite
def _facts(draw: Any) -> list[Fact[Any]]:
    facts: list[Fact[Any]] = []
    for visit in range(draw(st.integers(0, 2))):
        statuses = draw(st.lists(st.sampled_from(["SCHEDULED", "CANCELLED"]), max_size=2))
        facts += [scheduled(visit, sequence, status) for sequence, status in enumerate(statuses, start=1)]
        if draw(st.booleans()):
            facts.append(completed(visit, 4, draw(st.sampled_from(["DONE", "PARTIAL", "FAILED"]))))
    facts += [details(n, draw(st.sampled_from(["EN_ROUTE", "DONE"]))) for n in range(1, draw(st.integers(1, 3)))]
    outcomes = st.sampled_from(["DONE", "REJECTED", "WITHDRAWN"])
    facts += [closed_one(item, draw(outcomes), 5) for item in sorted(draw(st.sets(st.sampled_from([*ITEMS, IDS[0]]))))]
    types = st.sets(st.sampled_from(["document-issued.v1", "document-handed-over.v1", "document-withdrawn.v1"]))
    return facts + [fact(t, 6, document_id=uid(50), item_id=ITEMS[0]) for t in sorted(draw(types))]


@given(data=st.data(), facts=_facts(), name=st.sampled_from(sorted(CALLS)))
def test_any_order_and_repetition_around_a_call_ends_the_same(data: st.DataObject, facts: list[Fact[Any]], name: str) -> None:
    straight = CALLS[name](Life().submit(persons=COUPLE)).take(*facts)
    repeated = data.draw(st.lists(st.sampled_from(facts), max_size=4)) if facts else []
    shuffled = data.draw(st.permutations(facts + repeated))
    at = data.draw(st.integers(0, len(shuffled)))
    it = Life().submit(persons=COUPLE).take(*shuffled[:at])
    if "closing" in it.case:
        return
    CALLS[name](it).take(*shuffled[at:])
    assert {k: it.case.get(k) for k in KNOWN} == {k: straight.case.get(k) for k in KNOWN}
    assert it.case.get("closing", {}).get("outcome") == straight.case.get("closing", {}).get("outcome")
    assert it.sent.count("request-closed.v1") == straight.sent.count("request-closed.v1") <= 1
    assert it.sent.count("request-created.v1") == 1
