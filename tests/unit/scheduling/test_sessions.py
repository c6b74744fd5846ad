"""Sessions at a place: opened before anybody is in them, standing when nobody is left; and who comes without a date."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from pelangi.contracts.codes import RequestStatus, ServiceKind, VisitKind
from pelangi.contracts.topics import VISIT_COMPLETED, VISIT_SCHEDULED
from services.scheduling.metrics import HANDED_OVER, PROMISES_BROKEN, SESSIONS_LOST, WALK_INS
from services.scheduling.reference import defaults
from services.scheduling.rolling import Announce
from services.scheduling.work import Work
from tests.unit.scheduling.city import NOW, OTHER_VILLAGE, TOMORROW, VILLAGE, City, closed, details, item_id, request_id
from tests.unit.scheduling.test_booking import Died, consistent, die_at
from tests.unit.scheduling.watcher import Tables, Watcher

TODAY = NOW.date()  # 09:00 in Pangkalpinang
POINT, POST = VisitKind.COMMUNITY_POINT, VisitKind.DISASTER_POST
SESSION = {"team_id": "team-1", "visit_kind": "COMMUNITY_POINT", "village_code": VILLAGE, "start": "10:00", "end": "12:00"}
KEY = "5f0b8d3e-1c62-4a77-9a55-0d7f3c1b2a21"


async def opens(city: City, on: date = TOMORROW, key: str | None = None, **more: Any) -> Any:
    return await city.post(f"/v1/plans/{on}/sessions", SESSION | more, key)


async def opened(city: City, on: date = TOMORROW, **more: Any) -> str:
    """A session; its visit_id."""
    answer = await opens(city, on, **more)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["visit_id"])


async def walks_in(city: City, visit_id: str, n: int = 1, key: str | None = None) -> Any:
    return await city.post(f"/v1/visits/{visit_id}/walk-ins", {"request_id": request_id(n)}, key)


async def calls(city: City, visit_id: str, *whats: str, **body: Any) -> Any:
    """A team's calls; each must succeed. The last answer."""
    for what in whats:
        response = await city.post(f"/v1/visits/{visit_id}/{what}", body)
        assert response.status_code == 200, response.text
    return response.json()


async def on_site(city: City, **more: Any) -> str:
    """A session of today at which the team is."""
    visit_id = await opened(city, TODAY, **more)
    await calls(city, visit_id, "depart", "arrive")
    return visit_id


async def shown(city: City, visit_id: str) -> Any:
    assert city.http
    response = await city.http.get(f"/v1/visits/{visit_id}")
    assert response.status_code == 200, response.text
    return response.json()


async def completes(city: City, visit_id: str, **reasons: str) -> Any:
    """Everybody is served, but those of these requests: `r1="NO_UPLINK"`."""
    put_off = {request_id(int(n[1:])): reason for n, reason in reasons.items()}
    items = [
        {"item_id": i["item_id"], "outcome": "DEFERRED", "reason": put_off[i["request_id"]]}
        if i["request_id"] in put_off
        else {"item_id": i["item_id"], "outcome": "DONE"}
        for i in (await shown(city, visit_id))["items"]
    ]
    return await calls(city, visit_id, "complete", items=items)


async def plan(city: City, on: date = TOMORROW) -> Any:
    assert city.http
    return (await city.http.get(f"/v1/plans/{on}")).json()


async def planned(city: City, on: date = TOMORROW) -> dict[str, Any]:
    """The visits of a day's plan."""
    return {v["visit_id"]: v | {"team_id": t["team_id"]} for t in (await plan(city, on))["teams"] for v in t["visits"]}


def code_of(answer: Any) -> set[str]:
    said = answer.json()
    return {said["title"], *(e["code"] for e in said.get("errors", []))}


def counted(outcome: str) -> float:
    return float(WALK_INS.labels(outcome)._value.get())


# --- opening one


async def test_a_session_is_opened_where_the_list_says_and_shown_in_the_plan_with_nobody_in_it(city: City) -> None:
    answer = await opens(city)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert UUID(told["visit_id"]).version == 7
    assert told == {"visit_id": told["visit_id"], "date": str(TOMORROW), "team_id": "team-1"}
    visit = (await planned(city))[told["visit_id"]]
    assert (visit["session"], visit["requests"], visit["items"], visit["status"]) == (True, 0, 0, "PLANNED")
    assert (visit["team_id"], visit["village_code"], visit["at"]) == ("team-1", VILLAGE, [-2.13739, 106.09284])
    assert (visit["window"]["start"][11:16], visit["window"]["end"][11:16]) == ("10:00", "12:00")
    place = (await shown(city, told["visit_id"]))["place"]
    assert (place["address"], place["visit_kind"]) == ("Kantor Kelurahan Keramat", "COMMUNITY_POINT")


