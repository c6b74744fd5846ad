"""Every crash point in every service that has it, under a load; then the whole log is consumed once more."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import TopicPartition

from pelangi.chassis.provision import admin_client, development_password
from pelangi.chassis.rewind import rewind
from pelangi.contracts.topics import TOPICS
from pelangi.local.kafka import ADMIN
from pelangi.local.private import PrivateStack
from tests.faults import chaos
from tests.faults.crashing import Points, documents, expel_the_dead, points_of, services_away
from tests.faults.killer import SERVICES
from tests.faults.metrics import STARTED, come_to_rest, scrape, total
from tests.faults.report import Result, keep, whole
from tests.support.city import wait_for

REQUESTS, SEED = int(os.environ.get("PELANGI_FAULT_REQUESTS", "300")) if whole() else 24, 81
SHORT = {
    "intake": ["command.after-write", "consumer.half-updated"],
    "scheduling": ["booking.after-booked"],
    "issuance": ["relay.after-send"],
    "notify": ["send.after-claim"],
}
"""One or two of each, for the rest is tried on single services: test_consumer_crashes, test_relay_fencing."""
LAP_S = 900.0


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Points:
    wanted = {service: points_of(service) for service in SERVICES} if whole() else SHORT
    return Points(tmp_path_factory.mktemp("points"), wanted)


@pytest.fixture(scope="module")
def stack(points: Points, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateStack]:
    with PrivateStack(tmp_path_factory.mktemp("crashes"), env=points.env) as running:
        yield running


def test_every_crash_point_of_every_service(stack: PrivateStack, points: Points) -> None:
    wanted = sum(map(len, points.left().values()))
    started = {name: total(scrape(stack.url(name)), STARTED) for name in SERVICES}

    async def act() -> chaos.Outcome:
        expelling = asyncio.create_task(expel_the_dead(stack))
        accepted: list[Any] = []
        problems: Counter[str] = Counter()
        until, lap = time.monotonic() + LAP_S, 0
        try:
            while lap == 0 or (points.left() and time.monotonic() < until):
                more, odd = await chaos.lives(REQUESTS, SEED + lap)(stack)
                accepted += more
                problems += odd
                lap += 1
            reached = wanted - sum(map(len, points.left().values()))
            result = Result("crash at every point of every service", reached, len(accepted), seed=SEED)
            return await chaos.checked(stack, result, accepted, problems)
        finally:
            expelling.cancel()

    outcome = asyncio.run(act())
    moved = {f"{STARTED} {n}": total(scrape(stack.url(n)), STARTED) - started[n] for n in SERVICES}
    keep(Result(**{**{f: getattr(outcome.result, f) for f in Result.__slots__}, "metrics": moved}))
    assert points.left() == {}, "points that nobody came to"
    assert all(moved.values()), moved
    outcome.assert_clean()


def test_the_whole_log_consumed_again_changes_nothing(stack: PrivateStack, points: Points) -> None:
    """Every group of the system back at the first record: no document changes, nothing is sent, told or set aside."""
    points.forget()
    before, ends, mails = quiet_documents(stack), end_offsets(stack), mail_count(stack)
    admin = admin_client(stack.bootstrap, ADMIN, development_password(ADMIN))
    with services_away(stack):
        records = sum(topic.records for name in SERVICES for topic in rewind(admin, name))
    assert records > REQUESTS
    wait_for(lambda: all(consumed(stack, name) > 0 for name in SERVICES), 120, "the first records again")
    come_to_rest(*(stack.url(name) for name in SERVICES))
    after = quiet_documents(stack)
    changed = {key[:2] for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert changed == set()
    assert end_offsets(stack) == ends, "an event, or a dead letter, was sent"
    assert mail_count(stack) == mails
    again = {f"pelangi_records_total {name}": consumed(stack, name) for name in SERVICES}
    keep(Result("the whole log consumed again", len(SERVICES), 0, metrics=again))


def quiet_documents(stack: PrivateStack) -> dict[Any, dict[str, Any]]:
    """All documents, once they have not changed for a while."""
    known = documents(stack)
    for _ in range(30):
        time.sleep(1.5)
        now = documents(stack)
        if now == known:
            return known
        known = now
    raise AssertionError("the system does not come to rest")


def consumed(stack: PrivateStack, service: str) -> float:
    return total(scrape(stack.url(service)), "pelangi_records_total")


def end_offsets(stack: PrivateStack) -> dict[tuple[str, int], int]:
    """Where each topic ends: a message, a marker of a transaction, anything at all moves it."""
    from aiokafka import AIOKafkaConsumer

    async def read() -> dict[tuple[str, int], int]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=stack.bootstrap,
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_plain_username=ADMIN,
            sasl_plain_password=development_password(ADMIN),
        )
        await consumer.start()
        try:
            wanted = [TopicPartition(t.name, n) for t in TOPICS for n in range(t.partitions)]
            return {(p.topic, p.partition): end for p, end in (await consumer.end_offsets(wanted)).items()}
        finally:
            await consumer.stop()

    return asyncio.run(read())


def mail_count(stack: PrivateStack) -> int:
    import httpx

    total_: int = httpx.get(f"{stack.url('mailbox')}/api/messages", timeout=10).json()["total"]
    return total_
