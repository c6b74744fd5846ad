"""What a dispatcher would do without a solver: three rules that insert one request after the other and never move one again.

Each takes the plan to begin with, if any, and inserts those who are in no route.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from tests.bench_planner.instances import WORK, Instance, Plan, starts

Slot = tuple[int, int]
Rule = Callable[[Instance, Plan], Plan]


@dataclass(frozen=True, slots=True)
class _Place:
    slot: Slot
    at: int
    price: int
    detour: int


class _Draft:
    """A plan that grows."""

    def __init__(self, instance: Instance, plan: Plan) -> None:
        self.instance = instance
        self.routes = {slot: list(plan.get(slot, ())) for slot in instance.slots}
        self.busy = {slot: self._busy(route) for slot, route in self.routes.items()}
        served = {request for route in self.routes.values() for request in route}
        self.waiting = [request for request in instance.requests if request not in served]

    def _busy(self, route: Sequence[int]) -> int:
        ways = sum(self.instance.travel[a][b] for a, b in pairwise([0, *route, 0]))
        return ways + sum(self.instance.service[request] for request in route)

    def append(self, request: int, slots: Iterable[Slot]) -> bool:
        """At the end of the route whose last stop is nearest."""
        return self._put(request, slots, lambda slot: range(len(self.routes[slot]), len(self.routes[slot]) + 1), last_leg=True)

    def insert(self, request: int, slots: Iterable[Slot]) -> bool:
        """Where the detour is smallest."""
        return self._put(request, slots, lambda slot: range(len(self.routes[slot]) + 1), last_leg=False)

    def _put(self, request: int, slots: Iterable[Slot], where: Callable[[Slot], range], *, last_leg: bool) -> bool:
        best: _Place | None = None
        for slot in slots:
            for place in self._places(request, slot, where(slot), last_leg):
                if (best is None or place.price < best.price) and self._fits(request, place):
                    best = place
        if best is None:
            return False
        self.routes[best.slot].insert(best.at, request)
        self.busy[best.slot] += best.detour + self.instance.service[request]
        return True

    def _places(self, request: int, slot: Slot, positions: range, last_leg: bool) -> Iterator[_Place]:
        if not self.instance.need[request] <= self.instance.teams[slot[0]]:
            return
        ways, stops = self.instance.travel, [0, *self.routes[slot], 0]
        for at in positions:
            before, after = stops[at], stops[at + 1]
            detour = ways[before][request] + ways[request][after] - ways[before][after]
            yield _Place(slot, at, ways[before][request] if last_leg else detour, detour)

    def _fits(self, request: int, place: _Place) -> bool:
        """The sum of minutes is looked at first because the times take longer."""
        if self.busy[place.slot] + place.detour + self.instance.service[request] > WORK:
            return False
        route = self.routes[place.slot]
        return starts(self.instance, place.slot[1], [*route[: place.at], request, *route[place.at :]]) is not None


def fcfs_append(instance: Instance, plan: Plan) -> Plan:
    """First come, first served: on the nearest day with room, at the end of a route."""
    draft = _Draft(instance, plan)
    for request in sorted(draft.waiting, key=lambda r: instance.arrival[r]):
        any(draft.append(request, slots) for slots in _by_day(instance))
    return draft.routes


def fcfs_insertion(instance: Instance, plan: Plan) -> Plan:
    """First come, first served: on the nearest day with room, where the detour is smallest."""
    draft = _Draft(instance, plan)
    for request in sorted(draft.waiting, key=lambda r: instance.arrival[r]):
        any(draft.insert(request, slots) for slots in _by_day(instance))
    return draft.routes


def priority_insertion(instance: Instance, plan: Plan) -> Plan:
    """The most priority per minute on site first, on any day, where the detour is smallest."""
    draft = _Draft(instance, plan)
    for request in sorted(draft.waiting, key=lambda r: (-instance.weight[r] / instance.service[r], instance.arrival[r])):
        draft.insert(request, instance.slots)
    return draft.routes


def _by_day(instance: Instance) -> Iterator[list[Slot]]:
    return (list(slots) for _, slots in groupby(instance.slots, key=lambda slot: slot[1]))


BASELINES: dict[str, Rule] = {
    "FCFS append": fcfs_append,
    "FCFS insertion": fcfs_insertion,
    "priority insertion": priority_insertion,
}