async def test_an_ordinary_visit_is_no_session(city: City) -> None:
    await city.fold(details(1, visit_kind=POINT))
    await city.run()
    [visit] = (await planned(city)).values()
    assert visit["session"] is False and (await city.shown())["session"] is False


async def test_opened_once_however_often_it_is_said(city: City) -> None:
    first, second = await opens(city, key=KEY), await opens(city, key=KEY)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert len(await planned(city)) == 1
    assert (await opens(city, key=KEY, end="12:30")).status_code == 422


@pytest.mark.parametrize(
    ("on", "more", "status", "code"),
    [
        ("2026-11-23", {}, 422, "past"),
        ("2026-11-24", {"start": "08:30"}, 422, "past"),
        ("2026-11-28", {}, 422, "not_working_day"),
        ("2029-01-02", {}, 422, "too_far"),
        ("2026-11-25", {"start": "12:00"}, 422, "#"),
        ("2026-11-25", {"start": "12:00:10", "end": "12:00:50"}, 422, "#"),
        ("2026-11-25", {"visit_kind": "HOME"}, 422, "#"),
        ("2026-11-25", {"village_code": "19.99.99.1001"}, 422, "#"),
        ("2026-11-25", {"team_id": "team-9"}, 404, "not_found"),
        ("2026-11-25", {"team_id": "office"}, 409, "full"),  # makes no such visits
        ("2026-11-25", {"start": "14:00", "end": "15:30"}, 409, "full"),  # after closing
        ("2026-11-27", {"start": "11:00", "end": "14:00"}, 409, "full"),  # over the Friday prayer
        ("2026-11-25", {"start": "08:05"}, 409, "full"),  # it cannot be there by then
    ],
)
async def test_what_is_refused(city: City, on: str, more: dict[str, Any], status: int, code: str) -> None:
    answer = await opens(city, date.fromisoformat(on), **more)
    assert answer.status_code == status, answer.text
    assert code == "#" or code in code_of(answer)
    assert not any(day.get("visits") for day in city.days().values())


async def test_without_a_point_of_the_kelurahan_in_the_list_there_is_none(city: City) -> None:
    value = defaults()["points"]["value"]
    left = [p for p in value["points"] if p["village_code"] != VILLAGE]
    city.store.collection("reference").documents["points"] = {"_id": "points", "version": 1, "value": {"points": left}}
    answer = await opens(city)
    assert answer.status_code == 422 and "no_point" in code_of(answer)
    assert (await opens(city, village_code=OTHER_VILLAGE)).status_code == 200


async def test_the_team_must_get_there_and_on_to_its_next_visit(city: City) -> None:
    await opened(city)
    assert (await opens(city, start="11:00", end="13:00")).status_code == 409
    other: dict[str, Any] = {"village_code": OTHER_VILLAGE, "end": "14:00"}
    assert (await opens(city, start="12:05", **other)).status_code == 409
    assert (await opens(city, start="08:20", village_code=OTHER_VILLAGE, end="09:55")).status_code == 409
    assert (await opens(city, start="12:20", **other)).status_code == 200
    assert (await opens(city, start="11:00", end="13:00", team_id="team-2")).status_code == 200


async def test_not_with_a_team_that_is_out(city: City) -> None:
    out = {"team_id": "team-1", "reason": "KIT_FAILURE", "since": "11:00"}
    assert (await city.post(f"/v1/plans/{TOMORROW}/outages", out)).status_code == 200
    assert (await opens(city)).status_code == 409
    assert (await opens(city, end="11:00")).status_code == 200


async def test_today_from_now_on(city: City) -> None:
    assert (await opens(city, TODAY, start="09:00")).status_code == 200


# --- who joins


