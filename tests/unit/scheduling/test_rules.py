"""Calendar, capacity, priority: the pure rules."""

from dataclasses import fields
from datetime import date, datetime
from itertools import pairwise
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelangi.contracts.codes import VisitKind
from pelangi.contracts.public import PUBLIC_PLACE_KINDS
from services.scheduling.calendar import Segment
from services.scheduling.case import Slot
from services.scheduling.day import VACATED, Day
from services.scheduling.days import book, free, occupied, used_minutes
from services.scheduling.planner.priority import Urgency, order, score, urgency_of
from services.scheduling.reference import Reference, as_reference, defaults, service_minutes
from tests.unit.scheduling.city import NOW, VILLAGE, details, fold_facts, item_id, request_id

REFERENCE: Reference = as_reference(defaults())
CALENDAR = REFERENCE.calendar
WEDNESDAY, FRIDAY = "2026-11-25", "2026-11-27"


def test_working_days() -> None:
    assert CALENDAR.after(date(2026, 12, 23)) == date(2026, 12, 28)
    assert not CALENDAR.works(date(2026, 12, 24))  # cuti bersama
    assert CALENDAR.segments(date(2026, 12, 24)) == CALENDAR.segments(date(2026, 11, 28)) == []
    assert CALENDAR.segments(date(2026, 11, 25)) == [Segment(480, 900)]
    assert CALENDAR.segments(date(2026, 11, 27)) == [Segment(480, 690), Segment(810, 900)]
    upcoming = list(CALENDAR.upcoming(datetime.fromisoformat("2026-11-24T17:30:00+00:00")))  # 25th, 00:30 in Pangkalpinang
    assert (upcoming[0], len(upcoming)) == (date(2026, 11, 26), 260)


def test_the_files_are_complete() -> None:
    assert len(REFERENCE.points.points) == 42
    assert service_minutes().slow_factor == 3
    for kind in VisitKind:
        assert REFERENCE.serving(kind)


def slot(n: int, kind: VisitKind, minutes: int, day: str, *, team: str = "team-1", visit: int | None = None) -> Slot:
    return {
        "placement_id": f"p{n}",
        "request_id": request_id(n),
        "visit_id": item_id(n if visit is None else visit),
        "day": day,
        "team_id": team,
        "minutes": minutes,
        "block": 180 if kind in PUBLIC_PLACE_KINDS else 0,
        "not_before": 0,
        "not_after": 1440,
        "visit_kind": kind,
        "village_code": VILLAGE,
        "point": None,
        "at": REFERENCE.base,
        "items": [],
        "joins": False,
        "move": False,
        "reason": None,
        "visit_version": 1,
    }


STEPS = st.lists(
    st.tuples(
        st.sampled_from(list(VisitKind)),
        st.integers(1, 405),
        st.sampled_from(["team-1", "team-2", "office"]),
        st.one_of(st.none(), st.integers(0, 5)),
        st.booleans(),
    ),
    max_size=40,
)


@given(STEPS, st.sampled_from([WEDNESDAY, FRIDAY]))
def test_a_day_is_never_overfull(steps: list[tuple[VisitKind, int, str, int | None, bool]], on: str) -> None:
    day: Day = {"_id": on, "version": 0}
    for n, (kind, minutes, team, visit, give_back) in enumerate(steps):
        wish = slot(n, kind, minutes, on, team=team, visit=visit)
        day = book(day, wish, REFERENCE) or day
        assert book(day, wish, REFERENCE) in (day, None)
        if give_back:
            day = free(day, [f"p{n // 2}"])
        within_capacity(day)


def within_capacity(day: Day) -> None:
    on = date.fromisoformat(day["_id"])
    segments = CALENDAR.segments(on)
    for team in REFERENCE.teams.teams:
        times = occupied(day, team.team_id)
        for (_, end), (start, _) in pairwise(times):
            assert end <= start
            assert CALENDAR.work(on, end, start) >= team.travel_minutes
        for start, end in times:
            assert any(s.start <= start and end <= s.end for s in segments)
            assert CALENDAR.work(on, 0, start) >= team.travel_minutes
        standing = [v for v in day.get("visits", {}).values() if v["team_id"] == team.team_id and v["status"] not in VACATED]
        assert sum(v["visit_kind"] == VisitKind.HOME for v in standing) <= team.home_visits_per_day
    for visit_id, v in day.get("visits", {}).items():
        assert used_minutes(day, visit_id) <= v["end"] - v["start"]


def test_priority_can_see_only_need_and_waiting() -> None:
    assert [f.name for f in fields(Urgency)] == [
        "life_critical",
        "disaster",
        "bedridden_or_severe",
        "blocks_aid_or_school",
        "days_to_deadline",
        "days_waiting",
        "times_deferred",
    ]


NOTHING = Urgency(False, False, False, False, None, 0, 0)
SCORES = MappingProxyType(
    {
        Urgency(True, False, False, False, None, 0, 0): 100,
        Urgency(False, True, False, False, None, 0, 0): 80,
        Urgency(False, False, True, False, None, 0, 0): 60,
        Urgency(False, False, False, True, None, 0, 0): 50,
        Urgency(False, False, False, False, 14, 0, 0): 40,
        Urgency(False, False, False, False, 15, 0, 0): 0,
        Urgency(False, False, False, False, None, 61, 0): 60,
        Urgency(False, False, False, False, None, 0, 4): 45,
        Urgency(True, True, True, True, -1, 99, 2): 420,
    }
)


@pytest.mark.parametrize("urgency", SCORES)
def test_scores(urgency: Urgency) -> None:
    assert score(urgency) == SCORES[urgency]


def test_order_looks_at_needs_and_then_at_age() -> None:
    plain, older, bedridden, disaster = (
        fold_facts(fact).after
        for fact in (
            details(1),
            details(2, filled_at=NOW.replace(day=22)),
            details(3, needs=["BEDRIDDEN"]),
            details(4, visit_kind=VisitKind.DISASTER_POST),
        )
    )
    assert sorted((plain, older, bedridden, disaster), key=lambda c: order(c, NOW)) == [disaster, bedridden, older, plain]
    assert urgency_of(plain, NOW) == Urgency(False, False, False, False, None, 1, 0)
