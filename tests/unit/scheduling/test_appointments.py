"""Holes of tomorrow and of today, filled with a yes on the phone; and somebody in an emergency, visited today."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pelangi.contracts.codes import Need, ServiceKind, VisitKind
from services.scheduling.metrics import APPOINTMENTS
from services.scheduling.rolling import Announce
from services.scheduling.work import Work
from tests.unit.scheduling.city import NOW, TOMORROW, City, closed, details, request_id

TODAY = NOW.date()  # 09:00 in Pangkalpinang


async def holes(city: City, on: Any = TOMORROW) -> list[Any]:
    assert city.http
    return list((await city.http.get(f"/v1/plans/{on}/holes")).json()["candidates"])


async def appoint(city: City, n: int = 1, key: str | None = None, **more: Any) -> Any:
    body = {"date": str(TOMORROW), "team_id": "team-1", "start": "10:00", "agreed": True} | more
    return await city.post(f"/v1/requests/{request_id(n)}/appointments", body, key)


def code_of(problem: Any) -> str:
    return str(problem["title"])


@pytest.fixture
async def rolled(city: City) -> City:
    """A city that tells in the evening, so that somebody waits without a date."""
    city.work = Work.of(city.runtime, announce=Announce.EVENING)
    return city


async def test_who_waits_is_shown_where_it_costs_least_and_who_needs_it_most_first(rolled: City) -> None:
    await rolled.fold(details(1), details(2, needs=[Need.BEDRIDDEN]), details(3, visit_kind=VisitKind.OFFICE_APPOINTMENT))
    await rolled.run()
    found = await holes(rolled)
    assert [c["request_id"] for c in found] == [request_id(2), request_id(1)]
    assert found[0]["weight"] > found[1]["weight"] and all(0 <= c["cost_minutes"] <= 30 for c in found)
    booked = [b for day in rolled.days().values() for b in day["bookings"].values()]
    assert {b["team_id"] for b in booked} == {"office"}


async def test_today_only_two_hours_from_now_and_never_in_the_past(rolled: City) -> None:
    await rolled.fold(details(1))
    await rolled.run()
    starts = [datetime.fromisoformat(c["window"]["start"]) for c in await holes(rolled, TODAY)]
    assert starts and all(start >= NOW + timedelta(hours=2) for start in starts)
    assert await holes(rolled, TODAY - timedelta(days=1)) == []
    rolled.clock.at = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)  # 13:30: nothing fits before the end of work
    assert await holes(rolled, TODAY) == []


async def test_what_was_agreed_is_booked_at_that_minute_and_told(rolled: City) -> None:
    await rolled.fold(details(1))
    await rolled.run()
    candidate = (await holes(rolled, TODAY))[0]
    start = datetime.fromisoformat(candidate["window"]["start"]).strftime("%H:%M")
    answer = await appoint(rolled, date=str(TODAY), start=start, team_id=candidate["team_id"])
    assert answer.status_code == 200, answer.text
    visit = await rolled.visit()
    assert (visit["date"], visit["team_id"], visit["status"]) == (str(TODAY), candidate["team_id"], "PLANNED")
    assert visit["start"] == int(start[:2]) * 60 + int(start[3:])
    assert await rolled.scheduled() == [("SCHEDULED", 1)]
    assert answer.json()["visit_id"] == visit["visit_id"]
    await rolled.run()
    assert await rolled.visit() == visit
    assert (await rolled.complete())["status"] == "DONE"


async def test_the_same_call_again_answers_the_same_and_books_nothing(rolled: City) -> None:
    await rolled.fold(details(1))
    key = "5f0b8d3e-1c62-4a77-9a55-0d7f3c1b2a11"
    first, second = await appoint(rolled, key=key), await appoint(rolled, key=key)
    assert first.status_code == 200 and first.content == second.content
    assert len(rolled.days()[str(TOMORROW)]["bookings"]) == 1
    assert (await appoint(rolled, key=key, start="11:00")).status_code == 422
    assert (await appoint(rolled)).status_code == 409


async def test_of_two_for_one_place_one_gets_it_and_the_other_is_told_that_it_is_full(rolled: City) -> None:
    await rolled.fold(details(1), details(2))
    assert (await appoint(rolled, 1)).status_code == 200
    answer = await appoint(rolled, 2)
    assert (answer.status_code, code_of(answer.json())) == (409, "full")
    assert (await rolled.case(2)).get("visits", []) == []
    await rolled.run()
    assert (await rolled.request(2))["needs_visit"]


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"agreed": False}, 422, "not_agreed"),
        ({"date": "2026-11-23"}, 422, "past"),
        ({"date": str(TODAY), "start": "10:00"}, 422, "too_soon"),
        ({"date": "2029-01-02"}, 422, "too_far"),
        ({"date": "2026-11-28"}, 422, "not_working_day"),  # a Saturday
        ({"start": "14:50"}, 409, "full"),
        ({"team_id": "team-9"}, 409, "full"),
        ({"team_id": "office"}, 409, "full"),
    ],
)
async def test_what_cannot_be_agreed(rolled: City, more: dict[str, Any], status: int, code: str) -> None:
    await rolled.fold(details(1))
    answer = await appoint(rolled, **more)
    assert answer.status_code == status, answer.text
    said = answer.json()
    assert code in {code_of(said), *(e["code"] for e in said.get("errors", []))}
    assert (await rolled.case()).get("visits", []) == []


async def test_later_than_tomorrow_nobody_need_have_said_yes(rolled: City) -> None:
    await rolled.fold(details(1))
    assert (await appoint(rolled, date="2026-11-27", start="09:00", agreed=False)).status_code == 200


async def test_in_an_emergency_the_team_may_come_at_once(rolled: City) -> None:
    await rolled.fold(details(1, needs=[Need.HOSPITAL]))
    answer = await appoint(rolled, date=str(TODAY), start="09:30")
    assert answer.status_code == 200, answer.text
    assert ((await rolled.visit())["date"], (await rolled.visit())["start"]) == (str(TODAY), 570)
    await rolled.fold(details(2, needs=[Need.HOSPITAL]))
    assert (await appoint(rolled, 2, date=str(TODAY), start="08:30", team_id="team-2")).status_code == 422


async def test_not_with_a_team_that_lacks_what_is_needed(rolled: City) -> None:
    await rolled.teams(equipment=["POWER"])
    await rolled.fold(details(1, kinds=[ServiceKind.KTP_RECORDING]))
    assert (await appoint(rolled)).status_code == 409


async def test_a_request_that_is_over_or_unknown_gets_none(rolled: City) -> None:
    await rolled.fold(details(1))
    await rolled.fold(closed(1))
    assert (await appoint(rolled)).status_code == 409
    assert (await appoint(rolled, 7)).status_code == 404


async def test_a_service_that_died_after_the_first_step_finishes_it(rolled: City, monkeypatch: pytest.MonkeyPatch) -> None:
    await rolled.fold(details(1))

    async def dies(*_: Any, **__: Any) -> None:
        raise RuntimeError

    key = "5f0b8d3e-1c62-4a77-9a55-0d7f3c1b2a12"
    with monkeypatch.context() as patched:
        patched.setattr("services.scheduling.booking.Booker.finish", dies)
        assert (await appoint(rolled, key=key)).status_code == 500
    assert (await rolled.case()).get("visits", []) == []
    rolled.clock.at += timedelta(seconds=10)
    await rolled.run()
    assert ((await rolled.visit())["date"], (await rolled.visit())["start"]) == (str(TOMORROW), 600)
    assert (await appoint(rolled, key=key)).status_code == 200
    assert len((await rolled.case())["visits"]) == 1


async def test_nobody_is_offered_at_an_hour_of_today_that_is_over_for_them(rolled: City) -> None:
    morning = [{"weekday": 2, "start": "08:00", "end": "10:00"}]
    await rolled.fold(details(1, availability=morning), details(2, availability=[{**morning[0], "weekday": 3}]), details(3))
    await rolled.run()
    assert [c["request_id"] for c in await holes(rolled, TODAY)] == [request_id(3)]
    rolled.clock.at = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)  # 22:30
    assert await holes(rolled, TODAY) == []


async def test_a_deadline_at_a_hospital_is_an_emergency_too(rolled: City) -> None:
    await rolled.fold(details(1, deadline={"date": "2026-11-26", "reason": "HOSPITAL"}))
    assert (await appoint(rolled, date=str(TODAY), start="09:30")).status_code == 200


async def test_a_call_repeated_is_counted_once(rolled: City) -> None:
    await rolled.fold(details(1))
    before = APPOINTMENTS.labels("booked")._value.get()
    key = "5f0b8d3e-1c62-4a77-9a55-0d7f3c1b2a14"
    for _ in range(3):
        assert (await appoint(rolled, key=key)).status_code == 200
    assert APPOINTMENTS.labels("booked")._value.get() == before + 1
