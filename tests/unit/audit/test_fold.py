"""The public state is the same from any order and any repetition of a request's facts."""

from hypothesis import given
from hypothesis import strategies as st

from pelangi.audit.fold import Fact, PublicState, apply, fold
from pelangi.contracts import events, topics
from tests.unit.audit import stories

FACTS = {make.__name__: make().history().facts for make in stories.STORIES}


def meaning(state: PublicState) -> tuple[object, ...]:
    return state.created, state.closed, state.visits, state.documents, state.items


@given(st.sampled_from(sorted(FACTS)), st.data())
def test_any_order_and_any_repetition_ends_in_the_same_state(name: str, data: st.DataObject) -> None:
    facts = FACTS[name]
    repeated = data.draw(st.lists(st.sampled_from(facts), max_size=8))
    shuffled = data.draw(st.permutations([*facts, *repeated]))
    assert fold(shuffled) == fold(facts)
    assert meaning(fold(shuffled)) == meaning(fold(facts))


def test_a_known_fact_changes_nothing() -> None:
    state = fold(FACTS["home"])
    assert all(apply(state, fact) is state for fact in FACTS["home"])


def test_a_cancellation_wins_over_a_later_date() -> None:
    withdrawn = FACTS["withdrawn"]
    cancelled = next(f for f in withdrawn if isinstance(f.data, events.VisitScheduled) and f.data.status == "CANCELLED")
    assert isinstance(cancelled.data, events.VisitScheduled)
    late = cancelled.data.model_copy(update={"status": "RESCHEDULED", "revision": 9})
    later = Fact(topics.VISIT_SCHEDULED, cancelled.request_id, cancelled.aggregate, cancelled.sequence + 1, late)
    for order in ([*withdrawn, later], [later, *withdrawn]):
        (visit,) = fold(order).visits.values()
        assert visit.cancelled
        assert not visit.open


def test_the_whole_story_is_in_the_state() -> None:
    state = fold(FACTS["home"])
    (visit,) = state.visits.values()
    (document,) = state.documents.values()
    assert state.created is not None
    assert state.closed is not None
    assert visit.schedule is not None
    assert visit.schedule.revision == 2
    assert document.handed_over is not None
    assert {item.outcome for item in state.items.values()} == {"DONE"}
