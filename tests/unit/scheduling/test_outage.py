"""A team cannot go out: others keep its promises where they can, the rest gets another date, and staff see what was broken."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest

from pelangi.contracts.codes import ServiceKind, VisitKind
from pelangi.contracts.topics import VISIT_SCHEDULED
from services.scheduling.day import Day, DayVisit, Out
from services.scheduling.days import out_since
from services.scheduling.metrics import HANDED_OVER, PROMISES_BROKEN
from services.scheduling.outage import PROMISED, REASONS_OUT, Known, take_out
from services.scheduling.plan_input import team_days
from services.scheduling.reference import as_reference, defaults
from tests.unit.scheduling.city import NOW, OTHER_VILLAGE, TOMORROW, VILLAGE, City, details, request_id

DOWN = {"team_id": "team-1", "reason": "VEHICLE_FAILURE"}
OUTAGES, RETURNS = f"/v1/plans/{TOMORROW}/outages", f"/v1/plans/{TOMORROW}/returns"


async def plan(city: City, on: date = TOMORROW) -> Any:
    assert city.http
    return (await city.http.get(f"/v1/plans/{on}")).json()


async def visits_of(city: City, team: str, on: date = TOMORROW) -> list[Any]:
    return next(t["visits"] for t in (await plan(city, on))["teams"] if t["team_id"] == team)


async def planned(city: City, count: int, **more: Any) -> dict[int, Any]:
    """So many requests with a date; their newest visits."""
    await city.fold(*(details(n, **more) for n in range(1, count + 1)))
    await city.run()
    return {n: await city.visit(n) for n in range(1, count + 1)}


async def down(city: City, **more: Any) -> Any:
    response = await city.post(OUTAGES, DOWN | more)
    assert response.status_code == 200, response.text
    return response.json()


async def test_another_team_comes_at_nearly_the_promised_minute_and_the_people_are_told(city: City) -> None:
    before = await planned(city, 3)
    team = before[1]["team_id"]
    handed = HANDED_OVER.labels("VEHICLE_FAILURE")._value.get()
    answer = await down(city, team_id=team)
    assert answer == {"date": str(TOMORROW), "team_id": team, "handed_over": 3, "moved": 0, "without_a_date": 0}
    for n, old in before.items():
        new = await city.visit(n)
        assert new["team_id"] != team and new["visit_id"] == old["visit_id"]
        assert abs(new["start"] - old["start"]) <= PROMISED and new["date"] == old["date"]
        assert (new["status"], new["revision"], new["reason"]) == ("PLANNED", 2, "VEHICLE_FAILURE")
        assert await city.scheduled(n) == [("SCHEDULED", 1), ("RESCHEDULED", 2)]
    assert HANDED_OVER.labels("VEHICLE_FAILURE")._value.get() - handed == 3
    assert (await plan(city))["promises_broken"] == []
    await city.run()
    assert {n: (await city.visit(n))["revision"] for n in before} == {1: 2, 2: 2, 3: 2}


async def test_whom_no_team_can_take_over_gets_the_first_later_day_and_the_promise_counts_as_broken(city: City) -> None:
    before = await planned(city, 12, persons=2)
    mine = {n for n, v in before.items() if (v["team_id"], v["date"]) == ("team-1", str(TOMORROW))}
    assert len(mine) >= 3
    broken = PROMISES_BROKEN.labels("VEHICLE_FAILURE")._value.get()
    answer = await down(city)
    after = {n: await city.visit(n) for n in before}
    assert all(after[n] == before[n] for n in before.keys() - mine)
    await city.run()
    after = {n: await city.visit(n) for n in before}
    moved = {n for n in mine if after[n]["date"] > str(TOMORROW)}
    assert moved and len(moved) == answer["moved"] and answer["without_a_date"] == 0
    assert all(after[n]["visit_id"] == before[n]["visit_id"] and after[n]["revision"] == 2 for n in mine)
    assert PROMISES_BROKEN.labels("VEHICLE_FAILURE")._value.get() - broken == len(moved)
    rows = (await plan(city))["promises_broken"]
    assert {row["visit_id"] for row in rows} == {before[n]["visit_id"] for n in moved}
    assert all(row["requests"] == 1 and row["date"] > str(TOMORROW) and row["reason"] == "VEHICLE_FAILURE" for row in rows)
    assert await visits_of(city, "team-1") == []


def visit_at(start: int, request: int, team_id: str = "team-1") -> DayVisit:
    return {
        "team_id": team_id,
        "visit_kind": VisitKind.HOME,
        "village_code": VILLAGE,
        "point": None,
        "start": start,
        "end": start + 40,
        "status": "PLANNED",
        "version": 1,
        "members": {request_id(request): {"placement_id": f"p{request}", "items": []}},
        "keys": [],
    }


@pytest.mark.parametrize("heavy", ["a", "b", "c"])
def test_who_needs_it_most_is_taken_over_first(heavy: str) -> None:
    visits = {"a": visit_at(540, 1), "b": visit_at(600, 2), "c": visit_at(660, 3)}
    visits["d"], visits["e"] = visit_at(520, 4, "team-2"), visit_at(680, 5, "team-2")
    visits["d"]["end"] = 560  # with the ways there and back the other team has room for one
    day: Day = {"_id": str(TOMORROW), "version": 1, "visits": visits, "bookings": {}}
    known = {i: Known(weight=70 if i == heavy else 10, kit=(), hours=(0, 1440)) for i in "abc"}
    out: Out = {"team_id": "team-1", "since": 0, "reason": "VEHICLE_FAILURE"}
    after = take_out(day, out, known, as_reference(defaults()), NOW)
    assert [i for i in "abc" if after["visits"][i]["team_id"] == "team-2"] == [heavy]
    assert take_out(after, out, known, as_reference(defaults()), NOW) == after


async def test_no_visit_is_placed_with_a_team_that_is_out_until_it_is_back(city: City) -> None:
    assert (await city.post(OUTAGES, DOWN)).json()["handed_over"] == 0
    await planned(city, 4)
    assert await visits_of(city, "team-1") == [] and await visits_of(city, "team-2")
    assert next(t["out"] for t in (await plan(city))["teams"] if t["team_id"] == "team-1") == {
        "since": "00:00",
        "reason": "VEHICLE_FAILURE",
    }
    day = city.days()[str(TOMORROW)]
    assert {t.team_id for t in team_days([TOMORROW], as_reference(defaults()), {TOMORROW: day})} == {"team-2"}
    assert (await city.post(RETURNS, {"team_id": "team-1"})).status_code == 200
    assert (await city.post(RETURNS, {"team_id": "team-1"})).status_code == 409
    await city.fold(*(details(n, village=OTHER_VILLAGE) for n in range(11, 19)))
    await city.run()
    assert await visits_of(city, "team-1")


async def test_from_an_hour_on_what_is_over_by_then_stays(city: City) -> None:
    before = await planned(city, 6)
    mine = sorted((v["start"], n) for n, v in before.items() if v["team_id"] == before[1]["team_id"])
    end = before[mine[0][1]]["end"]
    await down(city, team_id=before[1]["team_id"], since=f"{end // 60:02}:{end % 60:02}")
    assert (await city.visit(mine[0][1]))["revision"] == 1
    assert [(await city.visit(n))["revision"] for _, n in mine[1:]] == [2] * len(mine[1:])
    assert out_since(city.days()[str(TOMORROW)], before[1]["team_id"]) == end


async def test_a_visit_under_way_is_its_teams_to_report(city: City) -> None:
    before = await planned(city, 1)
    await city.call("depart")
    answer = await down(city, team_id=before[1]["team_id"])
    assert (answer["handed_over"], answer["moved"]) == (0, 0)
    assert (await city.visit())["status"] == "EN_ROUTE"


async def test_a_team_without_the_kit_takes_nothing_over(city: City) -> None:
    teams = [t | {"equipment": ["POWER"]} if t["team_id"] == "team-2" else t for t in defaults()["teams"]["value"]["teams"]]
    city.store.collection("reference").documents["teams"] = {"_id": "teams", "version": 1, "value": {"teams": teams}}
    before = await planned(city, 1, kinds=[ServiceKind.KTP_RECORDING])
    assert before[1]["team_id"] == "team-1"
    answer = await down(city)
    await city.run()
    assert (answer["handed_over"], answer["moved"]) == (0, 1)
    assert ((await city.visit())["team_id"], (await city.visit())["date"]) == ("team-1", "2026-11-26")


async def test_hours_of_the_people_are_kept_also_by_the_other_team(city: City) -> None:
    hours = [{"weekday": d, "start": "09:00", "end": "10:00"} for d in range(1, 6)]
    before = await planned(city, 1, availability=hours)
    await city.fold(*(details(n, persons=2) for n in range(2, 12)))
    await city.run()
    await down(city, team_id=before[1]["team_id"])
    visit = await city.visit()
    assert visit["date"] > str(TOMORROW) or (visit["start"] >= 540 and visit["end"] <= 600)


async def test_a_shared_visit_goes_over_as_a_whole(city: City) -> None:
    before = await planned(city, 3, visit_kind=VisitKind.COMMUNITY_POINT)
    answer = await down(city, team_id=before[1]["team_id"])
    assert answer["handed_over"] + answer["moved"] == 1
    after = [await city.visit(n) for n in before]
    assert len({(v["visit_id"], v["team_id"], v["date"], v["start"]) for v in after}) == 1
    for n in before:
        assert [t for t, _ in await city.events(n)].count(VISIT_SCHEDULED) == 2


async def test_without_any_room_it_does_not_take_place_and_the_request_waits_again(city: City) -> None:
    before = await planned(city, 1)
    await city.teams(home_visits_per_day=0)
    answer = await down(city, team_id=before[1]["team_id"])
    assert (answer["handed_over"], answer["moved"], answer["without_a_date"]) == (0, 0, 1)
    visit = await city.visit()
    assert (visit["status"], visit["reason"]) == ("FAILED", "VEHICLE_FAILURE")
    assert [row["date"] for row in (await plan(city))["promises_broken"]] == [None]
    assert (await city.request())["needs_visit"] and not (await city.request())["review"]
    await city.teams(home_visits_per_day=6)
    await city.run()
    assert (await city.visit())["date"] >= str(TOMORROW) and (await city.visit())["visit_id"] != visit["visit_id"]


async def test_once_is_enough_and_twice_is_the_same(city: City) -> None:
    before = await planned(city, 3)
    team = before[1]["team_id"]
    key = "5f0b8d3e-1c62-4a77-9a55-0d7f3c1b2a10"
    first = await city.post(OUTAGES, DOWN | {"team_id": team}, key)
    handed = HANDED_OVER.labels("VEHICLE_FAILURE")._value.get()
    second = await city.post(OUTAGES, DOWN | {"team_id": team}, key)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert HANDED_OVER.labels("VEHICLE_FAILURE")._value.get() == handed
    assert [(await city.visit(n))["revision"] for n in before] == [2, 2, 2]
    assert (await city.post(OUTAGES, DOWN | {"team_id": "team-2"}, key)).status_code == 422


@pytest.mark.parametrize(
    ("body", "path", "status"),
    [
        (DOWN | {"reason": "NOT_AT_HOME"}, OUTAGES, 422),
        (DOWN | {"team_id": "team-9"}, OUTAGES, 404),
        (DOWN, "/v1/plans/2026-11-23/outages", 422),
        ({"team_id": "team-1"}, OUTAGES, 422),
    ],
)
async def test_what_is_no_outage_is_refused(city: City, body: Any, path: str, status: int) -> None:
    assert (await city.post(path, body)).status_code == status
    assert not any(day.get("out") for day in city.days().values())


def test_a_team_is_out_for_no_reason_of_the_residents() -> None:
    assert {"VEHICLE_FAILURE", "KIT_FAILURE", "WEATHER_OR_FLOOD", "SIGNER_ABSENT"} <= REASONS_OUT
    assert REASONS_OUT.isdisjoint({"NOT_AT_HOME", "PERSON_REFUSED", "UNDER_17_CARD_LATER"})


async def test_after_a_hand_over_the_visit_takes_place_and_can_be_moved_or_called_off(city: City) -> None:
    before = await planned(city, 3)
    await down(city, team_id=before[1]["team_id"])
    done = await city.complete(1)
    assert done["status"] == "DONE"
    assert (await city.visit(1))["reason"] is None
    await city.call("reschedule", 2, {"reason": "NOT_AT_HOME"})
    await city.run()
    assert (await city.visit(2))["date"] > str(TOMORROW)
    placed = {b["request_id"] for day in city.days().values() for b in day["bookings"].values()}
    assert {request_id(n) for n in before} == placed


async def test_a_service_that_died_after_the_write_leaves_nobody_behind(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await planned(city, 12, persons=2)

    async def dies(*_: Any) -> None:
        """It is gone."""

    with monkeypatch.context() as patched:
        patched.setattr("services.scheduling.spreading.Spreader.begin", dies)
        answer = await down(city)
    assert [(await city.visit(n))["revision"] for n in before] == [1] * 12
    await city.run()
    after = {n: await city.visit(n) for n in before}
    assert sum(v["revision"] == 2 for v in after.values()) == answer["handed_over"] + answer["moved"] > 0
    assert not any(v["team_id"] == "team-1" and v["date"] == str(TOMORROW) for v in after.values())
    for n in before:
        assert await city.scheduled(n) == [("SCHEDULED", 1), ("RESCHEDULED", 2)][: after[n]["revision"]]


async def test_nothing_is_handed_over_to_an_hour_that_is_past(city: City) -> None:
    before = await planned(city, 4)
    team = before[1]["team_id"]
    city.clock.at = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)  # 10:00 on the day itself, and nobody has set out
    answer = await down(city, team_id=team)
    await city.run()
    past = [n for n, v in before.items() if v["team_id"] == team and v["end"] <= 600]
    assert past and answer["moved"] >= len(past)
    for n in before:
        visit = await city.visit(n)
        assert visit == before[n] or visit["date"] > str(TOMORROW) or visit["start"] >= 630


def test_another_team_comes_rather_later_than_earlier_than_promised() -> None:
    visits = {"a": visit_at(630, 1), "b": visit_at(635, 2, "team-2")}
    day: Day = {"_id": str(TOMORROW), "version": 1, "visits": visits, "bookings": {}}
    out: Out = {"team_id": "team-1", "since": 600, "reason": "VEHICLE_FAILURE"}
    known = {"a": Known(weight=10, kit=(), hours=(0, 1440))}
    after = take_out(day, out, known, as_reference(defaults()), NOW)["visits"]["a"]
    assert (after["team_id"], after["start"]) == ("team-2", 690)
    early = take_out(day, out, {"a": Known(weight=10, kit=(), hours=(0, 720))}, as_reference(defaults()), NOW)["visits"]["a"]
    assert (early["team_id"], early["start"]) == ("team-2", 570)


async def test_two_calls_with_one_key_at_once_are_one_and_count_once(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    await planned(city, 12, persons=2)
    collection = type(city.work.days)
    for name in ("get", "update", "get_many", "update_many_guarded"):
        monkeypatch.setattr(collection, name, giving_way(getattr(collection, name)))
    broken = PROMISES_BROKEN.labels("VEHICLE_FAILURE")._value.get()
    key = "5f0b8d3e-1c62-4a77-9a55-0d7f3c1b2a13"
    one, other = await asyncio.gather(*(city.post(OUTAGES, DOWN, key) for _ in range(2)))
    assert (one.status_code, one.content) == (other.status_code, other.content) == (200, one.content)
    assert PROMISES_BROKEN.labels("VEHICLE_FAILURE")._value.get() - broken == one.json()["moved"] > 0


async def test_two_clerks_who_report_the_same_break_no_promise_twice(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    await planned(city, 12, persons=2)
    broken = PROMISES_BROKEN.labels("VEHICLE_FAILURE")._value.get()
    cases, twins = city.work.runtime.cases, list[Any]()
    read = cases.get_many

    async def meanwhile(ids: Any) -> Any:
        found = await read(ids)
        if not twins:
            twins.append(None)
            twins.append((await city.post(OUTAGES, DOWN)).json())
        return found

    monkeypatch.setattr(cases, "get_many", meanwhile)
    assert (await down(city))["moved"] == 0
    rows = (await plan(city))["promises_broken"]
    assert PROMISES_BROKEN.labels("VEHICLE_FAILURE")._value.get() - broken == len(rows) == twins[1]["moved"] > 0


async def test_reported_again_for_a_later_hour_it_is_out_from_the_earlier_one(city: City) -> None:
    await down(city)
    await down(city, since="13:00")
    assert out_since(city.days()[str(TOMORROW)], "team-1") == 0


@pytest.mark.parametrize(("on", "code"), [("2999-01-04", "too_far"), ("2026-11-28", "not_working_day")])
async def test_only_days_that_a_visit_could_have(city: City, on: str, code: str) -> None:
    answer = await city.post(f"/v1/plans/{on}/outages", DOWN)
    assert (answer.status_code, [e["code"] for e in answer.json()["errors"]]) == (422, [code])
    assert not city.days()


async def test_who_moves_to_a_later_day_is_at_home_then(city: City) -> None:
    await planned(city, 1, availability=[{"weekday": 3, "start": "08:00", "end": "12:00"}])
    await down(city, team_id="team-2")
    await down(city)
    await city.run()
    assert (await city.visit())["date"] == "2026-12-02"  # the next Wednesday


def test_every_reason_is_counted_from_nought_on() -> None:
    exported = {s.labels["reason"] for m in PROMISES_BROKEN.collect() for s in m.samples if s.name.endswith("_total")}
    assert exported >= set(REASONS_OUT)


def giving_way(call: Any) -> Any:
    """The same call, with others in between."""

    async def slowly(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        found = await call(*args, **kwargs)
        await asyncio.sleep(0)
        return found

    return slowly