async def test_requests_of_that_place_join_by_themselves_and_nobody_beyond_its_length(city: City) -> None:
    visit_id = await opened(city, end="11:00")
    await city.fold(*(details(n, visit_kind=POINT) for n in range(1, 5)), details(5, visit_kind=POINT, village=OTHER_VILLAGE))
    await city.fold(details(6, visit_kind=POST))
    await city.run()
    inside = [n for n in range(1, 7) if (await city.visit(n))["visit_id"] == visit_id]
    assert len(inside) == 3 and set(inside) <= {1, 2, 3, 4}  # 20 minutes each
    assert {(v["start"], v["end"]) for v in [await city.visit(n) for n in inside]} == {(600, 660)}
    visit = (await planned(city))[visit_id]
    assert (visit["requests"], visit["session"], visit["window"]["end"][11:16]) == (3, True, "11:00")
    event = next(d for t, d in await city.events(inside[0]) if t == VISIT_SCHEDULED)
    assert (event.place.name, event.area_code) == ("Kantor Kelurahan Keramat", VILLAGE)
    await consistent(city)


async def test_a_post_is_joined_too(city: City) -> None:
    visit_id = await opened(city, visit_kind="DISASTER_POST")
    await city.fold(details(1, visit_kind=POST))
    await city.run()
    assert (await city.visit())["visit_id"] == visit_id


async def test_a_session_some_days_ahead_is_joined_rather_than_a_team_sent_there_before(city: City) -> None:
    visit_id = await opened(city, date(2026, 11, 30))
    await city.fold(details(1, visit_kind=POINT), details(2, visit_kind=POINT, needs=["HOSPITAL"]))
    await city.fold(details(3, visit_kind=POINT, availability=[{"weekday": 2, "start": "08:00:00", "end": "15:00:00"}]))
    await city.fold(details(4, visit_kind=POINT, deadline={"date": date(2026, 11, 27), "reason": "AID"}))
    await city.run()
    assert (await city.visit(1))["visit_id"] == visit_id
    for n in (2, 3, 4):  # too urgent, not there then, too late
        assert (await city.visit(n))["visit_id"] != visit_id, n


async def test_whoever_needs_it_more_joins_the_next_days_session_too(city: City) -> None:
    visit_id = await opened(city)
    await city.fold(details(1, visit_kind=POINT, needs=["HOSPITAL"]))
    await city.run()
    assert (await city.visit())["visit_id"] == visit_id


async def test_one_too_far_ahead_or_full_keeps_nobody_waiting(city: City) -> None:
    full, far = await opened(city, end="10:10"), await opened(city, date(2026, 12, 17))
    await city.fold(details(1, visit_kind=POINT))
    await city.run()
    assert (await city.visit())["visit_id"] not in {full, far}


async def test_told_in_the_evening_too_they_join_at_once_and_the_others_are_planned(city: City) -> None:
    city.work = Work.of(city.runtime, announce=Announce.EVENING)
    visit_id = await opened(city, date(2026, 11, 30), end="11:00")
    await city.fold(*(details(n, visit_kind=POINT) for n in range(1, 5)), details(5, visit_kind=POST))
    await city.run()
    inside = [n for n in range(1, 6) if (await city.case(n)).get("visits")]
    assert len(inside) == 3 and 5 not in inside
    assert {(await city.visit(n))["visit_id"] for n in inside} == {visit_id}
    city.clock.at = datetime(2026, 11, 24, 10, 5, tzinfo=UTC)  # 17:05
    await city.run()
    for n in {1, 2, 3, 4, 5} - set(inside):
        assert (await city.visit(n))["date"] in {str(TOMORROW), "2026-11-26"}
    await consistent(city)


# --- it stands while nobody is in it


async def test_the_sweeper_and_all_timers_leave_it_alone(city: City) -> None:
    visit_id = await opened(city)
    before = city.days()[str(TOMORROW)]
    for _ in range(2):
        await city.run()
        assert await city.work.sweeper.sweep() == 0
    assert city.days()[str(TOMORROW)] == before and visit_id in await planned(city)


