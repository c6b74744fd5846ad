"""How transitions become one guarded write with their events in it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pelangi.chassis.case import Change, Fact, apply_fact, difference, emit, mark, stub
from pelangi.contracts.envelope import event_id
from pelangi.contracts.events import ItemClosed, RequestClosed, encode
from pelangi.contracts.examples import EXAMPLES

WALL = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CLOSED: Any = EXAMPLES["request-closed.v1"]
ITEM: Any = EXAMPLES["item-closed.v1"]
R = CLOSED.request_id


def known(**fields: Any) -> Any:
    return {"_id": R, "version": 5, **fields}


def change(before: Any) -> Change[Any]:
    return Change(before, before if before is not None else stub(R))


def test_each_transition_is_one_version_and_its_events_carry_it() -> None:
    it = change(known())
    it.advance(emit({**it.after, "a": 1}, CLOSED), wall=WALL, traceparent=TRACE)
    it.advance(emit({**it.after, "a": 2}, CLOSED), wall=WALL, traceparent=TRACE)
    assert it.after["version"] == 7
    assert [(e["sequence"], e["id"]) for e in it.envelopes] == [
        (6, event_id("request-closed.v1", R, R, 6)),
        (7, event_id("request-closed.v1", R, R, 7)),
    ]


def test_an_envelope_holds_the_exact_bytes() -> None:
    it = change(known())
    it.advance(emit(it.after, ITEM), wall=WALL, traceparent=TRACE)
    assert it.envelopes == [
        {
            "type": "item-closed.v1",
            "id": event_id("item-closed.v1", R, ITEM.item_id, 6),
            "aggregate": ITEM.item_id,
            "time": WALL,
            "sequence": 6,
            "traceparent": TRACE,
            "data": encode("item-closed.v1", ITEM),
        }
    ]


def test_an_event_can_go_to_somebody_who_does_not_know_the_case() -> None:
    answer: Any = EXAMPLES["submission-answered.v1"]
    it = change(known())
    it.advance(emit(emit(it.after, CLOSED), answer, key=answer.submission_id), wall=WALL)
    closed, answered = it.envelopes
    assert "key" not in closed
    assert (answered["key"], answered["aggregate"]) == (answer.submission_id, answer.submission_id)
    assert answered["id"] == event_id("submission-answered.v1", answer.submission_id, answer.submission_id, 6)


def test_a_transition_that_returns_its_argument_changes_nothing() -> None:
    it = change(known())
    it.advance(it.after, wall=WALL)
    assert not it.changed
    assert it.after["version"] == 5


def test_two_events_of_one_aggregate_in_one_transition_fail() -> None:
    case = emit(known(), ITEM)
    with pytest.raises(AssertionError, match="two events of one aggregate"):
        emit(case, ITEM)


def test_two_aggregates_and_two_types_in_one_transition_are_fine() -> None:
    other = ITEM.model_copy(update={"item_id": "019ab4d2-6f11-7a0b-8c4d-000000000000"})
    it = change(known())
    it.advance(emit(emit(emit(it.after, ITEM), other), CLOSED), wall=WALL)
    assert {e["sequence"] for e in it.envelopes} == {6}
    assert len({e["id"] for e in it.envelopes}) == 3


def test_a_snapshot_is_a_marker_and_one_per_transition() -> None:
    it = change(known())
    it.advance(mark(mark(it.after, "request-details.v1"), "request-details.v1"), wall=WALL, traceparent=TRACE)
    (marker,) = it.envelopes
    assert marker["marker"] is True
    assert "data" not in marker
    assert marker["id"] == event_id("request-details.v1", R, R, 6)


def test_an_event_that_breaks_its_contract_fails_its_transition() -> None:
    with pytest.raises(ValueError, match="16 digits"):
        place = EXAMPLES["visit-scheduled.v1"].place.model_copy(update={"name": "1971010203049005"})  # type: ignore[attr-defined]
        emit(known(), EXAMPLES["visit-scheduled.v1"].model_copy(update={"place": place}))


def test_a_new_case_is_inserted_whole() -> None:
    it = change(None)
    it.advance(emit({**it.after, "a": 1}, CLOSED), wall=WALL)
    document = it.document()
    assert document == {
        "_id": R, "version": 1, "a": 1, "changed_at": WALL, "outbox": it.envelopes, "pending_since": WALL,
        "trace": it.envelopes[0]["traceparent"]
    }  # fmt: skip


def test_a_new_case_without_events_is_not_pending() -> None:
    it = change(None)
    it.advance({**it.after, "a": 1}, wall=WALL)
    assert it.document() == {"_id": R, "version": 1, "a": 1, "changed_at": WALL}


def test_a_known_case_is_updated_by_its_difference_guarded_by_its_version() -> None:
    before = known(a=1, gone=1, same=[1], outbox=[{"id": "earlier"}], pending_since=WALL)
    it = change(before)
    after = {k: v for k, v in it.after.items() if k != "gone"}
    it.advance(emit({**after, "a": 2}, CLOSED), wall=WALL)
    update = it.update()
    assert (update.id, update.version) == (R, 5)
    assert update.update == {
        "$set": {"a": 2, "version": 6, "changed_at": WALL, "trace": it.envelopes[0]["traceparent"]},
        "$unset": {"gone": ""},
        "$push": {"outbox": {"$each": it.envelopes}},
        "$min": {"pending_since": WALL},
    }


def test_an_update_without_events_leaves_the_outbox_alone() -> None:
    it = change(known(outbox=[{"id": "earlier"}], pending_since=WALL))
    it.advance({**it.after, "a": 2}, wall=WALL)
    assert it.update().update.keys() == {"$set"}


def test_difference_touches_nothing_that_is_the_relays() -> None:
    before = {"_id": R, "outbox": [1], "pending_since": WALL, "a": {"b": 1}}
    assert difference(before, {"_id": R, "outbox": [], "a": {"b": 1}}) == {}
    assert difference(before, {**before, "a": {"b": 2}}) == {"$set": {"a": {"b": 2}}}


def fact(sequence: int, aggregate: str = ITEM.item_id, type_: str = "item-closed.v1") -> Fact[ItemClosed]:
    return Fact(type_, R, aggregate, sequence, "", ITEM)


def counting(case: Any, _: Any, __: Any) -> Any:
    return {**case, "calls": case.get("calls", 0) + 1}


def test_a_fact_is_applied_once_and_an_older_one_not_at_all() -> None:
    case = apply_fact(known(), fact(7), counting, WALL)
    assert case["applied"] == {f"item-closed_v1:{ITEM.item_id}": 7}
    assert apply_fact(case, fact(7), counting, WALL) is case
    assert apply_fact(case, fact(6), counting, WALL) is case
    assert apply_fact(case, fact(9), counting, WALL)["calls"] == 2, "gaps are normal"


def test_sequences_are_per_type_and_aggregate() -> None:
    case = apply_fact(known(), fact(9), counting, WALL)
    case = apply_fact(case, fact(4, aggregate="another"), counting, WALL)
    case = apply_fact(case, fact(1, type_="document-issued.v1"), counting, WALL)
    assert case["calls"] == 3


def test_a_fact_without_effect_is_remembered_all_the_same() -> None:
    it = change(known())
    it.advance(apply_fact(it.after, fact(7), lambda case, _, __: case, WALL), wall=WALL)
    assert it.changed
    assert it.update().update["$set"]["applied"] == {fact(7).slot: 7}


def test_no_slot_holds_a_dot() -> None:
    assert "." not in fact(1).slot


def test_events_are_distinct_types() -> None:
    assert isinstance(CLOSED, RequestClosed)
