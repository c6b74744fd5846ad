"""From jobs and team-days to a plan: the engine, warm from where everybody sits, and nobody behind a younger twin."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from services.scheduling.planner.districts import WHOLE, solve_in_districts
from services.scheduling.planner.engine import Board, Kernel, Solution, solve
from services.scheduling.planner.jobs import Job, Level, Plan, Seat, TeamDay
from services.scheduling.planner.table import Table, drivable, routes_of, seats_of, tabulate
from services.scheduling.travel import Travel

REPLAN, EVENING = 50, 200
"""Iterations per job: of a re-plan during the day, and of the one in the evening (SCHEDULING.md §7)."""
FEWEST = 2000
LUKEWARM = 10.0
"""A plan that stands is not thrown over: it is improved from a low temperature."""


def make_plan(jobs: Iterable[Job], team_days: Iterable[TeamDay], travel: Travel, *, per_job: int = EVENING, seed: int) -> Plan:
    """The plan; the same for the same jobs, team-days, seed and effort, in whatever order they are given."""
    table = tabulate(jobs, team_days, travel)
    return _plan(table, improve(table, per_job=per_job, seed=seed))


def improve(table: Table, *, per_job: int, seed: int) -> Solution:
    """The engine's answer for a table."""
    iterations = max(FEWEST, per_job * len(table.jobs))
    start = drivable(table, routes_of(table))
    if any(start):
        return solve(table.problem, iterations=iterations, seed=seed, start=start, hot=LUKEWARM)
    if len(table.jobs) > WHOLE:
        return solve_in_districts(table.problem, [job.at for job in table.jobs], iterations=iterations, seed=seed)
    return solve(table.problem, iterations=iterations, seed=seed)


def _plan(table: Table, found: Solution) -> Plan:
    seats = without_overtaking(table.jobs, seats_of(table, found.routes))
    return Plan(seats, frozenset(job.job_id for job in table.jobs) - seats.keys(), found.cost)


def without_overtaking(jobs: Iterable[Job], seats: Mapping[str, Seat]) -> dict[str, Seat]:
    """The seats, where of jobs alike in everything but age the older never sits later than the younger, or nowhere while it sits.

    Only among those whom nobody was told a date. Seats change hands between twins, so that every route stays as it is.
    """
    alike: dict[Job, list[Job]] = defaultdict(list)
    for job in jobs:
        if job.level <= Level.PLANNED:
            alike[_but_for_age(job)].append(job)
    after = dict(seats)
    for twins in alike.values():
        by_age = sorted(twins, key=lambda job: (job.received, job.job_id))
        given = sorted((seats[job.job_id] for job in twins if job.job_id in seats), key=lambda s: (s.date, s.start, s.team_id))
        for at, job in enumerate(by_age):
            if at < len(given):
                after[job.job_id] = given[at]
            else:
                after.pop(job.job_id, None)
    return after


def _but_for_age(job: Job) -> Job:
    return replace(job, job_id="", received=job.received.min, weight=0, must=False, level=Level.OPEN, seat=None)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A place for a job. cost: in minutes of driving. seats: of everybody on that team-day then; some start at another minute."""

    cost: int
    seat: Seat
    seats: Mapping[str, Seat]


class Proposals:
    """Places for one more job in a plan that stands: nothing is booked, and nobody leaves a team-day or a promised window."""

    def __init__(
        self, jobs: Iterable[Job], job: Job, team_days: Iterable[TeamDay], travel: Travel, *, by: Kernel | None = None
    ) -> None:
        """jobs: those that sit; `job`: the one to be placed."""
        placed = [other for other in jobs if other.seat and other.job_id != job.job_id]
        self._table = tabulate([*placed, replace(job, seat=None, level=Level.OPEN, promised=None)], team_days, travel)
        self._job_id = job.job_id
        self._node = next(at for at, other in enumerate(self._table.jobs, 1) if other.job_id == job.job_id)
        self._routes = drivable(self._table, routes_of(self._table))
        self._board = Board(self._table.problem, self._routes, by=by)

    def best(self, count: int) -> list[Proposal]:
        """At most so many, the cheapest first, at most one of each team-day."""
        return [self._proposal(*place) for place in self._board.places(self._node, count)]

    def _proposal(self, price: int, slot: int, at: int) -> Proposal:
        route = [*self._routes[slot][: at - 1], self._node, *self._routes[slot][at - 1 :]]
        seats = seats_of(self._table, [route if number == slot else [] for number in range(len(self._routes))])
        return Proposal(price, seats[self._job_id], seats)
