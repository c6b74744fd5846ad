"""POST → readable by a `read_committed` subscriber, at half load, ÷ a bare transactional produce → consume at the same rate.

Half load: half of what `POST /v1/requests` takes with 64 at once, measured first. Both sides are open loops: one event every
1/rate s, whatever became of those before, and its time counts from the moment it was due. Ours: `pelangi up` with Kafka, store
and intake; the subscriber reads `request-created.v1`. Bare: an aiokafka producer in this process sends as many bytes,
everything that waits in one transaction, again and again, to a topic with as many partitions; the subscriber is the same.
Rounds alternate, the first of each is thrown away; the percentiles are of all others together.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvloop
from aiokafka import AIOKafkaProducer
from confluent_kafka.admin import AdminClient, NewTopic

from pelangi.contracts.topics import DATA_PARTITIONS, REQUEST_CREATED
from pelangi.local.private import PrivateStack
from tests.bench.figures import Figure, Say, at_most
from tests.bench.spread import percentile, steadily
from tests.bench.subscribing import ADMIN, Subscriber, login
from tests.bench.wire import Wire
from tests.support.bodies import body

BARE = "bench-bare"
BYTES = 400
AT_ONCE = 64
WARM_S = 10.0
"""The store stalls once, 10 to 20 s after it starts: what is measured comes later."""
FULL_S, ROUND_S, ROUNDS = 5.0, 8.0, 4
BODY = json.dumps(body()).encode()


def measure(folder: Path, say: Say) -> list[Figure]:
    """The ratio of the two p99, and both sides."""
    parts = ("kafka", "database", "intake")
    with PrivateStack(folder / "up", [a for p in parts for a in ("--only", p)]) as stack:
        return uvloop.run(_measure(stack, say))


async def _measure(stack: PrivateStack, say: Say) -> list[Figure]:
    _make_topic(stack.bootstrap)
    wire = Wire(stack.ports["intake"])
    await _full(wire, WARM_S)
    most = await _full(wire, FULL_S)
    rate = most / 2
    say(f"{most:.0f} requests/s with {AT_ONCE} at once; half of it from here on")
    await _drained(wire)
    async with _producer(stack.bootstrap) as producer:
        bare, ours = _Bare(producer), _Ours(wire)
        sides: dict[str, list[float]] = {"bare": [], "ours": []}
        for number in range(ROUNDS):
            for name, send in (("bare", bare.send), ("ours", ours.send)):
                times = await _round(stack.bootstrap, BARE if name == "bare" else REQUEST_CREATED, rate, send)
                say(f"{name}: p50 {percentile(times, 0.5) * 1e3:.1f} ms, p99 {percentile(times, 0.99) * 1e3:.1f} ms")
                if number:
                    sides[name] += times
        await bare.stop()
    wire.close()
    return list(_figures(sides["ours"], sides["bare"], rate))


def _figures(ours: list[float], bare: list[float], rate: float) -> Iterable[Figure]:
    for share, name in ((0.99, "p99"), (0.5, "p50")):
        mine, floor = percentile(ours, share) * 1e3, percentile(bare, share) * 1e3
        note = f"{mine:.1f} ms ÷ {floor:.1f} ms, {rate:.0f} events/s, {len(ours)} and {len(bare)} of them"
        label = f"POST → readable ÷ bare transactional produce → consume, {name}"
        yield at_most(label, mine / floor, 2, note=note) if name == "p99" else Figure(label, mine / floor, note=note)


async def _full(wire: Wire, seconds: float) -> float:
    """Requests per second with `AT_ONCE` at once."""
    until, count = time.monotonic() + seconds, 0

    async def client() -> None:
        nonlocal count
        while time.monotonic() < until:
            reply = await wire.post("/v1/requests", BODY, str(uuid4()))
            assert reply.status == 201, reply
            count += 1

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return count / seconds


async def _drained(wire: Wire) -> None:
    """Until nothing waits in the outbox."""
    for _ in range(600):
        page = (await wire.get("/metrics")).body.decode()
        if "\npelangi_outbox_pending_cases 0.0" in page:
            return
        await asyncio.sleep(0.1)
    raise RuntimeError("the outbox did not become empty")


async def _round(bootstrap: str, topic: str, rate: float, send: Callable[[], Awaitable[str]]) -> list[float]:
    """Seconds from due to readable of each event of a round. send: one event; its record key."""
    due_of: dict[str, float] = {}
    seen: dict[str, float] = {}

    def note(message: Any, at: float) -> None:
        seen.setdefault(message.key().decode(), at)

    async def event(due: float) -> None:
        due_of[await send()] = due

    with Subscriber(bootstrap, (topic,), note):
        await steadily(rate, ROUND_S, event)
        deadline = time.monotonic() + 20
        while not due_of.keys() <= seen.keys():
            assert time.monotonic() < deadline, "an event was never read"
            await asyncio.sleep(0.05)
    return [seen[key] - due for key, due in due_of.items()]


class _Ours:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def send(self) -> str:
        reply = await self._wire.post("/v1/requests", BODY, str(uuid4()))
        assert reply.status == 201, reply
        return str(json.loads(reply.body)["request_id"])


class _Bare:
    """Whatever waits goes in one transaction, and the next begins at once."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._waiting: list[str] = []
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def send(self) -> str:
        key = str(uuid4())
        self._waiting.append(key)
        self._wake.set()
        return key

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            keys, self._waiting = self._waiting, []
            async with self._producer.transaction():
                await asyncio.gather(*[await self._producer.send(BARE, bytes(BYTES), key=key.encode()) for key in keys])


def _producer(bootstrap: str) -> AIOKafkaProducer:
    plain = login(bootstrap)
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=ADMIN,
        sasl_plain_password=plain["sasl.password"],
        transactional_id="bench-bare",
        transaction_timeout_ms=10_000,
        linger_ms=0,
        max_batch_size=256 * 1024,
    )


def _make_topic(bootstrap: str) -> None:
    config = {"message.timestamp.type": "LogAppendTime"}
    admin = AdminClient(login(bootstrap))
    (done,) = admin.create_topics([NewTopic(BARE, DATA_PARTITIONS, 1, config=config)]).values()
    done.result(20)
