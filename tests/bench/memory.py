"""Resident memory of each service's process at rest, and after 10⁵ and 2·10⁵ requests; how much it grew between the two.

The four real processes (`pelangi serve NAME`) on one broker, one store and one mailbox. At rest: ready, before the first request.

Scheduling, issuance and notify are not fed by intake but all at once with facts made beforehand and put on Kafka in bulk: of each
request its closing, its snapshot (encrypted to three readers) and its creation, 3·10⁵ records per mark. Consumer, store, outbox,
relay and timers all work: issuance sends the ends of items, notify decides two messages per request. As every request is closed,
none waits for a date and no document is made. One request in 20 is told by mail, the persons of the others have died: 2·10⁵ mails
would take the mailbox many minutes. Intake gets so many POSTs over HTTP, 64 at a time, of as many different people; its relay
sends three records of each to Kafka. Memory is read when nothing is left to consume, to send or to tell.

Not tried here, as it would take an hour: the same requests driven through all four (the part `chain` does that with fewer).
`PELANGI_BENCH_REQUESTS=10000` tries all with fewer.
"""

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil
import uvloop

from tests.bench.figures import Figure, Say, at_most
from tests.bench.flood import flood, posts
from tests.bench.http import bodies
from tests.bench.rig import Rig, rig
from tests.bench.stock import request_closed, request_created, request_details
from tests.conftest import RunningMailbox
from tests.support.service import ServiceProcess

REQUESTS = int(os.environ.get("PELANGI_BENCH_REQUESTS", "100_000"))
GOAL = 1.1
CONSUMING = ("scheduling", "issuance", "notify")
FACTS = 3
TOLD_ONE_IN = 20
CHUNK = 5_000
AT_ONCE, SLICE_S = 64, 1.0
LOOKS, LOOK_S, SETTLED_S = 3, 2.5, 1800.0
"""Gauges are set every 2 s."""

Marks = dict[str, list[float]]
"""MB by service: at rest, after one half and after both."""
_SUM = re.compile(r"^(pelangi_\w+)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


def measure(folder: Path, say: Say) -> list[Figure]:
    """Memory at each mark, and the growth between the last two."""
    marks: Marks = {}
    mailbox = RunningMailbox(folder / "mailbox")
    mailbox.start()
    try:
        with rig(folder) as parts:
            _measure_consuming(parts, mailbox, marks, say)
            _measure_intake(parts, marks, say)
    finally:
        mailbox.stop()
    return [_figure(name, *mb) for name, mb in marks.items()]


def _figure(name: str, rest: float, half: float, whole: float) -> Figure:
    note = f"{rest:.0f} MB at rest, {half:.0f} MB after {REQUESTS:,}, {whole:.0f} MB after {2 * REQUESTS:,} requests"
    return at_most(f"{name}: memory after {2 * REQUESTS:,} ÷ after {REQUESTS:,} requests", whole / half, GOAL, note=note)


def _measure_consuming(parts: Rig, mailbox: Any, marks: Marks, say: Say) -> None:
    """The three that read requests from Kafka, at once."""
    smtp = {"NOTIFY_SMTP_PORT": str(mailbox.smtp_port), "NOTIFY_MAILBOX_URL": mailbox.http_url}
    services = [ServiceProcess(name, parts.kafka, parts.database, env=smtp) for name in CONSUMING]
    try:
        for service in services:
            service.start()
        _mark(services, marks, "at rest", say)
        for half in (1, 2):
            _produce(parts, range((half - 1) * REQUESTS, half * REQUESTS))
            _settle(services, lambda page, half=half: page["pelangi_records_total"] >= FACTS * half * REQUESTS)
            _mark(services, marks, f"{half * REQUESTS:,} requests", say)
    finally:
        for service in services:
            service.stop()


def _produce(parts: Rig, numbers: Sequence[int]) -> None:
    """The facts of these requests; the closing first, so that scheduling seldom plans what is over."""
    for at in range(0, len(numbers), CHUNK):
        chunk = numbers[at : at + CHUNK]
        details = [request_details(n, told=n % TOLD_ONE_IN == 0) for n in chunk]
        parts.produce("admin", [request_closed(n) for n in chunk])
        parts.produce("admin", [*details, *(request_created(n) for n in chunk)])


def _measure_intake(parts: Rig, marks: Marks, say: Say) -> None:
    """Intake over HTTP, and its relay."""
    requests = posts("/v1/requests", bodies(2 * REQUESTS))
    with ServiceProcess("intake", parts.kafka, parts.database) as intake:
        intake.start()
        _mark([intake], marks, "at rest", say)
        for half in (1, 2):
            uvloop.run(_file(intake, requests, half * REQUESTS))
            _settle([intake], lambda page, half=half: page["pelangi_requests_total"] >= half * REQUESTS)
            _mark([intake], marks, f"{half * REQUESTS:,} requests", say)


async def _file(intake: ServiceProcess, requests: Iterator[bytes], wanted: int) -> None:
    """Until so many have been accepted, or up to a slice more."""
    while _page(intake)["pelangi_requests_total"] < wanted:
        tally = await flood(intake.port, requests, AT_ONCE, SLICE_S)
        if tally.others:
            raise RuntimeError(f"not everything was accepted: {tally.others}")


def _settle(services: Sequence[ServiceProcess], arrived: Callable[[Counter[str]], bool]) -> None:
    """Until everything has arrived and nothing is left to consume, to send or to tell, some looks in a row."""
    deadline, still = time.monotonic() + SETTLED_S, 0
    while still < LOOKS:
        assert time.monotonic() < deadline, "the backlog did not end"
        time.sleep(LOOK_S)
        still = still + 1 if all(arrived(page) and not _left(page) for page in map(_page, services)) else 0


def _left(page: Counter[str]) -> float:
    return page["pelangi_consumer_lag_records"] + page["pelangi_outbox_pending_cases"] + page["pelangi_messages_due_cases"]


def _page(service: ServiceProcess) -> Counter[str]:
    """The service's metrics: sums over all labels by name."""
    sums: Counter[str] = Counter()
    for name, value in _SUM.findall(httpx.get(f"{service.url}/metrics", timeout=60).text):
        sums[name] += float(value)  # type: ignore[assignment]  # a Counter of floats adds just as well
    return sums


def _mark(services: Sequence[ServiceProcess], marks: Marks, when: str, say: Say) -> None:
    seen = {service.name: psutil.Process(service.child.pid).memory_info().rss / 1e6 for service in services}
    for name, mb in seen.items():
        marks.setdefault(name, []).append(mb)
    say(f"{when}: " + ", ".join(f"{name} {mb:.1f} MB" for name, mb in seen.items()))
