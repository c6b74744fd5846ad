"""The planner's benchmark measures what it says: its cities, its check of plans, its simple rules, its readers, its report."""

from dataclasses import asdict, replace
from xml.etree import ElementTree

import pytest

from services.scheduling.planner import engine
from tests.bench.figures import at_least
from tests.bench_planner import public
from tests.bench_planner.adapter import to_plan, to_problem
from tests.bench_planner.baselines import BASELINES
from tests.bench_planner.cities import panels
from tests.bench_planner.contest import Line, Measured, Spent, worst_at_most
from tests.bench_planner.instances import DAYS, FRIDAY, NOON, WORK, Instance, Window, evaluate, make
from tests.bench_planner.national import sizes
from tests.bench_planner.oracle import DAY, spans_of
from tests.bench_planner.picture import draw
from tests.bench_planner.repeat import handed_over, in_order
from tests.bench_planner.replanning import situation
from tests.bench_planner.report import render

SOLOMON = """TINY

VEHICLE
NUMBER     CAPACITY
  2         30

CUSTOMER
CUST NO.  XCOORD.   YCOORD.    DEMAND   READY TIME  DUE DATE   SERVICE   TIME

    0      0          0          0          0        100          0
    1      3          4         10          0         20         10
    2      6          8         20         50         60         10
    3      1          1         15          0          5         10
"""


@pytest.fixture(scope="module")
def small() -> Instance:
    """60 requests, three teams."""
    return make(60, 3)


@pytest.mark.parametrize(
    ("requests", "teams", "seed", "fingerprint"),
    [
        (60, 3, 1, "2fdd6b4058091cca"),
        (60, 3, 7, "ece4b9225e516e43"),
        (100, 4, 2, "335b8ab2af8e6356"),
        (23, 1, 5, "a9df0600cb954fc7"),
    ],
)
def test_a_city_is_the_one_that_the_bounds_were_proved_for(requests: int, teams: int, seed: int, fingerprint: str) -> None:
    assert make(requests, teams, seed).fingerprint() == fingerprint


def test_the_simple_rules_come_to_what_is_published(small: Instance) -> None:
    found = {name: evaluate(small, rule(small, {})) for name, rule in BASELINES.items()}
    assert {name: (one.served, one.weight, one.travel) for name, one in found.items()} == {
        "FCFS append": (59, 2687, 599),
        "FCFS insertion": (59, 2687, 517),
        "priority insertion": (59, 2687, 533),
    }
    assert not any(one.violations for one in found.values())


def test_every_kind_of_violation_is_found(small: Instance) -> None:
    plain = next(r for r in small.requests if not small.need[r] and len(small.windows[r]) == DAYS + 1)
    printing = next(r for r in small.requests if small.need[r] == {"printer"})
    late = replace(small, windows=[[Window(0, 0, 0)] if r == plain else windows for r, windows in enumerate(small.windows)])
    never = replace(small, windows=[[] if r == plain else windows for r, windows in enumerate(small.windows)])
    assert _broken(small, {(0, 0): [plain]}) == []
    assert _broken(small, {(0, 0): [plain], (1, 3): [plain]}) == ["twice"]
    assert _broken(small, {(1, 0): [printing]})[0] == "skill"
    assert _broken(late, {(0, 0): [plain]}) == _broken(never, {(0, 0): [plain]}) == ["time"]
    assert _broken(small, {(0, 0): small.requests})[-1] == "time"
    assert _broken(small, {(3, 0): [plain]}) == _broken(small, {(0, DAYS): [plain]}) == ["unknown"]
    assert _broken(small, {(0, 0): [0]}) == _broken(small, {(0, 0): [61]}) == ["unknown"]


def _broken(instance: Instance, plan: dict[tuple[int, int], list[int]]) -> list[str]:
    return [violation.rule for violation in evaluate(instance, plan).violations]


def test_no_visit_goes_on_across_the_prayer(small: Instance) -> None:
    for request in small.requests:
        for first, last in small.on(request, FRIDAY):
            assert first <= last
            assert last + small.service[request] <= NOON or (first >= NOON and last + small.service[request] <= WORK)


