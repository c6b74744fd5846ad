"""Faults that a review found: one bad thing must never stop, strand or drain everything around it."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from pelangi.chassis import dead_letters, leader, running
from pelangi.chassis.consumer import MAX_SAME_EXCEPTIONS, HandlerBug
from pelangi.chassis.decode import Broken
from pelangi.chassis.leader import Lease, keep_leading
from pelangi.chassis.relay import BYTES_PER_CYCLE
from pelangi.chassis.settings import development_key, key_ring
from pelangi.contracts.topics import MAX_MESSAGE_BYTES
from tests.support.memory_store import MemoryCollection
from tests.support.records import record
from tests.unit.chassis.test_consumer import VISITS, Rig, closed
from tests.unit.chassis.test_relay import Producer, cases, mark, relay, store  # noqa: F401 - fixtures

KEYS = key_ring(SecretStr(development_key("intake.dlq")))


async def test_a_header_without_a_value_is_one_dead_letter() -> None:
    rig = Rig()
    bad = closed(1)
    bad.headers[2] = (bad.headers[2][0], None)  # type: ignore[call-overload]
    await rig.handle(bad, closed(2))
    assert [(reason, error) for _, reason, error in rig.letters] == [("decode", "AttributeError")]
    assert rig.seen(2)


async def test_a_key_that_is_no_id_never_reaches_the_clear_headers() -> None:
    rig = Rig()
    await rig.handle(closed(1).but(key=b"Siti Contoh 0812"))
    (letter,) = rig.letters
    assert letter[1] == "envelope"


async def test_null_on_a_topic_without_tombstones_is_no_bug_of_ours() -> None:
    rig = Rig()
    await rig.handle(closed(1).but(value=None))
    assert [reason for _, reason, _ in rig.letters] == ["schema"]


async def test_a_bug_in_one_topic_stops_although_another_topic_goes_well() -> None:
    rig = Rig()
    mixed = [
        r
        for at in range(MAX_SAME_EXCEPTIONS)
        for r in (closed(at, outcome="REJECTED"), record("visit-details.v1", VISITS, at + 1))
    ]
    with pytest.raises(HandlerBug):
        await rig.handle(*mixed)
    assert rig.letters == []


@pytest.mark.parametrize(("size", "left"), [(1_000_000, False), (MAX_MESSAGE_BYTES - 4096, True)])
def test_a_dead_letter_fits_its_topic_and_gives_back_the_exact_record(size: int, left: bool) -> None:
    raw = closed(1).but(value=bytes(range(256)) * (size // 256))
    token = dead_letters.seal(raw, KEYS, topic="intake.dlq")
    assert len(token) < MAX_MESSAGE_BYTES
    original = dead_letters.unseal(token, KEYS, topic="intake.dlq", key=dead_letters.coordinates(raw))
    assert (original.key, original.headers, original.left_on_topic) == (raw.key, raw.headers, left)
    assert original.value == (None if left else raw.value)


async def test_a_case_that_cannot_be_rendered_holds_up_nobody_else(cases: MemoryCollection, relay: Any) -> None:  # noqa: F811
    def explode(case: Any) -> Any:
        raise ValueError(case["_id"])

    relay.snapshots = {**relay.snapshots, "visit-details.v1": explode}
    bad, good = str(uuid4()), str(uuid4())
    await store(cases, lambda c: mark(c, "visit-details.v1"), id=bad)
    await store(cases, lambda c: mark(c, "request-details.v1"), id=good)
    producer: Any = Producer()
    assert await relay.cycle(producer) == 1
    assert [key for _, _, key, _ in producer.committed] == [good.encode()]
    assert "pending_since" in cases.documents[bad]
    assert await relay.cycle(producer) == 0  # it waits, and does not fill the page


async def test_one_cycle_is_bounded_in_bytes(cases: MemoryCollection, relay: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    for _ in range(6):
        await store(cases, lambda c: mark(c, "request-details.v1"), id=str(uuid4()))
    half = type("Half", (), {"size": BYTES_PER_CYCLE // 2})
    monkeypatch.setattr(type(relay), "_records", lambda *_: [half()])
    sent, _ = await relay._render(await cases.find({}))
    assert len(sent) == 3  # what passes the limit ends the transaction


async def test_a_leadership_that_hangs_does_not_keep_this_replica_from_leading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "END_S", 0.05)
    begun, stop, release = 0, asyncio.Event(), asyncio.Event()

    async def lead() -> None:
        nonlocal begun
        begun += 1
        if begun > 1:
            stop.set()
            return
        try:
            raise RuntimeError("the store hiccups")
        finally:
            while not release.is_set():  # as a producer that waits for a Kafka that is away, deaf to cancelling
                try:
                    await asyncio.wait_for(release.wait(), 0.01)
                except (TimeoutError, asyncio.CancelledError):
                    continue

    lease = Lease(MemoryCollection(), ttl_s=0.1)
    renewals = iter([True, False])
    monkeypatch.setattr(Lease, "renew", lambda _: _answer(next(renewals, True)))
    async with asyncio.timeout(5):
        await keep_leading(lease, lead, stop=stop)
    release.set()
    assert begun == 2


async def _answer(value: bool) -> bool:
    return value


async def test_a_broken_dead_letter_producer_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    class Broker:
        """A producer whose first one is broken for ever."""

        def __init__(self) -> None:
            self.broken, self.sent, self.stopped = not made, 0, False
            made.append(self)

        async def start(self) -> None: ...

        async def stop(self) -> None:
            self.stopped = True

        async def send_and_wait(self, *_: Any, **__: Any) -> None:
            if self.broken:
                raise RuntimeError("out of order sequence")
            self.sent += 1

    monkeypatch.setattr(running.kafka, "make_producer", lambda _: Broker())
    process: Any = running.Running.__new__(running.Running)
    process._dead_letter_producer, process._dead_letter_keys = None, KEYS
    process.settings = type("Settings", (), {"name": "intake"})()
    with pytest.raises(RuntimeError):
        await process._set_aside(closed(1), Broken("schema", "ValidationError"))
    await process._set_aside(closed(1), Broken("schema", "ValidationError"))
    assert [(b.stopped, b.sent) for b in made] == [(True, 0), (False, 1)]
