"""The topics as a city service may read them, on real Kafka: committed records only, in log order, each once."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pelangi.audit import AuditOptions
from pelangi.audit.audit import audit
from pelangi.audit.topic_reader import public_reader
from pelangi.contracts.topics import DOCUMENT_ISSUED
from tests.unit.audit import stories


def producer(bootstrap: str) -> AIOKafkaProducer:
    """Issuance's relay."""
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username="issuance",
        sasl_plain_password="issuance-dev",
        transactional_id="relay-issuance",
        transaction_timeout_ms=10_000,
    )


async def send(sender: AIOKafkaProducer, number: int) -> None:
    record = stories.home().records[0]
    await sender.send_and_wait(
        DOCUMENT_ISSUED, value=f"{number}".encode(), key=stories.uid("reader", number).encode(), headers=list(record.headers)
    )


async def wait_for_the_user(bootstrap: str) -> None:
    """A user that was just made is known to the broker a moment later."""
    async with asyncio.timeout(20):
        while True:
            try:
                async with public_reader(AuditOptions(kafka_bootstrap=bootstrap)):
                    return
            except KafkaError:
                await asyncio.sleep(0.2)


async def test_committed_records_are_read_once_and_in_order(kafka: Any) -> None:
    await wait_for_the_user(kafka.bootstrap)
    mine = {stories.uid("reader", number): number for number in range(100)}
    async with public_reader(AuditOptions(kafka_bootstrap=kafka.bootstrap)) as reader:
        before = await reader.read_new()
        assert not [record for record in before if record.request_id in mine]
        sender = producer(kafka.bootstrap)
        await sender.start()
        try:
            async with sender.transaction():
                for number in range(50):
                    await send(sender, number)
            await sender.begin_transaction()
            await send(sender, 50)
            await sender.abort_transaction()
            async with sender.transaction():
                await send(sender, 51)
        finally:
            await sender.stop()
        read = [record for record in await reader.read_new() if record.request_id in mine]
        assert sorted(mine[record.request_id] for record in read) == [*range(50), 51]
        assert len({(record.partition, record.offset) for record in read}) == 51
        assert all(read[0].headers == stories.home().records[0].headers for record in read)
        assert await reader.read_new() == []


async def test_nobody_reads_without_the_password(kafka: Any) -> None:
    with pytest.raises(KafkaError):
        async with public_reader(AuditOptions(kafka_bootstrap=kafka.bootstrap, kafka_password="guess")):
            pass


async def test_a_broker_that_is_away_is_a_finding() -> None:
    report = await audit(AuditOptions(kafka_bootstrap="127.0.0.1:1", settle_s=0.1), [])
    assert report.by_code() == {"source-missing": 1}
    assert "kafka" in report.findings[0].detail
