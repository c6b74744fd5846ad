"""The relay: its real cycle on an outbox of many pending cases, against the same steps written by hand.

The cases are issuance's own after a visit was completed: one or two `item-closed` each. Both sides run in this process in turn,
with the service's producer and user, each time on a new collection with the service's indexes; the clock runs from the first
find to the last update, after one transaction that warms the producer. The medians of the rounds are compared.

**By hand**: find 500 by `pending_since` → one transaction of the same records (topic, key, bytes and headers looked up, not
made) → one `update_many` that empties the outboxes: no rendering, no size check, no filter of what was sent, no metrics.
Snapshots are not part of it: encrypting three parts for three readers is work that the floor would have to do as well.
"""

import asyncio
import importlib
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pelangi.chassis import kafka
from pelangi.chassis.clock import SystemClock
from pelangi.chassis.relay import Outgoing, Relay
from pelangi.chassis.service import Service
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import Collection, Document, Store
from tests.bench.figures import Figure, Say, at_least, at_most
from tests.bench.rig import Commands, Rig, rig, run
from tests.bench.stock import BATCH, folded, request_details, visit_completed

ROUNDS, CASES = 5, 10_000


@dataclass(frozen=True)
class Taken:
    """What one side took for all events; cpu: of this process."""

    seconds: float
    cpu: float
    cycles: int


def _relay(service: Service, cases: Collection) -> Relay:
    return Relay(cases, f"/services/{service.settings.name}", service.snapshots, SystemClock(), Signal())


async def _started(rig: Rig, service: Service) -> Any:
    """The relay's producer, after its first transaction."""
    settings = rig.settings(service)
    producer = kafka.make_producer(settings, transactional_id=f"relay-{settings.name}")
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait("item-closed.v1", b"{}", key=b"warm")
    await producer.commit_transaction()
    return producer


async def ours(rig: Rig, service: Service, name: str, commands: Commands) -> Taken:
    """The chassis' relay until nothing is pending."""
    settings = rig.settings(service)
    store = Store(settings.mongo_uri.get_secret_value(), driver=settings.mongo_driver, listeners=[commands])
    relay, producer, cycles = _relay(service, store.collection(name)), await _started(rig, service), 0
    await store.ping()
    try:
        began, cpu = time.perf_counter(), time.process_time()
        while await relay.cycle(producer) == BATCH:
            cycles += 1
        return Taken(time.perf_counter() - began, time.process_time() - cpu, cycles)
    finally:
        await producer.stop()
        await store.close()


async def by_hand(rig: Rig, service: Service, name: str, records: dict[str, list[Outgoing]]) -> Taken:
    """The floor."""
    client, cases = rig.by_hand(service, name)
    producer, cycles = await _started(rig, service), 0
    await client.admin.command("ping")
    try:
        began, cpu = time.perf_counter(), time.process_time()
        while True:
            cursor = cases.find({"pending_since": {"$exists": True}}).sort("pending_since", 1).limit(BATCH).batch_size(BATCH)
            found = [case["_id"] for case in await cursor.to_list(None)]
            if not found:
                return Taken(time.perf_counter() - began, time.process_time() - cpu, cycles)
            await producer.begin_transaction()
            todo = [r for key in found for r in records[key]]
            await asyncio.gather(*[await producer.send(r.topic, r.value, key=r.key, headers=r.headers) for r in todo])
            await producer.commit_transaction()
            await cases.update_many({"_id": {"$in": found}}, {"$set": {"outbox": []}, "$unset": {"pending_since": ""}})
            cycles += 1
    finally:
        await producer.stop()
        client.close()


def measure(folder: Path, say: Say) -> list[Figure]:
    """Ours and the floor in turn; the first round warms both and is thrown away."""
    service = importlib.import_module("services.issuance.app").make()
    facts = [record for n in range(CASES) for record in (request_details(n), visit_completed(n))]
    documents = list(folded(service, facts).documents.values())
    renderer = _relay(service, Any)  # type: ignore[arg-type]
    records = {case["_id"]: renderer._records(case) for case in documents}
    sides: dict[str, list[Taken]] = {"ours": [], "hand": []}
    with rig(folder) as parts:
        parts.settle(say)
        for at in range(ROUNDS + 1):
            for side, taken in sides.items():
                name, commands = parts.fresh(service, f"{side}-{at}", documents), Commands()
                work = ours(parts, service, name, commands) if side == "ours" else by_hand(parts, service, name, records)
                taken.append(run(work))
                _all_sent(parts, service, name)
                if side == "ours":
                    counted = commands
    return _figures(sides["ours"][1:], sides["hand"][1:], documents, counted, say)


def _all_sent(parts: Rig, service: Service, name: str) -> None:
    collection = parts.admin[service.settings.name][name]
    if collection.count_documents({"outbox": {"$ne": []}}) or collection.count_documents({"pending_since": {"$exists": True}}):
        raise RuntimeError("something was not sent")
    parts.drop(service, name)


def _figures(
    mine: Sequence[Taken], hand: Sequence[Taken], documents: Sequence[Document], commands: Commands, say: Say
) -> list[Figure]:
    events = sum(len(case["outbox"]) for case in documents)
    took, floor = (statistics.median(t.seconds for t in side) for side in (mine, hand))
    cpu, floor_cpu = (statistics.median(t.cpu for t in side) / events * 1e6 for side in (mine, hand))
    pairs = sorted(b.seconds / a.seconds for a, b in zip(mine, hand, strict=True))
    note = (
        f"{events / took:,.0f}/s ÷ {events / floor:,.0f}/s; {events:,} events of {len(documents):,} cases, {ROUNDS} rounds, "
        f"pair by pair {pairs[0]:.2f}–{pairs[-1]:.2f}; this process' CPU {cpu:.1f} against {floor_cpu:.1f} µs an event, "
        f"the whole {took / events * 1e6:.1f} against {floor / events * 1e6:.1f} µs"
    )
    say(f"{floor / took:.3f}, {note}")
    per_cycle = sum(commands.seen.values()) / (mine[-1].cycles + 1)  # the last cycle finds nothing
    counted = ", ".join(f"{count} {name}" for name, count in sorted(commands.seen.items()))
    return [
        at_least("events relayed, issuance", floor / took, 0.85, note=note),
        at_most("database commands per cycle", per_cycle, 2, note=f"{counted} in {mine[-1].cycles} cycles of {BATCH} cases"),
    ]