@pytest.mark.parametrize("how", ["withdrawn", "corrected away", "too long"])
async def test_when_the_last_member_leaves_it_stands_and_takes_in_others(city: City, how: str) -> None:
    visit_id = await opened(city)
    await city.fold(details(1, visit_kind=POINT, persons=3))
    await city.run()
    assert (await city.visit())["visit_id"] == visit_id
    if how == "withdrawn":
        await city.fold(closed(1))
    elif how == "corrected away":
        await city.fold(details(1, visit_kind=POINT, persons=3, village=OTHER_VILLAGE, version=2))
    else:
        await city.fold(details(1, visit_kind=POINT, persons=3, needs=["BEDRIDDEN"], version=2))
    await city.run()
    visit = (await planned(city))[visit_id]
    assert (visit["requests"], visit["status"], visit["session"]) == (0, "PLANNED", True)
    assert (visit["window"]["start"][11:16], visit["at"]) == ("10:00", [-2.13739, 106.09284])
    if how != "withdrawn":
        assert (await city.visit())["visit_id"] != visit_id and await city.scheduled() == [
            ("SCHEDULED", 1), ("CANCELLED", 2), ("SCHEDULED", 1)
        ]  # fmt: skip
    await city.fold(details(2, visit_kind=POINT))
    await city.run()
    assert (await city.visit(2))["visit_id"] == visit_id
    await consistent(city)


@pytest.mark.parametrize("member", [False, True])
async def test_a_team_goes_there_and_completes_it_with_nobody_in_it(city: City, member: bool) -> None:
    visit_id = await opened(city)
    if member:
        await city.fold(details(1, visit_kind=POINT))
        await city.run()
    assert (await calls(city, visit_id, "depart"))["status"] == "EN_ROUTE"
    await city.fold(closed(1))
    await city.run()
    assert (await shown(city, visit_id))["status"] == "EN_ROUTE"
    assert (await calls(city, visit_id, "arrive"))["status"] == "ON_SITE"
    assert (await calls(city, visit_id, "complete", items=[]))["status"] == "DONE"
    await city.run()
    assert "unspread" not in city.days()[str(TOMORROW)]


async def test_it_fails_like_any_visit(city: City) -> None:
    visit_id = await opened(city)
    assert (await calls(city, visit_id, "fail", reason="WEATHER_OR_FLOOD"))["status"] == "FAILED"
    assert (await opens(city)).status_code == 409  # it has had its hours
    await city.run()
    assert "unspread" not in city.days()[str(TOMORROW)]


@pytest.mark.parametrize("members", [0, 2])
async def test_rescheduled_it_is_a_session_of_the_same_length_there(city: City, members: int) -> None:
    visit_id = await opened(city)
    await city.fold(*(details(n, visit_kind=POINT) for n in range(1, members + 1)))
    await city.run()
    answer = await calls(city, visit_id, "reschedule", reason="WEATHER_OR_FLOOD", date="2026-11-27")
    assert (answer["status"], answer["date"]) == ("PLANNED", "2026-11-27")
    await city.run()
    visit, on_friday = await shown(city, visit_id), await planned(city, date(2026, 11, 27))
    start, end = (datetime.fromisoformat(visit["window"][edge]) for edge in ("start", "end"))
    assert (visit["status"], visit["date"], visit["session"], end - start) == ("PLANNED", "2026-11-27", True, timedelta(hours=2))
    assert on_friday[visit_id]["requests"] == members and visit_id not in await planned(city)
    for n in range(1, members + 1):
        assert await city.scheduled(n) == [("SCHEDULED", 1), ("RESCHEDULED", 2)]
        await city.fold(closed(n))
    await city.run()
    assert (await planned(city, date(2026, 11, 27)))[visit_id]["requests"] == 0
    await calls(city, visit_id, "depart", "arrive")
    await consistent(city)


