"""The consumer loop: at most 500 records at once become at most three database commands; offsets are committed last.

Broken records become dead letters. Everything else that fails is infrastructure: nothing is committed, the batch comes again.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from pelangi.chassis.case import BaseCase, Change, Fact, Handler, apply_fact, stub
from pelangi.chassis.clock import Clock
from pelangi.chassis.crash import armed, crash_point
from pelangi.chassis.decode import Broken, Decoder, Record
from pelangi.chassis.logs import without_text
from pelangi.chassis.metrics import BATCH_SECONDS, BATCH_SIZE, COLLISIONS, EVENT_AGE, RECORDS, RETRIES
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import UNSTORABLE, Collection, require_storable

log = logging.getLogger(__name__)

SetAside = Callable[[Record, Broken], Awaitable[None]]
"""Acknowledged sending of a dead letter."""

Todo = dict[str, list[tuple[Fact[Any], Record]]]
"""Facts by request, in order, each with the record that it came in."""

Decoded = tuple[Todo, list[tuple[Record, Broken]]]
"""The facts of a batch, and those of its records that are none."""

_LATEST = datetime.max.replace(tzinfo=UTC)
MAX_SAME_EXCEPTIONS = 20
MAX_ROUNDS = 20
"""Lost races of one batch before it backs off: well inside `max_poll_interval`."""
FIRST_BACKOFF_S, LAST_BACKOFF_S = 0.2, 30.0


class Contention(RuntimeError):
    """Other writers were always faster; the batch comes again after a pause."""


class HandlerBug(RuntimeError):
    """So many records in a row made a handler raise the same thing that it is a bug of ours, not of the records."""


@dataclass(slots=True)
class Consumer:
    """Folds batches of records into cases. `handlers`: one for every topic it reads.

    before_write: called when a batch is about to be written; the processor is free while the store works.
    """

    cases: Collection
    decoder: Decoder
    handlers: Mapping[str, Handler[Any]]
    clock: Clock
    set_aside: SetAside
    written: Signal
    busy_since: float | None = None
    failing: str = ""
    before_write: Callable[[], None] = lambda: None
    _ahead: tuple[Sequence[Record], Decoded] | None = None
    _backoff: float = FIRST_BACKOFF_S
    _raised: dict[str, dict[str, set[tuple[int, int]]]] = field(default_factory=dict)
    _rng: random.Random = field(default_factory=random.Random)

    async def handle(self, records: Sequence[Record]) -> None:
        """Fold one batch; returns when everything is written. Raises, after a pause, when infrastructure failed."""
        self.busy_since = started = time.monotonic()
        try:
            await self._handle(records)
            self._backoff, self.failing = FIRST_BACKOFF_S, ""
        except Exception as error:
            self.failing = type(error).__name__
            RETRIES.labels(self.failing).inc()
            log.warning("batch put back", extra={"error": self.failing, "records": len(records)})
            self.busy_since = None  # waiting for infrastructure is not being stuck
            await asyncio.sleep(self._backoff * self._rng.uniform(0.5, 1))
            self._backoff = min(self._backoff * 2, LAST_BACKOFF_S)
            raise
        finally:
            self.busy_since = None
            BATCH_SIZE.observe(len(records))
            BATCH_SECONDS.observe(time.monotonic() - started)

    def decode_ahead(self, records: Sequence[Record]) -> None:
        """Decode the batch that comes next. If it then comes, the very same object, this is not done again."""
        try:
            self._ahead = (records, self._decode(records))
        except Exception as error:  # noqa: BLE001 - infrastructure: raised again when the batch is in hand
            log.warning("not decoded ahead", extra={"error": type(error).__name__})

    async def _handle(self, records: Sequence[Record]) -> None:
        ahead, self._ahead = self._ahead, None
        todo, broken = ahead[1] if ahead and ahead[0] is records else self._decode(records)
        broken += await self._fold(todo)
        crash_point("consumer.after-write")
        for record, reason in broken:
            await self.set_aside(record, reason)
            RECORDS.labels(record.topic, "dead-letter").inc()
        crash_point("consumer.after-dead-letters")
        for topic, count in Counter(fact.type for facts in todo.values() for fact, _ in facts).items():
            RECORDS.labels(topic, "ok").inc(count)
        self.written.set()

    def _decode(self, records: Sequence[Record]) -> Decoded:
        """The facts by request, in order, and the records that are none."""
        todo: Todo = {}
        broken: list[tuple[Record, Broken]] = []
        oldest: dict[str, datetime] = {}
        for record in records:
            try:
                fact, attributes = self.decoder(record)
            except Broken as why:
                broken.append((record, why))
                continue
            todo.setdefault(fact.request_id, []).append((fact, record))
            if attributes and attributes.time and attributes.time < oldest.get(fact.type, _LATEST):
                oldest[fact.type] = attributes.time
        for topic, time_ in oldest.items():
            EVENT_AGE.labels(topic).observe(max((self.clock.wall() - time_).total_seconds(), 0))
        return todo, broken

    async def _fold(self, todo: Todo) -> list[tuple[Record, Broken]]:
        """Read, fold, write; what lost a race is read and folded again until nothing is left to write."""
        careful = False
        for _ in range(MAX_ROUNDS):
            if not todo:
                return []
            known = await self.cases.get_many(list(todo))
            crash_point("consumer.after-read")
            changes, broken = self._apply(todo, known, careful=careful)
            try:
                if not changes or await self._write(changes):
                    return broken
            except UNSTORABLE:
                if careful:
                    raise
                careful = True  # look for the record whose fact makes such a document
                continue
            COLLISIONS.inc()
            # which of them lost is not known: fold all again, those that won find their facts applied
            await asyncio.sleep(self._rng.uniform(0.005, 0.1))
        raise Contention("the same cases were lost again and again")

    def _apply(
        self, todo: Mapping[str, Sequence[tuple[Fact[Any], Record]]], known: Mapping[str, Any], *, careful: bool
    ) -> tuple[list[Change[Any]], list[tuple[Record, Broken]]]:
        now, wall = self.clock.now(), self.clock.wall()
        changes: list[Change[Any]] = []
        broken: list[tuple[Record, Broken]] = []
        for request_id, facts in todo.items():
            before = known.get(request_id)
            change: Change[Any] = Change(before, before or cast(BaseCase, stub(request_id)))
            for fact, record in facts:
                try:
                    after = apply_fact(change.after, fact, self.handlers[fact.type], now)
                    if careful:
                        require_storable({k: v for k, v in after.items() if k != "emits"})
                    if after is not change.after:
                        self._raised.pop(fact.type, None)
                    change.advance(after, wall=wall, traceparent=fact.traceparent)
                except Exception as error:  # noqa: BLE001 - whatever a rule raises is this record's dead letter
                    self._count_exception(error, fact, record)
                    broken.append((record, Broken("handler", type(error).__name__, request_id)))
            if change.after["version"] and change.changed:
                changes.append(change)
        return changes, broken

    def _count_exception(self, error: Exception, fact: Fact[Any], record: Record) -> None:
        """Stop before a bug of ours drains a whole topic into the dead letters.

        Counted per topic, until its handler runs once without raising; a record that comes again is one record.
        """
        kind = type(error).__name__
        records = self._raised.setdefault(fact.type, {}).setdefault(kind, set())
        records.add((record.partition, record.offset))
        extra = {"kind": kind, "topic": fact.type, "request_id": fact.request_id}
        log.error("handler raised", extra=extra, exc_info=without_text(error))
        if len(records) >= MAX_SAME_EXCEPTIONS:
            raise HandlerBug(f"{kind} in {fact.type}")

    async def _write(self, changes: Sequence[Change[Any]]) -> bool:
        """Whether every change was applied. One operation per case, one kind per call."""
        new = [c.document() for c in changes if c.before is None]
        updates = [c.update() for c in changes if c.before is not None]
        clean = True
        self.before_write()
        if new:
            clean = await self.cases.insert_many(new)
            crash_point("consumer.half-written")
        if updates:
            if armed("consumer.half-updated"):  # every other one, and then the end: what a crash in mid-bulk leaves
                await self.cases.update_many_guarded(updates[::2])
                crash_point("consumer.half-updated")
            clean = await self.cases.update_many_guarded(updates) and clean
        return clean
