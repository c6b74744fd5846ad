"""Jobs and team-days as the engine's arrays, and routes as seats again. The model is SCHEDULING.md §7.

The working clock of a team-day counts the minutes of its stretches only: breaks are cut out of it, so the engine knows none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from services.scheduling.planner.arrays import Problem, problem
from services.scheduling.planner.jobs import Job, Level, Seat, TeamDay, Window
from services.scheduling.travel import Travel

POINT = 100
"""Minutes of driving that one point of priority is worth: in effect, priority comes first and travel second."""
MUST, PROMISED = 10**6, 10**7
"""What leaving out costs: who cannot wait longer, and who was told a date."""
LATER = 3
"""Tenths of a minute of driving that each day later costs, per point of priority: sooner is better."""
OTHER_DAY = 30
"""Minutes of driving that it costs to move a planned visit to another day: plans stay as they are unless it is worth it."""


@dataclass(frozen=True, slots=True)
class Table:
    """jobs: in canonical order, node i is jobs[i - 1]. slots: by number. days: (date, stretches) of the engine's day numbers."""

    jobs: Sequence[Job]
    slots: Sequence[TeamDay]
    days: Sequence[tuple[date, tuple[Window, ...]]]
    problem: Problem


def tabulate(jobs: Iterable[Job], team_days: Iterable[TeamDay], travel: Travel) -> Table:
    """The arrays of a planning problem.

    Canonical order: by the day received, then by the random id; no other order is told to the engine, whose choices among equals
    depend on it. Raises ValueError where team-days start from different bases, or a job_id occurs twice.
    """
    ordered = sorted(jobs, key=lambda job: (job.received, job.job_id))
    slots = sorted(team_days, key=lambda t: (t.date, t.team_id))
    days = sorted({(t.date, t.stretches) for t in slots})
    if len({t.base for t in slots}) > 1:
        raise ValueError("all teams start from one base")
    if len({job.job_id for job in ordered}) < len(ordered):
        raise ValueError("a job_id occurs twice")
    dates = sorted({t.date for t in slots})
    number = {day: at for at, day in enumerate(days)}
    points = [slots[0].base if slots else (0.0, 0.0), *(job.at for job in ordered)]
    kinds = max((len(t.blanks) for t in slots), default=0)
    given = problem(
        travel=[[travel(a, b) for b in points] for a in points],
        service=[job.minutes for job in ordered],
        penalty=[penalty(job) for job in ordered],
        windows=[[starts(job, on, stretches) for on, stretches in days] for job in ordered],
        allowed=[[_may(job, slot) for slot in slots] for job in ordered],
        cost=[[cost(job, slot.date, dates.index(slot.date)) for slot in slots] for job in ordered],
        slots=[(number[slot.date, slot.stretches], 0, slot.minutes) for slot in slots],
        needs=[[*_padded(job.blanks, kinds), int(job.at_home)] for job in ordered],
        stock=[[*_padded(slot.blanks, kinds), slot.home_visits] for slot in slots],
    )
    return Table(ordered, slots, days, given)


def penalty(job: Job) -> int:
    """What it costs to leave a job out, in minutes of driving."""
    if job.level >= Level.ANNOUNCED:
        return PROMISED
    return MUST + POINT * job.weight if job.must else POINT * job.weight


def cost(job: Job, on: date, days_ahead: int) -> int:
    """What a date costs beside the driving, in minutes: waiting longer, and leaving the day it was planned for."""
    waiting = (LATER * job.weight + 10 * job.backlog) * days_ahead // 10
    moved = job.level == Level.PLANNED and job.seat is not None and job.seat.date != on
    return waiting + (OTHER_DAY if moved else 0)


def starts(job: Job, on: date, stretches: Sequence[Window]) -> list[Window]:
    """When a job may start on a date, on the working clock: within a stretch, the people's hours and what was promised."""
    if job.earliest is not None and on < job.earliest:
        return []
    hours = [(a, b) for weekday, a, b in job.hours if weekday == on.isoweekday()] if job.hours else [(0, 24 * 60)]
    found: list[Window] = []
    begins = 0
    for opens, closes in stretches:
        for come, go in hours:
            first, last = max(opens, come), min(closes, go) - job.minutes
            if job.level >= Level.ANNOUNCED and job.seat is not None:
                first, last = _within_promise(job, job.seat, on, first, last)
            if first <= last:
                found.append((first - opens + begins, last - opens + begins))
        begins += closes - opens
    return _merged(found)


