"""Driving: from the distance, never too short at any hour; and a day in which every visit can be reached in time."""

import math
import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from pelangi.contracts.codes import VisitKind
from services.scheduling.app import make
from services.scheduling.case import Slot
from services.scheduling.day import Day
from services.scheduling.days import book, free, where
from services.scheduling.metrics import UNPLANNED
from services.scheduling.planner.process import LENGTH, pack, unpack
from services.scheduling.planner.worker import Inline
from services.scheduling.reference import Reference, Team, as_reference, defaults
from services.scheduling.roads import BadMatrix, Roads, driving, read_roads
from services.scheduling.travel import Coordinates, by_air, kilometres, slowest
from services.scheduling.work import Work
from tests.unit.scheduling.city import VILLAGE, City, details, request_id

REFERENCE = as_reference(defaults())
CENTRE, FAR = (-2.1293, 106.1137), (-2.0937, 106.0637)
WEDNESDAY, FRIDAY = date(2026, 11, 25), date(2026, 11, 27)
POINTS = st.tuples(st.floats(-2.2, -2.05), st.floats(106.05, 106.2))


def test_a_minute_of_arc_on_the_equator_is_a_nautical_mile() -> None:
    assert kilometres((0, 0), (0, 1 / 60)) == pytest.approx(1.853, abs=0.001)
    assert kilometres(CENTRE, FAR) == pytest.approx(6.82, abs=0.02)


@given(POINTS, POINTS, POINTS)
def test_travel_is_symmetric_and_no_detour_is_shorter_by_more_than_the_rounding(
    a: Coordinates, b: Coordinates, c: Coordinates
) -> None:
    travel = by_air(20.0, least=0)
    assert travel(a, b) == travel(b, a)
    assert travel(a, c) <= travel(a, b) + travel(b, c) + 1
    assert travel(a, a) == 0


def test_the_slowest_hour_of_the_day_counts() -> None:
    speeds = {7: 20.0, 9: 30.0, 12: 10.0, 13: 30.0}
    assert slowest(8 * 60, 11 * 60, speeds) == 20.0
    assert slowest(9 * 60, 11 * 60, speeds) == 30.0
    assert slowest(9 * 60, 12 * 60 + 1, speeds) == 10.0
    assert slowest(3 * 60, 6 * 60, speeds) == 10.0


HEADER = "from_lat,from_lon,to_lat,to_lon,minutes\n"


def line(a: Coordinates, b: Coordinates, minutes: float) -> str:
    return f"{a[0]},{a[1]},{b[0]},{b[1]},{minutes}\n"


def measured(folder: Path, *lines: str) -> Roads:
    (folder / "matrix.csv").write_text(HEADER + "".join(lines), encoding="utf-8")
    return read_roads(folder / "matrix.csv")


def test_measured_minutes_take_the_place_of_the_distance_in_their_direction_and_never_of_the_least(tmp_path: Path) -> None:
    roads = measured(tmp_path, line(CENTRE, FAR, 6.2))
    travel = driving(20.0, roads=roads)
    assert (travel(CENTRE, FAR), travel(FAR, CENTRE)) == (7, by_air(20.0)(FAR, CENTRE))
    assert driving(20.0, least=15, roads=roads)(CENTRE, FAR) == 15
    assert driving(20.0, roads=Roads())(CENTRE, FAR) == by_air(20.0)(CENTRE, FAR)


def test_a_place_counts_as_the_nearest_known_point_as_far_as_300_metres(tmp_path: Path) -> None:
    beside = (CENTRE[0] + 0.001, CENTRE[1])
    travel = driving(20.0, roads=measured(tmp_path, line(CENTRE, FAR, 50), line(beside, FAR, 60), line(FAR, FAR, 99)))
    air = by_air(20.0)
    for north, east, minutes in ((0, 0, 50), (-299, 0, 50), (50, 0, 50), (60, 0, 60), (111 + 299, 0, 60), (0, -299, 50)):
        assert travel(_moved(CENTRE, north, east), FAR) == minutes
    for north, east in ((-301, 0), (111 + 301, 0), (0, -301), (-250, 250)):
        place = _moved(CENTRE, north, east)
        assert travel(place, FAR) == air(place, FAR)
    assert travel(CENTRE, FAR) != air(CENTRE, FAR)
    west, east_of_it = _moved(FAR, 0, -290), _moved(FAR, 0, 290)
    assert travel(CENTRE, west) == travel(CENTRE, east_of_it) == 50
    assert travel(west, east_of_it) == air(west, east_of_it)  # of the ways around one point nothing is known


def _moved(place: Coordinates, north: float, east: float) -> Coordinates:
    """A place so many metres away."""
    return place[0] + north / 111_195, place[1] + east / (111_195 * math.cos(math.radians(place[0])))


