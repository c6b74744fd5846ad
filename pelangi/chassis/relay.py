"""The relay: the only way events leave a service.

Per cycle: find at most 500 pending cases, send every envelope in outbox order in one Kafka transaction, commit, clear
exactly what was sent. A crash between commit and clear sends the same ids again; readers drop them.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer

from pelangi.chassis.clock import Clock
from pelangi.chassis.crash import crash_point
from pelangi.chassis.metrics import EVENTS_SENT, OUTBOX_AGE, OUTBOX_PENDING, UNRENDERABLE
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import SET, Collection, Document
from pelangi.contracts.envelope import Envelope, event_id, to_headers
from pelangi.contracts.events import Data, encode
from pelangi.contracts.topics import MAX_MESSAGE_BYTES

log = logging.getLogger(__name__)

_TIMES = {"$map": {"input": "$outbox", "in": "$$this.time"}}  # not "$outbox.time": the local store reads that as null

CASES_PER_CYCLE = 500
BYTES_PER_CYCLE = 8 * 1024 * 1024
ROOM_BYTES = 768
"""For the key, the names of the headers and the framing of one record."""
CASES_PER_BREATH = 20
RETRY_S = 30.0
"""After which a case that could not be rendered is tried again."""
POLL_S = 0.2
"""How often events written by another replica are looked for; our own writes wake the relay at once."""

Render = Callable[[Any], Data | None]
"""The snapshot of a case as it is now; None where its person was erased (a tombstone)."""


class Outgoing(NamedTuple):
    """One record to send. size: bytes it takes on the wire, a little overestimated."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]
    size: int


@dataclass(slots=True)
class Relay:
    """Sends what lies in the outboxes of `cases`. `snapshots`: how to render each snapshot type from a case."""

    cases: Collection
    source: str
    snapshots: Mapping[str, Render]
    clock: Clock
    written: Signal
    _waiting: dict[str, float] = field(default_factory=dict)

    async def run(self, producer: AIOKafkaProducer) -> None:
        """Relay for ever with a started, fenced producer. Ends by raising whatever Kafka or the store raised."""
        while True:
            seen = self.written.count
            if not await self.cycle(producer):
                await self.written.wait_past(seen, POLL_S)

    async def cycle(self, producer: AIOKafkaProducer) -> int:
        """Send and clear what is pending now; how many cases that were. One find and one update."""
        self._waiting = {case: until for case, until in self._waiting.items() if until > time.monotonic()}
        # those that wait are left out here: not every server uses the index where "none of these" stands beside it
        limit = CASES_PER_CYCLE + len(self._waiting)
        found = await self.cases.find({"pending_since": SET}, sort=[("pending_since", 1)], limit=limit)
        pending = [case for case in found if case["_id"] not in self._waiting][:CASES_PER_CYCLE]
        OUTBOX_PENDING.set(len(pending) + len(self._waiting))
        OUTBOX_AGE.set((self.clock.wall() - pending[0]["pending_since"]).total_seconds() if pending else 0)
        sent, records = await self._render(pending)
        if sent:
            crash_point("relay.after-read")
            await self._send(producer, records)
            crash_point("relay.after-commit")
            await self._clear(sent)
        return len(sent)

    async def _render(self, pending: Sequence[Document]) -> tuple[list[Document], list[Outgoing]]:
        """As many of the cases as make one transaction of bounded size, and their records."""
        sent: list[Document] = []
        records: list[Outgoing] = []
        size = 0
        for case in pending:
            if size > BYTES_PER_CYCLE:
                break
            if (mine := self._records_or_none(case)) is None:
                continue
            sent.append(case)
            records += mine
            for record in mine:
                size += record.size
            if len(sent) % CASES_PER_BREATH == 0:
                await asyncio.sleep(0)  # rendering is work for the processor: let the lease be renewed meanwhile
        return sent, records

    async def _send(self, producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> None:
        """One transaction. Never aborted here: aborting waits for a Kafka that may be away; the next `init` aborts at once."""
        await producer.begin_transaction()
        sends = [await producer.send(r.topic, r.value, key=r.key, headers=r.headers) for r in records]
        await asyncio.gather(*sends)
        crash_point("relay.after-send")
        await producer.commit_transaction()
        for topic, count in Counter(r.topic for r in records).items():
            EVENTS_SENT.labels(topic).inc(count)

    def _records_or_none(self, case: Document) -> list[Outgoing] | None:
        """None for a case that cannot be rendered or sent: a bug of ours. It keeps its rows, waits, and holds up nobody else."""
        try:
            return self._records(case)
        except Exception as error:  # noqa: BLE001 - counted, logged, and the row stays pending
            UNRENDERABLE.labels(type(error).__name__).inc()
            self._waiting[case["_id"]] = time.monotonic() + RETRY_S
            log.error("case cannot be rendered", extra={"request_id": case["_id"], "error": type(error).__name__})
            return None

    def _records(self, case: Document) -> list[Outgoing]:
        """The case's events in outbox order; of each snapshot type one, rendered from the case as it was read."""
        records: list[Outgoing] = []
        rendered: set[str] = set()
        for stored in case["outbox"]:
            if not stored.get("marker"):
                records.append(self._record(stored.get("key", case["_id"]), stored, stored["data"]))
            elif stored["type"] not in rendered:
                rendered.add(stored["type"])
                records.append(self._snapshot(case, stored))
        return records

    def _snapshot(self, case: Document, marker: Document) -> Outgoing:
        type_, key = marker["type"], case["_id"]
        data = self.snapshots[type_](case)
        current = marker | {
            "id": event_id(type_, key, key, case["version"]),
            "sequence": case["version"],
            "time": case["changed_at"],
        }
        return self._record(key, current, None if data is None else encode(type_, data))

    def _record(self, key: str, stored: Document, value: bytes | None) -> Outgoing:
        envelope = Envelope(
            type=stored["type"],
            id=stored["id"],
            source=self.source,
            request_id=key,
            aggregate=stored["aggregate"],
            time=stored["time"],
            sequence=stored["sequence"],
            traceparent=stored["traceparent"],
            data=value or b"",
        )
        headers = to_headers(envelope)
        size = ROOM_BYTES + len(envelope.data) + len(b"".join([raw for _, raw in headers]))
        if size > MAX_MESSAGE_BYTES:
            raise ValueError(f"{envelope.type} is too large to be sent")
        return Outgoing(envelope.type, key.encode(), value, headers, size)

    async def _clear(self, sent: Sequence[Document]) -> None:
        """Take exactly the rows that were sent: of each case those up to the version that it was read at; later ones stay."""
        read_at: dict[int, list[str]] = {}
        for case in sent:
            read_at.setdefault(case["version"], []).append(case["_id"])
        await self.cases.update_where_each([({"_id": {"$in": ids}}, _rows_after(version)) for version, ids in read_at.items()])


def _rows_after(version: int) -> list[Document]:
    """The pipeline that leaves only these in the outbox. By version, not by id: a server looks through a list of ids per row."""
    return [
        {"$set": {"outbox": {"$filter": {"input": "$outbox", "cond": {"$gt": ["$$this.sequence", version]}}}}},
        # removed, never null: a null would never get smaller under $min
        {"$set": {"pending_since": {"$cond": [{"$eq": ["$outbox", []]}, "$$REMOVE", {"$min": _TIMES}]}}},
    ]
