"""The engine: a plan for a problem, by the kernel compiled with numba where there is one, else by the same source in Python.

The same problem, seed and number of iterations give the same plan, compiled or not, in any process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from types import FunctionType, SimpleNamespace
from typing import Any, Literal

from services.scheduling.planner import kernel
from services.scheduling.planner.arrays import Layout, Problem, lay_out

INLINE = frozenset({"draw", "carries", "cheapest"})
"""The kernel's innermost functions."""
MUCH = 1 << 60
HOT, COLD = 100.0, 1.0
"""Temperatures in minutes of travel: one point of priority at the start, one minute at the end."""


@dataclass(frozen=True, slots=True)
class Solution:
    """routes: per slot the requests in the order of visiting. cost: penalties of who is left out, travel, and costs of slots."""

    routes: tuple[tuple[int, ...], ...]
    cost: int

    @property
    def served(self) -> set[int]:
        """Who is in a route."""
        return {node for route in self.routes for node in route}


@dataclass(frozen=True, slots=True)
class Kernel:
    """One way to run the kernel. memory: whole numbers as it wants them."""

    functions: Any
    memory: Callable[[Sequence[int]], Any]


@cache
def compiled() -> Kernel | None:
    """The kernel compiled, kept on disk beside its source (or in NUMBA_CACHE_DIR); None without numba."""
    try:
        import numba  # noqa: PLC0415 - only who compiles loads it; the fallback runs without it
        import numpy as np  # noqa: PLC0415 - numba brings it: loaded, or absent, with it
    except ImportError:
        return None
    space = dict(vars(kernel))
    for name, function in vars(kernel).items():
        if isinstance(function, FunctionType):
            inline: Literal["always", "never"] = "always" if name in INLINE else "never"
            space[name] = numba.njit(cache=True, inline=inline)(FunctionType(function.__code__, space, name))
    return Kernel(SimpleNamespace(**space), lambda numbers: np.asarray(numbers, dtype=np.int64))


def interpreted() -> Kernel:
    """The same source run by Python, on lists."""
    return Kernel(kernel, list)


def warmup() -> None:
    """Compile now what the first plan would wait for: about 10 s once, under a second from the cache."""
    tiny = Problem(2, 1, 1, 0, 0, 2, [0] * 4, [0, 1], [0, 9], [0] * 4, [1, 1], [0, 0], [], [], [0], [0], [9], [])
    solve(tiny, iterations=1, seed=1)


def solve(
    given: Problem,
    *,
    iterations: int,
    seed: int,
    start: Sequence[Sequence[int]] = (),
    hot: float = HOT,
    cold: float = COLD,
    by: Kernel | None = None,
) -> Solution:
    """The best plan found in so many iterations, from `start` (routes by slot, which must be drivable) or from insertion alone.

    Raises ValueError where the start breaks a rule.
    """
    board = Board(given, start, seed=seed, by=by)
    board.functions.fill(board.memory, board.layout)
    board.functions.keep_best(board.memory, board.layout)
    board.functions.anneal(board.memory, board.layout, iterations, float(hot), float(cold))
    return board.best()


class Board:
    """A plan in the memory of a kernel: to be improved, or asked for places."""

    def __init__(self, given: Problem, routes: Sequence[Sequence[int]], *, seed: int = 0, by: Kernel | None = None) -> None:
        """Raises ValueError where the routes break a rule."""
        how = by or compiled() or interpreted()
        self.functions = how.functions
        memory, self.layout = lay_out(given)
        _put(memory, self.layout, given, routes)
        memory[self.layout.random] = 1 + seed % (kernel.MODULUS - 1)
        self.memory = how.memory(memory)
        for slot in range(given.slots):
            if not self.functions.refresh(self.memory, self.layout, slot):
                raise ValueError("the routes cannot be driven")

    def best(self) -> Solution:
        """The best plan seen."""
        m, o = self.memory, self.layout
        rows = (o.best_route + slot * o.width + 1 for slot in range(o.slots))
        routes = (tuple(int(n) for n in m[row : row + m[o.best_size + slot]]) for slot, row in enumerate(rows))
        return Solution(tuple(routes), int(m[o.best_total]))

    def places(self, node: int, count: int) -> list[tuple[int, int, int]]:
        """The cheapest places for a request that is in no route: (cost, slot, position), at most one per slot, cheapest first."""
        m, o, functions = self.memory, self.layout, self.functions
        found: list[tuple[int, int, int]] = []
        for slot in range(o.slots):
            if functions.carries(m, o, node, slot):
                at, price = functions.cheapest(m, o, node, slot, MUCH, 0)
                if at:
                    found.append((int(price), slot, int(at)))
        return sorted(found)[:count]


def _put(m: list[int], o: Layout, given: Problem, routes: Sequence[Sequence[int]]) -> None:
    m[o.total] = sum(given.penalty)
    for slot, route in enumerate(routes):
        m[o.size + slot] = len(route)
        for at, node in enumerate(route, 1):
            m[o.route + slot * o.width + at] = node
            m[o.where + node] = slot
            m[o.total] += given.cost[node * given.slots + slot] - given.penalty[node]
        m[o.total] += sum(given.travel[a * given.nodes + b] for a, b in pairwise([0, *route, 0]))
