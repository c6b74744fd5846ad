"""1000 requests, 30 teams: 800 are in the plan, 480 of those were told a day and two hours, 14 of those cancel, 200 come new.

The plan is made again. Who was told is frozen: the day, and an hour before and after the planned start within the person's own
hours. Baselines keep the plan and insert; PyVRP begins from nothing. Moved: in the plan and not told, now on another day.
The service keeps the very minute that it told (ADR 0015); what that costs is measured too.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import mean

from services.scheduling.planner import engine
from tests.bench.figures import Figure, Say
from tests.bench_planner.adapter import penalties, to_plan, to_problem, to_routes
from tests.bench_planner.contest import OURS, SEEDS, Arena, Line, Measured, timed, wall_time, worst_at_most
from tests.bench_planner.instances import Instance, Plan, Window, make, starts

REQUESTS, TEAMS = 1000, 30
NEW, TOLD, CANCELLED = 0.20, 0.60, 0.03
AROUND = 60
BASE_ITERATIONS, ITERATIONS, HOT, COLD = 60_000, 50_000, 30.0, 1.0
LIMIT = 2.0
FROZEN_WORTH = 10_000_000
STABILITY = 30
"""Minutes that moving a planned visit to another day costs."""
MOVED_MOST = 10


@dataclass(frozen=True, slots=True)
class Situation:
    """What there is when the plan is made again. promised: by request; open: in the plan, nobody was told."""

    instance: Instance
    plan: Plan
    promised: Mapping[int, Sequence[Window]]
    open: frozenset[int]

    def penalty(self) -> list[int]:
        """By request: what leaving it out costs."""
        usual = zip(self.instance.requests, penalties(self.instance), strict=True)
        return [FROZEN_WORTH if request in self.promised else worth for request, worth in usual]

    def stability(self) -> list[list[int]]:
        """By request and slot: the cost of another day."""
        day_of = days(self.plan)
        slots = self.instance.slots
        return [
            [STABILITY * (request in self.open and day != day_of[request]) for _, day in slots]
            for request in self.instance.requests
        ]

    def broken(self, plan: Plan) -> int:
        """How many promises a plan breaks."""
        begins = begin(self.instance, plan)
        kept = 0
        for request, windows in self.promised.items():
            day, at = begins.get(request, (-1, 0))
            kept += any(w.day == day and w.first <= at <= w.last for w in windows)
        return len(self.promised) - kept

    def moved(self, plan: Plan) -> int:
        """How many open visits are on another day."""
        before, after = days(self.plan), days(plan)
        return sum(after.get(request, before[request]) != before[request] for request in self.open)

    def told(self, line: Line, plan: Plan) -> Line:
        """The line, with what the plan does to promises and to open visits."""
        dropped = len(self.open - days(plan).keys())
        note = f"{self.broken(plan)} promises broken; of {len(self.open)} open {self.moved(plan)} moved, {dropped} dropped"
        return replace(line, note=note)


def days(plan: Plan) -> dict[int, int]:
    """The day of each request of a plan."""
    return {request: day for (_, day), route in plan.items() for request in route}


def begin(instance: Instance, plan: Plan) -> dict[int, tuple[int, int]]:
    """Day and start of each request of a plan, those of routes that cannot be driven left out."""
    found = {}
    for (_, day), route in plan.items():
        found.update({request: (day, at) for request, at in zip(route, starts(instance, day, route) or [], strict=False)})
    return found


def without(instance: Instance, gone: frozenset[int]) -> Instance:
    """The city where these have no hours at all."""
    return replace(instance, windows=[[] if i in gone else windows for i, windows in enumerate(instance.windows)])


def situation(requests: int, teams: int, iterations: int, *, around: int = AROUND) -> Situation:
    """A first plan, and what happened since. around: minutes by which a promised start may move."""
    city, rng = make(requests, teams), random.Random(1)
    new = frozenset(rng.sample(city.requests, round(NEW * requests)))
    before = without(city, new)
    plan = to_plan(before, engine.solve(to_problem(before), iterations=iterations, seed=1, hot=HOT, cold=COLD))
    begins = begin(before, plan)
    told = rng.sample(sorted(begins), round(TOLD * len(begins)))
    gone = frozenset(rng.sample(told, round(CANCELLED * len(told))))
    promised = {request: _promise(city, request, *begins[request], around) for request in told if request not in gone}
    now = without(replace(city, windows=[promised.get(i, windows) for i, windows in enumerate(city.windows)]), gone)
    kept = {slot: [request for request in route if request not in gone] for slot, route in plan.items()}
    return Situation(now, kept, promised, frozenset(begins) - frozenset(told))


def _promise(city: Instance, request: int, day: int, at: int, around: int) -> list[Window]:
    cut = [(max(first, at - around), min(last, at + around)) for first, last in city.on(request, day)]
    return [Window(day, first, last) for first, last in cut if first <= last]


def measure(say: Say) -> Measured:
    """From the plan that is there: the engine without and with the stability cost, the simple rules; PyVRP from nothing."""
    engine.warmup()
    now = situation(REQUESTS, TEAMS, BASE_ITERATIONS)
    say(f"{len(now.promised)} frozen, {len(now.open)} planned and open")
    bound = sum(now.instance.weight[request] for request in now.instance.requests if now.instance.windows[request])
    arena = Arena(f"{REQUESTS}x{TEAMS}, {len(now.promised)} frozen", now.instance, bound)
    measured = Measured(lines=[now.told(line, plan) for line, plan in arena.baselines(now.plan)])
    start = to_routes(now.instance, now.plan)
    for label, cost in ((OURS, None), (f"{OURS}, {STABILITY} min to move", now.stability())):
        given = to_problem(now.instance, now.penalty(), cost)
        lines, broken, moved = list[Line](), list[float](), list[float]()
        for seed in SEEDS:
            found, spent = timed(partial(engine.solve, given, iterations=ITERATIONS, seed=seed, start=start, hot=HOT, cold=COLD))
            plan = to_plan(now.instance, found)
            line = replace(arena.line(label, plan, spent), limit=LIMIT, iterations=ITERATIONS, seed=seed)
            lines.append(now.told(line, plan))
            broken.append(now.broken(plan))
            moved.append(now.moved(plan))
        measured.lines += lines
        measured.figures.append(worst_at_most(f"{label}: broken promises", broken, 0))
        if cost:
            measured.figures.append(worst_at_most(f"{label}: open visits moved", moved, MOVED_MOST))
        measured.figures.append(wall_time(label, lines, LIMIT))
    measured.figures += _minute_kept(measured.lines)
    other, plan_of_other = arena.pyvrp(now.penalty(), LIMIT)
    measured.lines.append(other if plan_of_other is None else now.told(other, plan_of_other))
    measured.check_rules()
    return measured


def _minute_kept(lines: Sequence[Line]) -> list[Figure]:
    """How much more is driven, and how many fewer are served, where whoever was told keeps the very minute."""
    now = situation(REQUESTS, TEAMS, BASE_ITERATIONS, around=0)
    given, start = to_problem(now.instance, now.penalty(), now.stability()), to_routes(now.instance, now.plan)
    arena, kept = Arena("the minute kept", now.instance, 0), list[Line]()
    for seed in SEEDS:
        found, spent = timed(partial(engine.solve, given, iterations=ITERATIONS, seed=seed, start=start, hot=HOT, cold=COLD))
        kept.append(arena.line("the minute kept", to_plan(now.instance, found), spent))
    freer = [line for line in lines if line.engine == f"{OURS}, {STABILITY} min to move"]
    more = 100 * (mean(line.travel or 0 for line in kept) / mean(line.travel or 0 for line in freer) - 1)
    fewer = mean(line.served or 0 for line in freer) - mean(line.served or 0 for line in kept)
    return [
        Figure("the told minute kept: more travel", more, "%", note="against an hour before and after, means of three seeds"),
        Figure("the told minute kept: fewer served", fewer, "people"),
    ]