def test_the_engine_s_cost_is_what_the_check_comes_to(small: Instance) -> None:
    found = engine.solve(to_problem(small), iterations=200, seed=1, hot=30.0, cold=1.0)
    checked = evaluate(small, to_plan(small, found))
    assert not checked.violations
    assert found.cost == 100 * (sum(small.weight) - checked.weight) + checked.travel


def test_days_at_any_time_are_one_span_for_the_oracle(small: Instance) -> None:
    free = next(r for r in small.requests if len(small.windows[r]) == DAYS + 1)
    at_hours = next(r for r in small.requests if len(small.windows[r]) == DAYS)
    assert spans_of(small, free) == [(0, FRIDAY * DAY + WORK - small.service[free])]
    assert spans_of(small, at_hours) == [(w.day * DAY + w.first, w.day * DAY + w.last) for w in small.windows[at_hours]]


def test_the_country_has_the_requests_it_should() -> None:
    assert (len(sizes()), sum(sizes()), max(sizes())) == (500, 20_005, 481)


def test_requests_in_any_order_are_numbered_alike(small: Instance) -> None:
    mixed, ids = handed_over(small, 1)
    assert mixed.fingerprint() != small.fingerprint()
    assert in_order(mixed, ids).fingerprint() == small.fingerprint()


def test_a_re_plan_is_judged_by_its_promises() -> None:
    now = situation(60, 3, 50)
    assert (len(now.promised), now.broken(now.plan), now.moved(now.plan)) == (28, 0, 0)
    assert now.broken({}) == len(now.promised)
    assert now.moved({slot: now.plan[slot[0], (slot[1] + 1) % DAYS] for slot in now.plan}) == len(now.open)


def test_a_solomon_file_is_read_and_its_routes_are_driven() -> None:
    case = public.read(SOLOMON)
    assert (case.name, case.vehicles, case.capacity, case.demand) == ("TINY", 2, 30, [0, 10, 20, 15])
    assert case.travel()[0] == [0, 50, 100, 14]
    assert public.drive(case, [[3], [1, 2]], capacity=True) == public.Driven(45, 3, 228, 0)
    assert public.drive(case, [[1, 3]], capacity=True).late == 1
    assert public.drive(case, [[3, 2]], capacity=True).late == 1
    assert public.drive(case, [[1], [1]], capacity=True).late == 1
    found = engine.solve(public.to_problem(case, 2, [1_000_000] * 3, capacity=True), iterations=20, seed=1)
    assert public.drive(case, found.routes, capacity=True) == public.Driven(45, 3, found.cost, 0)


def test_a_map_is_drawn_of_every_day(small: Instance) -> None:
    plan = BASELINES["FCFS append"](small, {})
    svg = draw("Three & more", panels(small, plan))
    root = ElementTree.fromstring(svg)
    assert len(root.findall("{*}g")) == DAYS + 1
    assert len(root.findall(".//{*}circle")) == len(small.requests) + len({day for (_, day), route in plan.items() if route})
    assert "in no route: 1" in svg


def test_the_report_says_what_was_missed_and_what_was_not_measured() -> None:
    lines = [Line("tiny", "engine", 2, 150, 200, 9, 0, Spent(0.5, 0.4), 1.0, 100, 1), Line("tiny", "other", note="no files")]
    measured = Measured([at_least("share", 75, 98.3, unit="%"), worst_at_most("travel", [7, 9], 9, unit="min")], lines)
    measured.check_rules()
    facts = {"about": "What it is.", "at": "now", "seconds": 1.0, "commit": "abc", "machine": {"processors": 2}}
    shown = facts | {
        "figures": [asdict(f) for f in measured.figures],
        "lines": [asdict(one) for one in lines],
        "pictures": ["tiny"],
    }
    empty = facts | {"figures": [], "lines": [asdict(lines[1])], "pictures": []}
    page = render(["one", "two", "three"], {"one": shown, "two": empty})
    assert "| one | share | 75 % | >= 98.3 | **no** |" in page
    assert "| travel | 9 min | <= 9 | yes | by seed 7, 9 |" in page
    assert "| one | broken rules in all plans | 0 | <= 0 | yes |" in page
    assert "| tiny | engine | 1 | 2 | 150 | 75.00 % | 9 | 0.50 | 0.40 | 100 | 1 |  |" in page
    assert "![tiny](tiny.svg)" in page
    assert "| two | not measured: no files |" in page
    assert "| three | not measured |" in page
