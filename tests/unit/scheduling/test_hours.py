"""Hours and working days as data: Ramadan, and what a decree changes in the year."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import ValidationError

from pelangi.chassis.calendar import add_working_days, is_working_day
from pelangi.contracts.codes import ServiceKind, VisitKind
from services.scheduling.calendar import Segment
from services.scheduling.plan_input import team_days
from services.scheduling.reference import Hours, Reference, as_reference, defaults
from services.scheduling.travel import SPEEDS
from tests.unit.scheduling.city import City, details

REFERENCE = as_reference(defaults())
CALENDAR = REFERENCE.calendar
FIRST, LAST = date(2027, 2, 8), date(2027, 3, 9)
BEFORE, AFTER = date(2027, 2, 4), date(2027, 3, 16)  # the first working day after the collective leave
WEDNESDAY, FRIDAY = date(2027, 2, 10), date(2027, 2, 12)
TOMORROW = date(2026, 11, 25)


def hours(**changed: Any) -> dict[str, Any]:
    return {"open": "08:00", "close": "15:00", "breaks": [], "closed_days": [], **changed}


def period(first: str, last: str, **changed: Any) -> dict[str, Any]:
    return {"name": "Ramadan", "first": first, "last": last, "open": "08:00", "close": "14:00", "breaks": [], **changed}


def table(**changed: Any) -> Reference:
    return as_reference(defaults() | {"calendar": {"_id": "calendar", "version": 1, "value": hours(**changed)}})


def test_in_ramadan_its_hours_and_breaks_take_the_place_of_the_others() -> None:
    assert CALENDAR.segments(BEFORE) == CALENDAR.segments(AFTER) == [Segment(480, 900)]
    assert CALENDAR.segments(WEDNESDAY) == [Segment(480, 720), Segment(750, 840)]
    assert CALENDAR.segments(FRIDAY) == [Segment(480, 690), Segment(810, 840)]
    assert CALENDAR.opening(FIRST) == CALENDAR.opening(LAST) != CALENDAR.opening(date(2027, 3, 10))
    assert CALENDAR.opening(date(2027, 2, 7)) == CALENDAR.usual


def test_ramadan_visits_lie_within_the_office_hours_of_the_decree() -> None:
    """32.5 hours a week from 08:00, with breaks of 30 minutes, on Fridays 60 (Perpres 21/2023 art. 4)."""
    office = dict.fromkeys(range(1, 5), (480, 900, 30)) | {5: (480, 930, 60)}
    assert sum(closes - opens - pause for opens, closes, pause in office.values()) == 32.5 * 60
    opening = CALENDAR.opening(WEDNESDAY)
    for weekday, (opens, closes, pause) in office.items():
        segments = opening.segments(weekday)
        assert opens <= segments[0].start
        assert segments[-1].end <= closes
        assert segments[-1].start - segments[0].end >= pause


def test_the_way_is_reckoned_by_the_hours_of_its_date() -> None:
    assert CALENDAR.after_work(WEDNESDAY, 710, 20) == 760
    assert CALENDAR.after_work(BEFORE, 710, 20) == 730
    assert CALENDAR.before_work(WEDNESDAY, 760, 20) == 710
    assert CALENDAR.after_work(WEDNESDAY, 830, 20) > 840
    calendar = table(periods=[period("2027-02-08", "2027-03-09", open="09:00")]).calendar
    assert calendar.before_work(WEDNESDAY, 550, 20) == 530
    assert calendar.before_work(WEDNESDAY, 480, 20) == 460
    assert calendar.before_work(BEFORE, 550, 20) == 530


def test_the_planner_is_told_the_hours_of_each_date() -> None:
    stretches = {day.date: day.stretches for day in team_days([BEFORE, WEDNESDAY], REFERENCE)}
    assert stretches == {BEFORE: ((480, 900),), WEDNESDAY: ((480, 720), (750, 840))}


def test_the_slowest_of_all_hours_counts() -> None:
    usual = {"open": "09:00", "close": "12:00"}
    assert table(**usual).speed == SPEEDS[8]
    assert table(**usual, periods=[period("2027-02-08", "2027-03-09", open="07:00")]).speed == SPEEDS[7]


def test_a_visit_is_as_long_as_the_shortest_hours_among_its_dates_allow() -> None:
    assert CALENDAR.longest(BEFORE, BEFORE) == CALENDAR.longest(date(2027, 3, 10), AFTER) == 420
    assert CALENDAR.longest(BEFORE, FIRST) == CALENDAR.longest(WEDNESDAY, WEDNESDAY) == CALENDAR.longest(LAST, AFTER) == 240


LONG = {"kinds": [ServiceKind.KTP_RECORDING], "persons": 36, "visit_kind": VisitKind.INSTITUTION}
"""360 minutes: an ordinary day, and more than one of Ramadan."""


@pytest.mark.parametrize(
    ("now", "minutes"),
    [
        (datetime(2026, 12, 28, 2, tzinfo=UTC), 360),  # Ramadan is far
        (datetime(2027, 2, 3, 2, tzinfo=UTC), 220),  # near
        (datetime(2027, 2, 9, 2, tzinfo=UTC), 220),  # now
    ],
)
async def test_a_long_list_is_cut_to_what_fits_into_a_day_of_ramadan_where_that_is_near(
    city: City, now: datetime, minutes: int
) -> None:
    city.clock.at = now
    await city.fold(details(**LONG))
    await city.run()
    visit = await city.visit()
    assert visit["end"] - visit["start"] == minutes
    assert len(visit["items"]) == minutes // 10
    day = date.fromisoformat(visit["date"])
    assert any(s.start <= visit["start"] and visit["end"] <= s.end for s in CALENDAR.segments(day))
    assert (day - now.date()).days <= 2  # nobody waits for the end of Ramadan


async def test_a_visit_is_not_moved_to_a_day_of_ramadan_too_short_for_it(city: City) -> None:
    city.clock.at = datetime(2026, 12, 28, 2, tzinfo=UTC)
    await city.fold(details(**LONG))
    await city.run()
    path = f"/v1/visits/{(await city.visit())['visit_id']}/reschedule"
    refused = await city.post(path, {"reason": "UNSAFE", "date": WEDNESDAY.isoformat()})
    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[-1]) == (409, "full")
    assert (await city.post(path, {"reason": "UNSAFE", "date": BEFORE.isoformat()})).status_code == 200
    await city.run()
    visit = await city.visit()
    assert (visit["date"], visit["end"] - visit["start"], len(visit["items"])) == (BEFORE.isoformat(), 360, 36)


@pytest.mark.parametrize(
    "wrong",
    [
        {"periods": [period("2027-03-09", "2027-02-08")]},
        {"periods": [period("2027-02-08", "2027-03-09", open="14:00")]},
        {"periods": [period("2027-02-08", "2027-03-09", breaks=[{"weekday": 5, "start": "13:30", "end": "11:30"}])]},
        {"periods": [period("2027-02-08", "2027-03-09"), period("2027-03-09", "2027-03-20")]},
        {"periods": [period("2028-01-28", "2028-02-26"), period("2027-02-08", "2027-03-09")]},
        {"closed_days": ["2026-11-26"], "working_days": ["2026-11-26"]},
        {"decree": ""},
    ],
)
def test_a_table_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Hours.model_validate(hours(**wrong))


def test_a_table_from_before_periods_is_as_it_was() -> None:
    calendar = Hours.model_validate(hours()).calendar()
    assert calendar.segments(WEDNESDAY) == [Segment(480, 900)]
    assert not calendar.works(date(2026, 12, 24))
    Hours.model_validate(hours(periods=[period("2027-02-08", "2027-03-09"), period("2027-03-10", "2027-03-20")]))


def test_a_decree_cancels_leave_and_the_office_may_work_on_a_weekend() -> None:
    leave, christmas, saturday = date(2026, 12, 24), date(2026, 12, 25), date(2026, 12, 26)
    calendar = table(working_days=[leave.isoformat(), saturday.isoformat()], closed_days=["2026-12-23"]).calendar
    assert [d for d in (date(2026, 12, 23), leave, christmas, saturday) if calendar.works(d)] == [leave, saturday]
    assert calendar.after(date(2026, 12, 22)) == leave
    assert calendar.segments(saturday) == [Segment(480, 900)]
    assert not is_working_day(leave)  # due dates are counted without the office's table
    assert add_working_days(date(2026, 12, 23), 1) == date(2026, 12, 28)


async def change(city: City, **changed: Any) -> httpx.Response:
    """The office puts its calendar, as it stands with these fields otherwise."""
    assert city.http
    known = await city.http.get("/v1/calendar")
    headers = {"Idempotency-Key": str(uuid4()), "If-Match": known.headers["etag"]}
    return await city.http.put("/v1/calendar", json=known.json() | changed, headers=headers)


async def test_a_day_that_is_closed_is_avoided_by_new_visits_and_kept_by_those_who_have_it(city: City) -> None:
    await city.fold(details(1))
    await city.run()
    changed = await change(city, closed_days=[TOMORROW.isoformat()], decree="SKB 3 Menteri 2026")
    assert (changed.status_code, changed.headers["etag"], changed.json()["decree"]) == (200, '"2"', "SKB 3 Menteri 2026")
    await city.fold(details(2))
    await city.run()
    assert [(await city.visit(n))["date"] for n in (1, 2)] == ["2026-11-25", "2026-11-26"]
    assert await city.scheduled() == [("SCHEDULED", 1)]


async def test_a_day_of_leave_that_is_cancelled_is_used_by_new_visits_and_those_who_have_a_date_keep_it(city: City) -> None:
    city.clock.at = datetime(2026, 12, 23, 2, tzinfo=UTC)
    await city.fold(details(1))
    await city.run()
    assert (await change(city, working_days=["2026-12-24"])).status_code == 200
    await city.fold(details(2), details(3, visit_kind=VisitKind.OFFICE_APPOINTMENT))
    await city.run()
    assert [(await city.visit(n))["date"] for n in (1, 2, 3)] == ["2026-12-28", "2026-12-24", "2026-12-24"]
    assert await city.scheduled() == [("SCHEDULED", 1)]
    assert city.http
    assert (await city.http.get("/v1/plans/2026-12-24")).json()["working_day"]


async def test_a_contradiction_is_422_and_changes_nothing(city: City) -> None:
    refused = await change(city, working_days=["2026-12-24"], closed_days=["2026-12-24"])
    assert refused.status_code == 422
    assert city.http
    assert (await city.http.get("/v1/calendar")).headers["etag"] == '"1"'
