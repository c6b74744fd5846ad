"""Dead letters looked at and brought back: listed, shown without their content, and folded like any other record.

A retry goes the running service's own way (its decoder, its handlers, guarded writes on its database), so that it can run
beside it: what later facts have overtaken changes nothing. What the fold says leaves through the running service's relay.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from aiokafka.errors import KafkaError

from pelangi.chassis import kafka
from pelangi.chassis.case import Handler
from pelangi.chassis.clock import Clock
from pelangi.chassis.consumer import Consumer, Contention
from pelangi.chassis.crash import arm, crash_point
from pelangi.chassis.dead_letters import Original, unseal
from pelangi.chassis.decode import Broken, Decoder, Record
from pelangi.chassis.ids import random_id
from pelangi.chassis.scan import Read, login_of, read_one, read_to_end
from pelangi.chassis.service import CASES, Service, make_decoder
from pelangi.chassis.settings import ServiceSettings, key_ring
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import Collection, Store, StoreError
from pelangi.contracts.encryption import BrokenToken, KeyRing, UnknownKey

UNREACHABLE = (StoreError, KafkaError, Contention, OSError, TimeoutError)
"""What a tool meets where infrastructure fails. Nothing is lost by it: run it again."""

READS = "dead_letter_reads"
"""Who asked to see the content of a dead letter, when, and why."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter from outside: where its record lay, and what its clear headers say."""

    coordinates: str
    token: bytes
    reason: str = ""
    exception: str = ""
    request_id: str = ""
    since: datetime | None = None

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition and offset. From the key, which the sealed content is bound to; headers are not."""
        topic, partition, offset = self.coordinates.rsplit("-", 2)
        return topic, int(partition), int(offset)


def newest(records: Iterable[Read]) -> list[DeadLetter]:
    """The dead letters that stand: the newest of each key, without those followed by a tombstone, oldest first."""
    standing: dict[str, DeadLetter] = {}
    for record in records:
        key = (record.key or b"").decode(errors="replace")
        standing.pop(key, None)
        if record.value is not None:
            said = {name: (raw or b"").decode(errors="replace") for name, raw in record.headers}
            standing[key] = DeadLetter(
                key, record.value, said.get("reason", ""), said.get("exception", ""), said.get("request_id", ""), record.at
            )
    return list(standing.values())


def read_letters(settings: ServiceSettings) -> list[DeadLetter]:
    """A service's dead letters, read as its own user. Raises Unreadable."""
    return newest(read_to_end(login_of(settings), f"{settings.name}.dlq"))


def original(letter: DeadLetter, settings: ServiceSettings) -> Original:
    """What the record was. Raises BrokenToken or UnknownKey."""
    keys = key_ring(settings.dead_letter_keys)
    return unseal(letter.token, keys, topic=f"{settings.name}.dlq", key=letter.coordinates)


async def note_reading(reads: Collection, *, who: str, coordinates: str, reason: str, at: datetime) -> None:
    """Keep who asks to see a dead letter's content, and why. Raises ValueError without a reason."""
    if not reason.strip() or not who.strip():
        raise ValueError("a reason, and somebody who gives it")
    await reads.insert({"_id": random_id(), "who": who, "at": at, "coordinates": coordinates, "reason": reason})


class Result(StrEnum):
    """What became of a retry."""

    FOLDED = "folded"
    OVERTAKEN = "overtaken"
    BROKEN = "still broken"
    GONE = "gone"
    WAITS = "waits"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A retried dead letter; `why` in codes where it stays one."""

    letter: DeadLetter
    result: Result
    why: str = ""

    @property
    def recovered(self) -> bool:
        """Whether nothing is missing any more; then a tombstone follows the dead letter."""
        return self.result in (Result.FOLDED, Result.OVERTAKEN)


@dataclass(frozen=True, slots=True)
class Redrive:
    """Retries dead letters of one service.

    fetch: a record by topic, partition and offset, None where it is gone. bury: acknowledged sending of the tombstone.
    """

    topic: str
    keys: KeyRing
    cases: Collection
    decoder: Decoder
    handlers: Mapping[str, Handler[Any]]
    clock: Clock
    fetch: Callable[[str, int, int], Awaitable[Record | None]]
    bury: Callable[[str], Awaitable[None]]

    async def retry(self, letter: DeadLetter) -> Outcome:
        """Fold the record; bury the dead letter if nothing is missing any more. Raises where infrastructure failed."""
        outcome = await self._retry(letter)
        crash_point("redrive.after-fold")
        if outcome.recovered:
            await self.bury(letter.coordinates)
        return outcome

    async def _retry(self, letter: DeadLetter) -> Outcome:
        try:
            record = await self._record(letter)
            if record is None:
                return Outcome(letter, Result.GONE, "left on its topic, and that is past its retention")
            fact, _ = self.decoder(record)
        except UnknownKey:
            return Outcome(letter, Result.WAITS, "sealed under a key that is not configured here")
        except BrokenToken:
            return Outcome(letter, Result.BROKEN, "the dead letter itself is damaged")
        except Broken as broken:
            return Outcome(letter, Result.BROKEN, f"{broken.reason} {broken.error}")
        case = await self.cases.get(fact.request_id) or {}
        if case.get("applied", {}).get(fact.slot, -1) >= fact.sequence:
            return Outcome(letter, Result.OVERTAKEN)
        return await self._fold(letter, record)

    async def _record(self, letter: DeadLetter) -> Record | None:
        was = unseal(letter.token, self.keys, topic=self.topic, key=letter.coordinates)
        if was.left_on_topic:
            return await self.fetch(*letter.place)
        return Read(*letter.place, was.key, was.value, was.headers)

    async def _fold(self, letter: DeadLetter, record: Record) -> Outcome:
        """With a consumer of its own: it never counts up to the many faults of one kind that stop a running one."""
        broken: list[Broken] = []

        async def keep(_: Record, why: Broken) -> None:
            broken.append(why)

        consumer = Consumer(self.cases, self.decoder, self.handlers, self.clock, keep, Signal())
        await consumer.handle([record])
        if broken:
            return Outcome(letter, Result.BROKEN, f"{broken[0].reason} {broken[0].error}")
        return Outcome(letter, Result.FOLDED)


@asynccontextmanager
async def redrive(service: Service, clock: Clock) -> AsyncIterator[Redrive]:
    """Retries as the service itself: its user, its database, its producer."""
    settings = service.settings
    arm(settings.crash_point)
    topic = f"{settings.name}.dlq"
    producer = kafka.make_producer(settings)

    async def bury(coordinates: str) -> None:
        await producer.send_and_wait(topic, None, key=coordinates.encode())

    async def fetch(source: str, partition: int, offset: int) -> Record | None:
        return await asyncio.to_thread(read_one, login_of(settings), source, partition, offset)

    async with open_store(settings) as store:
        await producer.start()
        try:
            yield Redrive(
                topic=topic,
                keys=key_ring(settings.dead_letter_keys),
                cases=store.collection(CASES),
                decoder=make_decoder(service),
                handlers=service.handlers,
                clock=clock,
                fetch=fetch,
                bury=bury,
            )
        finally:
            await producer.stop()


@asynccontextmanager
async def open_store(settings: ServiceSettings) -> AsyncIterator[Store]:
    """The service's database, for as long as a tool needs it."""
    store = Store(settings.mongo_uri.get_secret_value(), driver=settings.mongo_driver)
    try:
        yield store
    finally:
        await store.close()