async def test_an_empty_one_rescheduled_by_a_process_that_died_is_moved(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    visit_id = await opened(city)
    with monkeypatch.context() as patched:

        async def dies(*_: Any, **__: Any) -> None:
            raise RuntimeError

        patched.setattr("services.scheduling.spreading.Spreader.visits", dies)
        await calls(city, visit_id, "reschedule", reason="UNSAFE", date="2026-11-27")
        visit = await shown(city, visit_id)
        assert (visit["status"], visit["date"]) == ("PLANNED", "2026-11-27")
    await city.run()
    assert list(await planned(city, date(2026, 11, 27))) == [visit_id] and await planned(city) == {}
    # and back: it is the visit of its old day again
    await calls(city, visit_id, "reschedule", reason="UNSAFE", date=str(TOMORROW))
    assert list(await planned(city)) == [visit_id] and await planned(city, date(2026, 11, 27)) == {}
    await calls(city, visit_id, "depart")


# --- an outage


async def outage(city: City, on: date = TOMORROW, team: str = "team-1") -> Any:
    answer = await city.post(f"/v1/plans/{on}/outages", {"team_id": team, "reason": "VEHICLE_FAILURE"})
    assert answer.status_code == 200, answer.text
    return {k: answer.json()[k] for k in ("handed_over", "moved", "without_a_date")}


async def test_another_team_takes_an_empty_session_over(city: City) -> None:
    visit_id = await opened(city)
    handed = HANDED_OVER.labels("VEHICLE_FAILURE")._value.get()
    assert await outage(city) == {"handed_over": 1, "moved": 0, "without_a_date": 0}
    visit = (await planned(city))[visit_id]
    assert (visit["team_id"], visit["session"], visit["window"]["start"][11:16]) == ("team-2", True, "10:00")
    assert HANDED_OVER.labels("VEHICLE_FAILURE")._value.get() == handed
    await city.run()
    assert "unspread" not in city.days()[str(TOMORROW)]


async def test_an_empty_session_that_nobody_takes_over_moves_and_broke_no_promise(city: City) -> None:
    visit_id = await opened(city)
    await opened(city, team_id="team-2", village_code=OTHER_VILLAGE, start="09:30", end="12:30")
    broken = PROMISES_BROKEN.labels("VEHICLE_FAILURE")._value.get()
    assert await outage(city) == {"handed_over": 0, "moved": 1, "without_a_date": 0}
    assert (await plan(city))["promises_broken"] == []
    assert PROMISES_BROKEN.labels("VEHICLE_FAILURE")._value.get() == broken
    visit = await shown(city, visit_id)
    assert (visit["status"], visit["session"], visit["members"]) == ("PLANNED", True, [])
    assert visit["date"] > str(TOMORROW)


async def test_with_people_in_it_the_promise_is_broken_and_kept_as_a_row(city: City) -> None:
    visit_id = await opened(city)
    await opened(city, team_id="team-2", village_code=OTHER_VILLAGE, start="09:30", end="12:30")
    await city.fold(details(1, visit_kind=POINT))
    await city.run()
    broken = PROMISES_BROKEN.labels("VEHICLE_FAILURE")._value.get()
    assert await outage(city) == {"handed_over": 0, "moved": 1, "without_a_date": 0}
    [row] = (await plan(city))["promises_broken"]
    assert (row["visit_id"], row["requests"]) == (visit_id, 1)
    assert PROMISES_BROKEN.labels("VEHICLE_FAILURE")._value.get() == broken + 1
    assert (await shown(city, visit_id))["session"]


async def test_without_any_day_an_empty_session_has_failed_and_broke_no_promise(city: City) -> None:
    visit_id = await opened(city)
    await city.teams(visit_kinds=["HOME"])
    assert await outage(city) == {"handed_over": 0, "moved": 0, "without_a_date": 1}
    assert ((await shown(city, visit_id))["status"], (await plan(city))["promises_broken"]) == ("FAILED", [])


# --- walk-ins


async def test_who_walks_in_while_the_team_is_there_is_served_like_anybody(city: City) -> None:
    visit_id = await on_site(city)
    await city.fold(details(1, visit_kind=POINT), details(2, visit_kind=POINT))
    booked = counted("booked")
    for n in (1, 2):
        answer = await walks_in(city, visit_id, n)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {
            "request_id": request_id(n), "visit_id": visit_id, "date": str(TODAY), "team_id": "team-1"
        }  # fmt: skip
    assert (await walks_in(city, visit_id, 1)).status_code == 409
    assert counted("booked") == booked + 2
    visit = await city.visit()
    assert (visit["visit_id"], visit["status"], visit["start"], visit["end"]) == (visit_id, "ON_SITE", 600, 720)
    assert {m["request_id"] for m in (await shown(city, visit_id))["members"]} == {request_id(1), request_id(2)}
    said = await city.request()
    assert not said["needs_visit"] and said["visits"][0]["walked_in_at"] == VILLAGE
    await city.run()
    await consistent(city)
    await completes(city, visit_id, r2="NO_UPLINK")
    assert [(await city.visit(n))["status"] for n in (1, 2)] == ["DONE", "PARTIAL"]
    for n in (1, 2):
        types = [t for t, _ in await city.events(n)]
        assert (types.count(VISIT_SCHEDULED), types.count(VISIT_COMPLETED)) == (1, 1)
    completed = next(d for t, d in await city.events(1) if t == VISIT_COMPLETED)
    assert [(str(i.item_id), i.outcome) for i in completed.items] == [(item_id(1000), "DONE"), (item_id(1001), "DONE")]


async def test_a_visit_cannot_be_completed_without_its_walk_in(city: City) -> None:
    visit_id = await on_site(city)
    await city.fold(details(1, visit_kind=POINT))
    await walks_in(city, visit_id)
    answer = await city.post(f"/v1/visits/{visit_id}/complete", {"items": []})
    assert answer.status_code == 422 and "missing_items" in code_of(answer)


@pytest.mark.parametrize("stage", [(), ("depart",), ("depart", "arrive")])
async def test_from_any_request_that_is_filed_at_every_stage(city: City, stage: tuple[str, ...]) -> None:
    """A request for a home or another kelurahan too; and it stays, whatever is corrected of the place."""
    visit_id = await opened(city, TODAY)
    await city.fold(details(1), details(2, village=OTHER_VILLAGE, visit_kind=POINT))
    if stage:
        await calls(city, visit_id, *stage)
    for n in (1, 2):
        assert (await walks_in(city, visit_id, n)).status_code == 200
        visit = await city.visit(n)
        assert (visit["visit_id"], visit["visit_kind"], visit["village_code"]) == (visit_id, POINT, VILLAGE)
        assert visit["status"] == {0: "PLANNED", 1: "EN_ROUTE", 2: "ON_SITE"}[len(stage)]
    await city.fold(details(1, village=OTHER_VILLAGE, version=2))
    await city.run()
    assert [await city.scheduled(n) for n in (1, 2)] == [[("SCHEDULED", 1)]] * 2
    await consistent(city)
    await calls(city, visit_id, *("depart", "arrive")[len(stage) :]) if len(stage) < 2 else None
    await completes(city, visit_id)
    assert [(await city.visit(n))["status"] for n in (1, 2)] == ["DONE", "DONE"]


async def test_an_ordinary_visit_at_a_point_takes_walk_ins_too_and_a_home_does_not(city: City) -> None:
    await city.fold(details(1, visit_kind=POINT), details(2), details(3, visit_kind=VisitKind.INSTITUTION))
    await city.run()
    city.clock.at += timedelta(days=1)
    await city.fold(*(details(n) for n in (4, 5, 6)))
    assert (await walks_in(city, (await city.visit(1))["visit_id"], 4)).status_code == 200
    for n, other in ((5, 2), (6, 3)):
        answer = await walks_in(city, (await city.visit(other))["visit_id"], n)
        assert answer.status_code == 409 and "state" in code_of(answer)


async def test_not_before_its_day_and_not_after_it(city: City) -> None:
    visit_id = await opened(city)
    await city.fold(details(1, visit_kind=POINT))
    answer = await walks_in(city, visit_id)
    assert answer.status_code == 409 and "state" in code_of(answer)
    await calls(city, visit_id, "depart", "arrive")
    await calls(city, visit_id, "complete", items=[])
    assert "state" in code_of(await walks_in(city, visit_id))
    assert (await city.case()).get("visits", []) == []


async def test_only_as_long_as_the_time_left_does_and_its_end_stays(city: City) -> None:
    visit_id = await on_site(city)
    city.clock.at = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)  # 11:30, half an hour is left
    await city.fold(details(1, persons=2), details(2), details(3, kinds=[ServiceKind.KK_CHANGE]), details(4))
    full = counted("full")
    assert "full" in code_of(await walks_in(city, visit_id, 1))
    assert (await walks_in(city, visit_id, 2)).status_code == 200
    assert "full" in code_of(await walks_in(city, visit_id, 4))  # although half of the session nobody came
    assert (await walks_in(city, visit_id, 3)).status_code == 200
    assert counted("full") == full + 2
    assert (await shown(city, visit_id))["window"]["end"][11:16] == "12:00"
    assert (await city.case(1)).get("visits", []) == [] and (await city.request(1))["needs_visit"]


