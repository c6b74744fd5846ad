"""What is subscribed and published is exactly what is declared; FastStream's own view says the same."""

import importlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faststream import AckPolicy
from faststream.kafka import TestKafkaBroker
from faststream.specification import AsyncAPI

from pelangi.chassis.clock import SystemClock
from pelangi.chassis.kafka import subscription
from pelangi.chassis.running import Running
from pelangi.contracts.asyncapi import asyncapi
from pelangi.contracts.events import MODELS
from pelangi.contracts.examples import EXAMPLES
from pelangi.contracts.topics import REQUEST_SUBMITTED, SERVICES, read_by, written_by
from tests.support.records import record

FOLDER = Path(__file__).parents[2] / "services"
PRESENT = [s for s in SERVICES if (FOLDER / s / "app.py").exists()]


def test_all_four_services_are_there() -> None:
    assert list(SERVICES) == PRESENT


@pytest.fixture(params=PRESENT)
async def running(request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """A process of the service, not started; its broker in memory."""
    service = importlib.import_module(f"services.{request.param}.app").make()
    process = Running(service, SystemClock())
    yield process
    await process.runtime.store.close()


def subscribed(running: Running) -> list[str]:
    return [name for s in running.subscriber.broker.subscribers for name in s.topic_names]  # type: ignore[attr-defined]


def published(running: Running) -> list[str]:
    return [p.topic for p in running.subscriber.broker.publishers]  # type: ignore[attr-defined]


def test_subscribed_is_declared(running: Running) -> None:
    name = running.settings.name
    assert sorted(subscribed(running)) == sorted(read_by(name))


def test_published_is_declared(running: Running) -> None:
    assert sorted(published(running)) == sorted(written_by(running.settings.name))


def test_one_batch_subscriber_in_the_group_of_the_services_name(running: Running) -> None:
    (subscriber,) = running.subscriber.broker.subscribers
    assert subscriber.group_id == running.settings.name  # type: ignore[attr-defined]


def test_nothing_is_committed_past_a_failure_and_nothing_uncommitted_is_read() -> None:
    settings = subscription("any")
    assert settings["ack_policy"] is AckPolicy.NACK_ON_ERROR
    assert settings["isolation_level"] == "read_committed"
    assert settings["auto_offset_reset"] == "earliest"
    assert settings["partition_assignment_strategy"] == [RangePartitionAssignor]


def test_every_snapshot_read_has_its_opener_and_every_one_owned_its_rendering(running: Running) -> None:
    details = {t for t in MODELS if t.endswith("-details.v1")}
    assert running.service.openers.keys() == details & set(read_by(running.settings.name))
    assert running.service.snapshots.keys() == details & set(written_by(running.settings.name))


@pytest.mark.parametrize(
    ("service", "topic"),
    [
        ("scheduling", "request-created.v1"),
        ("issuance", "visit-scheduled.v1"),
        ("intake", "document-issued.v1"),
        ("notify", "document-issued.v1"),
    ],
)
def test_the_chain_of_the_main_job(service: str, topic: str) -> None:
    if service in PRESENT:
        assert topic in importlib.import_module(f"services.{service}.app").make().handlers


def test_faststreams_own_view_agrees_with_ours(running: Running) -> None:
    name = running.settings.name
    theirs = AsyncAPI(running.subscriber.broker).to_specification().to_jsonable()
    ours = asyncapi(name)

    def channels(document: dict[str, Any], action: str) -> set[str]:
        refs = [o["channel"]["$ref"].rsplit("/", 1)[-1] for o in document["operations"].values() if o["action"] == action]
        return {document["channels"][ref.replace("~1", "/")]["address"] for ref in refs}

    assert channels(theirs, "receive") == channels(ours, "receive")
    assert {c for c in channels(theirs, "send") if not c.endswith(".dlq")} == channels(ours, "send")


async def test_a_batch_reaches_the_consumer_raw(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """FastStream decodes nothing: a value that is no JSON arrives as the bytes it is."""
    batches: list[Any] = []

    async def handle(records: Any) -> None:
        batches.append(records)

    monkeypatch.setattr(running.subscriber, "_handle", handle)
    topic = subscribed(running)[0]
    async with TestKafkaBroker(running.subscriber.broker) as broker:
        await broker.publish(b"\xff no JSON", topic, key=b"k")
    ((received,),) = batches
    assert (received.topic, received.value, received.key) == (topic, b"\xff no JSON", b"k")


async def test_its_decoder_knows_every_topic_it_reads(running: Running) -> None:
    without_model = {topic for topic in subscribed(running) if topic not in MODELS}
    assert running.service.decoders.keys() == without_model == {REQUEST_SUBMITTED} & set(read_by(running.settings.name))
    for topic in subscribed(running):
        if topic not in {*running.service.openers, *without_model}:
            fact, _ = running.consumer.decoder(record(topic, EXAMPLES[topic], 7))
            assert (fact.type, fact.sequence, fact.data) == (topic, 7, EXAMPLES[topic])
