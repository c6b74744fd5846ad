"""The engine on public instances, its routes checked against their files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from services.scheduling.planner import engine
from services.scheduling.planner.arrays import Problem
from tests.bench.figures import Figure, Say
from tests.bench_planner import oracle, public
from tests.bench_planner.contest import OURS, PYVRP, SEEDS, Line, Measured, Spent, timed, wall_time, worst_at_least, worst_at_most
from tests.bench_planner.public import Case

NO_FILES = f"no files: install VRPSolverEasy or set {public.FOLDER_VARIABLE}"
POINT = 2_000
"""What a point of score is worth in units of distance: more than most detours; a larger one leaves no slope to anneal on."""
MUST = 1_000_000


@dataclass(frozen=True, slots=True)
class Team:
    """Team orienteering: the score is the demand of all who are visited, nothing is carried, driving is free.

    demands: the least score, by case.
    """

    vehicles: int
    demands: dict[str, int]
    limit: float
    iterations: int
    hot: float
    cold: float

    def measure(self, say: Say) -> Measured:
        """By case, the engine with each seed and PyVRP once."""
        measured = Measured()
        for name, goal in self.demands.items():
            case = _case(name)
            label = f"{name}, {self.vehicles} vehicles"
            if case is None:
                measured.lines.append(Line(label, OURS, note=NO_FILES))
                continue
            prize = [POINT * score for score in case.demand[1:]]
            given = public.to_problem(case, self.vehicles, prize, capacity=False)
            lines = [_solved(label, case, given, self, seed, capacity=False) for seed in SEEDS]
            bound = public.BEST_SCORE[name]
            other = _pyvrp(label, case, self.vehicles, prize, self.limit, capacity=False)
            measured.lines += [replace(line, bound=bound) for line in (*lines, other)]
            scores = [line.weight or 0 for line in lines]
            note = f"proved optimum {bound}, PyVRP {other.weight or other.note}"
            measured.figures += [worst_at_least(f"{label}: score", scores, goal, note=note), wall_time(label, lines, self.limit)]
            say(f"{label}: {measured.figures[-2].value:g}")
        measured.check_rules()
        return measured


@dataclass(frozen=True, slots=True)
class Routing:
    """Vehicle routing with time windows: everybody is visited, vehicles as in the file, the distance counts."""

    names: Sequence[str]
    gap_most: float
    limit: float
    iterations: int
    hot: float
    cold: float

    def measure(self, say: Say) -> Measured:
        """By case, the engine with each seed and PyVRP once. Where no best known distance is sourced, PyVRP's is the measure."""
        measured = Measured()
        for name in self.names:
            case = _case(name)
            if case is None:
                measured.lines.append(Line(name, OURS, note=NO_FILES))
                continue
            given = public.to_problem(case, case.vehicles, [MUST] * (len(case.xy) - 1), capacity=True)
            known = public.BEST_DISTANCE.get(name)
            lines = [_solved(name, case, given, self, seed, capacity=True) for seed in (SEEDS if known else SEEDS[:1])]
            other = _pyvrp(name, case, case.vehicles, None, self.limit, capacity=True)
            measured.lines += [*lines, other]
            measured.figures += [*self._figures(name, case, lines, other), wall_time(name, lines, self.limit)]
            say(f"{name}: {measured.figures[-2].value:g} {measured.figures[-2].unit}")
        measured.check_rules()
        return measured

    def _figures(self, name: str, case: Case, lines: Sequence[Line], other: Line) -> list[Figure]:
        served = [line.served or 0 for line in lines]
        everybody = worst_at_least(f"{name}: visited", served, len(case.xy) - 1)
        if known := public.BEST_DISTANCE.get(name):
            gaps = [100 * ((line.travel or 0) / known - 1) for line in lines]
            theirs = f"PyVRP {100 * (other.travel / known - 1):+.2f} %" if other.travel else f"PyVRP {other.note}"
            return [
                everybody,
                worst_at_most(f"{name}: above the best known {known / 10}", gaps, self.gap_most, unit="%", note=theirs),
            ]
        if other.travel:
            gap = 100 * ((lines[0].travel or 0) / other.travel - 1)
            return [everybody, Figure(f"{name}: above PyVRP in this run", gap, "%", note="no best known distance with a source")]
        return [everybody]


def _case(name: str) -> Case | None:
    folder = public.folder()
    path = folder / f"{name}.txt" if folder else None
    return public.read(path.read_text()) if path and path.exists() else None


def _solved(label: str, case: Case, given: Problem, how: Team | Routing, seed: int, *, capacity: bool) -> Line:
    engine.warmup()
    found, spent = timed(partial(engine.solve, given, iterations=how.iterations, seed=seed, hot=how.hot, cold=how.cold))
    made = _line(label, OURS, case, found.routes, spent, capacity=capacity)
    return replace(made, limit=how.limit, iterations=how.iterations, seed=seed)


def _pyvrp(label: str, case: Case, vehicles: int, prize: Sequence[int] | None, limit: float, *, capacity: bool) -> Line:
    if not oracle.available():
        return Line(label, PYVRP, limit=limit, note=oracle.MISSING)
    routes, spent = timed(partial(oracle.deliver, case, vehicles, prize, limit, capacity=capacity))
    if not routes:
        return Line(label, PYVRP, spent=spent, limit=limit, note=oracle.NO_PLAN)
    return replace(_line(label, PYVRP, case, routes, spent, capacity=capacity), limit=limit, seed=1)


def _line(label: str, who: str, case: Case, routes: Sequence[Sequence[int]], spent: Spent, *, capacity: bool) -> Line:
    done = public.drive(case, routes, capacity=capacity)
    return Line(label, who, done.served, done.score, None, done.distance, done.late, spent)
