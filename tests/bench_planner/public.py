"""Public instances, and what is known of their optima: Solomon's and Gehring and Homberger's, with time windows.

Distances and times are multiplied by 10 and distances truncated (the DIMACS convention), so that all numbers are whole. Values of
the other convention (fewest vehicles first, real distances) cannot be compared with ours and are not here.
"""

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot
from pathlib import Path

from services.scheduling.planner import arrays

SCALE = 10
FOLDER_VARIABLE = "PELANGI_INSTANCES"

BEST_DISTANCE = {"R112": 9486, "RC101": 16198}
"""Best known total distance x 10. R112, RC101: a list in a public test script, where it overlaps equal to the next; RC101 also in
VROOM-Project/vroom-scripts, benchmarks/VRPTW/BKS.json, 001c15f. For the Gehring-Homberger files no source was found."""

BEST_SCORE = {"C101": 1020, "R101": 611, "RC101": 811}
"""Proved optimal scores with four vehicles (SCHEDULING.md §5)."""


@dataclass(frozen=True, slots=True)
class Case:
    """An instance as in its file, times x 10. Node 0 is the depot."""

    name: str
    vehicles: int
    capacity: int
    xy: Sequence[tuple[int, int]]
    demand: Sequence[int]
    ready: Sequence[int]
    due: Sequence[int]
    service: Sequence[int]

    def travel(self) -> list[list[int]]:
        """Distances x 10, truncated."""
        return [[int(SCALE * hypot(a[0] - b[0], a[1] - b[1])) for b in self.xy] for a in self.xy]


def folder() -> Path | None:
    """Where the files are: in the installed VRPSolverEasy, else in $PELANGI_INSTANCES."""
    found = importlib.util.find_spec("VRPSolverEasy")
    places = [Path(place) / "demos/data/CVRPTW" for place in (found.submodule_search_locations or () if found else ())]
    if named := os.environ.get(FOLDER_VARIABLE):
        places.append(Path(named))
    return next((place for place in places if place.is_dir()), None)


def read(text: str) -> Case:
    """A case from the text of a Solomon file."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    numbers = [[int(float(word)) for word in line] for line in lines if all(_is_number(word) for word in line)]
    (vehicles, capacity), *nodes = numbers
    return Case(
        name=lines[0][0],
        vehicles=vehicles,
        capacity=capacity,
        xy=[(node[1], node[2]) for node in nodes],
        demand=[node[3] for node in nodes],
        ready=[SCALE * node[4] for node in nodes],
        due=[SCALE * node[5] for node in nodes],
        service=[SCALE * node[6] for node in nodes],
    )


def _is_number(word: str) -> bool:
    return word.replace(".", "", 1).isdigit()


def to_problem(case: Case, vehicles: int, penalty: Sequence[int], *, capacity: bool) -> arrays.Problem:
    """The arrays of a case, one slot per vehicle. penalty: by customer."""
    customers = range(1, len(case.xy))
    return arrays.problem(
        travel=case.travel(),
        service=case.service[1:],
        penalty=penalty,
        windows=[[[(case.ready[i], case.due[i])]] for i in customers],
        allowed=[[True] * vehicles for _ in customers],
        slots=[(0, case.ready[0], case.due[0])] * vehicles,
        needs=[[case.demand[i]] for i in customers] if capacity else (),
        stock=[[case.capacity]] * vehicles if capacity else (),
    )


@dataclass(frozen=True, slots=True)
class Driven:
    """What routes come to. late: how many cannot be driven in time or carry too much."""

    score: int
    served: int
    distance: int
    late: int


def drive(case: Case, routes: Sequence[Sequence[int]], *, capacity: bool) -> Driven:
    """Routes simulated again from the file alone; who is visited twice counts as late."""
    travel, late, distance = case.travel(), 0, 0
    for route in routes:
        clock, load, in_time = case.ready[0], 0, True
        for a, b in pairwise([0, *route, 0] if route else []):
            distance += travel[a][b]
            clock = max(clock + travel[a][b], case.ready[b])
            in_time = in_time and clock <= case.due[b]
            clock += case.service[b]
            load += case.demand[b]
        late += not in_time or (capacity and load > case.capacity)
    visited = [node for route in routes for node in route]
    late += len(visited) - len(set(visited))
    return Driven(sum(case.demand[node] for node in set(visited)), len(set(visited)), distance, late)
