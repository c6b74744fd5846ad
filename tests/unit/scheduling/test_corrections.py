"""A newer snapshot: the visit stays with the items that fit, moves, or is left (ARCHITECTURE.md §2, docs/adr/0010)."""

from datetime import timedelta
from typing import Any

import pytest

from pelangi.contracts.codes import CompanionKind, ItemOutcome, ServiceKind, VisitKind
from pelangi.contracts.request import RequestPlace
from pelangi.contracts.topics import VISIT_DETAILS
from services.scheduling.case import Slot, held
from services.scheduling.days import amend, is_amended
from services.scheduling.reference import as_reference, defaults
from tests.unit.scheduling.city import OTHER_VILLAGE, VILLAGE, City, closed, details, item_closed, item_id
from tests.unit.scheduling.test_booking import Died, consistent, die_at
from tests.unit.scheduling.test_taking_along import standing

TWO = (ServiceKind.KK_CHANGE, ServiceKind.KTP_RECORDING)
THREE = (*TWO, ServiceKind.BIRTH_CERT)
POINT = VisitKind.COMMUNITY_POINT


async def corrected(city: City, first: Any, second: Any) -> tuple[Any, Any]:
    """The visit before and after a correction."""
    await city.fold(first)
    await city.run()
    before = await city.visit()
    await city.fold(second)
    await city.run()
    await consistent(city)
    assert "needs_visit_since" not in await city.case()
    return before, await city.visit()


def items_of(visit: Any) -> list[str]:
    return [i["item_id"] for i in visit["items"]]


async def in_its_day(city: City) -> list[str]:
    return [i["item_id"] for i in (await city.shown())["items"]]


async def test_the_same_again_changes_nothing(city: City) -> None:
    before, after = await corrected(city, details(), details(version=2))
    assert before == after


@pytest.mark.parametrize(
    "correction",
    [
        {"place": RequestPlace(visit_kind="HOME", village_code=VILLAGE, address="Jalan Karangan 2")},
        {"companion": CompanionKind.TKSK},
        {"needs": ["BLIND"]},
        {"availability": [{"weekday": 3, "start": "08:00", "end": "12:00"}]},  # a Wednesday, as is the visit
    ],
)
async def test_still_feasible_it_stays(city: City, correction: Any) -> None:
    before, after = await corrected(city, details(), details(version=2, **correction))
    assert (after["date"], after["start"], after["revision"]) == (before["date"], before["start"], 1)
    assert await city.scheduled() == [("SCHEDULED", 1)]
    assert (await city.shown())["corrections"] is False


@pytest.mark.parametrize("needs", [["BEDRIDDEN"], ["RESTLESS"]])
async def test_needs_whose_minutes_no_longer_fit_move_it(city: City, needs: list[str]) -> None:
    before, after = await corrected(city, details(), details(version=2, needs=needs))
    assert after["visit_id"] == before["visit_id"]
    assert after["end"] - after["start"] == 3 * (before["end"] - before["start"])
    assert await city.scheduled() == [("SCHEDULED", 1), ("RESCHEDULED", 2)]


async def test_new_items_that_do_not_fit_move_it(city: City) -> None:
    _, after = await corrected(city, details(kinds=TWO), details(kinds=THREE, version=2))
    assert (len(after["items"]), after["end"] - after["start"]) == (3, 40)
    assert await city.scheduled() == [("SCHEDULED", 1), ("RESCHEDULED", 2)]
    assert await in_its_day(city) == items_of(after)


async def test_new_items_that_fit_join_without_a_new_date(city: City) -> None:
    before, after = await corrected(
        city, details(kinds=THREE), details(kinds=(*THREE, ServiceKind.KIA), version=2, withdrawn=[0])
    )
    assert (before["date"], before["start"], before["end"]) == (after["date"], after["start"], after["end"])
    assert items_of(after) == [item_id(1001), item_id(1002), item_id(1003)]
    assert await in_its_day(city) == items_of(after)
    assert await city.scheduled() == [("SCHEDULED", 1)]
    assert [t for t, _ in await city.events()][-1] == VISIT_DETAILS
    await city.complete()
    assert (await city.visit())["status"] == "DONE"
    assert [i["outcome"] for i in (await city.visit())["items"]] == ["DONE"] * 3


