"""The validator: looks at a plan again from the jobs and the teams' days alone, before anything of it leaves.

It shares no code with what makes plans: a fault there must not hide here. Every visit is simulated in minutes of the day.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.scheduling.planner.jobs import Job, Level, Plan, Seat, TeamDay
from services.scheduling.travel import Coordinates


class Rule(StrEnum):
    """The hard rules of a plan."""

    UNKNOWN = "UNKNOWN"
    MISSING = "MISSING"
    NO_SUCH_TEAM_DAY = "NO_SUCH_TEAM_DAY"
    LENGTH = "LENGTH"
    WORKING_TIME = "WORKING_TIME"
    OVERLAP = "OVERLAP"
    TRAVEL = "TRAVEL"
    KIT = "KIT"
    BLANKS = "BLANKS"
    HOME_VISITS = "HOME_VISITS"
    HOURS = "HOURS"
    TOO_EARLY = "TOO_EARLY"
    BROKEN_PROMISE = "BROKEN_PROMISE"


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a plan breaks, and where: the job or the team."""

    rule: Rule
    where: str


def validate(
    plan: Plan, jobs: Iterable[Job], team_days: Iterable[TeamDay], travel: Callable[[Coordinates, Coordinates], int]
) -> list[Violation]:
    """Every hard rule that the plan breaks; empty for a plan that may be published."""
    by_id = {job.job_id: job for job in jobs}
    teams = {(t.team_id, t.date): t for t in team_days}
    found = [Violation(Rule.UNKNOWN, i) for i in (*plan.seats, *plan.left_out) if i not in by_id]
    found += [Violation(Rule.MISSING, i) for i in by_id if (i in plan.seats) == (i in plan.left_out)]
    days: dict[tuple[str, date], list[tuple[Seat, Job]]] = defaultdict(list)
    for job_id, seat in plan.seats.items():
        if job_id in by_id:
            days[seat.team_id, seat.date].append((seat, by_id[job_id]))
    for key, visits in days.items():
        if key in teams:
            found += _of_team_day(teams[key], sorted(visits, key=lambda v: v[0].start), travel)
        else:
            found += [Violation(Rule.NO_SUCH_TEAM_DAY, job.job_id) for _, job in visits]
    return found + [v for job in by_id.values() for v in _of_promise(job, plan.seats)]


def _of_team_day(
    team: TeamDay, visits: list[tuple[Seat, Job]], travel: Callable[[Coordinates, Coordinates], int]
) -> Iterable[Violation]:
    here, free = team.base, team.stretches[0][0]
    for at, (seat, job) in enumerate(visits):
        yield from _of_visit(team, seat, job)
        if at and seat.start < free:
            yield Violation(Rule.OVERLAP, job.job_id)
        elif _working(team, free, seat.start) < travel(here, job.at):
            yield Violation(Rule.TRAVEL, job.job_id)
        here, free = job.at, seat.end
    if visits and _working(team, free, team.stretches[-1][1]) + team.way_home < travel(here, team.base):
        yield Violation(Rule.TRAVEL, team.team_id)
    for kind, stock in enumerate(team.blanks):
        if sum(job.blanks[kind] for _, job in visits if kind < len(job.blanks)) > stock:
            yield Violation(Rule.BLANKS, team.team_id)
    if sum(job.at_home for _, job in visits) > team.home_visits:
        yield Violation(Rule.HOME_VISITS, team.team_id)


def _of_visit(team: TeamDay, seat: Seat, job: Job) -> Iterable[Violation]:
    if seat.end - seat.start != job.minutes:
        yield Violation(Rule.LENGTH, job.job_id)
    if not any(opens <= seat.start and seat.end <= closes for opens, closes in team.stretches):
        yield Violation(Rule.WORKING_TIME, job.job_id)
    if job.kit - team.kit:
        yield Violation(Rule.KIT, job.job_id)
    if any(job.blanks[len(team.blanks) :]):
        yield Violation(Rule.BLANKS, job.job_id)
    at_home = [(opens, closes) for weekday, opens, closes in job.hours if weekday == seat.date.isoweekday()]
    if job.hours and not any(opens <= seat.start and seat.end <= closes for opens, closes in at_home):
        yield Violation(Rule.HOURS, job.job_id)
    if job.earliest is not None and seat.date < job.earliest:
        yield Violation(Rule.TOO_EARLY, job.job_id)


def _of_promise(job: Job, seats: Mapping[str, Seat]) -> Iterable[Violation]:
    if job.level < Level.ANNOUNCED or job.seat is None:
        return
    now = seats.get(job.job_id)
    opens, closes = job.promised or (job.seat.start, job.seat.start)
    kept = now is not None and now.date == job.seat.date and opens <= now.start <= closes
    if not kept or (job.level == Level.LOCKED and now != job.seat):
        yield Violation(Rule.BROKEN_PROMISE, job.job_id)


def _working(team: TeamDay, since: int, until: int) -> int:
    """Minutes of work between two minutes of the day: nobody drives in the break."""
    return sum(max(0, min(closes, until) - max(opens, since)) for opens, closes in team.stretches)
