"""Reading ahead on a real broker: a batch is put back with the next one already read; nothing is skipped, nothing overtakes."""

import asyncio
from collections import defaultdict
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer, TopicPartition

from pelangi.chassis import kafka as chassis_kafka
from pelangi.chassis.subscriber import Subscriber
from pelangi.contracts.examples import EXAMPLES
from pelangi.contracts.topics import DATA_PARTITIONS, ITEM_CLOSED
from services.notify.app import Settings
from tests.support.records import Raw, produce, record

COUNT = 3 * chassis_kafka.BATCH_RECORDS + 100


def records() -> list[Raw]:
    example: Any = EXAMPLES[ITEM_CLOSED]
    made = (record(ITEM_CLOSED, example.model_copy(update={"request_id": str(uuid4())}), 1) for _ in range(COUNT))
    return [each.but(partition=at % DATA_PARTITIONS) for at, each in enumerate(made)]


async def test_a_batch_that_is_put_back_takes_the_next_one_along(kafka: Any, database: Any) -> None:
    written = {(r.partition, r.offset) for r in produce(kafka, "issuance", records())}
    group = f"notify.{uuid4().hex[:8]}"
    settings = Settings(kafka_bootstrap=kafka.bootstrap, mongo_uri=database.uri("notify"))
    settings = settings.model_copy(update={"name": group, "kafka_user": "notify"})
    handled: dict[int, list[int]] = defaultdict(list)
    batches, faults, done = 0, 0, asyncio.Event()

    async def handle(batch: Any) -> None:
        nonlocal batches, faults
        batches += 1
        subscriber.read_ahead()
        await asyncio.sleep(0.05)  # the write; the next batch is in by then
        if batches in (2, 4):
            faults += 1
            raise ConnectionError("the store is away")
        for each in batch:
            handled[each.partition].append(each.offset)
        if written <= {(partition, offset) for partition, offsets in handled.items() for offset in offsets}:
            done.set()

    subscriber = Subscriber(settings, [ITEM_CLOSED], handle)
    await subscriber.start()
    try:
        async with asyncio.timeout(30):
            await done.wait()
            await asyncio.sleep(0.2)  # its commit
    finally:
        await subscriber.stop()
    assert faults == 2
    for partition, offsets in handled.items():
        assert offsets == sorted(set(offsets)), f"partition {partition}: something twice, or out of order"
    assert committed(kafka, group) == {partition: offsets[-1] + 1 for partition, offsets in handled.items()}


def committed(kafka: Any, group: str) -> dict[int, int]:
    consumer = Consumer({**kafka.login("notify"), "group.id": group})
    try:
        asked = [TopicPartition(ITEM_CLOSED, partition) for partition in range(DATA_PARTITIONS)]
        return {p.partition: p.offset for p in consumer.committed(asked, timeout=20) if p.offset >= 0}
    finally:
        consumer.close()
