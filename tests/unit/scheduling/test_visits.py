"""The life of a visit over HTTP, and what its requests make of it."""

from typing import Any
from uuid import uuid4

import pytest

from pelangi.contracts.codes import VisitKind
from pelangi.contracts.reasons import DeferralReason
from pelangi.contracts.topics import VISIT_COMPLETED, VISIT_DETAILS
from tests.support.memory_store import store_fault
from tests.unit.scheduling.city import City, closed, details, item_id, request_id


async def placed(city: City, *facts: Any) -> None:
    await city.fold(*facts or [details()])
    await city.run()


async def test_the_whole_way(city: City) -> None:
    await placed(city)
    shown = await city.shown()
    assert shown["status"] == "PLANNED"
    assert shown["place"]["address"] == "Jalan Karangan 1"
    assert [i["item_id"] for i in shown["items"]] == [item_id(1000), item_id(1001)]
    assert shown["members"] == [
        {
            "request_id": request_id(1),
            "items": [
                {"item_id": item_id(1000), "service_kind": "KK_CHANGE", "person_ref": "1"},
                {"item_id": item_id(1001), "service_kind": "KTP_RECORDING", "person_ref": "1"},
            ],
            "reason": None,
            "cancelled": False,
            "corrected": False,
        }
    ]
    answer = await city.complete()
    assert answer == {"visit_id": shown["visit_id"], "status": "DONE", "version": 4, "date": "2026-11-25"}
    kind, event = (await city.events())[-2]
    assert kind == VISIT_COMPLETED
    assert (event.outcome, event.area_code, [i.outcome for i in event.items]) == ("DONE", "19.71", ["DONE", "DONE"])
    assert [t for t, _ in await city.events()].count(VISIT_DETAILS) == 4
    assert "needs_visit_since" not in await city.case()
    assert all("unspread" not in d for d in city.days().values())
    await city.run()
    assert len((await city.case())["visits"]) == 1


async def test_put_off_items_get_another_visit_of_their_own(city: City) -> None:
    await placed(city)
    await city.complete(i1="BIOMETRIC_FAILED")
    event = next(d for t, d in await city.events() if t == VISIT_COMPLETED)
    assert (event.outcome, [i.reason_class for i in event.items]) == ("PARTIAL", [None, "RESIDENT"])
    await city.run()
    first, second = (await city.case())["visits"]
    assert first["visit_id"] != second["visit_id"]
    assert [i["item_id"] for i in second["items"]] == [item_id(1001)]
    assert await city.scheduled() == [("SCHEDULED", 1), ("SCHEDULED", 1)]


async def test_the_third_failure_goes_to_a_human(city: City) -> None:
    await placed(city)
    for _ in range(3):
        await city.call("fail", body={"reason": "NOT_AT_HOME"})
        await city.run()
    assert city.http
    shown = (await city.http.get(f"/v1/requests/{request_id(1)}")).json()
    assert (shown["failed_attempts"], shown["review"], shown["needs_visit"], len(shown["visits"])) == (3, True, False, 3)
    plan = (await city.http.get("/v1/plans/2026-11-25")).json()
    assert plan["not_placed"] == [{"request_id": request_id(1), "reason": "REVIEW", "review_reason": "THIRD_FAILURE"}]
    path = f"/v1/requests/{request_id(1)}/visits"
    answer = await city.post(path, {"items": [item_id(1000)], "reason": "NOT_AT_HOME"})
    assert (answer.status_code, answer.json()) == (202, {"request_id": request_id(1), "needs_visit": True})
    await city.run()
    assert (await city.visit())["status"] == "PLANNED"
    assert (await city.post(path, {"items": [item_id(1000)], "reason": "NOT_AT_HOME"})).status_code == 409
    assert (await city.post(path, {"items": [item_id(7)], "reason": "NOT_AT_HOME"})).json()["errors"][0]["pointer"] == "#/items/0"


async def test_the_desk_asks_again_for_what_was_done(city: City) -> None:
    await placed(city)
    await city.complete()
    body = {"items": [item_id(1001)], "reason": "AWAITING_CENTRE"}
    assert (await city.post(f"/v1/requests/{request_id(1)}/visits", body)).status_code == 202
    await city.run()
    assert [i["item_id"] for i in (await city.visit())["items"]] == [item_id(1001)]
    await city.complete()
    assert "needs_visit_since" not in await city.case()
    await city.run()
    assert len((await city.case())["visits"]) == 2


@pytest.mark.parametrize("what", ["arrive", "complete"])
async def test_not_allowed_now(city: City, what: str) -> None:
    await placed(city)
    visit = (await city.visit())["visit_id"]
    response = await city.post(f"/v1/visits/{visit}/{what}", {"items": []} if what == "complete" else {})
    assert (response.status_code, response.json()["title"]) == (409, "state")


