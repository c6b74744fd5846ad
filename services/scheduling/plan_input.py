"""From requests and days to what the planner knows: the only module that sees both. What is not a field of `Job` stays here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from statistics import mean, median

from pelangi.chassis.clock import local_date
from pelangi.contracts.codes import VisitKind, VisitStatus
from pelangi.contracts.public import PUBLIC_PLACE_KINDS
from services.scheduling.case import Case
from services.scheduling.day import ALL_DAY, VACATED, Day, DayVisit
from services.scheduling.days import blanks_in, out_since, where
from services.scheduling.minutes import SOON, most_minutes
from services.scheduling.planner.interface import Ask, Horizon
from services.scheduling.planner.jobs import Job, Level, Seat, TeamDay
from services.scheduling.planner.priority import cannot_wait, urgency_of, waiting_since, weight
from services.scheduling.planner.questions import Question
from services.scheduling.planner.solving import REPLAN
from services.scheduling.reference import Reference

ON_THE_ROAD = frozenset(VisitKind) - {VisitKind.OFFICE_APPOINTMENT}
"""Visits for which a team drives: the planner's. Appointments at the counter are given out one after another."""
HEAVY = 100
FEWEST_DATES = 5
WAY_HOME = 120
"""Minutes after closing in which a team may still be on its way back, as the day document allows."""


def is_planned(ask: Ask) -> bool:
    """Whether the planner finds its place: a new visit, for which a team drives."""
    return not ask.move and ask.visit_kind in ON_THE_ROAD


def one_of_each_place(asks: Iterable[Ask], horizon: Horizon, reference: Reference) -> list[Ask]:
    """Those that cannot share a visit, and of those that can the first of each place that nobody goes to yet.

    With minutes for all of that place: the others join it once it is booked.
    """
    chosen: list[Ask] = []
    places = {key for day in horizon.days.values() for visit in day.get("visits", {}).values() for key in _places(visit)}
    first: dict[tuple[str, str, str], int] = {}
    for ask in asks:
        mine = {(ask.visit_kind, ask.village_code, key) for key in ask.place_keys or ("",)} if ask.joins else set()
        if mine & places:
            continue
        if known := [first[key] for key in mine if key in first]:
            if ask.visit_kind not in PUBLIC_PLACE_KINDS:  # at a point the team stays for so long in any case
                chosen[known[0]] = _with_room_for(chosen[known[0]], ask, reference, ask.earliest or horizon.dates[0])
        else:
            first |= dict.fromkeys(mine, len(chosen))
            chosen.append(ask)
    return chosen


def question(
    asks: Sequence[Ask],
    cases: Mapping[str, Case],
    horizon: Horizon,
    reference: Reference,
    now: datetime,
    *,
    fewest: int = FEWEST_DATES,
    planned: Mapping[str, Seat] | None = None,
    per_job: int = REPLAN,
    seed: int = 1,
    fairness: int = 0,
) -> Question | None:
    """What the planner is asked for these, on at least so many dates; None where there is nothing to ask.

    planned: where they sit in the plan so far, of which nobody was told. fairness: see `backlogs`.
    """
    minutes = sum(max(ask.minutes, ask.block) for ask in asks)
    dates = dates_with_room(horizon.loaded(), horizon.days, minutes, reference, fewest)
    days = [horizon.days[on] for on in dates if on in horizon.days]
    if not asks or not dates:
        return None
    jobs = [job_of(ask, cases[ask.request_id], dates, now) for ask in asks]
    if planned:
        jobs = [replace(j, seat=planned[j.job_id], level=Level.PLANNED) if j.job_id in planned else j for j in jobs]
    if fairness:
        more = backlogs(asks, cases, now)
        jobs = [replace(j, backlog=round(fairness * more[ask.village_code])) for j, ask in zip(jobs, asks, strict=True)]
    jobs = [*standing_jobs(days, reference), *jobs]
    return Question(
        jobs=jobs,
        team_days=team_days(dates, reference, horizon.days),
        speed=reference.speed,
        least=reference.least_minutes,
        per_job=per_job,
        seed=seed,
        roads=reference.roads.between([reference.base, *(job.at for job in jobs)]),
    )


def job_of(ask: Ask, case: Case, dates: Sequence[date], now: datetime) -> Job:
    """A request that asks for a visit, as the planner may know it. No deadline is missed for the people's hours."""
    weekdays = {on.isoweekday() for on in dates if ask.deadline is None or on <= ask.deadline}
    hours = ask.availability if weekdays & {weekday for weekday, _, _ in ask.availability} else ()
    return Job(
        job_id=ask.request_id,
        received=local_date(waiting_since(case)),
        at=ask.at,
        minutes=max(ask.minutes, ask.block),
        weight=weight(urgency_of(case, now)),
        must=cannot_wait(case, now),
        kit=frozenset({*ask.kit, kind_of_visit(ask.visit_kind)}),
        blanks=ask.blanks,
        at_home=ask.visit_kind == VisitKind.HOME,
        hours=hours,
        earliest=ask.earliest,
    )


