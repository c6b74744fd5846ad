"""Driving: from the distance, never too short at any hour; and a day in which every visit can be reached in time."""

from datetime import date
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelangi.contracts.codes import VisitKind
from services.scheduling.case import Slot
from services.scheduling.days import Day, book, free, where
from services.scheduling.reference import as_reference, defaults
from services.scheduling.travel import Coordinates, by_air, by_matrix, kilometres, slowest

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


def test_measured_minutes_take_the_place_of_the_distance() -> None:
    travel = by_matrix({(CENTRE, FAR): 3}, by_air(20.0))
    assert (travel(CENTRE, FAR), travel(FAR, CENTRE)) == (3, by_air(20.0)(FAR, CENTRE))


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