async def test_every_item_once(city: City) -> None:
    await placed(city)
    await city.call("depart")
    await city.call("arrive")
    visit = (await city.visit())["visit_id"]
    items = [
        {"item_id": item_id(1000), "outcome": "DEFERRED"},
        {"item_id": item_id(1000), "outcome": "DONE"},
        {"item_id": item_id(9), "outcome": "DONE", "reason": "UNSAFE"},
    ]
    response = await city.post(f"/v1/visits/{visit}/complete", {"items": items})
    assert response.status_code == 422
    assert [(e["pointer"], e["code"]) for e in response.json()["errors"]] == [
        ("#/items/0/reason", "reason"),
        ("#/items/1/item_id", "repeated_item"),
        ("#/items/2/item_id", "unknown_item"),
        ("#/items/2/reason", "reason"),
        ("#/items", "missing_items"),
    ]


async def test_a_repeated_call_is_answered_the_same_and_does_nothing(city: City) -> None:
    await placed(city)
    visit, key = (await city.visit())["visit_id"], str(uuid4())
    first = await city.post(f"/v1/visits/{visit}/depart", {}, key)
    await city.call("arrive")
    again = await city.post(f"/v1/visits/{visit}/depart", {}, key)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert (await city.post(f"/v1/visits/{visit}/fail", {"reason": "UNSAFE"}, key)).status_code == 422
    assert (await city.visit())["status"] == "ON_SITE"
    assert city.http
    assert (await city.http.post(f"/v1/visits/{visit}/depart", json={})).status_code == 400
    assert (await city.post(f"/v1/visits/{uuid4()}/depart")).status_code == 404
    assert (await city.post(f"/v1/visits/{visit}/depart", {"x": 1})).status_code == 422


async def test_shared_visit_each_request_its_own_outcome(city: City) -> None:
    await placed(city, *(details(n, visit_kind=VisitKind.COMMUNITY_POINT) for n in (1, 2, 3)))
    await city.fold(closed(3))
    await city.complete(1, i0="NO_UPLINK")
    assert [(await city.visit(n))["status"] for n in (1, 2, 3)] == ["PARTIAL", "DONE", "CANCELLED"]
    assert VISIT_COMPLETED not in [t for t, _ in await city.events(3)]


async def test_the_leader_finishes_what_a_caller_began(city: City) -> None:
    await placed(city, *(details(n, visit_kind=VisitKind.COMMUNITY_POINT) for n in (1, 2)))
    cases = city.store.collection("cases")

    async def away(method: str) -> None:
        raise store_fault()

    visit = (await city.visit())["visit_id"]
    cases.before = away
    response = await city.post(f"/v1/visits/{visit}/depart")
    assert response.status_code == 200
    cases.before = None
    assert (await city.visit(2))["status"] == "PLANNED"
    assert city.days()["2026-11-25"]["unspread"] == [visit]
    await city.run()
    assert [(await city.visit(n))["status"] for n in (1, 2)] == ["EN_ROUTE", "EN_ROUTE"]


@pytest.mark.parametrize("kind", [VisitKind.HOME, VisitKind.COMMUNITY_POINT])
async def test_rescheduled_with_all_its_members(city: City, kind: VisitKind) -> None:
    await placed(city, *(details(n, visit_kind=kind) for n in (1, 2)))
    key = str(uuid4())
    visit = (await city.visit(1))["visit_id"]
    body = {"reason": "WEATHER_OR_FLOOD", "date": "2026-11-30"}
    response = await city.post(f"/v1/visits/{visit}/reschedule", body, key)
    assert response.json() == {"visit_id": visit, "status": "PLANNED", "version": 2, "date": "2026-11-30"}
    moved = (1, 2) if kind is VisitKind.COMMUNITY_POINT else (1,)
    for n in moved:
        assert await city.scheduled(n) == [("SCHEDULED", 1), ("RESCHEDULED", 2)]
        event = [d for _, d in await city.events(n) if d][-1]
        assert (event.date.isoformat(), event.reason_class) == ("2026-11-30", "THIRD_PARTY")
    assert (await city.shown(1))["date"] == "2026-11-30"
    assert {m["request_id"] for m in (await city.shown(1))["members"]} == {request_id(n) for n in moved}
    old = city.days()["2026-11-25"]
    assert len(old["bookings"]) == 2 - len(moved)
    assert (await city.post(f"/v1/visits/{visit}/reschedule", body, key)).content == response.content
    await city.complete(1)
    assert (await city.visit(1))["status"] == "DONE"


async def test_rescheduled_without_a_date_to_the_first_later_day(city: City) -> None:
    await placed(city)
    assert (await city.call("reschedule", body={"reason": "UNSAFE"}))["date"] == "2026-11-26"
    assert (await city.call("reschedule", body={"reason": "UNSAFE", "date": "2026-11-25"}))["date"] == "2026-11-25"
    assert await city.scheduled() == [("SCHEDULED", 1), ("RESCHEDULED", 2), ("RESCHEDULED", 3)]
    await city.complete()
    assert (await city.visit())["status"] == "DONE"


