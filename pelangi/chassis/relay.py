"""The relay: the only way events leave a service.

Per cycle: find at most 500 pending cases, send every envelope in outbox order in one Kafka transaction, commit, clear
exactly the ids that were sent. A crash between commit and clear sends the same ids again; readers drop them.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer

from pelangi.chassis.clock import Clock
from pelangi.chassis.crash import crash_point
from pelangi.chassis.metrics import EVENTS_SENT, OUTBOX_AGE, OUTBOX_PENDING, UNRENDERABLE
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import Collection, Document
from pelangi.contracts.envelope import Envelope, event_id, to_headers
from pelangi.contracts.events import Data, encode

log = logging.getLogger(__name__)

_TIMES = {"$map": {"input": "$outbox", "in": "$$this.time"}}  # not "$outbox.time": the local store reads that as null

CASES_PER_CYCLE = 500
POLL_S = 0.2
"""How often events written by another replica are looked for; our own writes wake the relay at once."""

Render = Callable[[Any], Data | None]
"""The snapshot of a case as it is now; None where its person was erased (a tombstone)."""


@dataclass(slots=True)
class Outgoing:
    """One record to send."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


@dataclass(slots=True)
class Relay:
    """Sends what lies in the outboxes of `cases`. `snapshots`: how to render each snapshot type from a case."""

    cases: Collection
    source: str
    snapshots: Mapping[str, Render]
    clock: Clock
    written: Signal

    async def run(self, producer: AIOKafkaProducer) -> None:
        """Relay for ever with a started, fenced producer. Ends by raising whatever Kafka or the store raised."""
        while True:
            seen = self.written.count
            if not await self.cycle(producer):
                await self.written.wait_past(seen, POLL_S)

    async def cycle(self, producer: AIOKafkaProducer) -> int:
        """Send and clear what is pending now; how many cases that were. One find and one update."""
        pending = await self.cases.find({"pending_since": {"$exists": True}}, sort=[("pending_since", 1)], limit=CASES_PER_CYCLE)
        OUTBOX_PENDING.set(len(pending))
        OUTBOX_AGE.set((self.clock.wall() - pending[0]["pending_since"]).total_seconds() if pending else 0)
        if not pending:
            return 0
        sendable = {case["_id"]: records for case in pending if (records := self._records_or_none(case)) is not None}
        if not sendable:
            return 0
        await self._send(producer, [record for records in sendable.values() for record in records])
        crash_point("relay.after-commit")
        await self._clear([case for case in pending if case["_id"] in sendable])
        return len(sendable)

    async def _send(self, producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> None:
        async with producer.transaction():
            sends = [await producer.send(r.topic, r.value, key=r.key, headers=r.headers) for r in records]
            await asyncio.gather(*sends)
            crash_point("relay.after-send")
        for topic, count in Counter(r.topic for r in records).items():
            EVENTS_SENT.labels(topic).inc(count)

    def _records_or_none(self, case: Document) -> list[Outgoing] | None:
        """None for a case that cannot be rendered: a bug of ours, which keeps its row and holds up nobody else."""
        try:
            return self._records(case)
        except Exception as error:  # noqa: BLE001 - counted, logged, and the row stays pending
            UNRENDERABLE.labels(type(error).__name__).inc()
            log.error("case cannot be rendered", extra={"request_id": case["_id"], "error": type(error).__name__})
            return None

    def _records(self, case: Document) -> list[Outgoing]:
        """The case's events in outbox order; of each snapshot type one, rendered from the case as it was read."""
        records: list[Outgoing] = []
        rendered: set[str] = set()
        for stored in case["outbox"]:
            if not stored.get("marker"):
                records.append(self._record(case["_id"], stored, stored["data"]))
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

    def _record(self, request_id: str, stored: Document, value: bytes | None) -> Outgoing:
        envelope = Envelope(
            type=stored["type"],
            id=stored["id"],
            source=self.source,
            request_id=request_id,
            aggregate=stored["aggregate"],
            time=stored["time"],
            sequence=stored["sequence"],
            traceparent=stored["traceparent"],
            data=value or b"",
        )
        return Outgoing(envelope.type, request_id.encode(), value, to_headers(envelope))

    async def _clear(self, sent: Sequence[Document]) -> None:
        ids = [stored["id"] for case in sent for stored in case["outbox"]]
        await self.cases.update_where(
            {"_id": {"$in": [case["_id"] for case in sent]}},
            [
                {"$set": {"outbox": {"$filter": {"input": "$outbox", "cond": {"$not": [{"$in": ["$$this.id", ids]}]}}}}},
                # removed, never null: a null would never get smaller under $min
                {"$set": {"pending_since": {"$cond": [{"$eq": ["$outbox", []]}, "$$REMOVE", {"$min": _TIMES}]}}},
            ],
        )