@pytest.mark.parametrize("fact", [details(version=2, withdrawn=[1]), item_closed(at=1, outcome=ItemOutcome.WITHDRAWN)])
async def test_items_that_ended_leave_it(city: City, fact: Any) -> None:
    _, after = await corrected(city, details(), fact)
    assert items_of(after) == await in_its_day(city) == [item_id(1000)]
    assert await city.scheduled() == [("SCHEDULED", 1)]


async def test_hours_that_contradict_the_booked_one_move_it_where_there_are_better(city: City) -> None:
    monday = [{"weekday": 1, "start": "10:00", "end": "12:00"}]
    before, after = await corrected(city, details(), details(version=2, availability=monday))
    assert (before["date"], after["date"], after["start"]) == ("2026-11-25", "2026-11-30", 600)
    assert await city.scheduled() == [("SCHEDULED", 1), ("RESCHEDULED", 2)]


async def test_hours_in_which_nobody_works_move_nothing(city: City) -> None:
    sunday = [{"weekday": 7, "start": "10:00", "end": "12:00"}]
    before, after = await corrected(city, details(), details(version=2, availability=sunday))
    assert (before["date"], after["revision"]) == (after["date"], 1)
    assert await city.work.planner.batch() == 0


async def test_at_a_point_others_are_not_touched(city: City) -> None:
    await city.fold(details(1, visit_kind=POINT, kinds=TWO), details(2, visit_kind=POINT))
    await city.run()
    shared = (await city.visit())["visit_id"]
    await city.fold(details(1, visit_kind=POINT, kinds=THREE, version=2))
    await city.run()
    assert len((await city.visit(1))["items"]) == 3
    await city.fold(details(1, visit_kind=POINT, kinds=THREE, version=3, persons=9))  # 360 minutes
    await city.run()
    visit = await city.visit(1)
    assert visit["visit_id"] == shared and 3 < len(visit["items"]) < 27
    await consistent(city)
    assert [await city.scheduled(n) for n in (1, 2)] == [[("SCHEDULED", 1)]] * 2
    while (await city.case(1)).get("needs_visit_since") or (await city.visit(1))["status"] == "PLANNED":
        await city.complete(1)
        await city.run()
    served = [i["item_id"] for v in (await city.case(1))["visits"] for i in v["items"]]
    assert sorted(served) == [item_id(1000 + at) for at in range(27)]


async def test_who_no_longer_fits_among_others_leaves_them(city: City) -> None:
    await city.fold(details(1, visit_kind=POINT, persons=4), details(2, visit_kind=POINT, persons=4))
    await city.run()
    await city.fold(details(1, visit_kind=POINT, persons=4, needs=["BEDRIDDEN"], version=2))
    await city.run()
    assert await city.scheduled(1) == [("SCHEDULED", 1), ("CANCELLED", 2), ("SCHEDULED", 1)]
    assert await city.scheduled(2) == [("SCHEDULED", 1)]
    await consistent(city)


@pytest.mark.parametrize("how_far", [["depart"], ["depart", "arrive"]])
@pytest.mark.parametrize(
    "correction",
    [
        {"village": OTHER_VILLAGE},
        {"kinds": THREE},
        {"needs": ["BEDRIDDEN"]},
        {"withdrawn": [1]},
        {"companion": CompanionKind.TKSK},
        {"availability": [{"weekday": 1, "start": "10:00", "end": "12:00"}]},
    ],
)
async def test_once_the_team_has_set_out_only_the_team_is_told(city: City, correction: Any, how_far: list[str]) -> None:
    await city.fold(details())
    await city.run()
    for step in how_far:
        await city.call(step)
    assert (await city.shown())["corrections"] is False
    await city.fold(details(version=2, **correction))
    await city.run()
    shown = await city.shown()
    assert (shown["corrections"], shown["members"][0]["corrected"]) == (True, True)
    assert await city.scheduled() == [("SCHEDULED", 1)]
    assert len(items_of(await city.visit())) == 2