@pytest.mark.parametrize(
    ("date", "code"),
    [("2026-11-24", "past"), ("2026-12-24", "not_working_day"), ("2028-11-24", "too_far"), ("2026-11-25", "same_day")],
)
async def test_dates_that_cannot_be(city: City, date: str, code: str) -> None:
    await placed(city)
    visit = (await city.visit())["visit_id"]
    response = await city.post(f"/v1/visits/{visit}/reschedule", {"reason": "UNSAFE", "date": date})
    assert (response.status_code, response.json()["errors"][0]["code"]) == (422, code)


async def test_a_full_day_refuses_and_the_visit_stays(city: City) -> None:
    await placed(city, *(details(n, persons=100, visit_kind=VisitKind.INSTITUTION) for n in (1, 2, 3)))
    visits = [await city.visit(n) for n in (1, 2, 3)]
    assert sorted(v["date"] for v in visits) == ["2026-11-25", "2026-11-25", "2026-11-26"]
    last = next(v for v in visits if v["date"] == "2026-11-26")
    response = await city.post(f"/v1/visits/{last['visit_id']}/reschedule", {"reason": "UNSAFE", "date": "2026-11-25"})
    assert (response.status_code, response.json()["title"]) == (409, "full")
    assert all(v["status"] == "PLANNED" for v in [await city.visit(n) for n in (1, 2, 3)])


async def test_who_finds_no_room_after_the_move_gets_another_visit(city: City) -> None:
    await placed(city, *(details(n, visit_kind=VisitKind.COMMUNITY_POINT) for n in (1, 2)))
    visit = (await city.visit())["visit_id"]
    days = city.store.collection("days")

    async def fill(method: str) -> None:
        """Somebody takes the whole new day between the call and the members' bookings."""
        days.after_write = None
        await city.fold(*(details(n, persons=100, visit_kind=VisitKind.INSTITUTION) for n in range(10, 30)))
        await city.work.planner()

    days.after_write = fill
    await city.post(f"/v1/visits/{visit}/reschedule", {"reason": "UNSAFE", "date": "2026-11-26"})
    await city.run()
    for n in (1, 2):
        assert await city.scheduled(n) == [("SCHEDULED", 1), ("CANCELLED", 2), ("SCHEDULED", 1)]
        assert (await city.visit(n))["visit_id"] != visit
    assert DeferralReason.UNSAFE in {v["reason"] for v in (await city.case())["visits"]}


async def test_windows_book_nothing(city: City) -> None:
    await city.fold(details())
    assert city.http
    response = await city.http.get(f"/v1/requests/{request_id(1)}/windows?count=2")
    assert response.json()["windows"] == [
        {
            "date": d,
            "team_id": "team-1",
            "window": {"start": f"{d}T08:15:00+07:00", "end": f"{d}T08:35:00+07:00"},
            "cost_minutes": cost,
        }
        for d, cost in (("2026-11-25", 15), ("2026-11-26", 18))
    ]
    assert city.days() == {}
    assert (await city.http.get(f"/v1/requests/{uuid4()}")).status_code == 404


async def test_tables_change_only_with_their_version(city: City) -> None:
    assert city.http
    before = await city.http.get("/v1/teams")
    body = {"teams": before.json()["teams"][:1]}
    headers = {"Idempotency-Key": str(uuid4())}
    assert (before.headers["etag"], before.status_code) == ('"1"', 200)
    assert (await city.http.put("/v1/teams", json=body, headers=headers)).status_code == 428
    assert (await city.http.put("/v1/points", json={"points": []}, headers={**headers, "If-Match": '"9"'})).status_code == 412
    good = {**headers, "If-Match": '"1"'}
    changed = await city.http.put("/v1/points", json={"points": []}, headers=good)
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (await city.http.put("/v1/points", json={"points": []}, headers=good)).content == changed.content
    assert (await city.http.put("/v1/calendar", json={"open": "15:00"}, headers=good)).status_code == 422
    twice = {"teams": [*body["teams"], *body["teams"]]}
    assert (await city.http.put("/v1/teams", json=twice, headers=good)).status_code == 422
    await placed(city, details(visit_kind=VisitKind.COMMUNITY_POINT))
    (_, event), *_ = await city.events()
    assert event.place is None


async def test_the_plan_of_a_day(city: City) -> None:
    await placed(city, details(1), details(2))
    assert city.http
    plan = (await city.http.get("/v1/plans/2026-11-25")).json()
    [first, second] = plan["teams"][0]["visits"]
    assert (first["window"]["start"], second["window"]["start"]) == ("2026-11-25T08:15:00+07:00", "2026-11-25T08:50:00+07:00")
    assert first["travel_minutes"] == 15
    assert [t["team_id"] for t in plan["teams"]] == ["team-1", "team-2", "office"]
