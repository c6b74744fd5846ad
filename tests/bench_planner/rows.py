"""The rows of the benchmark, and what is demanded of each (SCHEDULING.md §9).

Numbers of iterations are fixed, so that the plans are the same on every machine of one kind; they are chosen so that the time on
the machine of the report stays below the limit.
"""

from collections.abc import Callable
from typing import NamedTuple

from tests.bench.figures import Say
from tests.bench_planner import national, quotes, repeat, replanning
from tests.bench_planner.cities import City, Run
from tests.bench_planner.contest import Measured
from tests.bench_planner.deliveries import Routing, Team


class Row(NamedTuple):
    """about: for the reader of the report."""

    about: str
    measure: Callable[[Say], Measured]


_TOPTW = Team(4, {"C101": 1020, "R101": 605, "RC101": 800}, limit=5, iterations=300_000, hot=20_000.0, cold=300.0)
_SOLOMON = Routing(("R112", "RC101"), gap_most=0.5, limit=10, iterations=1_000_000, hot=100.0, cold=5.0)
_HOMBERGER = Routing(
    ("C1_2_1", "C2_2_1", "R1_2_1", "R2_2_1", "RC1_2_1", "RC2_2_1"),
    gap_most=0.5,
    limit=10,
    iterations=320_000,
    hot=100.0,
    cold=5.0,
)

ROWS: dict[str, Row] = {
    "60x3": Row(
        "A loose week: 38 % load. Bound: everybody; best known travel 254 min.",
        City(
            60,
            3,
            [Run(1, 90_000, 30.0, 1.0, everybody=True, travel=270), Run(2, 190_000, 30.0, 1.0, everybody=True, travel=262)],
        ).measure,
    ),
    "200x3": Row(
        "More than three teams can do: 129 % load before travel. Bound: 8190, by column generation.",
        City(
            200, 3, [Run(2, 120_000, 100.0, 5.0, share=98.3), Run(10, 600_000, 100.0, 5.0, share=98.8)], bound=8190, picture=True
        ).measure,
    ),
    "200x8": Row(
        "Room for everybody: 48 % load. Bound: everybody.",
        City(200, 8, [Run(2, 140_000, 20.0, 1.0, everybody=True, travel=700)]).measure,
    ),
    "1000x8": Row(
        "More than twice what eight teams can do: 239 % load. Bound: 28 564, by a knapsack; it cannot be reached.",
        City(1000, 8, [Run(10, 100_000, 100.0, 5.0, share=94.5)], bound=28_564).measure,
    ),
    "1000x18": Row(
        "A big city, 106 % load, in districts and then repaired. Bound: 43 354, by a knapsack; it cannot be reached.",
        City(
            1000,
            18,
            [Run(2.5, 56_000, 100.0, 5.0, share=97.0), Run(12.5, 280_000, 100.0, 5.0, share=97.4)],
            bound=43_354,
            districts=True,
            picture=True,
        ).measure,
    ),
    "1000x30": Row(
        "A big city with room: 64 % load, planned whole. Bound: everybody.",
        City(
            1000,
            30,
            [Run(2, 60_000, 30.0, 1.0, everybody=True, travel=3400), Run(10, 350_000, 30.0, 1.0, everybody=True, travel=3200)],
        ).measure,
    ),
    "2000x36": Row(
        "Twice the biggest city, 106 % load, in districts and then repaired. Bound: everybody, which is out of reach.",
        City(2000, 36, [Run(25, 500_000, 100.0, 5.0, weight=85_000)], districts=True).measure,
    ),
    "national": Row(national.__doc__ or "", national.measure),
    "quotes": Row(quotes.__doc__ or "", quotes.measure),
    "replanning": Row(replanning.__doc__ or "", replanning.measure),
    "toptw": Row(
        "Solomon's instances as team orienteering: served are customers, weight is the score, travel is the distance x 10.",
        _TOPTW.measure,
    ),
    "vrptw": Row(
        "Solomon's instances: all customers must be served, travel is the distance x 10, truncated.",
        _SOLOMON.measure,
    ),
    "vrptw-200": Row("The same with Gehring and Homberger's instances of 200 customers.", _HOMBERGER.measure),
    "repeat": Row(repeat.__doc__ or "", repeat.measure),
}
