"""Synthetic cities with five working days, and an independent check of plans for them.

Times are whole minutes of the working clock: day d has the minutes 0 to WORK, with the lunch break cut out. Monday to
Thursday the break may begin any time from 11:30 to 12:30, so a visit of up to an hour leaves room for it. On Friday it begins at
11:30, which is minute NOON: no visit may go on across it.
"""

import hashlib
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

DAYS, FRIDAY, WORK, NOON = 5, 4, 420, 210
SIDE = 12.0
BIOMETRIC, PRINTER = "biometric", "printer"
CLASSES, SHARES = (10, 20, 35, 50, 70), (30, 25, 20, 15, 10)
HOURS = ((480, 600), (480, 660), (540, 690), (810, 960), (840, 960))
"""Minutes of the real day, none in the movable part of the break."""

Plan = Mapping[tuple[int, int], Sequence[int]]
"""By team and day: the requests in the order of visiting."""


class Window(NamedTuple):
    """When a visit may begin."""

    day: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Instance:
    """A city. Node 0 is the office; requests are 1 to n. arrival: the rank in which they were filed."""

    teams: Sequence[frozenset[str]]
    xy: Sequence[tuple[float, float]]
    travel: Sequence[Sequence[int]]
    service: Sequence[int]
    weight: Sequence[int]
    windows: Sequence[Sequence[Window]]
    need: Sequence[frozenset[str]]
    arrival: Sequence[int]

    @property
    def requests(self) -> range:
        """All requests."""
        return range(1, len(self.service))

    @property
    def slots(self) -> list[tuple[int, int]]:
        """Every team on every day, as (team, day), the first day first."""
        return [(team, day) for day in range(DAYS) for team in range(len(self.teams))]

    def on(self, request: int, day: int) -> list[tuple[int, int]]:
        """The windows of a request on a day."""
        return [(w.first, w.last) for w in self.windows[request] if w.day == day]

    def fingerprint(self) -> str:
        """The same for the same city."""
        needs = [sorted(need) for need in self.need]
        teams = [sorted(team) for team in self.teams]
        facts = [teams, self.xy, self.travel, self.service, self.weight, self.windows, needs, self.arrival]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


class Violation(NamedTuple):
    """A broken rule: "unknown" team, day or request, "twice", "skill", or "time" for a route that cannot be driven as it is."""

    rule: str
    team: int
    day: int
    request: int


class Checked(NamedTuple):
    """What a plan comes to."""

    served: int
    weight: int
    travel: int
    violations: list[Violation]


def minutes(a: tuple[float, float], b: tuple[float, float]) -> int:
    """Travel at 30 km/h, rounded up, which keeps the triangle inequality."""
    return math.ceil(2 * math.hypot(a[0] - b[0], a[1] - b[1]) - 1e-9)


def make(requests: int, teams: int, seed: int = 1) -> Instance:
    """The same city for the same numbers, on any machine."""
    rng = random.Random(seed * 1000003 + requests * 101 + teams)
    xy = [(SIDE / 2, SIDE / 2)] + [(rng.uniform(0, SIDE), rng.uniform(0, SIDE)) for _ in range(requests)]
    service, weight, need = [0], [0], [frozenset[str]()]
    windows: list[list[Window]] = [[]]
    for _ in range(requests):
        service.append(5 * rng.randint(4, 12))
        vulnerability = rng.choices(CLASSES, SHARES)[0]
        weight.append(min(100, vulnerability + rng.randint(0, 30)))
        windows.append([w for w in _windows(rng, service[-1]) if w.first <= w.last])
        need.append(_need(rng.random()))
    return Instance(
        teams=[_kit(team) for team in range(teams)],
        xy=xy,
        travel=[[minutes(p, q) for q in xy] for p in xy],
        service=service,
        weight=weight,
        windows=windows,
        need=need,
        arrival=[0, *rng.sample(range(requests), requests)],
    )


def _windows(rng: random.Random, service: int) -> list[Window]:
    """A tenth at certain hours every day, a tenth on one or two days, the others any time."""
    drawn = rng.random()
    if drawn < 0.10:
        first, last = rng.choice(HOURS)
        return [Window(day, _working(day, first), _working(day, last) - service) for day in range(DAYS)]
    days = sorted(rng.sample(range(DAYS), rng.choice([1, 2]))) if drawn < 0.20 else range(DAYS)
    return [window for day in days for window in any_time(day, service)]


def any_time(day: int, service: int) -> list[Window]:
    """The windows of who is at home all day."""
    if day == FRIDAY:
        return [Window(day, 0, NOON - service), Window(day, NOON, WORK - service)]
    return [Window(day, 0, WORK - service)]


def _working(day: int, minute: int) -> int:
    """A minute of the real day, as a minute of the working clock, which begins at 8:00."""
    if minute <= 690:
        return minute - 480
    return minute - (570 if day == FRIDAY else 540)


def _kit(team: int) -> frozenset[str]:
    return (frozenset({BIOMETRIC, PRINTER}), frozenset({BIOMETRIC}), frozenset({PRINTER}))[team % 3]


def _need(drawn: float) -> frozenset[str]:
    if drawn < 0.18:
        return frozenset({BIOMETRIC})
    if drawn < 0.26:
        return frozenset({PRINTER})
    return frozenset({BIOMETRIC, PRINTER}) if drawn < 0.30 else frozenset()


def starts(instance: Instance, day: int, route: Sequence[int]) -> list[int] | None:
    """When each visit begins at the earliest; None where the route cannot be driven."""
    clock, before, begun = 0, 0, []
    for request in route:
        clock += instance.travel[before][request]
        fitting = [max(clock, first) for first, last in instance.on(request, day) if clock <= last]
        if not fitting:
            return None
        begun.append(min(fitting))
        clock = begun[-1] + instance.service[request]
        before = request
    return begun if clock + instance.travel[before][0] <= WORK else None


def evaluate(instance: Instance, plan: Plan) -> Checked:
    """A plan simulated again from the rules alone; nothing of the engine is in it."""
    seen, travel, violations = set[int](), 0, list[Violation]()
    for (team, day), route in plan.items():
        exists = 0 <= team < len(instance.teams) and 0 <= day < DAYS
        strangers = [request for request in route if request not in instance.requests]
        if not exists or strangers:
            violations.append(Violation("unknown", team, day, strangers[0] if strangers else 0))
            continue
        for request in route:
            if request in seen:
                violations.append(Violation("twice", team, day, request))
            seen.add(request)
            if not instance.need[request] <= instance.teams[team]:
                violations.append(Violation("skill", team, day, request))
        if starts(instance, day, route) is None:
            violations.append(Violation("time", team, day, 0))
        travel += sum(instance.travel[a][b] for a, b in pairwise([0, *route, 0])) if route else 0
    return Checked(len(seen), sum(instance.weight[request] for request in seen), travel, violations)
