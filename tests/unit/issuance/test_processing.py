"""The processing clock: when it starts, when it stands still, when it stops."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pelangi.contracts.codes import DocumentKind, ItemOutcome, ItemVisitOutcome, ServiceKind
from pelangi.contracts.reasons import REASONS, DeferralReason
from services.issuance.documents import InternalKind
from services.issuance.model import close_item
from services.issuance.processing import PROCESSING, Processing, elapsed
from tests.unit.issuance.scenario import NOW, Desk, completed, details, item_id, visited_desk, visits

DONE = ItemVisitOutcome.DONE
PAUSING = [r for r in DeferralReason if REASONS.deferral[r].clock_paused]
RUNNING = [r for r in DeferralReason if not REASONS.deferral[r].clock_paused]


def hours(n: float) -> timedelta:
    return timedelta(hours=n)


def of(desk: Desk, after: float, document: int = 0) -> tuple[float, float] | None:
    """Gross and net hours, asked so many hours after the visit ended."""
    passed = elapsed(desk.case, desk.documents[document], NOW + hours(after))
    return (passed.gross / hours(1), passed.net / hours(1)) if passed else None


def test_it_starts_when_the_visit_ends_and_stops_when_the_document_is_issued() -> None:
    desk = Desk(details(ServiceKind.KK_NEW)).open()
    assert of(desk, 5) is None
    desk.fold(completed({0: DONE}))
    assert of(desk, 5) == (5, 5)
    desk.move("DATA_ENTERED", now=NOW + hours(6)).move("VERIFIED", now=NOW + hours(7))
    assert of(desk, 8) == (8, 8)
    desk.move("SIGNED", now=NOW + hours(9), siak_reference="S")
    assert of(desk, 500) == (9, 9)
    desk.move("READY_FOR_HANDOVER", now=NOW + hours(40)).move("SUPERSEDED", now=NOW + hours(90), reason="TYPING_ERROR")
    assert of(desk, 500) == (9, 9)
    assert of(desk, 100, 1) == (10, 10)  # the next edition has a clock of its own


def test_documents_opened_after_the_visit_are_late_from_the_visit_on() -> None:
    desk = Desk(details(ServiceKind.KK_NEW), completed({0: DONE}))
    desk.open()
    desk.documents[0]["history"][0]["at"] = NOW + hours(3)
    assert of(desk, 4) == (4, 4)


@pytest.mark.parametrize("reason", PAUSING)
def test_it_stands_still_while_others_are_waited_for(reason: DeferralReason) -> None:
    desk = visited_desk(ServiceKind.KK_NEW).move("DATA_ENTERED", now=NOW + hours(1))
    desk.move("ON_HOLD", now=NOW + hours(2), reason=reason)
    assert of(desk, 10) == (10, 2)
    desk.move("DATA_ENTERED", now=NOW + hours(20)).move("VERIFIED", now=NOW + hours(21))
    desk.move("SIGNED", now=NOW + hours(22), siak_reference="S")
    assert of(desk, 99) == (22, 4)


@pytest.mark.parametrize("reason", RUNNING)
def test_what_the_office_could_have_helped_counts(reason: DeferralReason) -> None:
    desk = visited_desk(ServiceKind.KK_NEW).move("ON_HOLD", now=NOW + hours(2), reason=reason)
    assert of(desk, 10) == (10, 10)


def test_it_stands_still_at_the_centre_and_while_papers_are_missing() -> None:
    card = visited_desk(ServiceKind.KTP_NEW).move("BIO_CAPTURED", now=NOW + hours(1))
    card.move("AWAITING_CENTRE", now=NOW + hours(2)).move("PRINT_READY", now=NOW + hours(300))
    assert of(card, 301) == (301, 3)
    paper = visited_desk(ServiceKind.KK_NEW).move("REQUIREMENTS_PENDING", now=NOW + hours(1))
    assert of(paper, 50) == (50, 1)


def test_without_the_time_of_the_visit_the_first_step_that_needs_it_starts_the_clock() -> None:
    desk = Desk(details(ServiceKind.KK_NEW), visits({0: DONE})).open().move("REQUIREMENTS_PENDING", now=NOW + hours(5))
    assert of(desk, 9) is None
    desk.move("DATA_ENTERED", now=NOW + hours(10))
    assert of(desk, 12) == (2, 2)


def test_an_item_that_ended_stops_it() -> None:
    desk = visited_desk(ServiceKind.KK_NEW, ServiceKind.KIA).move("REJECTED", now=NOW + hours(3), reason="FALSE_STATEMENT")
    assert of(desk, 50) == (3, 3)
    desk.take(close_item(desk.case, item_id(1), ItemOutcome.WITHDRAWN, None, NOW))
    assert of(desk, 50, 1) is None


@given(st.lists(st.tuples(st.sampled_from(DeferralReason), st.integers(-50, 50)), max_size=8), st.integers(-200, 200))
def test_it_never_runs_backwards_and_net_never_exceeds_gross(holds: list[tuple[DeferralReason, int]], asked: int) -> None:
    desk, at = visited_desk(ServiceKind.KK_NEW), 0
    for reason, step in holds:
        at += step
        desk.move("ON_HOLD", now=NOW + hours(at), reason=reason).move("OPEN", now=NOW + hours(at + 1))
    passed = of(desk, asked)
    assert passed is not None
    assert 0 <= passed[1] <= passed[0]


def test_the_view_shows_both_beside_the_limits() -> None:
    desk = visited_desk(ServiceKind.KK_NEW, ServiceKind.MOVE_OUT, ServiceKind.KIA)
    desk.move("ON_HOLD", now=NOW + hours(1), reason=DeferralReason.SIAK_DOWN)
    clocks = [d["clock"] for i in desk.shown(now=NOW + hours(2.26))["items"] for d in i["documents"]]
    assert clocks[0] == {"gross_hours": 2.3, "net_hours": 1.0, "target_hours": 24, "statutory_days": 14, "working_days": False}
    assert [(c["statutory_days"], c["working_days"]) for c in clocks[1:]] == [(14, True), (None, False)]


def test_a_table_that_forgets_a_kind_does_not_load() -> None:
    table = PROCESSING.model_dump(mode="json")
    assert set(PROCESSING.days) == {*DocumentKind, *InternalKind}
    wrongs: list[object] = [
        {**table, "days": {k: v for k, v in table["days"].items() if k != "KK"}},
        {**table, "days": table["days"] | {"KK": {"days": 0}}},
        {**table, "days": table["days"] | {"SIM": {"days": 1}}},
        {**table, "typo": 1},
    ]
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            Processing.model_validate(wrong)
