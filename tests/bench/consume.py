"""The consuming service: its real subscriber, decoder, handlers and store, against loops written by hand.

Both sides run in this process in turn, on one broker and one store, in a new group and a new collection each time; the clock
runs from the first batch in hand to the last commit acknowledged. The medians of the rounds are compared.

**By hand**: aiokafka `getmany(500)` → `json.loads` → one unordered bulk of the very documents (or guarded updates) that the
service writes, looked up and not made → one commit; no validation, no dedupe, no find, no outbox, no metrics; same fetch
settings, concerns and indexes. **Tutorial**: FastStream's own decoding into the pydantic model, one record at a time: find,
write, commit.

New cases: `request-created` read by issuance and by notify (public, nothing to decrypt). Known cases: `visit-scheduled` read
by notify; and `visit-completed` read by issuance, which finishes an item and puts `item-closed` into the outbox.
`request-details` is a snapshot that issuance decrypts with its real key; the floor does not, so it has no goal. Without reading
ahead: the same with nothing but the write going on while the store writes; it shows what the overlap brings or costs here.
"""

import asyncio
import importlib
import json
import re
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from pymongo import UpdateOne

from pelangi.chassis import kafka
from pelangi.chassis.service import Service
from pelangi.chassis.store import Document, Store
from pelangi.chassis.subscriber import Subscriber
from pelangi.contracts.events import RequestCreated
from pelangi.contracts.topics import BY_NAME
from tests.bench.figures import Figure, Say, at_least, at_most
from tests.bench.rig import Commands, Rig, plain_consumer, rig, run, spread
from tests.bench.stock import (
    BATCH,
    consumer_of,
    folded,
    request_created,
    request_details,
    visit_completed,
    visit_scheduled,
)
from tests.support.records import Raw

ROUNDS = 5
NEW, KNOWN, TUTORIAL = 20_000, 10_000, 1_500


@dataclass
class Case:
    """One comparison: `service` reads `records` of one topic, while its store holds `known`.

    goal: of the ratio. ahead: whether the next batch is read meanwhile.
    """

    name: str
    service: Service
    records: Sequence[Raw]
    known: Mapping[str, Document] = field(default_factory=dict)
    goal: float | None = None
    ahead: bool = True

    def __post_init__(self) -> None:
        kept = folded(self.service, self.records, self.known)
        self.documents = kept.documents
        self.updates = {key: UpdateOne({"_id": key, "version": u.version}, u.update) for key, u in kept.updates.items()}
        assert len(self.updates if self.known else self.documents) == len(self.records)

    @property
    def topic(self) -> str:
        return self.records[0].topic


@dataclass
class Meter:
    """The time from the first batch in hand to the last record's commit."""

    wanted: int
    began: float = 0.0
    taken: float = 0.0
    records: int = 0
    batches: int = 0
    cpu: float = 0.0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self) -> None:
        if not self.began:
            self.began, self.cpu = time.perf_counter(), time.process_time()

    def committed(self, records: int) -> None:
        self.records += records
        self.batches += 1
        if self.records >= self.wanted and not self.taken:
            self.taken = time.perf_counter() - self.began
            self.cpu = time.process_time() - self.cpu
            self.done.set()

    @property
    def rate(self) -> float:
        return self.wanted / self.taken


class _Metered(Subscriber):
    """The chassis' subscriber; tells the meter of each batch and of its acknowledged commit."""

    meter: Meter

    async def _parse(self, message: tuple[Any, ...]) -> Any:
        self.meter.begin()
        parsed = await super()._parse(message)
        acknowledge = parsed.ack

        async def ack() -> None:
            await acknowledge()
            self.meter.committed(len(message))

        parsed.ack = ack
        return parsed


async def ours(rig: Rig, case: Case, name: str, commands: Commands) -> Meter:
    """The service's own consuming loop."""
    settings = rig.settings(case.service, f".{name}")
    store = Store(settings.mongo_uri.get_secret_value(), driver=settings.mongo_driver, listeners=[commands])
    consumer = consumer_of(case.service, store.collection(name))
    subscriber = _Metered(settings, [case.topic], consumer.handle, consumer.decode_ahead)
    if case.ahead:
        consumer.before_write = subscriber.read_ahead
    subscriber.meter = meter = Meter(len(case.records))
    await store.ping()
    await subscriber.start()
    try:
        async with asyncio.timeout(120):
            await meter.done.wait()
    finally:
        await subscriber.stop()
        await store.close()
    return meter


async def by_hand(rig: Rig, case: Case, name: str) -> Meter:
    """The floor."""
    settings, meter = rig.settings(case.service, f".{name}"), Meter(len(case.records))
    client, collection = rig.by_hand(case.service, name)
    await client.admin.command("ping")
    consumer = plain_consumer(settings, case.topic)
    await consumer.start()
    try:
        while not meter.taken:
            batches = await consumer.getmany(timeout_ms=50, max_records=BATCH)
            if not batches:
                continue
            meter.begin()
            keys = [_request_of(json.loads(r.value)) for rs in batches.values() for r in rs]
            if case.known:
                await collection.bulk_write([case.updates[key] for key in keys], ordered=False)
            else:
                await collection.insert_many([case.documents[key] for key in keys], ordered=False)
            await consumer.commit()
            meter.committed(len(keys))
    finally:
        await consumer.stop()
        client.close()
    return meter


def _request_of(data: dict[str, Any]) -> str:
    return str(data["request_id"] if "request_id" in data else data["request"]["request_id"])


