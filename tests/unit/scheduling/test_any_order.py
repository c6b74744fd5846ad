"""Any permutation and repetition of one request's facts ends in the same facts and everything derived from them."""

from collections.abc import Callable
from datetime import date
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from pelangi.chassis.case import Change, Fact, stub
from pelangi.contracts.codes import ItemOutcome, RequestStatus, VisitKind
from services.scheduling import model
from services.scheduling.agenda import errands_of, items_to_visit, terms_of
from services.scheduling.case import Case, Slot
from services.scheduling.model import Seen
from tests.unit.scheduling.city import (
    NOW,
    OTHER_VILLAGE,
    TRACE,
    closed,
    created,
    details,
    fold_facts,
    item_closed,
    item_id,
    request_id,
    tombstone,
)
from tests.unit.scheduling.test_rules import WEDNESDAY, slot

EXCLUDED = {"version", "changed_at", "outbox", "pending_since"}
TIMES = {"needs_visit_since", "review_since", "releases_since", "wanted_since"}

FACTS: list[Callable[[], Fact[Any]]] = [
    created,
    lambda: details(version=1),
    lambda: details(version=2, village=OTHER_VILLAGE, status=RequestStatus.NEEDS_INFO),
    lambda: details(version=3, withdrawn=[1], village=OTHER_VILLAGE),
    lambda: details(version=4, withdrawn=[1], needs=["BEDRIDDEN"], not_before={0: date(2027, 1, 13)}),
    lambda: item_closed(at=0, outcome=ItemOutcome.DONE),
    closed,
    tombstone,
]


def outcome(case: Case) -> dict[str, Any]:
    """The facts and what follows; of moments only that they are there, of visits what others see of them."""
    shown = {k: (True if k in TIMES else v) for k, v in case.items() if k not in EXCLUDED}
    shown["visits"] = [{k: v for k, v in visit.items() if k != "revision"} for visit in case.get("visits", [])]
    return shown


def with_visit(*, status: str) -> Case:
    """A case whose two items have a visit."""
    case = fold_facts(details(version=1)).after
    known = {"terms": terms_of(case), "errands": errands_of(case), "items": items_to_visit(case)}
    wish = cast(Slot, {**slot(1, VisitKind.HOME, 20, WEDNESDAY), **known, "start": 495, "end": 515})
    case = _bare(model.hold(model.want(case, wish, NOW), wish, NOW))
    if status != "PLANNED":
        case = _bare(model.follow(case, Seen(item_id(1), WEDNESDAY, 2, status, "UNSAFE", NOW), NOW))
    return case


def _bare(case: Case) -> Case:
    change: Change[Case] = Change(case, cast(Case, stub(case["_id"])))
    change.advance(case, wall=NOW, traceparent=TRACE)
    return change.after


@st.composite
def orders(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Some of the facts in order, and the same ones shuffled and repeated."""
    chosen = draw(st.lists(st.sampled_from(range(len(FACTS))), min_size=1, unique=True))
    repeated = chosen + draw(st.lists(st.sampled_from(chosen), max_size=6))
    return sorted(chosen), draw(st.permutations(repeated))


@given(orders())
def test_before_there_is_a_visit(pair: tuple[list[int], list[int]]) -> None:
    straight, shuffled = pair
    expected = fold_facts(*(FACTS[i]() for i in straight)).after
    assert outcome(fold_facts(*(FACTS[i]() for i in shuffled)).after) == outcome(expected)


@given(orders(), st.sampled_from(["PLANNED", "EN_ROUTE", "FAILED"]))
def test_with_a_visit(pair: tuple[list[int], list[int]], status: str) -> None:
    straight, shuffled = pair
    expected = fold_facts(*(FACTS[i]() for i in straight), case=with_visit(status=status)).after
    actual = fold_facts(*(FACTS[i]() for i in shuffled), case=with_visit(status=status)).after
    assert outcome(actual) == outcome(expected)


def test_an_ended_visit_stays_as_it_was() -> None:
    case = with_visit(status="EN_ROUTE")
    done = {item_id(1000): ("DONE", None), item_id(1001): ("DONE", None)}
    case = _bare(model.follow(case, Seen(item_id(1), WEDNESDAY, 4, "DONE", None, NOW, done), NOW))
    change = fold_facts(closed(), case=case)
    assert change.envelopes == []
    assert change.after["visits"][0]["status"] == "DONE"
    assert change.after["_id"] == request_id(1)
