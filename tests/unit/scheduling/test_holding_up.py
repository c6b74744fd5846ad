"""Who cannot be helped now holds up nobody else."""

import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from pelangi.contracts.codes import VisitKind
from services.scheduling import model, store
from services.scheduling.case import Case, Slot
from services.scheduling.day import Day
from services.scheduling.metrics import RESUME_FAILURES, SPREAD_FAILURES
from services.scheduling.planner.first_fit import FirstFit
from services.scheduling.planner.interface import Ask, Horizon
from services.scheduling.reference import Reference
from services.scheduling.spreading import Spreader
from tests.support.memory_store import store_fault
from tests.unit.scheduling.city import City, FirstFitOnly, closed, details, item_id, request_id
from tests.unit.scheduling.test_booking import Died, consistent, die_at


class NoRoomFor(FirstFit):
    """No day has room for these; who was asked for, in order."""

    def __init__(self, *numbers: int) -> None:
        self.without = {request_id(n) for n in numbers}
        self.asked: list[str] = []

    def choose(self, ask: Ask, horizon: Horizon, reference: Reference) -> Slot | None:
        if ask.request_id not in self.without:
            return super().choose(ask, horizon, reference)
        if len(horizon.loaded()) == len(horizon.dates):
            self.asked.append(ask.request_id)
        return None


async def test_requests_without_room_keep_no_place_in_the_queue(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST", 3)
    for n in range(1, 9):
        await city.fold(details(n))
        city.clock.at += timedelta(seconds=1)
    planner = NoRoomFor(*range(1, 8))
    city.work.planner.planner, city.work.planner.solver = planner, FirstFitOnly()
    await city.work.planner()
    assert (await city.visit(8))["status"] == "PLANNED"
    assert planner.asked == [request_id(n) for n in range(1, 8)]
    await city.work.planner()
    assert len(planner.asked) == 7  # not again so soon


async def test_requests_without_room_are_looked_at_again_and_forgotten_once_they_are_gone(city: City) -> None:
    await city.fold(details(1), details(2))
    planner = NoRoomFor(1, 2)
    city.work.planner.planner, city.work.planner.solver = planner, FirstFitOnly()
    await city.work.planner()
    waiting = city.work.planner._not_before
    assert set(waiting) == planner.without
    await city.fold(closed(2))
    city.work.planner._not_before = dict.fromkeys(waiting, time.monotonic() - 1)
    planner.without.clear()
    await city.work.planner()
    assert (await city.visit(1))["status"] == "PLANNED"
    assert city.work.planner._not_before == {}


async def test_a_visit_that_cannot_be_spread_is_counted_and_stops_nothing(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    await city.fold(*(details(n) for n in (1, 2)), details(3, visit_kind=VisitKind.INSTITUTION))
    await city.run()
    cases = city.store.collection("cases")

    async def away(method: str) -> None:
        raise store_fault()

    visits = [(await city.visit(n))["visit_id"] for n in (1, 2)]
    cases.before = away
    for visit_id in visits:
        assert (await city.post(f"/v1/visits/{visit_id}/depart")).status_code == 200
    cases.before = None
    await city.fold(closed(3))
    spread = Spreader.visit

    async def broken_for_the_first(self: Spreader, day: Day, visit_id: str) -> None:
        if visit_id == visits[0]:
            raise ZeroDivisionError
        await spread(self, day, visit_id)

    def failures() -> float:
        return float(SPREAD_FAILURES.labels("ZeroDivisionError")._value.get())

    before = failures()
    with monkeypatch.context() as patched:
        patched.setattr(Spreader, "visit", broken_for_the_first)
        with pytest.raises(ZeroDivisionError):
            await city.work.finish()
    assert [(await city.visit(n))["status"] for n in (1, 2, 3)] == ["PLANNED", "EN_ROUTE", "CANCELLED"]
    assert failures() == before + 1
    assert "releases" not in await city.case(3)
    await city.work.finish()
    assert (await city.visit(1))["status"] == "EN_ROUTE"


async def test_one_bad_booking_stops_no_other(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    await city.fold(*(details(n) for n in (1, 2, 3)))
    die_at(monkeypatch, "booking.after-wanted")
    with pytest.raises(Died):
        await city.work.planner()
    city.clock.at += timedelta(seconds=6)
    hold = model.hold

    def broken_for_the_second(case: Case, slot: Slot, now: datetime) -> Case:
        if case["_id"] == request_id(2):
            raise ZeroDivisionError
        return hold(case, slot, now)

    def failures() -> float:
        return float(RESUME_FAILURES.labels("ZeroDivisionError")._value.get())

    before = failures()
    with monkeypatch.context() as patched:
        patched.setattr(model, "hold", broken_for_the_second)
        with pytest.raises(ZeroDivisionError):
            await city.work.finish()
    assert ["visits" in await city.case(n) for n in (1, 2, 3)] == [True, False, True]
    assert failures() == before + 1
    await city.work.finish()
    assert (await city.visit(2))["status"] == "PLANNED"
    await consistent(city)


async def test_days_with_visits_to_spread_are_read_to_the_end(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 60
    days = city.store.collection("days")
    for n in range(count):
        day: Any = {"_id": f"2027-{1 + n // 28:02}-{1 + n % 28:02}", "version": 1, "unspread": [item_id(n)]}
        await days.insert({**day, "visits": {item_id(n): {"members": {}, "version": 2, "status": "EN_ROUTE", "end": 600}}})

    async def broken_for_most(self: Spreader, day: Day, visit_id: str) -> None:
        if visit_id != item_id(count - 1):
            raise ZeroDivisionError

    monkeypatch.setattr(Spreader, "visit", broken_for_most)
    done, failures = await city.work.spreader.all()
    assert (done, len(failures)) == (1, count - 1)