async def test_who_had_a_date_is_served_first_and_before_the_team_is_there_nobody_is(city: City) -> None:
    visit_id = await opened(city, end="11:00")
    await city.fold(*(details(n, visit_kind=POINT) for n in (1, 2)))
    await city.run()
    city.clock.at = datetime(2026, 11, 25, 3, 25, tzinfo=UTC)  # 10:25, and the team is late
    await city.fold(details(3))
    assert "full" in code_of(await walks_in(city, visit_id, 3))
    await calls(city, visit_id, "depart", "arrive")
    assert (await walks_in(city, visit_id, 3)).status_code == 200  # 20 minutes after the other 40


async def test_two_at_once_for_the_last_minutes_and_one_is_served(city: City) -> None:
    visit_id = await on_site(city)
    city.clock.at = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)
    await city.fold(details(1), details(2))
    answers = await asyncio.gather(walks_in(city, visit_id, 1), walks_in(city, visit_id, 2))
    assert sorted(a.status_code for a in answers) == [200, 409]
    assert "full" in code_of(next(a for a in answers if a.status_code == 409))
    assert len((await shown(city, visit_id))["members"]) == 1
    assert sorted([len((await city.case(n)).get("visits", [])) for n in (1, 2)]) == [0, 1]
    await consistent(city)


