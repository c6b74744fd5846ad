"""Resident memory of every process at rest, and after 10⁵ and 2·10⁵ requests; how much it grew between the two.

`pelangi up`: Kafka, store, mailbox and the four services. Requests are filed over HTTP for a village outside the city: each
is accepted, closed at once and told so by mail, so that none waits for a date; intake sends three events, which the other three
services consume. Memory is read when every consumer has caught up and no outbox and no message waits. At rest: after 2,000
requests, when whatever is loaded on first use has been. The store's cache and Kafka's heap are bounded by their settings, and the
mailbox stands in for a mail server and keeps every mail: these are shown without a goal.

So many requests take this machine an hour: without `PELANGI_BENCH_WHOLE=1` the marks are as many as it does in four and in eight
minutes, by the pace of the first 2,000, and the figures say how many those were.
"""

import asyncio
import json
import os
import time
from pathlib import Path
from uuid import uuid4

import uvloop

from pelangi.contracts.topics import SERVICES
from pelangi.local.private import PrivateStack
from tests.bench.city import request
from tests.bench.figures import Figure, Say, at_most
from tests.bench.watching import metrics, resident_mb
from tests.bench.wire import Wire

REST, HALF = 2_000, 100_000
HALF_S = 240.0
GROWTH = 1.1
ELSEWHERE = "19.01.01.1001"
AT_ONCE = 64
PROGRAMS = ("kafka", "database", "mailbox", *SERVICES)
SETTLED_S = 3600.0


def measure(folder: Path, say: Say) -> list[Figure]:
    """Memory at each mark, and the growth between the last two."""
    with PrivateStack(folder / "up", [a for p in PROGRAMS for a in ("--only", p)]) as stack:
        return uvloop.run(_measure(stack, say))


async def _measure(stack: PrivateStack, say: Say) -> list[Figure]:
    wire = Wire(stack.ports["intake"])
    began = time.monotonic()
    rest = await _at(stack, wire, 0, REST, say)
    pace = REST / (time.monotonic() - began)
    half = HALF if os.environ.get("PELANGI_BENCH_WHOLE") else max(min(HALF, round(pace * HALF_S, -3)), REST + 1_000)
    after_half = await _at(stack, wire, REST, int(half), say)
    after_whole = await _at(stack, wire, int(half), int(half) * 2, say)
    wire.close()
    return _figures(int(half), rest, after_half, after_whole)


async def _at(stack: PrivateStack, wire: Wire, first: int, last: int, say: Say) -> dict[str, float]:
    """Memory once requests up to `last` are filed and everything that follows from them is done."""
    began = time.monotonic()
    await _file(wire, first, last)
    filed = time.monotonic() - began
    await _settled(stack)
    seen = resident_mb(stack)
    by_program = ", ".join(f"{name} {mb:.0f}" for name, mb in seen.items())
    say(f"{last:,} requests: filed in {filed:.0f} s, settled in {time.monotonic() - began - filed:.0f} s; MB: {by_program}")
    return seen


def _figures(count: int, rest: dict[str, float], half: dict[str, float], whole: dict[str, float]) -> list[Figure]:
    figures = []
    for name in PROGRAMS:
        note = f"{rest[name]:.0f} MB at rest, {half[name]:.0f} MB after {count:,}, {whole[name]:.0f} MB after {2 * count:,}"
        label = f"{name}: memory after {2 * count:,} ÷ after {count:,} requests"
        ratio = whole[name] / half[name]
        figures.append(at_most(label, ratio, GROWTH, note=note) if name in SERVICES else Figure(label, ratio, note=note))
    return figures


async def _file(wire: Wire, first: int, last: int) -> None:
    """File requests `first` to `last`, `AT_ONCE` at a time."""
    numbers = iter(range(first, last))

    async def client() -> None:
        for number in numbers:
            body = request(number)
            body["place"] |= {"visit_kind": "HOME", "village_code": ELSEWHERE}
            reply = await wire.post("/v1/requests", json.dumps(body).encode(), str(uuid4()))
            assert reply.status == 201, reply

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))


async def _settled(stack: PrivateStack) -> None:
    """Until nothing is left to consume, to send or to tell, three looks in a row."""
    deadline, still = time.monotonic() + SETTLED_S, 0
    while still < 3:
        assert time.monotonic() < deadline, "the backlog did not end"
        await asyncio.sleep(2.5)  # gauges are set every 2 s
        pages = [await metrics(stack, service) for service in SERVICES]
        left = sum(p["pelangi_consumer_lag_records"] + p["pelangi_outbox_pending_cases"] for p in pages)
        left += sum(p["pelangi_messages_due_cases"] for p in pages)
        still = still + 1 if left == 0 else 0
