"""Reading and decoding the next batch while the one in hand is being written: that is half of a record's processor time.

Offsets stay safe because a batch commits the positions that were reached when *it* was read, and because a batch that is put
back takes what was read after it along: nothing is handled out of order, and nothing is committed past what was not handled.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from aiokafka import TopicPartition

AFTER_S = 0.002
"""How long to leave the processor to the driver's thread: it must send the write before there is anything to wait for."""

Records = tuple[Any, ...]
Poll = Callable[[Any], Awaitable[Records]]
"""Asks a consumer for its next records; empty where there are none now."""

Prepare = Callable[[Records], None]
"""Told of records that were read ahead: what can be done without writing can be done now."""


class Batch(NamedTuple):
    """Records, and where reading goes on after them, by partition."""

    records: Records
    ends: Mapping[TopicPartition, int]


class ReadAhead:
    """At most one batch beyond the one in hand."""

    def __init__(self, poll: Poll, prepare: Prepare = lambda _: None) -> None:
        self._poll, self._prepare = poll, prepare
        self._consumer: Any = None
        self._in_hand = Batch((), {})
        self._next: asyncio.Task[Batch] | None = None

    async def read(self, consumer: Any) -> Records:
        """The next batch. Raises what the poll raised."""
        task, self._next, self._consumer = self._next, None, consumer
        self._in_hand = await task if task else await self._read(consumer)
        return self._in_hand.records

    def begin(self, at_least: int) -> None:
        """Read the next batch now, if the one in hand has so many records that more must be waiting."""
        if self._next is None and len(self._in_hand.records) >= at_least:
            self._next = asyncio.create_task(self._later())

    async def commit(self) -> None:
        """Commit what is in hand and nothing beyond. Partitions that are somebody else's by now are left to them."""
        assigned = self._consumer.assignment()
        ends = {partition: end for partition, end in self._in_hand.ends.items() if partition in assigned}
        if ends:
            await self._consumer.commit(ends)

    async def put_back(self) -> None:
        """Forget what was read ahead, so that it is read again, after the batch in hand."""
        ahead = await self.forget()
        assigned = self._consumer.assignment() if ahead.records else ()
        for partition, offset in _earliest(ahead.records).items():
            if partition in assigned:
                self._consumer.seek(partition, offset)

    async def forget(self) -> Batch:
        """Stop reading ahead; what was read and not handled. Its offsets were never committed."""
        task, self._next = self._next, None
        if task is None:
            return Batch((), {})
        task.cancel()
        await asyncio.wait([task])
        return Batch((), {}) if task.cancelled() or task.exception() else task.result()

    async def _later(self) -> Batch:
        await asyncio.sleep(AFTER_S)
        batch = await self._read(self._consumer)
        if batch.records:
            self._prepare(batch.records)
        return batch

    async def _read(self, consumer: Any) -> Batch:
        records = await self._poll(consumer)
        # no other task runs between the poll and this: the positions are those right behind the records
        return Batch(records, {partition: await consumer.position(partition) for partition in _earliest(records)})


def _earliest(records: Records) -> dict[TopicPartition, int]:
    """The first offset of each partition."""
    found: dict[TopicPartition, int] = {}
    for record in records:
        found.setdefault(TopicPartition(record.topic, record.partition), record.offset)
    return found