async def test_the_same_call_twice_is_one_walk_in(city: City) -> None:
    visit_id = await on_site(city)
    await city.fold(details(1))
    booked = counted("booked")
    first, second = await walks_in(city, visit_id, key=KEY), await walks_in(city, visit_id, key=KEY)
    assert (first.status_code, first.content) == (200, second.content) and second.status_code == 200
    assert len((await city.case())["visits"]) == 1 and len(await city.scheduled()) == 1
    assert counted("booked") == booked + 1
    await city.fold(details(2))
    assert (await walks_in(city, visit_id, 2)).status_code == 200


async def test_who_has_a_visit_elsewhere_is_over_or_unknown_is_refused(city: City) -> None:
    await city.fold(*(details(n) for n in (1, 2, 4, 5)), details(3, status=RequestStatus.NEEDS_INFO))
    await city.run()
    visit_id = await on_site(city, team_id="team-2", village_code=OTHER_VILLAGE, start="13:00", end="14:00")
    await city.fold(closed(2), details(6, kinds=[ServiceKind.KTP_NEW], not_before={0: TOMORROW + timedelta(days=9)}))
    await city.fold(details(7, withdrawn=[0, 1]))
    for n in (1, 2, 3, 6, 7):
        answer = await walks_in(city, visit_id, n)
        assert answer.status_code == 409 and "state" in code_of(answer), n
    assert (await walks_in(city, visit_id, 9)).status_code == 404
    await city.fold(details(8))
    assert (await walks_in(city, "01934567-0000-7000-8000-00000000abcd", 8)).status_code == 404
    assert (await city.post(f"/v1/visits/{visit_id}/walk-ins", {"request_id": "x"})).status_code == 422
    assert (await shown(city, visit_id))["members"] == []


async def test_who_left_this_visit_does_not_come_back_to_it(city: City) -> None:
    """A visit_id is one attempt."""
    visit_id = await opened(city)
    await city.fold(details(1, visit_kind=POINT))
    await city.run()
    await city.fold(details(1, visit_kind=POINT, version=2, status=RequestStatus.NEEDS_INFO))
    await city.fold(details(1, visit_kind=POINT, version=3, withdrawn=[0, 1]))
    await city.run()
    await city.fold(details(1, visit_kind=POINT, persons=2, version=4))
    city.clock.at += timedelta(days=1)
    answer = await walks_in(city, visit_id)
    assert answer.status_code == 409 and "state" in code_of(answer)


async def test_not_without_what_is_needed(city: City) -> None:
    await city.teams(ktp_blanks=1)
    visit_id = await on_site(city)
    await city.fold(*(details(n, kinds=[ServiceKind.KTP_NEW]) for n in (1, 2)))
    assert (await walks_in(city, visit_id, 1)).status_code == 200
    assert "full" in code_of(await walks_in(city, visit_id, 2))


