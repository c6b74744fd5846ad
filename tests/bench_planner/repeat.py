"""The same plan from the same city: in two processes, from requests handed over in any order, and without the compiler.

Requests are numbered in the order of their ids before they are planned, so the order in which a database hands them over is lost.
The hash of the plan is printed: two machines with processors of one kind must print the same.
"""

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import replace

from services.scheduling.planner import engine
from tests.bench.figures import Say, at_most
from tests.bench_planner.adapter import to_problem
from tests.bench_planner.contest import Measured
from tests.bench_planner.instances import Instance, make
from tests.bench_planner.national import workers

REQUESTS, TEAMS, ITERATIONS = 200, 3, 20_000
SMALL_REQUESTS, SMALL_ITERATIONS = 60, 300
SHUFFLES = (None, None, 1, 2)
"""What the order of the requests is drawn from; None leaves it."""


def reordered(instance: Instance, order: Sequence[int]) -> Instance:
    """The city with its requests numbered in another order."""
    nodes = [0, *order]
    return replace(
        instance,
        xy=[instance.xy[node] for node in nodes],
        travel=[[instance.travel[a][b] for b in nodes] for a in nodes],
        service=[instance.service[node] for node in nodes],
        weight=[instance.weight[node] for node in nodes],
        windows=[instance.windows[node] for node in nodes],
        need=[instance.need[node] for node in nodes],
        arrival=[instance.arrival[node] for node in nodes],
    )


def handed_over(instance: Instance, shuffle: int | None) -> tuple[Instance, list[int]]:
    """The city as a database might hand it over, and the ids of its requests in that order."""
    ids = list(instance.requests)
    if shuffle is not None:
        random.Random(shuffle).shuffle(ids)
    return reordered(instance, ids), ids


def in_order(instance: Instance, ids: Sequence[int]) -> Instance:
    """The city with its requests numbered by their ids."""
    return reordered(instance, sorted(instance.requests, key=lambda request: ids[request - 1]))


def plan_hash(shuffle: int | None) -> str:
    """The hash of a plan made by this process."""
    instance = in_order(*handed_over(make(REQUESTS, TEAMS), shuffle))
    return _hash(engine.solve(to_problem(instance), iterations=ITERATIONS, seed=1))


def _hash(found: engine.Solution) -> str:
    return hashlib.sha256(json.dumps(found.routes).encode()).hexdigest()[:16]


def measure(say: Say) -> Measured:
    """How many different plans there are."""
    hashes = []
    for shuffle in SHUFFLES:
        with workers(1) as pool:
            hashes.append(pool.submit(plan_hash, shuffle).result())
        say(f"order {shuffle}: {hashes[-1]}")
    given = to_problem(make(SMALL_REQUESTS, TEAMS))
    ways = [engine.solve(given, iterations=SMALL_ITERATIONS, seed=1, by=by) for by in (None, engine.interpreted())]
    process_note = f"{REQUESTS}x{TEAMS}, {ITERATIONS} iterations, plan {hashes[0]}"
    compiler_note = f"{SMALL_REQUESTS}x{TEAMS}, {SMALL_ITERATIONS} iterations"
    if engine.compiled() is None:
        compiler_note += "; numba is not installed: both ran interpreted"
    return Measured(
        figures=[
            at_most("other plans from another process", len(set(hashes[:2])) - 1, 0, note=process_note),
            at_most("other plans from another order", len({hashes[0], *hashes[2:]}) - 1, 0, note=f"{len(SHUFFLES) - 2} orders"),
            at_most("other plans without the compiler", len(set(map(_hash, ways))) - 1, 0, note=compiler_note),
        ]
    )
