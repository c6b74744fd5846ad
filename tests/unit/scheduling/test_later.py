"""Items for which a visit is of no use before a date: the card at 17."""

from datetime import date, timedelta
from uuid import uuid4

from pelangi.contracts.codes import ServiceKind
from services.scheduling.metrics import NO_DAY, WAITING
from tests.unit.scheduling.city import City, details, item_id, request_id

RECORDING_AND_CARD = [ServiceKind.KTP_RECORDING, ServiceKind.KTP_NEW]
BIRTHDAY = date(2027, 1, 13)  # a Wednesday


def pupil(birthday: date, n: int = 1, version: int = 1):  # type: ignore[no-untyped-def]
    return details(n, kinds=RECORDING_AND_CARD, not_before={1: birthday}, version=version)


async def test_the_card_is_left_out_before_the_birthday_and_planned_by_itself_from_then_on(city: City) -> None:
    await city.fold(pupil(BIRTHDAY))
    await city.run()
    first = await city.visit()
    assert (first["date"], [i["item_id"] for i in first["items"]]) == ("2026-11-25", [item_id(1000)])
    await city.complete()
    await city.run()
    card = await city.visit()
    assert (card["status"], card["date"], [i["item_id"] for i in card["items"]]) == ("PLANNED", "2027-01-13", [item_id(1001)])
    shown = await city.request()
    assert (shown["review"], shown["failed_attempts"]) == (False, 0)


async def test_put_off_as_under_17_it_comes_back_with_the_birthday_and_is_no_failed_attempt(city: City) -> None:
    await city.fold(details(kinds=RECORDING_AND_CARD))
    await city.run()
    await city.complete(i1="UNDER_17_CARD_LATER")
    await city.run()
    shown = await city.request()
    assert (shown["review"], shown["review_reason"], shown["failed_attempts"]) == (True, "NEEDS_DESK", 0)
    await city.fold(pupil(BIRTHDAY, version=2))
    assert (await city.request())["review"] is False
    await city.run()
    assert (await city.visit())["date"] == "2027-01-13"


async def test_a_holiday_at_the_birthday_is_the_next_working_day(city: City) -> None:
    await city.fold(details(kinds=[ServiceKind.KTP_NEW], not_before={0: date(2026, 12, 24)}))
    await city.run()
    assert (await city.visit())["date"] == "2026-12-28"


async def test_within_the_same_visit_where_the_days_before_are_full(city: City) -> None:
    await city.fold(*(details(n, persons=30) for n in range(2, 12)))
    await city.run()
    await city.fold(pupil(date(2026, 11, 26)))
    await city.run()
    visit = await city.visit()
    assert visit["date"] >= "2026-11-26" and len(visit["items"]) == 2


async def test_beyond_the_horizon_it_waits_quietly_and_keeps_nobody_waiting(city: City) -> None:
    await city.fold(*(details(n, kinds=[ServiceKind.KTP_NEW], not_before={0: date(2028, 3, 1)}) for n in range(1, 4)))
    await city.fold(details(9))
    before = NO_DAY._value.get()
    days = city.store.collection("days")
    days.calls.clear()
    await city.run()
    assert (await city.visit(9))["status"] == "PLANNED"
    assert "visits" not in await city.case(1)
    assert (NO_DAY._value.get(), WAITING._value.get()) == (before, 0)
    assert city.work.planner._not_before == {}
    shown = await city.request()
    assert (shown["needs_visit"], shown["review"], shown["not_before"]) == (True, False, "2028-03-01")
    assert city.http
    plan = (await city.http.get("/v1/plans/2026-11-25")).json()
    waits = {"request_id": request_id(1), "reason": "NOT_BEFORE", "not_before": "2028-03-01", "why": None}
    assert plan["not_placed"][0] == waits
    city.clock.at += timedelta(days=120)
    await city.run()
    assert (await city.visit())["date"] == "2028-03-01"


async def test_only_the_days_that_matter_are_read(city: City) -> None:
    await city.fold(details(kinds=[ServiceKind.KTP_NEW], not_before={0: date(2027, 9, 1)}))
    days = city.store.collection("days")
    days.calls.clear()
    await city.work.planner()
    assert (await city.visit())["date"] == "2027-09-01"
    assert sum(days.calls.values()) <= 6


async def test_a_visit_for_a_card_is_not_moved_before_the_birthday(city: City) -> None:
    await city.fold(details(kinds=[ServiceKind.KTP_NEW], not_before={0: BIRTHDAY}))
    await city.run()
    visit = (await city.visit())["visit_id"]
    path = f"/v1/visits/{visit}/reschedule"
    early = await city.post(path, {"reason": "UNSAFE", "date": "2027-01-12"})
    assert (early.status_code, early.json()["errors"][0]["code"]) == (422, "too_early")
    assert (await city.post(path, {"reason": "UNSAFE", "date": "2027-01-14"}, str(uuid4()))).status_code == 200


async def test_a_corrected_birthday_moves_the_visit(city: City) -> None:
    await city.fold(details(kinds=[ServiceKind.KTP_NEW], not_before={0: BIRTHDAY}))
    await city.run()
    await city.fold(details(kinds=[ServiceKind.KTP_NEW], not_before={0: date(2027, 2, 10)}, version=2))
    await city.run()
    assert await city.scheduled() == [("SCHEDULED", 1), ("RESCHEDULED", 2)]
    assert (await city.visit())["date"] == "2027-02-10"


async def test_something_new_that_can_be_done_now_does_not_wait_for_the_birthday(city: City) -> None:
    await city.fold(details(kinds=[ServiceKind.KTP_NEW], not_before={0: BIRTHDAY}))
    await city.run()
    await city.fold(details(kinds=[ServiceKind.KTP_NEW, ServiceKind.KK_CHANGE], not_before={0: BIRTHDAY}, version=2))
    await city.run()
    visit = await city.visit()
    assert (visit["date"], [i["item_id"] for i in visit["items"]]) == ("2026-11-25", [item_id(1001)])
    await city.complete()
    await city.run()
    assert (await city.visit())["date"] == "2027-01-13"


async def test_after_the_birthday_it_is_a_failed_attempt_like_any_other(city: City) -> None:
    await city.fold(details(kinds=[ServiceKind.KTP_NEW], not_before={0: date(2026, 11, 20)}))
    for _ in range(3):
        await city.run()
        await city.complete(i0="UNDER_17_CARD_LATER")
    await city.run()
    shown = await city.request()
    assert (shown["review_reason"], len(shown["visits"])) == ("THIRD_FAILURE", 3)


async def test_a_birthday_corrected_beyond_the_horizon_ends_the_visit_and_waits_quietly(city: City) -> None:
    await city.fold(details(kinds=[ServiceKind.KTP_NEW], not_before={0: BIRTHDAY}))
    await city.run()
    before = NO_DAY._value.get()
    await city.fold(details(kinds=[ServiceKind.KTP_NEW], not_before={0: date(2029, 1, 15)}, version=2))
    await city.run()
    assert await city.scheduled() == [("SCHEDULED", 1), ("CANCELLED", 2)]
    assert NO_DAY._value.get() == before
    shown = await city.request()
    assert (shown["needs_visit"], shown["review"], shown["not_before"]) == (True, False, "2029-01-15")
