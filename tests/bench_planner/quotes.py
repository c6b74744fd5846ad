"""How long an answer takes for whoever files a request: the three best places in a plan for 1000 open requests and 30 teams.

Asked in this process, of a plan that is kept in the engine's memory, about 300 requests that are in no route. Simple rules and
PyVRP have no such question.
"""

from functools import partial
from statistics import quantiles

from services.scheduling.planner import engine
from tests.bench.figures import Figure, Say, at_most
from tests.bench_planner.adapter import to_plan, to_problem, to_routes
from tests.bench_planner.contest import Measured, timed
from tests.bench_planner.instances import make
from tests.bench_planner.replanning import without

OPEN, NEW, TEAMS = 1000, 300, 30
ITERATIONS, HOT, COLD = 60_000, 30.0, 1.0
BEST, FIRST, ROUNDS = 3, 10, 5
"""Places of an answer; questions that are not counted; rounds."""
P99_MS = 5


def measure(say: Say) -> Measured:
    """p50 and p99 over all questions of all rounds."""
    engine.warmup()
    city = make(OPEN + NEW, TEAMS)
    new = city.requests[OPEN:]
    before = without(city, frozenset(new))
    plan = to_plan(before, engine.solve(to_problem(before), iterations=ITERATIONS, seed=1, hot=HOT, cold=COLD))
    given = to_problem(city)
    board, loading = timed(partial(engine.Board, given, to_routes(city, plan)))
    say(f"{sum(map(len, plan.values()))} of {OPEN} in the plan")
    answers = [timed(partial(board.places, request, BEST)) for request in [*new[:FIRST], *list(new) * ROUNDS]][FIRST:]
    hundredths = quantiles((1e3 * spent.wall for _, spent in answers), n=100)
    placed = sum(bool(found) for found, _ in answers)
    note = f"{len(answers)} questions, {placed} with a place; the plan is in memory after {loading.wall:.2f} s"
    p50 = Figure("an answer, p50", hundredths[49], "ms")
    return Measured(figures=[p50, at_most("an answer, p99", hundredths[98], P99_MS, unit="ms", note=note)])