def test_what_is_measured_between_some_places_answers_the_same_for_them(tmp_path: Path) -> None:
    rng = random.Random(4)
    points = [(rng.uniform(-2.16, -2.05), rng.uniform(106.03, 106.18)) for _ in range(30)]
    roads = measured(tmp_path, *(line(a, b, rng.randint(1, 90)) for a in points for b in points if a != b and rng.random() < 0.8))
    places = [(lat + rng.uniform(-0.003, 0.003), lon) for lat, lon in points[:10]]
    few = roads.between(places)
    assert 0 < len(few.points) < len(roads.points)
    here, there = driving(20.0, roads=few), driving(20.0, roads=roads)
    assert [here(a, b) for a in places for b in places] == [there(a, b) for a in places for b in places]
    assert unpack(pack(few)[LENGTH:]) == few


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("a,b,c,d,e\n", "line 1: the header is not from_lat,from_lon,to_lat,to_lon,minutes"),
        ("", "line 1: the header"),
        (HEADER, "line 1: no pair follows"),
        (HEADER + line(CENTRE, FAR, 3) + "1,2,3,4,soon\n", "line 3: minutes: "),
        (HEADER + line(CENTRE, FAR, -1), "line 2: minutes: "),
        (HEADER + line(CENTRE, FAR, float("nan")), "line 2: minutes: "),
        (HEADER + line(CENTRE, FAR, 600), "line 2: minutes: "),
        (HEADER + line((106.1, -2.1), FAR, 3), "line 2: from_lat: "),
        (HEADER + line(CENTRE, FAR, 3) + "1,2,3\n", "line 3: to_lon: "),
        (HEADER + "1,2,3,4,5,6\n", "line 2: more: "),
        (HEADER + line(CENTRE, FAR, 3) + line(FAR, CENTRE, 4) + line(CENTRE, FAR, 3), "line 4: this pair has minutes already"),
        (HEADER + '"1,2\n' + line(CENTRE, FAR, 3), "line 2: from_lat: "),
    ],
)
def test_a_bad_file_stops_the_start_and_names_the_line(
    lines: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "matrix.csv").write_text(lines, encoding="utf-8")
    monkeypatch.setenv("SCHEDULING_TRAVEL_MATRIX", str(tmp_path / "matrix.csv"))
    with pytest.raises(BadMatrix, match=f"matrix.csv, {said}"):
        make(Inline())


