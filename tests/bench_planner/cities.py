"""One city planned from nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from services.scheduling.planner import engine
from services.scheduling.planner.arrays import Problem
from services.scheduling.planner.districts import solve_in_districts
from tests.bench.figures import Figure, Say
from tests.bench_planner.adapter import penalties, to_plan, to_problem
from tests.bench_planner.contest import OURS, SEEDS, Arena, Line, Measured, timed, wall_time, worst_at_least, worst_at_most
from tests.bench_planner.instances import DAYS, Instance, Plan, make
from tests.bench_planner.picture import Panel, draw


@dataclass(frozen=True, slots=True)
class Run:
    """So many iterations, which take less than `limit` seconds on the machine they were chosen on, and what is demanded of them.

    share: % of the bound. weight: of who is served. everybody: whether all must be served. travel: minutes at most.
    """

    limit: float
    iterations: int
    hot: float
    cold: float
    share: float | None = None
    weight: int | None = None
    everybody: bool = False
    travel: int | None = None

    def figures(self, lines: Sequence[Line], requests: int, note: str) -> list[Figure]:
        """The demands on the plans, one by seed."""
        at, figures = f"{self.limit:g} s", list[Figure]()
        if self.share is not None:
            shares = [100 * (line.weight or 0) / (line.bound or 1) for line in lines]
            figures.append(worst_at_least(f"{at}: served weight, of the bound", shares, self.share, unit="%"))
        if self.weight is not None:
            figures.append(worst_at_least(f"{at}: served weight", [line.weight or 0 for line in lines], self.weight))
        if self.everybody:
            figures.append(worst_at_least(f"{at}: served", [line.served or 0 for line in lines], requests, unit="people"))
        if self.travel is not None:
            figures.append(worst_at_most(f"{at}: travel", [line.travel or 0 for line in lines], self.travel, unit="min"))
        return [*figures, wall_time(at, lines, self.limit, note)]


@dataclass(frozen=True, slots=True)
class City:
    """A row. bound: proved upper bound of the served weight; None where everybody together is the only one known."""

    requests: int
    teams: int
    runs: Sequence[Run]
    bound: int | None = None
    districts: bool = False
    picture: bool = False

    def measure(self, say: Say) -> Measured:
        """The simple rules once; for each time limit the engine with each seed, and PyVRP once."""
        name, instance = f"{self.requests}x{self.teams}", make(self.requests, self.teams)
        arena = Arena(name, instance, self.bound or sum(instance.weight))
        given, building = timed(partial(to_problem, instance))
        say(f"arrays in {building.wall:.2f} s")
        engine.warmup()
        measured = Measured(lines=[line for line, _ in arena.baselines({})])
        plan: Plan = {}
        for run in self.runs:
            lines = []
            for seed in SEEDS:
                found, spent = timed(partial(self._solve, given, instance, run, seed))
                plan = to_plan(instance, found)
                line = arena.line(OURS, plan, spent)
                lines.append(replace(line, limit=run.limit, iterations=run.iterations, seed=seed))
            other, _ = arena.pyvrp(penalties(instance), run.limit)
            measured.lines += [*lines, other]
            measured.figures += run.figures(lines, self.requests, f"{building.wall:.2f} s for the arrays before it")
        measured.check_rules()
        if self.picture:
            measured.pictures[name] = draw(f"{self.requests} requests, {self.teams} teams, five days", panels(instance, plan))
        return measured

    def _solve(self, given: Problem, instance: Instance, run: Run, seed: int) -> engine.Solution:
        if self.districts:
            points = instance.xy[1:]
            return solve_in_districts(given, points, iterations=run.iterations, seed=seed, hot=run.hot, cold=run.cold)
        return engine.solve(given, iterations=run.iterations, seed=seed, hot=run.hot, cold=run.cold)


def panels(instance: Instance, plan: Plan) -> list[Panel]:
    """A map of each day, and one of who is in no route."""
    served = {request for route in plan.values() for request in route}
    maps = []
    for day in range(DAYS):
        routes = [plan.get((team, day), ()) for team in range(len(instance.teams))]
        drawn = [[instance.xy[node] for node in (0, *route, 0)] if route else [] for route in routes]
        maps.append(Panel(f"day {day + 1}: {sum(map(len, routes))} visits", drawn))
    left = [instance.xy[request] for request in instance.requests if request not in served]
    return [*maps, Panel(f"in no route: {len(left)}", (), left)]