def backlogs(asks: Iterable[Ask], cases: Mapping[str, Case], now: datetime) -> dict[str, float]:
    """By kelurahan, by how many days those of these who live there have waited longer than in the median one (SCHEDULING.md §7).

    What a day of it counts is a setting, in minutes of driving for each later day; 0 until the figures show a difference.
    """
    waited: dict[str, list[int]] = {}
    for ask in asks:
        waited.setdefault(ask.village_code, []).append((now - waiting_since(cases[ask.request_id])).days)
    means = {village: mean(days) for village, days in waited.items()}
    usual = median(means.values()) if means else 0.0
    return {village: max(0.0, days - usual) for village, days in means.items()}


def standing_jobs(days: Iterable[Day], reference: Reference) -> list[Job]:
    """The visits that stand in these days, each where it is: the planner drives around them."""
    return [
        _standing(visit_id, day, visit, reference)
        for day in days
        for visit_id, visit in day.get("visits", {}).items()
        if visit["status"] not in VACATED
    ]


def team_days(dates: Iterable[date], reference: Reference, days: Mapping[date, Day] | None = None) -> list[TeamDay]:
    """The teams that drive, on those of the dates on which they work; until they are out, where `days` say so."""
    teams = [t for t in reference.teams.teams if set(t.visit_kinds) & ON_THE_ROAD]
    stretches = {on: tuple((s.start, s.end) for s in reference.calendar.segments(on)) for on in dates}
    return [
        TeamDay(
            team_id=team.team_id,
            date=on,
            stretches=until,
            base=reference.base,
            kit=frozenset({*team.kit, *map(kind_of_visit, team.visit_kinds)}),
            blanks=team.stock,
            home_visits=team.home_visits_per_day,
            way_home=WAY_HOME,
        )
        for on, hours in stretches.items()
        for team in teams
        if (until := _until(hours, out_since((days or {}).get(on), team.team_id)))
    ]


def _until(hours: tuple[tuple[int, int], ...], last: int) -> tuple[tuple[int, int], ...]:
    return tuple((start, min(end, last)) for start, end in hours if start < last)


def _with_room_for(ask: Ask, other: Ask, reference: Reference, on: date) -> Ask:
    block = max(ask.block, ask.minutes) + other.minutes
    return replace(ask, block=min(block, most_minutes(ask.visit_kind, ask.at, reference, on, SOON)))


def _places(visit: DayVisit) -> set[tuple[str, str, str]]:
    """By what others recognise a visit that they may join. Not a session: whom it can take has a place in it already."""
    if visit["status"] != VisitStatus.PLANNED or visit.get("arriving") or visit.get("session"):
        return set()
    keys = [""] if visit["visit_kind"] in PUBLIC_PLACE_KINDS else visit.get("place_keys", [])
    return {(visit["visit_kind"], visit["village_code"], key) for key in keys}


def kind_of_visit(kind: str) -> str:
    """A kind of visit among the kit: only some teams make it."""
    return f"visit:{kind}"


def _standing(visit_id: str, day: Day, visit: DayVisit, reference: Reference) -> Job:
    on = date.fromisoformat(day["_id"])
    return Job(
        job_id=visit_id,
        received=date.min,
        at=where(visit, reference),
        minutes=visit["end"] - visit["start"],
        weight=HEAVY,
        blanks=blanks_in(day, visit_id),
        at_home=visit["visit_kind"] == VisitKind.HOME,
        level=Level.LOCKED,
        seat=Seat(visit["team_id"], on, visit["start"], visit["end"]),
    )


def dates_with_room(
    dates: Sequence[date], days: Mapping[date, Day], minutes: int, reference: Reference, fewest: int
) -> list[date]:
    """The first of the dates that together have room for twice so many minutes, and at least so many: who asks gets a choice."""
    chosen: list[date] = []
    room = 0
    for on in dates:
        if (free := _free(on, days.get(on), reference)) > 0:
            chosen.append(on)
            room += free
        if len(chosen) >= fewest and room >= 2 * minutes:
            break
    return chosen


def _free(on: date, day: Day | None, reference: Reference) -> int:
    """Minutes in which teams that drive have nobody on a date, roughly: less the way to each visit."""
    visits = [v for v in (day or {}).get("visits", {}).values() if v["status"] not in VACATED]
    hours = sum(s.end - s.start for s in reference.calendar.segments(on))
    free = 0
    for team in reference.teams.teams:
        mine = [v for v in visits if v["team_id"] == team.team_id]
        if set(team.visit_kinds) & ON_THE_ROAD and out_since(day, team.team_id) >= ALL_DAY:
            free += max(0, hours - sum(v["end"] - v["start"] + team.travel_minutes for v in mine))
    return free
