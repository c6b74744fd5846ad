"""500 cities of one country, 20,005 requests, in two processes.

City sizes are quantiles of a lognormal distribution (median 23), at most 481; a team for each 42 requests begun. The wall time is
from problems to plans, over both processes, which are warm. PyVRP is not run: it takes seconds for each city.
"""

import math
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from statistics import NormalDist

from services.scheduling.planner import engine
from services.scheduling.planner.arrays import Problem
from tests.bench.figures import Say, at_least, at_most
from tests.bench_planner.adapter import to_plan, to_problem
from tests.bench_planner.baselines import BASELINES
from tests.bench_planner.contest import OURS, PYVRP, Line, Measured, Spent
from tests.bench_planner.instances import Checked, Instance, evaluate, make

CITIES, MEDIAN, SIGMA, LARGEST = 500, 23, 1.0629, 481
PER_TEAM = 42
PROCESSES = 2
PER_REQUEST, HOT, COLD = 20, 30.0, 1.0
TRAVEL_MOST, WALL_MOST = 100_000, 15


def sizes() -> list[int]:
    """Requests of each city, the largest first."""
    spread = NormalDist(math.log(MEDIAN), SIGMA)
    drawn = [math.exp(spread.inv_cdf((rank + 0.5) / CITIES)) for rank in range(CITIES)]
    return sorted((min(LARGEST, max(1, round(size))) for size in drawn), reverse=True)


def cities() -> list[Instance]:
    """All cities, each with a seed of its own."""
    return [make(size, math.ceil(size / PER_TEAM), seed) for seed, size in enumerate(sizes(), 1)]


def planned(given: Problem) -> tuple[engine.Solution, float]:
    """One city, and the processor time it took."""
    began = time.process_time()
    found = engine.solve(given, iterations=PER_REQUEST * (given.nodes - 1), seed=1, hot=HOT, cold=COLD)
    return found, time.process_time() - began


@contextmanager
def workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes whose engine is compiled."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=spawn, initializer=engine.warmup) as pool:
        list(pool.map(time.sleep, [2.0] * count))  # one for each, so that all have begun
        yield pool


def measure(say: Say) -> Measured:
    """The simple rules in this process, the engine in two."""
    country = cities()
    total, weight = sum(len(city.requests) for city in country), sum(sum(city.weight) for city in country)
    problems = [to_problem(city) for city in country]
    say(f"{len(country)} cities, {total} requests, {sum(len(city.teams) for city in country)} teams")
    measured = Measured()
    for name, rule in BASELINES.items():
        began, used = time.perf_counter(), time.process_time()
        plans = [rule(city, {}) for city in country]
        spent = Spent(time.perf_counter() - began, time.process_time() - used)
        measured.lines.append(_line(name, weight, list(map(evaluate, country, plans)), spent))
    engine.warmup()
    with workers(PROCESSES) as pool:
        began = time.perf_counter()
        found = list(pool.map(planned, problems))
        wall = time.perf_counter() - began
    checked = [evaluate(city, to_plan(city, solution)) for city, (solution, _) in zip(country, found, strict=True)]
    cpu = sum(seconds for _, seconds in found)
    slowest = max(seconds for _, seconds in found)
    ours = _line(
        OURS, weight, checked, Spent(wall, cpu), note=f"{PER_REQUEST} iterations a request; slowest city {slowest:.2f} s"
    )
    measured.lines += [ours, Line(f"{CITIES} cities", PYVRP, note="not run: it takes seconds for each city")]
    measured.figures += [
        at_least("served", ours.served or 0, total, unit="people"),
        at_most("travel", ours.travel or 0, TRAVEL_MOST, unit="min"),
        at_most("wall time", wall, WALL_MOST, unit="s", note=f"{PROCESSES} processes, {cpu:.1f} s of processor together"),
    ]
    measured.check_rules()
    return measured


def _line(who: str, bound: int, checked: list[Checked], spent: Spent, note: str = "") -> Line:
    return Line(
        f"{CITIES} cities",
        who,
        sum(one.served for one in checked),
        sum(one.weight for one in checked),
        bound,
        sum(one.travel for one in checked),
        sum(len(one.violations) for one in checked),
        spent,
        seed=1 if who == OURS else None,
        note=note,
    )
