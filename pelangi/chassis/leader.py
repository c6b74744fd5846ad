"""One replica of a service leads: it runs the relay, the timers and the planner.

A lease document `{holder, beat}`. It is stolen only after the same beat was seen for the whole TTL on our own monotonic
clock, so that a clock that is ahead never makes two leaders. Fencing does the rest: see `relay`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from pelangi.chassis.ids import random_claim
from pelangi.chassis.metrics import LEADER, LEADERSHIP_FAILURES
from pelangi.chassis.store import Collection, Guarded

log = logging.getLogger(__name__)
LEASE = "leader"
END_S = 5.0


@dataclass(slots=True)
class Lease:
    """This replica's claim on leadership; `holder` is random per process."""

    collection: Collection
    ttl_s: float = 5.0
    holder: str = field(default_factory=random_claim)
    _seen: int = -1
    _seen_at: float = 0.0

    async def acquire(self) -> bool:
        """Whether the lease is ours now. Call it about every fifth of the TTL while it is not."""
        lease = await self.collection.get(LEASE)
        if lease is None:
            return await self.collection.insert({"_id": LEASE, "holder": self.holder, "version": 1})
        if lease["holder"] in ("", self.holder):  # released by a graceful stop, or ours from before a fault
            return await self._beat(lease["version"])
        if lease["version"] != self._seen:
            self._seen, self._seen_at = lease["version"], time.monotonic()
            return False
        if time.monotonic() - self._seen_at < self.ttl_s:
            return False
        return await self._beat(lease["version"])

    async def renew(self) -> bool:
        """Whether the lease was still ours and is renewed."""
        lease = await self.collection.get(LEASE)
        return lease is not None and lease["holder"] == self.holder and await self._beat(lease["version"])

    async def is_mine(self) -> bool:
        """Re-read: whether the lease is ours."""
        lease = await self.collection.get(LEASE)
        return lease is not None and lease["holder"] == self.holder

    async def release(self) -> None:
        """Let the next replica lead at once (a graceful stop)."""
        await self.collection.update_where(
            {"_id": LEASE, "holder": self.holder}, {"$set": {"holder": ""}, "$inc": {"version": 1}}
        )

    async def _beat(self, version: int) -> bool:
        update = {"$set": {"holder": self.holder}, "$inc": {"version": 1}}
        return await self.collection.update(Guarded(LEASE, version, update))


async def keep_leading(lease: Lease, lead: Callable[[], Awaitable[None]], *, stop: asyncio.Event) -> None:
    """Try for the lease until `stop`; while it is ours run `lead`, and cancel it when the lease is lost.

    Whatever ends `lead` — a fenced producer above all — gives the leadership back; it returns only through the lease.
    """
    while not stop.is_set():
        try:
            if await lease.acquire():
                await _lead(lease, lead, stop)
        except Exception as error:  # noqa: BLE001 - any fault ends this leadership, none ends the process
            name = type(_cause(error)).__name__
            LEADERSHIP_FAILURES.labels(name).inc()
            log.warning("leadership ended", extra={"error": name})
        await _wait(stop, lease.ttl_s / 10)


def _cause(error: Exception) -> Exception:
    """The first fault inside a task group's: "ExceptionGroup" would say nothing."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


async def _lead(lease: Lease, lead: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    LEADER.set(1)
    log.info("leading")
    work = asyncio.ensure_future(lead())
    beat = asyncio.ensure_future(_renew_for_ever(lease))
    stopped = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait({work, beat, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        LEADER.set(0)
        await _end(work, beat, stopped)
        if stop.is_set():
            await lease.release()


async def _end(*tasks: asyncio.Future[Any]) -> None:
    """Cancel and wait, but not for ever: a task that hangs in Kafka must not keep this replica from leading again."""
    for _ in range(2):
        for task in tasks:
            task.cancel()
        _, pending = await asyncio.wait(tasks, timeout=END_S)
        if not pending:
            return
    log.error("work of a lost leadership hangs")


async def _renew_for_ever(lease: Lease) -> None:
    while await lease.renew():  # noqa: ASYNC110 - a beat, not a wait for a condition
        await asyncio.sleep(lease.ttl_s / 5)
    log.warning("lease lost")


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