def test_a_file_that_cannot_be_read_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULING_TRAVEL_MATRIX", str(tmp_path / "none.csv"))
    with pytest.raises(BadMatrix, match=r"none\.csv cannot be read"):
        make(Inline())
    (tmp_path / "none.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(BadMatrix, match=r"none\.csv cannot be read"):
        make(Inline())


async def test_the_file_of_the_setting_reaches_the_leader_and_the_desk(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    village = REFERENCE.where({"village_code": VILLAGE})
    measured(tmp_path, line(CENTRE, village, 47), line(village, CENTRE, 16))
    monkeypatch.setenv("SCHEDULING_TRAVEL_MATRIX", str(tmp_path / "matrix.csv"))
    service = make(Inline())
    app = FastAPI()
    app.include_router(service.routes(city.runtime))
    await city.fold(details())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://scheduling") as desk:
        windows = (await desk.get(f"/v1/requests/{request_id(1)}/windows?count=1")).json()["windows"]
    assert (windows[0]["window"]["start"][11:16], windows[0]["cost_minutes"]) == ("08:47", 47 + 16 - 15)
    await next(t for t in service.timers(city.runtime) if t.name == "planner").work()
    assert (await city.visit())["start"] == 480 + 47


async def test_days_and_planner_agree_on_measured_minutes(city: City, tmp_path: Path) -> None:
    rng = random.Random(7)
    points = [REFERENCE.base, *((p.lat, p.lon) for p in REFERENCE.points.points)]
    roads = measured(tmp_path, *(line(a, b, rng.choice([3, 18, 45])) for a in points for b in points if a != b))
    reference = as_reference(defaults(), roads)
    refused = [UNPLANNED.labels(why) for why in ("refused by the day", "BadPlan")]
    before = [counter._value.get() for counter in refused]
    city.work = Work.of(city.runtime, roads=roads)
    villages = rng.sample([p.village_code for p in REFERENCE.points.points], 24)
    await city.fold(*(details(n, village=village) for n, village in enumerate(villages, 1)))
    await city.run()
    assert [counter._value.get() for counter in refused] == before
    assert "FIRST_FREE" not in [(await city.visit(n))["why"]["why"] for n in range(1, 25)]
    ways = [way for day in city.days().values() for team in reference.teams.teams for way in _ways(day, team, reference)]
    assert len(ways) == 24
    assert all(there_was >= way for there_was, way, _ in ways)
    assert any(there_was < by_distance for there_was, _, by_distance in ways)  # measured ways are shorter, too


def _ways(day: Day, team: Team, reference: Reference) -> Iterator[tuple[int, int, int]]:
    """Of each way that a team drives to a visit: the minutes that there are, those it needs, and those by distance."""
    left, here = 0, reference.base
    for visit in sorted((v for v in day["visits"].values() if v["team_id"] == team.team_id), key=lambda v: v["start"]):
        there = where(visit, reference)
        there_was = reference.calendar.work(date.fromisoformat(day["_id"]), left, visit["start"])
        yield there_was, reference.travel(team, here, there), REFERENCE.travel(team, here, there)
        left, here = visit["end"], there


@pytest.mark.parametrize(
    ("on", "since", "minutes", "until"),
    [
        (WEDNESDAY, 480, 30, 510),
        (WEDNESDAY, 0, 30, 510),
        (FRIDAY, 660, 30, 690),
        (FRIDAY, 660, 40, 820),
        (FRIDAY, 700, 10, 820),
        (FRIDAY, 860, 60, 920),
    ],
)
def test_nobody_drives_in_the_break(on: date, since: int, minutes: int, until: int) -> None:
    calendar = REFERENCE.calendar
    assert calendar.after_work(on, since, minutes) == until
    if until <= 900:
        assert calendar.work(on, since, until) == minutes
        assert calendar.work(on, calendar.before_work(on, until, minutes), until) == minutes


def slot(n: int, at: Coordinates, on: date = WEDNESDAY, **more: Any) -> Slot:
    wish = {
        "placement_id": f"p{n}", "request_id": f"r{n}", "visit_id": f"v{n}", "day": on.isoformat(), "team_id": "team-1",
        "minutes": 60, "block": 0, "not_before": 0, "not_after": 1440, "visit_kind": VisitKind.INSTITUTION,
        "village_code": "19.71.04.1009", "point": None, "at": at, "items": [], "joins": False, "move": False, "reason": None,
        "visit_version": 1,
    }  # fmt: skip
    return cast(Slot, {**wish, **more})


def test_every_visit_of_a_full_day_can_be_reached() -> None:
    day: Day = {"_id": WEDNESDAY.isoformat(), "version": 0}
    for n in range(12):
        day = book(day, slot(n, (CENTRE, FAR)[n % 2]), REFERENCE) or day
    visits = sorted(day["visits"].values(), key=lambda v: v["start"])
    team = REFERENCE.teams.teams[0]
    assert 4 <= len(visits) < 12
    here, free = REFERENCE.base, 480
    for visit in visits:
        assert visit["start"] >= free + REFERENCE.travel(team, here, where(visit, REFERENCE))
        here, free = where(visit, REFERENCE), visit["end"]


def test_a_visit_near_by_fits_where_one_far_away_does_not() -> None:
    day: Day = {"_id": WEDNESDAY.isoformat(), "version": 0}
    for n, start in enumerate((495, 640)):
        day = book(day, slot(n, CENTRE, not_before=start, not_after=start + 60), REFERENCE) or day
    between = {"not_before": 555, "not_after": 640}
    assert book(day, slot(7, FAR, **between, minutes=50), REFERENCE) is None
    near = book(day, slot(8, CENTRE, **between, minutes=50), REFERENCE)
    assert near is not None
    assert near["visits"]["v8"]["start"] == 570


def test_a_place_without_coordinates_is_where_its_kelurahan_is_and_an_unknown_one_at_the_base() -> None:
    point = REFERENCE.points.of("19.71.04.1009")
    assert point is not None
    assert REFERENCE.where({"village_code": "19.71.04.1009", "lat": None, "lon": None}) == (point["lat"], point["lon"])
    assert REFERENCE.where({"village_code": "19.71.04.1009", "lat": 1.0, "lon": 2.0}) == (1.0, 2.0)
    assert REFERENCE.where({"village_code": "99.99.99.9999"}) == REFERENCE.base == CENTRE


def test_a_day_gives_out_no_more_blanks_than_its_team_has_and_takes_them_back() -> None:
    tables = {k: dict(v) for k, v in defaults().items()}
    tables["teams"] = {"value": {"teams": [t | {"ktp_blanks": 2} for t in tables["teams"]["value"]["teams"]]}}
    reference = as_reference(tables)
    day = book({"_id": WEDNESDAY.isoformat(), "version": 0}, slot(1, CENTRE, blanks=[1, 0]), reference)
    assert day is not None
    assert book(day, slot(2, CENTRE, blanks=[2, 0]), reference) is None
    assert book(day, slot(2, CENTRE, blanks=[2, 0], team_id="team-2"), reference) is not None
    full = book(day, slot(2, CENTRE, blanks=[1, 1]), reference)
    assert full is not None
    assert book(full, slot(3, CENTRE, blanks=[1, 0]), reference) is None
    assert book(free(full, ["p1"]), slot(3, CENTRE, blanks=[1, 0]), reference) is not None


def test_a_team_without_the_equipment_is_not_sent() -> None:
    tables = {k: dict(v) for k, v in defaults().items()}
    tables["teams"] = {"value": {"teams": [t | {"equipment": ["POWER"]} for t in tables["teams"]["value"]["teams"]]}}
    day: Day = {"_id": WEDNESDAY.isoformat(), "version": 0}
    assert book(day, slot(1, CENTRE, kit=["POWER"]), as_reference(tables)) is not None
    assert book(day, slot(1, CENTRE, kit=["BIO_KIT"]), as_reference(tables)) is None
