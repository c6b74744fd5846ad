"""Never two holders of the lease, whoever's clock says what."""

import asyncio
from typing import Any

import pytest

from pelangi.chassis import leader
from pelangi.chassis.leader import Lease, keep_leading
from pelangi.chassis.metrics import LEADERSHIP_FAILURES
from tests.support.memory_store import MemoryCollection, store_fault


class Time:
    """Our own monotonic clock, moved by the test."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    fake = Time()
    monkeypatch.setattr(leader, "time", fake)
    return fake


@pytest.fixture
def collection() -> MemoryCollection:
    return MemoryCollection()


async def test_the_first_gets_it_and_the_second_does_not(collection: MemoryCollection, time: Time) -> None:
    a, b = Lease(collection), Lease(collection)
    assert await a.acquire()
    assert not await b.acquire()
    assert await a.is_mine()
    assert not await b.is_mine()
    assert await a.renew()
    assert not await b.renew()


async def test_it_is_stolen_only_after_the_same_beat_for_the_whole_ttl(collection: MemoryCollection, time: Time) -> None:
    a, b = Lease(collection), Lease(collection)
    await a.acquire()
    assert not await b.acquire()
    time.now += 4.9
    assert not await b.acquire()
    await a.renew()
    time.now += 4.9
    assert not await b.acquire(), "a new beat: the wait begins again"
    time.now += 4.9
    assert not await b.acquire()
    time.now += 0.2
    assert await b.acquire()
    assert not await a.renew(), "the old one finds that it lost"
    assert not await a.is_mine()


async def test_a_first_look_never_steals_however_late_the_clock_is(collection: MemoryCollection, time: Time) -> None:
    """A clock that is ahead (or a fresh process on an old lease) knows nothing of the beat's age."""
    await Lease(collection).acquire()
    time.now += 1_000_000
    assert not await Lease(collection).acquire()


async def test_two_thieves_at_once_are_one(collection: MemoryCollection, time: Time) -> None:
    await Lease(collection).acquire()
    thieves = [Lease(collection) for _ in range(5)]
    assert not any([await t.acquire() for t in thieves])
    time.now += 6
    assert sum(await asyncio.gather(*(t.acquire() for t in thieves))) == 1


async def test_two_at_the_very_beginning_are_one(collection: MemoryCollection, time: Time) -> None:
    assert sum(await asyncio.gather(*(Lease(collection).acquire() for _ in range(5)))) == 1


async def test_a_theft_that_the_holder_beats_meanwhile_fails(collection: MemoryCollection, time: Time) -> None:
    a, b = Lease(collection), Lease(collection)
    await a.acquire()
    await b.acquire()
    time.now += 6

    async def beat_first(method: str) -> None:
        if method == "update":
            collection.before = None
            assert await a.renew()

    collection.before = beat_first
    assert not await b.acquire()


async def test_released_it_goes_to_the_next_at_once(collection: MemoryCollection, time: Time) -> None:
    a, b = Lease(collection), Lease(collection)
    await a.acquire()
    await a.release()
    assert await b.acquire()
    await a.release()
    assert await b.is_mine(), "who does not hold it cannot release it"


async def test_ours_from_before_a_fault_is_ours_again(collection: MemoryCollection, time: Time) -> None:
    a = Lease(collection)
    await a.acquire()
    assert await a.acquire()


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the condition is in the store, which has no event
            await asyncio.sleep(0.001)


async def test_leading_ends_when_the_lease_is_lost_and_begins_again(collection: MemoryCollection) -> None:
    lease, stop, began, ended = Lease(collection, ttl_s=0.02), asyncio.Event(), [], []

    async def lead() -> None:
        began.append(1)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    task = asyncio.create_task(keep_leading(lease, lead, stop=stop))
    await until(lambda: began)
    await collection.update_where({"_id": "leader"}, {"$set": {"holder": "another"}, "$inc": {"version": 1}})
    await until(lambda: ended)
    await until(lambda: len(began) == 2)  # the other never beats
    stop.set()
    await asyncio.wait_for(task, 5)
    assert len(ended) == 2
    assert collection.documents["leader"]["holder"] == "", "a graceful stop releases"


async def test_a_fault_while_leading_ends_that_leadership_only(collection: MemoryCollection) -> None:
    lease, stop, began = Lease(collection, ttl_s=0.02), asyncio.Event(), []

    async def lead() -> None:
        began.append(1)
        if len(began) == 1:
            raise RuntimeError("fenced")
        await asyncio.Event().wait()

    task = asyncio.create_task(keep_leading(lease, lead, stop=stop))
    await until(lambda: len(began) == 2)
    stop.set()
    await asyncio.wait_for(task, 5)


async def test_a_store_that_is_away_ends_leading_and_nothing_else(collection: MemoryCollection) -> None:
    lease, stop, ended = Lease(collection, ttl_s=0.02), asyncio.Event(), []

    async def lead() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    async def away(_: str) -> None:
        raise store_fault()

    task = asyncio.create_task(keep_leading(lease, lead, stop=stop))
    await until(lambda: "leader" in collection.documents)
    collection.before = away
    await until(lambda: ended)
    collection.before = None
    await until(lambda: collection.documents["leader"]["version"] > 3)
    stop.set()
    await asyncio.wait_for(task, 5)


async def test_the_metric_names_the_fault_that_ended_a_leadership(collection: MemoryCollection) -> None:
    """Tasks of a group raise groups: that something was one says nothing to whoever is called at night."""
    lease, stop, began = Lease(collection, ttl_s=0.02), asyncio.Event(), []
    before = LEADERSHIP_FAILURES.labels("BlockingIOError")._value.get()

    async def lead() -> None:
        began.append(1)
        if len(began) > 1:
            await asyncio.Event().wait()
        raise ExceptionGroup("tasks", [ExceptionGroup("more", [BlockingIOError()])])

    task = asyncio.create_task(keep_leading(lease, lead, stop=stop))
    await until(lambda: len(began) == 2)
    stop.set()
    await asyncio.wait_for(task, 5)
    assert LEADERSHIP_FAILURES.labels("BlockingIOError")._value.get() == before + 1
