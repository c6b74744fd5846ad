"""Between the cities of the benchmark and the engine of the service."""

from collections.abc import Sequence

from services.scheduling.planner import arrays
from services.scheduling.planner.engine import Solution
from tests.bench_planner.instances import DAYS, WORK, Instance, Plan

PER_POINT = 100
"""Minutes of travel that a point of priority is worth."""


def penalties(instance: Instance) -> list[int]:
    """By request: what leaving it out costs."""
    return [PER_POINT * instance.weight[request] for request in instance.requests]


def to_problem(
    instance: Instance, penalty: Sequence[int] | None = None, cost: Sequence[Sequence[int]] | None = None
) -> arrays.Problem:
    """The arrays of a city, by default with `penalties` and without costs of slots."""
    return arrays.problem(
        travel=instance.travel,
        service=instance.service[1:],
        penalty=penalties(instance) if penalty is None else penalty,
        windows=[[instance.on(request, day) for day in range(DAYS)] for request in instance.requests],
        allowed=[[instance.need[r] <= instance.teams[team] for team, _ in instance.slots] for r in instance.requests],
        cost=cost,
        slots=[(day, 0, WORK) for _, day in instance.slots],
    )


def to_plan(instance: Instance, solution: Solution) -> Plan:
    """The plan of a solution, by team and day."""
    return dict(zip(instance.slots, solution.routes, strict=True))


def to_routes(instance: Instance, plan: Plan) -> list[Sequence[int]]:
    """The routes by slot, for the engine to start from."""
    return [plan.get(slot, ()) for slot in instance.slots]