@pytest.mark.parametrize("point", ["want", "booking.after-booked", "booking.after-held"])
@pytest.mark.parametrize("meanwhile", ["", "complete", "fail", "closed"])
async def test_a_kill_between_two_steps_is_repaired(
    city: City, monkeypatch: pytest.MonkeyPatch, point: str, meanwhile: str
) -> None:
    visit_id = await on_site(city)
    await city.fold(details(1))
    if point == "want":

        async def dies(*_: Any, **__: Any) -> None:
            raise Died

        monkeypatch.setattr("services.scheduling.booking.Booker.finish", dies)
    else:
        die_at(monkeypatch, point)
    with pytest.raises(Died):
        await walks_in(city, visit_id, key=KEY)
    monkeypatch.undo()
    in_the_day = point != "want"
    if meanwhile == "complete":
        await completes(city, visit_id)
    elif meanwhile == "fail":
        await calls(city, visit_id, "fail", reason="NO_UPLINK")
    elif meanwhile == "closed":
        await city.fold(closed(1))
    city.clock.at += timedelta(seconds=10)
    await city.work.finish()
    await city.work.sweeper.sweep()
    visits = [v for v in (await city.case()).get("visits", []) if v["visit_id"] == visit_id]
    types = [t for t, _ in await city.events()]
    assert "wanted_since" not in await city.case()
    if meanwhile == "":
        assert [v["status"] for v in visits] == ["ON_SITE"] and types.count(VISIT_SCHEDULED) == 1
        assert (await walks_in(city, visit_id, key=KEY)).status_code == 200
        await completes(city, visit_id)
        assert (await city.visit())["status"] == "DONE"
    elif meanwhile == "closed":
        assert all(v["status"] == "CANCELLED" for v in visits)
        assert (await shown(city, visit_id))["status"] == "ON_SITE"
        await calls(city, visit_id, "complete", items=[])
    elif in_the_day:
        assert [v["status"] for v in visits] == [{"complete": "DONE", "fail": "FAILED"}[meanwhile]]
        assert (types.count(VISIT_SCHEDULED), types.count(VISIT_COMPLETED)) == (1, 1)
    else:  # nobody expected it there any more
        assert visits == [] and (await city.request())["needs_visit"]
        answer = await walks_in(city, visit_id, key=KEY)
        assert answer.status_code == 409 and "full" in code_of(answer)
    await city.run()
    assert "unspread" not in city.days()[str(TODAY)]


async def test_who_walked_in_from_elsewhere_is_not_sent_along_to_another_day(city: City) -> None:
    visit_id = await opened(city, TODAY)
    await city.fold(details(1), details(2, visit_kind=POINT))
    for n in (1, 2):
        assert (await walks_in(city, visit_id, n)).status_code == 200
    await calls(city, visit_id, "reschedule", reason="VEHICLE_FAILURE")
    await city.run()
    assert await city.scheduled(1) == [("SCHEDULED", 1), ("CANCELLED", 2), ("SCHEDULED", 1)]
    assert ((await city.visit(1))["visit_kind"], (await city.visit(1))["reason"]) == ("HOME", None)
    assert await city.scheduled(2) == [("SCHEDULED", 1), ("RESCHEDULED", 2)]
    assert (await city.visit(2))["visit_id"] == visit_id
    await consistent(city)


async def test_the_watcher_finds_nothing_in_all_of_it(city: City) -> None:
    documents = {**defaults(), **city.store.collection("reference").documents}
    watcher = Watcher(Tables(*(documents[name]["value"] for name in ("teams", "points", "calendar"))), NOW)

    async def saw(_: str) -> None:
        for day in city.store.collection("days").documents.values():
            watcher.saw_day(day)
        for case in city.store.collection("cases").documents.values():
            watcher.saw_case(case)

    city.work = Work.of(city.runtime)
    for name in ("days", "cases"):
        city.store.collection(name).after_write = saw
    visit_id = await on_site(city)
    await city.fold(details(1), details(2, visit_kind=POINT))
    watcher.cause([request_id(1)], "walked in")
    assert (await walks_in(city, visit_id, 1)).status_code == 200
    await city.run()
    watcher.rested()
    assert watcher.findings == []
    assert (await walks_in(city, visit_id, 2)).status_code == 409  # it has a date by now


async def test_one_that_finds_its_new_day_full_is_counted_and_its_people_are_planned_again(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit_id = await opened(city)
    await city.fold(details(1, visit_kind=POINT))
    await city.run()
    assert (await city.visit())["visit_id"] == visit_id
    to = TOMORROW + timedelta(days=1)

    async def dies(*_: Any) -> None:
        """It is gone."""

    with monkeypatch.context() as patched:
        patched.setattr("services.scheduling.spreading.Spreader.begin", dies)
        await calls(city, visit_id, "reschedule", date=str(to), reason="WEATHER_OR_FLOOD")
    await opened(city, to, start="08:30", end="15:00", village_code=OTHER_VILLAGE)
    lost = SESSIONS_LOST._value.get()
    await city.run()
    assert SESSIONS_LOST._value.get() == lost + 1
    after = await city.visit()
    assert (after["status"], after["visit_id"] != visit_id) == ("PLANNED", True)
