"""Facts in any order and any number end alike."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelangi.chassis.case import Fact, apply_fact
from pelangi.contracts import topics
from pelangi.contracts.codes import ClosingOutcome, ItemOutcome, ItemVisitOutcome, RequestStatus, ServiceKind
from pelangi.contracts.events import DocumentIssued, ItemClosed
from pelangi.contracts.reasons import ReasonClass
from services.issuance.handlers import HANDLERS
from tests.unit.issuance.scenario import (
    A4_WAY,
    NAME,
    NIK,
    NOW,
    TRACE,
    VISIT_2,
    Desk,
    closed,
    completed,
    created,
    details,
    item_id,
    scheduled,
    tombstone,
    visited_desk,
    visits,
)

DONE, DEFERRED = ItemVisitOutcome.DONE, ItemVisitOutcome.DEFERRED
BY_ITEMS = {ClosingOutcome.COMPLETED, ClosingOutcome.PARTIAL}

SENT_OR_DRAWN = {"version", "changed_at", "to_open_since", "closed", "applied"}


def facts_of(desk: Desk) -> dict[str, Any]:
    """All that order must not touch: the facts as stored, and everything shown of them."""
    stored = {k: v for k, v in desk.case.items() if k not in SENT_OR_DRAWN}
    return {"facts": stored, "to open": "to_open_since" in desk.case, "shown": desk.shown()}


outcomes = st.dictionaries(st.integers(0, 3), st.sampled_from(ItemVisitOutcome), max_size=4)


@st.composite
def histories(draw: st.DrawFn) -> list[Fact[Any]]:
    """All facts of one request: up to three snapshots, two visits and a closing."""
    kinds = draw(st.lists(st.sampled_from(ServiceKind), min_size=1, max_size=4))
    withdrawn: set[int] = set()
    one, two = draw(outcomes), draw(outcomes)
    facts = [created(), scheduled(), completed(one), completed(two, 6, VISIT_2)]
    facts += [visits(one), visits(one, two, sequence=6)]
    for version in range(1, draw(st.integers(1, 3)) + 1):
        facts.append(details(*kinds, version=version, withdrawn=withdrawn))
        withdrawn |= draw(st.sets(st.integers(0, len(kinds) - 1), max_size=1))
    if draw(st.booleans()):
        facts.append(closed(draw(st.sampled_from(ClosingOutcome))))
    return facts


def races(facts: list[Fact[Any]]) -> bool:
    """Whether an item that a visit finishes was withdrawn as well: whichever was announced first stands."""
    withdrawn = {i.item_id for f in facts if f.type == topics.REQUEST_DETAILS for i in f.data.part.items if i.withdrawn}
    done = {i.item_id for f in facts if f.type == topics.VISIT_COMPLETED for i in f.data.items if i.outcome == DONE}
    return bool(withdrawn & done)


@given(histories(), st.data())
def test_any_order_and_any_repetition_end_alike(facts: list[Fact[Any]], data: st.DataObject) -> None:
    repeated = facts + data.draw(st.lists(st.sampled_from(facts), max_size=6))
    first, second = Desk(*facts), Desk(*data.draw(st.permutations(repeated)))
    if races(facts):
        second.case = {**second.case, "closed": {}}
        first.case = {**first.case, "closed": {}}
    assert facts_of(second) == facts_of(first)


@given(histories(), st.data())
def test_an_item_is_closed_once_and_the_answer_says_what_was_announced(facts: list[Fact[Any]], data: st.DataObject) -> None:
    desk = Desk(*data.draw(st.permutations(facts + facts)))
    announced = [(e.item_id, e.outcome) for e in desk.sent(ItemClosed)]
    assert len({item for item, _ in announced}) == len(announced)
    shown = {i["item_id"]: i["status"] for i in desk.shown()["items"]}
    assert all(shown[item] == outcome for item, outcome in announced)
    over_open_items = any(f.type == topics.REQUEST_CLOSED and f.data.outcome not in BY_ITEMS for f in facts)
    if not over_open_items:
        assert {i for i, s in shown.items() if s in set(ItemOutcome)} == {item for item, _ in announced}


def test_every_order_of_the_common_history_announces_the_same() -> None:
    kinds = (ServiceKind.KTP_RECORDING, ServiceKind.KK_CHANGE)
    facts = [created(), details(*kinds), scheduled(), completed({0: DONE, 1: DONE}), visits({0: DONE, 1: DONE})]
    for order in permutations(facts):
        desk = Desk(*order)
        assert [(e.item_id, e.outcome) for e in desk.sent(ItemClosed)] == [(item_id(0), ItemOutcome.DONE)]
        assert facts_of(desk) == facts_of(Desk(*facts))


def test_a_repeated_fact_changes_nothing() -> None:
    desk = Desk(details(ServiceKind.KK_NEW), completed({0: DONE}))
    for each in (details(ServiceKind.KK_NEW), completed({0: DONE})):
        assert apply_fact(desk.case, each, HANDLERS[each.type], NOW) is desk.case


@given(st.data())
def test_a_document_is_issued_once_whatever_is_repeated_around_it(data: st.DataObject) -> None:
    facts = [created(), details(ServiceKind.KK_NEW), scheduled(), completed({0: DONE}), visits({0: DONE})]
    desk = visited_desk(ServiceKind.KK_NEW)
    for step in A4_WAY:
        desk.fold(*data.draw(st.lists(st.sampled_from(facts), max_size=3))).open().walk(step)
    desk.fold(*facts, closed(ClosingOutcome.COMPLETED)).open()
    assert len(desk.sent(DocumentIssued)) == len(desk.sent(ItemClosed)) == 1


@pytest.mark.parametrize("fact", [completed({0: DONE}), visits({0: DONE})])
def test_a_visit_finishes_what_needs_no_document(fact: Fact[Any]) -> None:
    for service in (
        ServiceKind.KTP_RECORDING,
        ServiceKind.IKD_ACTIVATION,
        ServiceKind.CONSULTATION,
        ServiceKind.DATA_CONSOLIDATION,
    ):
        [event] = Desk(details(service), fact).sent(ItemClosed)
        assert (event.outcome, event.service_kind, event.reason_class) == (ItemOutcome.DONE, service, None)
    assert Desk(details(ServiceKind.KK_NEW), fact).sent(ItemClosed) == []


def test_an_item_put_off_stays_open_until_a_later_visit() -> None:
    desk = Desk(details(ServiceKind.KTP_RECORDING), completed({0: DEFERRED}))
    assert desk.sent(ItemClosed) == []
    desk.fold(completed({0: DONE}, 6, VISIT_2))
    assert [e.outcome for e in desk.sent(ItemClosed)] == [ItemOutcome.DONE]


def test_an_item_withdrawn_by_a_correction_is_closed_as_withdrawn() -> None:
    kinds = (ServiceKind.KK_NEW, ServiceKind.KIA)
    desk = Desk(details(*kinds)).open().fold(details(*kinds, version=2, withdrawn=[0]))
    [event] = desk.sent(ItemClosed)
    assert (event.item_id, event.outcome, event.reason_class) == (item_id(0), ItemOutcome.WITHDRAWN, ReasonClass.RESIDENT)
    assert [d["status"] for i in desk.shown()["items"] for d in i["documents"]] == ["CANCELLED", "OPEN"]


@pytest.mark.parametrize("status", [RequestStatus.WITHDRAWN, RequestStatus.DECEASED, RequestStatus.DUPLICATE])
def test_a_snapshot_of_a_closed_request_closes_it_too(status: RequestStatus) -> None:
    desk = Desk(details(ServiceKind.KK_NEW, status=status))
    assert desk.shown()["closed"] is True
    assert desk.shown()["items"][0]["status"] == "ENDED"
    assert desk.sent(ItemClosed) == []


def test_the_newest_snapshot_counts() -> None:
    desk = Desk(details(ServiceKind.KK_NEW, version=5), details(ServiceKind.KIA, version=4))
    assert desk.case["details_version"] == 5
    assert desk.case["items"][0]["service_kind"] == "KK_NEW"


def test_where_a_visit_was_is_not_kept() -> None:
    assert "Rahasia" not in str(Desk(visits({0: DONE})).case)


@pytest.mark.parametrize("last_visit_after", [False, True])
def test_erasure_leaves_ids_and_outcomes_and_nothing_of_the_person(last_visit_after: bool) -> None:
    desk = visited_desk(ServiceKind.KK_NEW, ServiceKind.KIA).walk(*A4_WAY).fold(visits({1: DEFERRED}))
    desk.fold(closed(ClosingOutcome.PARTIAL), tombstone())
    if last_visit_after:
        desk.fold(visits({1: DEFERRED}, sequence=12), details(ServiceKind.KK_NEW, ServiceKind.KIA, version=120))
    text = str(desk.case)
    for personal in (NAME, NIK, "Budi", "CHILD", "SIAK-1", "PERSON_UNSETTLED"):
        assert personal not in text
    assert desk.case["erased"] is True
    assert [i["status"] for i in desk.shown()["items"]] == ["DONE", "OPEN"]
    assert "to_open_since" not in desk.case


def test_an_erased_person_stays_erased_when_older_snapshots_come_again() -> None:
    desk = Desk(tombstone(), details(ServiceKind.KK_NEW, version=7))
    assert "persons" not in desk.case
    assert desk.open().documents == []


def test_erased_visits_are_forgotten_but_not_their_outcome() -> None:
    desk = Desk(details(ServiceKind.KK_NEW), completed({0: DONE}), visits({0: DONE}))
    desk.fold(Fact(topics.VISIT_DETAILS, desk.case["_id"], desk.case["_id"], 50, TRACE, None))
    assert "visit_details" not in desk.case
    assert desk.shown()["items"][0]["visit_outcome"] == "DONE"


def test_every_topic_that_issuance_reads_has_a_handler() -> None:
    assert set(HANDLERS) == set(topics.read_by("issuance"))


def test_an_unknown_closing_is_a_closing_over_open_items() -> None:
    fact = closed(ClosingOutcome.OTHER)
    unknown = fact.data.model_copy(update={"outcome": "UNKNOWN"})
    desk = Desk(details(ServiceKind.KK_NEW), Fact(fact.type, fact.request_id, fact.aggregate, 9, TRACE, unknown))
    assert desk.shown()["items"][0]["status"] == "ENDED"