async def tutorial(rig: Rig, case: Case, name: str) -> Meter:
    """A service as FastStream's first pages show it, made to lose nothing: it commits after its write."""
    settings, meter = rig.settings(case.service, f".{name}"), Meter(TUTORIAL)
    client, collection = rig.by_hand(case.service, name)
    broker = KafkaBroker(settings.kafka_bootstrap, security=kafka.security(settings), logger=None)

    @broker.subscriber(case.topic, group_id=settings.name, auto_offset_reset="earliest", ack_policy=AckPolicy.NACK_ON_ERROR)
    async def handle(event: RequestCreated) -> None:
        meter.begin()
        if await collection.find_one({"_id": event.request_id}) is None:
            await collection.insert_one(case.documents[event.request_id])
        meter.committed(1)  # the commit comes when this returns: that of the last one is not counted, to our disadvantage

    await broker.start()
    try:
        async with asyncio.timeout(120):
            await meter.done.wait()
    finally:
        await broker.stop()
        client.close()
    return meter


def measure(folder: Path, say: Say) -> list[Figure]:
    """All comparisons, the sides in turn."""
    figures: list[Figure] = []
    with rig(folder) as parts:
        cases = _cases()
        for topic, records in {case.topic: case.records for case in cases}.items():
            parts.produce(BY_NAME[topic].owner, spread(records))
        parts.settle(say)
        for case in cases:
            figures += _compare(parts, case, say)
        figures.append(_against_tutorial(parts, cases[0], say))
    return figures


def _cases() -> list[Case]:
    issuance, notify = (importlib.import_module(f"services.{name}.app").make() for name in ("issuance", "notify"))
    created = [request_created(n) for n in range(NEW)]
    scheduled, completed = [visit_scheduled(n) for n in range(KNOWN)], [visit_completed(n) for n in range(KNOWN)]
    details = [request_details(n) for n in range(KNOWN)]
    told = folded(notify, created[:KNOWN]).documents
    opened = folded(issuance, details, folded(issuance, created[:KNOWN]).documents).known
    return [
        Case("new cases, issuance", issuance, created, goal=0.8),
        Case("new cases, notify", notify, created, goal=0.8),
        Case("new cases, issuance, without reading ahead", issuance, created, ahead=False),
        Case("known cases, notify", notify, scheduled, told, goal=0.8),
        Case("known cases with an event, issuance", issuance, completed, opened, goal=0.8),
        Case("new cases from encrypted snapshots, issuance", issuance, details),
    ]


def _compare(parts: Rig, case: Case, say: Say) -> list[Figure]:
    """Ours and the floor in turn; the first round warms both and is thrown away."""
    commands: list[Commands] = []
    sides: dict[str, list[Meter]] = {"ours": [], "hand": []}
    for at in range(ROUNDS + 1):
        for side, meters in sides.items():
            # a group of its own, too: another case's has read this topic
            name = parts.fresh(case.service, f"{side}-{at}-{re.sub('[^a-z]+', '-', case.name)}", list(case.known.values()))
            if side == "ours":
                commands.append(Commands())
            made = run(ours(parts, case, name, commands[-1]) if side == "ours" else by_hand(parts, case, name))
            parts.drop(case.service, name)
            if at:
                meters.append(made)
    return _figures(case, sides["ours"], sides["hand"], commands[-1], say)


def _figures(case: Case, mine: Sequence[Meter], hand: Sequence[Meter], commands: Commands, say: Say) -> list[Figure]:
    rate, floor = (statistics.median(m.rate for m in meters) for meters in (mine, hand))
    pairs = sorted(a.rate / b.rate for a, b in zip(mine, hand, strict=True))
    cpu, floor_cpu = (statistics.median(m.cpu / m.wanted for m in meters) * 1e6 for meters in (mine, hand))
    note = (
        f"{rate:,.0f}/s ÷ {floor:,.0f}/s; {len(case.records):,} records, {ROUNDS} rounds, pair by pair "
        f"{pairs[0]:.2f}–{pairs[-1]:.2f}; this process' CPU {cpu:.1f} against {floor_cpu:.1f} µs a record, "
        f"the whole {1e6 / rate:.1f} against {1e6 / floor:.1f} µs"
    )
    say(f"{case.name}: {rate / floor:.3f}, {note}")
    batches = mine[-1].batches
    per_batch = sum(commands.seen.values()) / batches
    counted = ", ".join(f"{count / batches:.2f} {name}" for name, count in sorted(commands.seen.items()))
    ratio = (
        Figure(case.name, rate / floor, note=note)
        if case.goal is None
        else at_least(case.name, rate / floor, case.goal, note=note)
    )
    return [ratio, at_most(f"{case.name}: database commands per batch", per_batch, 3, note=f"{counted}; {batches} batches")]


def _against_tutorial(parts: Rig, case: Case, say: Say) -> Figure:
    rates: dict[str, list[float]] = {"ours": [], "tutorial": []}
    for at in range(3):
        for side, found in rates.items():
            name = parts.fresh(case.service, f"{side}-t{at}")
            found.append(run(ours(parts, case, name, Commands()) if side == "ours" else tutorial(parts, case, name)).rate)
            parts.drop(case.service, name)
    rate, slow = statistics.median(rates["ours"]), statistics.median(rates["tutorial"])
    say(f"÷ tutorial: {rate / slow:.1f}")
    return at_least("new cases, issuance, ÷ tutorial", rate / slow, 10, unit="×", note=f"{rate:,.0f}/s ÷ {slow:,.0f}/s")
