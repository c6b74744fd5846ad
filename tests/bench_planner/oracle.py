"""The same instances solved by PyVRP, for comparison only: the service does not use it.

PyVRP 0.14 has neither breaks nor clients with several windows. Times are on one clock of days of DAY minutes and vehicles have
the hours of their day, so one window can stand for several days; who needs more windows is a group of clients of which one is
visited. On Friday a team is one vehicle until noon and one after, which return to the office: a team need not. Equipment is a
load of which only the teams that have it can carry any.
"""

import importlib.util
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench_planner.instances import BIOMETRIC, DAYS, FRIDAY, NOON, PRINTER, WORK, Instance, Plan, any_time
from tests.bench_planner.public import Case

DAY = 1440
EQUIPMENT = (BIOMETRIC, PRINTER)
MISSING = "not run: PyVRP is not installed, `make bench-planner` installs it"
NO_PLAN = "found no feasible plan"


def available() -> bool:
    """Whether PyVRP can be imported."""
    return importlib.util.find_spec("pyvrp") is not None


@dataclass(frozen=True, slots=True)
class _Shift:
    teams: tuple[int, ...]
    day: int
    first: int
    last: int


def plan(instance: Instance, penalty: Sequence[int], seconds: float, seed: int = 1) -> Plan:
    """The best plan found in so many seconds of search, none if empty. penalty: by request, of leaving it out."""
    import numpy as np
    from pyvrp import Client, ClientGroup, Depot, Location, ProblemData, VehicleType

    clients: list[Any] = []
    whose: list[int] = []
    groups: list[Any] = []
    for request in instance.requests:
        spans = spans_of(instance, request)
        group = len(groups) if len(spans) > 1 else None
        if group is not None:
            groups.append(ClientGroup(list(range(len(clients), len(clients) + len(spans))), required=False))
        for first, last in spans:
            whose.append(request)
            clients.append(
                Client(
                    location=request,
                    delivery=[int(thing in instance.need[request]) for thing in EQUIPMENT],
                    service_duration=instance.service[request],
                    tw_early=first,
                    tw_late=last,
                    prize=penalty[request - 1],
                    required=False,
                    group=group,
                )
            )
    shifts = _shifts(instance)
    types = [
        VehicleType(
            num_available=len(shift.teams),
            capacity=[len(instance.service) * (thing in instance.teams[shift.teams[0]]) for thing in EQUIPMENT],
            tw_early=shift.day * DAY + shift.first,
            tw_late=shift.day * DAY + shift.last,
        )
        for shift in shifts
    ]
    travel = np.array(instance.travel, dtype=np.int64)
    data = ProblemData([Location(x, y) for x, y in instance.xy], clients, [Depot(0)], types, [travel], [travel], groups)
    routes = defaultdict[tuple[int, int], list[int]](list)
    free = [list(shift.teams) for shift in shifts]
    for kind, route in _solve(data, seconds, seed):
        routes[free[kind].pop(0), shifts[kind].day] += [whose[client] for client in route]
    return routes


def spans_of(instance: Instance, request: int) -> list[tuple[int, int]]:
    """When a visit may begin, on the one clock. Neighbouring days at any time are one span: the vehicles keep the hours."""
    service, spans, free_before = instance.service[request], list[tuple[int, int]](), False
    for day in range(DAYS):
        windows = instance.on(request, day)
        free = windows == [(w.first, w.last) for w in any_time(day, service)]
        if free and free_before:
            spans[-1] = (spans[-1][0], day * DAY + WORK - service)
        elif free:
            spans.append((day * DAY, day * DAY + WORK - service))
        else:
            spans += [(day * DAY + first, day * DAY + last) for first, last in windows]
        free_before = free
    return spans


def _shifts(instance: Instance) -> list[_Shift]:
    """Teams with the same equipment are of one kind."""
    kinds = defaultdict[frozenset[str], list[int]](list)
    for team, kit in enumerate(instance.teams):
        kinds[kit].append(team)
    halves = [(0, NOON), (NOON, WORK)]
    hours = [(day, first, last) for day in range(DAYS) for first, last in (halves if day == FRIDAY else [(0, WORK)])]
    return [_Shift(tuple(teams), day, first, last) for day, first, last in hours for teams in kinds.values()]


def deliver(
    case: Case, vehicles: int, prize: Sequence[int] | None, seconds: float, *, capacity: bool, seed: int = 1
) -> list[list[int]]:
    """Routes for a public case, none if no plan was found. prize: by customer; None where all must be served."""
    import numpy as np
    from pyvrp import Client, Depot, Location, ProblemData, VehicleType

    clients = [
        Client(
            location=node,
            delivery=[case.demand[node]] if capacity else [],
            service_duration=case.service[node],
            tw_early=case.ready[node],
            tw_late=case.due[node],
            prize=prize[node - 1] if prize else 0,
            required=prize is None,
        )
        for node in range(1, len(case.xy))
    ]
    hours = {"tw_early": case.ready[0], "tw_late": case.due[0]}
    kind = VehicleType(vehicles, [case.capacity] if capacity else [], **hours)
    travel = np.array(case.travel(), dtype=np.int64)
    data = ProblemData([Location(x, y) for x, y in case.xy], clients, [Depot(0)], [kind], [travel], [travel])
    return [[client + 1 for client in route] for _, route in _solve(data, seconds, seed)]


def _solve(data: Any, seconds: float, seed: int) -> list[tuple[int, list[int]]]:
    """By route: the number of its vehicle type, and its clients in order. Nothing where no feasible plan was found."""
    from pyvrp import solve
    from pyvrp.stop import MaxRuntime

    best = solve(data, MaxRuntime(seconds), seed=seed, collect_stats=False).best
    if not best.is_feasible():
        return []
    return [(route.vehicle_type(), [stop.idx for stop in route if stop.is_client()]) for route in best.routes()]
