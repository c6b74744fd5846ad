"""No write between a look and a wait is missed."""

import asyncio

from pelangi.chassis.signal import Signal


async def test_a_write_before_the_wait_returns_at_once() -> None:
    signal = Signal()
    seen = signal.count
    signal.set()
    await asyncio.wait_for(signal.wait_past(seen, 60), 1)


async def test_a_write_during_the_wait_wakes_every_waiter() -> None:
    signal = Signal()
    waiters = [asyncio.create_task(signal.wait_past(0, 60)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(w.done() for w in waiters)
    signal.set()
    await asyncio.wait_for(asyncio.gather(*waiters), 1)


async def test_without_a_write_the_wait_ends_by_itself() -> None:
    signal = Signal()
    await asyncio.wait_for(signal.wait_past(0, 0.001), 1)
    assert signal.count == 0


async def test_an_old_write_does_not_end_a_new_wait() -> None:
    signal = Signal()
    signal.set()
    waiter = asyncio.create_task(signal.wait_past(signal.count, 60))
    await asyncio.sleep(0)
    assert not waiter.done()
    signal.set()
    await asyncio.wait_for(waiter, 1)
