"""Calls on visits of one day that come at once: few writes of the day, and everybody the answer of their own call."""

import asyncio
from uuid import uuid4

from pelangi.chassis.store import StoreError
from tests.unit.scheduling.city import City, details

COUNT = 6


async def test_calls_of_one_day_go_together_and_each_gets_its_own_answer(city: City) -> None:
    await city.fold(*(details(n) for n in range(1, COUNT + 1)))
    await city.run()
    (day,) = {(await city.visit(n))["date"] for n in range(1, COUNT + 1)}
    visits = [(await city.visit(n))["visit_id"] for n in range(1, COUNT + 1)]
    asked: list[str] = []

    async def slow(method: str) -> None:
        asked.append(method)
        await asyncio.sleep(0.01)

    city.store.collection("days").before = slow
    keys = [str(uuid4()) for _ in visits]
    departing = [city.post(f"/v1/visits/{v}/depart", key=k) for v, k in zip(visits[1:], keys[1:], strict=True)]
    early = city.post(f"/v1/visits/{visits[0]}/arrive")
    pressed_twice = city.post(f"/v1/visits/{visits[1]}/depart", key=keys[1])
    refused, *answers, again = await asyncio.gather(early, *departing, pressed_twice)
    city.store.collection("days").before = None
    assert refused.status_code == 409
    assert [a.status_code for a in answers] == [200] * (COUNT - 1)
    assert [a.json()["visit_id"] for a in answers] == visits[1:]
    assert (again.status_code, again.content, again.headers["ETag"]) == (200, answers[0].content, answers[0].headers["ETag"])
    assert len({a.headers["ETag"] for a in answers}) == COUNT - 1, "each call is a version of the day of its own"
    assert asked.count("update") <= 2 and asked.count("update_many_guarded") <= 2, "two groups at most"
    assert [(await city.visit(n))["status"] for n in range(1, COUNT + 1)] == ["PLANNED", *["EN_ROUTE"] * (COUNT - 1)]
    assert "unspread" not in city.days()[day]
    repeated = await city.post(f"/v1/visits/{visits[1]}/depart", key=keys[1])
    assert (repeated.status_code, repeated.content) == (200, answers[0].content)


async def test_a_write_of_unknown_end_is_found_by_its_own_mark(city: City) -> None:
    await city.fold(details(1), details(2))
    await city.run()
    days, failures = city.store.collection("days"), ["update"]

    async def lost_answer(method: str) -> None:
        if method in failures:
            failures.remove(method)
            raise StoreError("nobody knows")

    days.after_write = lost_answer
    visits = [(await city.visit(n))["visit_id"] for n in (1, 2)]
    answers = await asyncio.gather(*(city.post(f"/v1/visits/{visit}/depart") for visit in visits))
    assert not failures
    assert [a.status_code for a in answers] == [200, 200]
    assert [(await city.visit(n))["status"] for n in (1, 2)] == ["EN_ROUTE", "EN_ROUTE"]
    assert [(await city.visit(n))["version"] for n in (1, 2)] == [2, 2], "once each"
