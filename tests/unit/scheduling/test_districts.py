"""Districts: everybody in exactly one, every slot in exactly one, and the parts together are a plan of the whole."""

import random

import pytest

from services.scheduling.planner import districts
from services.scheduling.planner.arrays import Problem
from services.scheduling.planner.districts import cut, deal, part_of, solve_in_districts
from services.scheduling.planner.engine import solve
from tests.unit.scheduling.problems import simulate, small


def points(count: int) -> list[tuple[float, float]]:
    rng = random.Random(count)
    return [(rng.uniform(0, 30), rng.uniform(0, 30)) for _ in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_everybody_is_in_one_district_and_the_districts_are_of_about_one_size(count: int) -> None:
    parts = cut(points(400), count)
    assert len(parts) == count
    assert sorted(node for part in parts for node in part) == list(range(1, 401))
    assert max(map(len, parts)) - min(map(len, parts)) <= 3


def test_points_on_one_spot_are_cut_too() -> None:
    assert sorted(map(len, cut([(1.0, 1.0)] * 10, 3))) == [3, 3, 4]


def test_every_slot_is_dealt_once_and_by_work() -> None:
    given = small(4, 60, teams=8)
    parts = [list(range(1, 41)), list(range(41, 61))]
    shares = deal(given, parts)
    assert sorted(slot for share in shares for slot in share) == list(range(given.slots))
    assert len(shares[0]) > len(shares[1])
    assert {given.day[slot] for slot in shares[1]} == {0, 1, 2}


def test_a_plan_of_a_part_is_a_plan_of_the_whole() -> None:
    given = small(6, 40, teams=3)
    nodes, slots = [2, 3, 5, 8, 13, 21, 34], [1, 4, 7]
    part = part_of(given, nodes, slots)
    found = solve(part, iterations=300, seed=1)
    routes = [()] * given.slots
    for slot, route in zip(slots, found.routes, strict=True):
        routes[slot] = tuple(nodes[node - 1] for node in route)
    others = sum(given.penalty[node] for node in range(1, given.nodes) if node not in nodes)
    assert simulate(given, tuple(routes)) == found.cost + others
    assert simulate(part, found.routes) == found.cost


def test_a_big_problem_is_solved_in_districts_always_the_same_and_better_than_by_insertion(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given, where = small(7, 120, teams=12), points(120)
    whole = solve(given, iterations=1500, seed=3)
    assert solve_in_districts(given, where, iterations=1500, seed=3) == whole
    monkeypatch.setattr(districts, "WHOLE", 50)
    monkeypatch.setattr(districts, "SIZE", 40)
    found = solve_in_districts(given, where, iterations=1500, seed=3)
    assert simulate(given, found.routes) == found.cost
    assert found == solve_in_districts(given, where, iterations=1500, seed=3)
    assert found.cost < solve(given, iterations=0, seed=3).cost


def test_a_district_without_a_team_is_left_to_the_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(districts, "WHOLE", 5)
    monkeypatch.setattr(districts, "SIZE", 3)
    given: Problem = small(9, 30, teams=1)
    found = solve_in_districts(given, points(30), iterations=800, seed=1)
    assert simulate(given, found.routes) == found.cost
    assert found.served
