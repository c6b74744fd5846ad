"""What a row of the benchmark hands over: figures with their demands, and a line for each plan that was made."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from tests.bench.figures import Figure, at_least, at_most
from tests.bench_planner import oracle
from tests.bench_planner.baselines import BASELINES
from tests.bench_planner.instances import Instance, Plan, evaluate

SEEDS = (1, 2, 3)
"""Of the engine. A demand must be met with each: the figure is the worst of them."""
OURS, PYVRP = "engine", "PyVRP"

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of wall and of this process's processor time."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Line:
    """One plan. weight: of who is served; bound: what no plan can exceed. None where the plan was not made: the note says why."""

    instance: str
    engine: str
    served: int | None = None
    weight: int | None = None
    bound: int | None = None
    travel: int | None = None
    violations: int = 0
    spent: Spent | None = None
    limit: float | None = None
    iterations: int | None = None
    seed: int | None = None
    note: str = ""


@dataclass(slots=True)
class Measured:
    """What a row found. pictures: SVG by name."""

    figures: list[Figure] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)

    def check_rules(self) -> None:
        """Add the figure that says whether every plan keeps every rule, if there are plans."""
        if all(line.served is None for line in self.lines):
            return
        broken = [line for line in self.lines if line.violations]
        who = ", ".join(sorted({f"{line.engine} at {line.instance}" for line in broken}))
        self.figures.append(at_most("broken rules in all plans", sum(line.violations for line in self.lines), 0, note=who))


def timed(work: Callable[[], Result]) -> tuple[Result, Spent]:
    """What it gives, and what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, Spent(time.perf_counter() - wall, time.process_time() - cpu)


@dataclass(frozen=True, slots=True)
class Arena:
    """A city that several plan, under its name in the report; bound: of the served weight."""

    name: str
    instance: Instance
    bound: int

    def line(self, engine: str, plan: Plan, spent: Spent) -> Line:
        """The line of a plan, checked against the rules."""
        found = evaluate(self.instance, plan)
        return Line(self.name, engine, found.served, found.weight, self.bound, found.travel, len(found.violations), spent)

    def baselines(self, start: Plan) -> list[tuple[Line, Plan]]:
        """What the simple rules make of it, from the plan that is there."""
        made = []
        for engine, rule in BASELINES.items():
            plan, spent = timed(partial(rule, self.instance, start))
            made.append((self.line(engine, plan, spent), plan))
        return made

    def pyvrp(self, penalty: Sequence[int], limit: float) -> tuple[Line, Plan | None]:
        """What PyVRP makes of it from nothing; no plan where it is not installed. penalty: by request, of leaving it out."""
        if not oracle.available():
            return Line(self.name, PYVRP, limit=limit, note=oracle.MISSING), None
        plan, spent = timed(partial(oracle.plan, self.instance, penalty, limit))
        return replace(self.line(PYVRP, plan, spent), limit=limit, seed=1, note="" if plan else oracle.NO_PLAN), plan


def worst_at_least(name: str, values: Sequence[float], goal: float, *, unit: str = "", note: str = "") -> Figure:
    """The lowest of the values, one by seed, must reach the goal."""
    return at_least(name, min(values), goal, unit=unit, note=_by_seed(values, note))


def worst_at_most(name: str, values: Sequence[float], goal: float, *, unit: str = "", note: str = "") -> Figure:
    """The highest of the values, one by seed, must not exceed the goal."""
    return at_most(name, max(values), goal, unit=unit, note=_by_seed(values, note))


def wall_time(name: str, lines: Sequence[Line], limit: float, note: str = "") -> Figure:
    """The longest of the plans must be made within the limit."""
    return worst_at_most(f"{name}: wall time", [line.spent.wall for line in lines if line.spent], limit, unit="s", note=note)


def _by_seed(values: Sequence[float], note: str) -> str:
    seeds = "by seed " + ", ".join(f"{value:.6g}" for value in values) if len(values) > 1 else ""
    return "; ".join(part for part in (seeds, note) if part)
