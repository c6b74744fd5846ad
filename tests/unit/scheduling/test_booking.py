"""The three steps, broken off and raced at every point."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from pelangi.contracts.codes import VisitKind
from services.scheduling import booking, spreading
from services.scheduling.case import Case, held, wanted
from tests.unit.scheduling.city import OTHER_VILLAGE, City, closed, details, item_closed, request_id


class Died(BaseException):
    """The process ended here; nothing on the way may catch it."""


def die_at(monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    def crash(name: str) -> None:
        if name == point:
            monkeypatch.undo()
            raise Died

    for module in (booking, spreading):
        monkeypatch.setattr(module, "crash_point", crash)


async def consistent(city: City) -> None:
    """Every booking of a visit that has not started is held by its case, and every held slot is booked, once."""
    cases: dict[str, Any] = city.store.collection("cases").documents
    booked: dict[str, str] = {}
    for day in city.days().values():
        for placement_id, b in day.get("bookings", {}).items():
            assert placement_id not in booked
            booked[placement_id] = b["request_id"]
    for id_, case in cases.items():
        assert wanted(case) is None
        slot = held(case)
        if slot:
            assert booked.get(slot["placement_id"]) == id_
    for placement_id, request in booked.items():
        slot = held(cases[request])
        assert slot and slot["placement_id"] == placement_id


POINTS = ["booking.after-wanted", "booking.after-booked", "booking.after-left", "booking.after-held"]


@pytest.mark.parametrize("point", POINTS)
async def test_a_booking_broken_off_is_finished(city: City, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    await city.fold(details(1), details(2))
    die_at(monkeypatch, point)
    with pytest.raises(Died):
        await city.work.planner()
    city.clock.at += timedelta(seconds=6)
    await city.run()
    assert [await city.scheduled(n) for n in (1, 2)] == [[("SCHEDULED", 1)], [("SCHEDULED", 1)]]
    await consistent(city)


@pytest.mark.parametrize("point", POINTS)
async def test_a_booking_broken_off_and_closed_leaves_nothing(city: City, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    await city.fold(details(1))
    die_at(monkeypatch, point)
    with pytest.raises(Died):
        await city.work.planner()
    await city.fold(closed(1))
    await city.run()
    assert await city.scheduled() == ([] if point != POINTS[3] else [("SCHEDULED", 1), ("CANCELLED", 2)])
    assert all(not d["bookings"] for d in city.days().values())


@pytest.mark.parametrize("point", [*POINTS, "visit.after-first-member"])
async def test_a_reschedule_broken_off_is_finished(city: City, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    await city.fold(*(details(n, visit_kind=VisitKind.COMMUNITY_POINT) for n in (1, 2, 3)))
    await city.run()
    visit = (await city.visit())["visit_id"]
    die_at(monkeypatch, point)
    with pytest.raises(Died):
        await city.post(f"/v1/visits/{visit}/reschedule", {"reason": "UNSAFE"})
    city.clock.at += timedelta(seconds=6)
    await city.run()
    await city.run()
    assert [await city.scheduled(n) for n in (1, 2, 3)] == [[("SCHEDULED", 1), ("RESCHEDULED", 2)]] * 3
    assert {(await city.visit(n))["visit_id"] for n in (1, 2, 3)} == {visit}
    assert all("unspread" not in d for d in city.days().values())
    await consistent(city)


async def test_a_spreading_broken_off_is_finished(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    await city.fold(*(details(n, visit_kind=VisitKind.COMMUNITY_POINT) for n in (1, 2)))
    await city.run()
    die_at(monkeypatch, "visit.after-first-member")
    visit = (await city.visit())["visit_id"]
    with pytest.raises(Died):
        await city.post(f"/v1/visits/{visit}/depart")
    assert sorted([(await city.visit(n))["status"] for n in (1, 2)]) == ["EN_ROUTE", "PLANNED"]
    await city.work.finish()
    assert {(await city.visit(n))["status"] for n in (1, 2)} == {"EN_ROUTE"}


FACTS: list[Callable[[], Any]] = [
    lambda: closed(1),
    lambda: details(1, version=2, withdrawn=[0, 1]),
    lambda: details(1, version=2, village=OTHER_VILLAGE),
    lambda: details(1, version=2, visit_kind=VisitKind.COMMUNITY_POINT),
    lambda: item_closed(1, 0),
]


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("at", range(6))
async def test_facts_that_come_between_the_steps(city: City, fact: Callable[[], Any], at: int) -> None:
    await city.fold(details(1), details(2))
    countdown = [at]

    async def interrupt(method: str) -> None:
        countdown[0] -= 1
        if countdown[0] == -1:
            for collection in city.store.collections.values():
                collection.before = None
            await city.fold(fact())

    for collection in city.store.collections.values():
        collection.before = interrupt
    await city.work.planner()
    for _ in range(3):
        city.clock.at += timedelta(seconds=6)
        await city.run()
    await consistent(city)
    case = await city.case(1)
    open_ = [v for v in case.get("visits", []) if v["status"] == "PLANNED"]
    gone = "closed" in case or all(i["withdrawn"] for i in case["details"]["items"])
    assert len(open_) == (0 if gone else 1)
    if not gone:
        assert open_[0]["village_code"] == case["details"]["place"]["village_code"]


async def test_the_sweeper_frees_what_nobody_holds_or_wants(city: City) -> None:
    await city.fold(details(1), details(2))
    await city.run()
    day = next(iter(city.days().values()))
    cases: dict[str, Case] = city.store.collection("cases").documents  # type: ignore[assignment]
    lost = held(cases[request_id(1)])
    assert lost
    cases[request_id(1)]["placement"]["held"] = None
    assert await city.work.sweeper.sweep() == 1
    assert lost["placement_id"] in day["bookings"]
    assert list(city.days()["2026-11-25"]["bookings"]) == [p for p in day["bookings"] if p != lost["placement_id"]]
    assert await city.work.sweeper.sweep() == 0