def routes_of(table: Table) -> list[list[int]]:
    """The routes in which the jobs sit now, for the engine to start from; who sits where no team works any more is in none."""
    number = {(slot.team_id, slot.date): at for at, slot in enumerate(table.slots)}
    routes: list[list[int]] = [[] for _ in table.slots]
    seated = sorted((job.seat.start, node, job.seat) for node, job in enumerate(table.jobs, 1) if job.seat)
    for _, node, seat in seated:
        slot = number.get((seat.team_id, seat.date))
        if slot is not None:
            routes[slot].append(node)
    return routes


def drivable(table: Table, routes: Sequence[Sequence[int]]) -> list[list[int]]:
    """The routes without those that no longer fit, the least firmly placed and least urgent first."""
    kept: list[list[int]] = [[] for _ in table.slots]
    wanted = sorted(
        ((slot, node) for slot, route in enumerate(routes) for node in route),
        key=lambda pair: (-table.jobs[pair[1] - 1].level, -table.problem.penalty[pair[1]], pair[1]),
    )
    order = {node: at for route in routes for at, node in enumerate(route)}
    for slot, node in wanted:
        tried = sorted([*kept[slot], node], key=order.__getitem__)
        if _fits(table, slot, tried):
            kept[slot] = tried
    return kept


def _fits(table: Table, slot: int, route: Sequence[int]) -> bool:
    given = table.problem
    if not all(given.allowed[node * given.slots + slot] for node in route):
        return False
    for counter in range(given.counters):
        if sum(given.needs[n * given.counters + counter] for n in route) > given.stock[slot * given.counters + counter]:
            return False
    clock, before = given.opens[slot], 0
    for node in route:
        clock += given.travel[before * given.nodes + node]
        row = (node * given.days + given.day[slot]) * given.openings
        pairs = zip(given.windows[row : row + given.openings : 2], given.windows[row + 1 : row + given.openings : 2], strict=True)
        begins = [max(clock, first) for first, last in pairs if clock <= last]
        if not begins:
            return False
        clock, before = min(begins) + given.service[node], node
    return clock + given.travel[before * given.nodes] <= given.closes[slot]


def seats_of(table: Table, routes: Sequence[Sequence[int]]) -> dict[str, Seat]:
    """Where everybody in these routes sits: each visit as early as it can be."""
    seats: dict[str, Seat] = {}
    for slot, route in zip(table.slots, routes, strict=True):
        clock, before = 0, 0
        for node in route:
            job = table.jobs[node - 1]
            clock += table.problem.travel[before * table.problem.nodes + node]
            clock = min(max(clock, first) for first, last in starts(job, slot.date, slot.stretches) if clock <= last)
            start = minute_of(slot.stretches, clock)
            seats[job.job_id] = Seat(slot.team_id, slot.date, start, start + job.minutes)
            clock += job.minutes
            before = node
    return seats


def minute_of(stretches: Sequence[Window], clock: int) -> int:
    """A minute of the working clock as a minute of the day: the beginning of a stretch rather than the end of the one before."""
    for opens, closes in stretches:
        if clock < closes - opens:
            return opens + clock
        clock -= closes - opens
    return stretches[-1][1] + clock


def _within_promise(job: Job, seat: Seat, on: date, first: int, last: int) -> Window:
    if on != seat.date:
        return 1, 0
    opens, closes = seat.start, seat.start
    if job.promised and job.level < Level.LOCKED:
        opens, closes = job.promised
    return max(first, opens), min(last, closes)


def _may(job: Job, slot: TeamDay) -> bool:
    if job.level == Level.LOCKED and job.seat is not None and job.seat.team_id != slot.team_id:
        return False
    return job.kit <= slot.kit and not any(job.blanks[len(slot.blanks) :])


def _padded(numbers: tuple[int, ...], length: int) -> list[int]:
    return [*numbers[:length], *[0] * (length - len(numbers))]


def _merged(windows: list[Window]) -> list[Window]:
    merged: list[Window] = []
    for first, last in sorted(windows):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(merged[-1][1], last)
        else:
            merged.append((first, last))
    return merged