async def test_what_is_new_when_the_team_has_set_out_gets_the_next_visit(city: City) -> None:
    await city.fold(details(kinds=TWO))
    await city.run()
    await city.call("depart")
    await city.fold(details(kinds=THREE, version=2))
    await city.call("arrive")
    visit = await city.shown()
    await city.call("complete", body={"items": [{"item_id": i["item_id"], "outcome": "DONE"} for i in visit["items"]]})
    await city.run()
    assert items_of(await city.visit()) == [item_id(1002)]


async def test_what_the_day_knows_is_what_was_done(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies between day and case, and the team sets out: nothing that was done is done again."""
    await city.fold(details(kinds=THREE))
    await city.run()
    await city.fold(details(kinds=(*THREE, ServiceKind.KIA), version=2, withdrawn=[0]))
    die_at(monkeypatch, "booking.after-amended")
    with pytest.raises(Died):
        await city.work.planner()
    assert len((await city.visit())["items"]) == 3
    await city.complete()
    visit = await city.visit()
    assert (visit["status"], items_of(visit)) == ("DONE", [item_id(1001), item_id(1002), item_id(1003)])
    await city.run()
    assert len((await city.case())["visits"]) == 1


async def test_broken_off_between_day_and_case_it_is_finished(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    await city.fold(details())
    await city.run()
    await city.fold(details(version=2, withdrawn=[1]))
    die_at(monkeypatch, "booking.after-amended")
    with pytest.raises(Died):
        await city.work.planner()
    await city.run()
    assert items_of(await city.visit()) == await in_its_day(city) == [item_id(1000)]
    await consistent(city)


CORRECTIONS: list[dict[str, Any]] = [
    {"withdrawn": [1]},
    {"kinds": THREE},
    {"needs": ["BEDRIDDEN"]},
    {"village": OTHER_VILLAGE},
    {"availability": [{"weekday": 1, "start": "10:00", "end": "12:00"}]},
]


@pytest.mark.parametrize("first", CORRECTIONS)
@pytest.mark.parametrize("then", [*CORRECTIONS, "closed", "depart", "fail", "reschedule"])
@pytest.mark.parametrize("at", range(8))
async def test_what_comes_between_the_steps_of_a_correction(city: City, first: Any, then: Any, at: int) -> None:
    await city.fold(details())
    await city.run()
    visit = (await city.visit())["visit_id"]
    await city.fold(details(version=2, **first))
    countdown = [at]

    async def interrupt(method: str) -> None:
        countdown[0] -= 1
        if countdown[0] != -1:
            return
        for collection in city.store.collections.values():
            collection.before = None
        if isinstance(then, dict):
            await city.fold(details(version=3, **then))
        elif then == "closed":
            await city.fold(closed())
        else:
            await city.post(f"/v1/visits/{visit}/{then}", {} if then == "depart" else {"reason": "WEATHER_OR_FLOOD"})

    for collection in city.store.collections.values():
        collection.before = interrupt
    await city.work.planner()
    for _ in range(3):
        city.clock.at += timedelta(seconds=6)
        await city.run()
    await city.work.sweeper.sweep()
    case = await city.case()
    assert case["placement"]["wanted"] is None and "needs_visit_since" not in case
    open_ = [v for v in case["visits"] if v["status"] in {"PLANNED", "EN_ROUTE"}]
    assert len(open_) == (0 if "closed" in case else 1)
    if open_ and open_[0]["status"] == "PLANNED":
        await consistent_days(city, open_[0])
    assert len(standing(city, visit)) <= 1


async def consistent_days(city: City, visit: Any) -> None:
    """The open visit's day has it with the same items, version and hours."""
    day = city.days()[visit["date"]]
    there = day["visits"][visit["visit_id"]]
    [member] = there["members"].values()
    assert [i["item_id"] for i in member["items"]] == items_of(visit)
    assert (there["version"], there["start"], there["end"]) == (visit["version"], visit["start"], visit["end"])
    alive = {i["item_id"] for i in (await city.case())["details"]["items"] if not i["withdrawn"]}
    assert set(items_of(visit)) == alive
    assert visit["village_code"] == (await city.case())["details"]["place"]["village_code"]


async def test_a_correction_taken_back_moves_the_visit_with_what_it_is_for(city: City) -> None:
    """After a failure only the correction let the item be visited; taken back, the visit that is planned goes on."""
    await city.fold(details())
    await city.run()
    await city.call("fail", body={"reason": "ADDRESS_NOT_FOUND"})
    for version, village in ((2, OTHER_VILLAGE), (3, VILLAGE)):
        await city.fold(details(version=version, village=village))
        await city.run()
        visit = await city.visit()
        assert (visit["status"], visit["village_code"], len(visit["items"])) == ("PLANNED", village, 2)
    assert (await city.request())["review"] is False


async def test_an_hour_that_never_suited_is_no_reason_to_move_when_something_else_is_corrected(city: City) -> None:
    monday, soon = [{"weekday": 1, "start": "10:00", "end": "12:00"}], {"date": "2026-11-26", "reason": "AID"}
    first = details(availability=monday, deadline=soon)
    before, after = await corrected(city, first, details(availability=monday, version=2, companion=CompanionKind.TKSK))
    assert (before["date"], after["date"], after["revision"]) == ("2026-11-25", "2026-11-25", 1)


@pytest.mark.parametrize("departed", [True, False])
async def test_items_change_in_the_day_only_before_the_team_sets_out(city: City, departed: bool) -> None:
    await city.fold(details())
    await city.run()
    slot = held(await city.case())
    assert slot
    if departed:
        await city.call("depart")
    fewer: Slot = {**slot, "items": slot["items"][:1], "minutes": 10}
    assert is_amended(amend(city.days()["2026-11-25"], fewer, as_reference(defaults())), fewer) is not departed


def home(lat: float) -> RequestPlace:
    return RequestPlace(visit_kind="HOME", village_code=VILLAGE, address="Jalan Karangan 1", lat=lat, lon=106.1137)


async def test_corrected_coordinates_nearby_move_nobody_and_are_where_the_team_drives(city: City) -> None:
    before, after = await corrected(city, details(place=home(-2.13)), details(place=home(-2.131), version=2))
    assert (after["date"], after["start"], after["revision"]) == (before["date"], before["start"], 1)
    assert city.days()[after["date"]]["visits"][after["visit_id"]]["at"][0] == -2.131
    assert await city.scheduled() == [("SCHEDULED", 1)]


async def test_corrected_coordinates_too_far_from_its_neighbours_move_the_visit(city: City) -> None:
    await city.fold(*(details(n, place=home(-2.13)) for n in range(1, 13)))
    await city.run()
    before = {n: await city.visit(n) for n in range(1, 13)}
    second = sorted(before, key=lambda n: (before[n]["date"], before[n]["team_id"], before[n]["start"]))[1]
    await city.fold(details(second, place=home(-2.19), version=2))
    await city.run()
    after = {n: await city.visit(n) for n in range(1, 13)}
    assert await city.scheduled(second) == [("SCHEDULED", 1), ("RESCHEDULED", 2)]
    assert {n: v for n, v in after.items() if n != second} == {n: v for n, v in before.items() if n != second}
