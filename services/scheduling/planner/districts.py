"""Big problems in parts: districts that are solved one by one, then a repair of the whole at a low temperature.

Above some hundred requests an iteration changes little of the whole; a district of a few teams gets as far as a small city does
(SCHEDULING.md §3, after the decompositions of large routing problems: Santini et al. 2023, doi 10.1287/ijoc.2023.0048).
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import cycle, islice

from services.scheduling.planner.arrays import Problem
from services.scheduling.planner.engine import COLD, HOT, Kernel, Solution, solve

WHOLE = 400
"""Up to so many requests a problem is solved whole."""
SIZE = 150
"""Requests of a district, about."""
REPAIR = 4
"""One iteration of so many goes to the repair of the whole."""
REPAIR_HOT = 5.0


def solve_in_districts(
    given: Problem,
    points: Sequence[tuple[float, float]],
    *,
    iterations: int,
    seed: int,
    hot: float = HOT,
    cold: float = COLD,
    by: Kernel | None = None,
) -> Solution:
    """A plan as `engine.solve` gives it; whole where the problem is small. points: of the requests, in any planar unit."""
    requests = given.nodes - 1
    if requests <= WHOLE:
        return solve(given, iterations=iterations, seed=seed, hot=hot, cold=cold, by=by)
    districts = cut(points, max(2, round(requests / SIZE)))
    shares = deal(given, districts)
    routes: list[tuple[int, ...]] = [()] * given.slots
    for number, (nodes, slots) in enumerate(zip(districts, shares, strict=True)):
        if not slots:
            continue
        part = part_of(given, nodes, slots)
        share = iterations * (REPAIR - 1) // REPAIR * len(nodes) // requests
        found = solve(part, iterations=share, seed=seed + number, hot=hot, cold=cold, by=by)
        for slot, route in zip(slots, found.routes, strict=True):
            routes[slot] = tuple(nodes[node - 1] for node in route)
    return solve(given, iterations=iterations // REPAIR, seed=seed, start=routes, hot=min(hot, REPAIR_HOT), cold=cold, by=by)


def cut(points: Sequence[tuple[float, float]], count: int) -> list[list[int]]:
    """The requests in so many districts of about one size: halved again and again across the longer side."""
    parts = [(list(range(1, len(points) + 1)), count)]
    done: list[list[int]] = []
    while parts:
        nodes, into = parts.pop()
        if into == 1 or len(nodes) < 2:
            done.append(sorted(nodes))
            continue
        axis = max((0, 1), key=lambda a: _spread(points, nodes, a))
        nodes.sort(key=lambda n: (points[n - 1][axis], n))
        first = into // 2
        at = len(nodes) * first // into
        parts += [(nodes[at:], into - first), (nodes[:at], first)]
    return done


def deal(given: Problem, districts: Sequence[Sequence[int]]) -> list[list[int]]:
    """The slots of each district: of each day and kind of kit as its work needs them, who lacks most first."""
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for slot in range(given.slots):
        may = (given.allowed[node * given.slots + slot] for node in range(given.nodes))
        alike[(given.day[slot], hash(tuple(may)))].append(slot)
    work = [sum(given.service[node] for node in nodes) for nodes in districts]
    shares: list[list[int]] = [[] for _ in districts]
    minutes = [0.0] * len(districts)
    turn = 0
    for slots in alike.values():
        for slot in slots:
            order = sorted(range(len(districts)), key=lambda d: (minutes[d] / max(work[d], 1), (d - turn) % len(districts)))
            shares[order[0]].append(slot)
            minutes[order[0]] += given.closes[slot] - given.opens[slot]
            turn += 1
    return [sorted(share) for share in shares]


def part_of(given: Problem, nodes: Sequence[int], slots: Sequence[int]) -> Problem:
    """The problem of some requests and some slots; their numbers in it are their places in these lists."""
    chosen, days, counters, row = [0, *nodes], given.days, given.counters, given.days * given.openings
    number = {node: at for at, node in enumerate(chosen)}
    near = [
        [number[n] for n in given.near[node * given.nearest : (node + 1) * given.nearest] if n in number] for node in chosen[1:]
    ]
    nearest = max((len(others) for others in near), default=0)
    return Problem(
        nodes=len(chosen),
        slots=len(slots),
        days=days,
        counters=counters,
        nearest=nearest,
        openings=given.openings,
        travel=[given.travel[a * given.nodes + b] for a in chosen for b in chosen],
        service=[given.service[node] for node in chosen],
        penalty=[given.penalty[node] for node in chosen],
        windows=[w for node in chosen for w in given.windows[node * row : (node + 1) * row]],
        allowed=[given.allowed[node * given.slots + slot] for node in chosen for slot in slots],
        cost=[given.cost[node * given.slots + slot] for node in chosen for slot in slots],
        needs=[n for node in chosen for n in given.needs[node * counters : (node + 1) * counters]],
        stock=[n for slot in slots for n in given.stock[slot * counters : (slot + 1) * counters]],
        day=[given.day[slot] for slot in slots],
        opens=[given.opens[slot] for slot in slots],
        closes=[given.closes[slot] for slot in slots],
        near=[0] * nearest + [n for others in near for n in _filled(others, nearest)],
    )


def _filled(row: Sequence[int], length: int) -> list[int]:
    """The row repeated until it is so long: who lies at the edge of a district has fewer neighbours in it."""
    return list(islice(cycle(row), length)) if row else [0] * length


def _spread(points: Sequence[tuple[float, float]], nodes: Sequence[int], axis: int) -> float:
    values = [points[node - 1][axis] for node in nodes]
    return max(values) - min(values)
