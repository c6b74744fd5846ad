"""Small random planning problems as arrays, and a simulation of a solution that shares no code with the engine."""

import random
from itertools import pairwise

from services.scheduling.planner.arrays import Problem, problem

DAYS, CLOSES, NOON = 3, 240, 120


def small(seed: int, requests: int = 25, teams: int = 2) -> Problem:
    """Requests with and without own hours, some for one team only, one counter, costs by slot, a break on the last day."""
    rng = random.Random(seed)
    at = [(rng.uniform(0, 30), rng.uniform(0, 30)) for _ in range(requests + 1)]
    travel = [[int(abs(a[0] - b[0]) + abs(a[1] - b[1]) + 0.999) for b in at] for a in at]
    service = [rng.randint(10, 45) for _ in range(requests)]
    slots = [(day, 0, CLOSES) for _ in range(teams) for day in range(DAYS)]
    windows = [[_windows(rng, day, minutes) for day in range(DAYS)] for minutes in service]
    only = [rng.random() < 0.2 for _ in range(requests)]
    return problem(
        travel=travel,
        service=service,
        penalty=[100 * rng.randint(1, 100) for _ in range(requests)],
        windows=windows,
        allowed=[[not only[i] or k < DAYS for k in range(len(slots))] for i in range(requests)],
        cost=[[3 * day for day, _, _ in slots] for _ in range(requests)],
        slots=slots,
        needs=[[int(rng.random() < 0.5)] for _ in range(requests)],
        stock=[[3] for _ in slots],
        nearest=15,
    )


def _windows(rng: random.Random, day: int, minutes: int) -> list[tuple[int, int]]:
    if rng.random() < 0.15:
        return []
    if day == DAYS - 1:
        return [(0, NOON - minutes), (NOON, CLOSES - minutes)]
    if rng.random() < 0.2:
        return [(60, 90), (150, 180), (185, 190)]
    return [(0, CLOSES - minutes)]


def simulate(given: Problem, routes: tuple[tuple[int, ...], ...]) -> int:
    """The cost of a plan, simulated minute by minute of its rules. Raises AssertionError where it breaks one."""
    visited = [node for route in routes for node in route]
    assert len(visited) == len(set(visited))
    cost = sum(given.penalty[node] for node in range(1, given.nodes) if node not in visited)
    for slot, route in enumerate(routes):
        minute = given.opens[slot]
        for before, node in pairwise([0, *route]):
            assert given.allowed[node * given.slots + slot]
            minute += given.travel[before * given.nodes + node]
            row = (node * given.days + given.day[slot]) * given.openings
            pairs = zip(
                given.windows[row : row + given.openings : 2], given.windows[row + 1 : row + given.openings : 2], strict=True
            )
            minute = min(max(minute, opens) for opens, closes in pairs if max(minute, opens) <= closes)
            minute += given.service[node]
            cost += given.cost[node * given.slots + slot]
        assert minute + given.travel[(route[-1] if route else 0) * given.nodes] <= given.closes[slot]
        cost += sum(given.travel[a * given.nodes + b] for a, b in pairwise([0, *route, 0]))
        for counter in range(given.counters):
            taken = sum(given.needs[node * given.counters + counter] for node in route)
            assert taken <= given.stock[slot * given.counters + counter]
    return cost
