"""Reads the public topics as any city service may: from the first record to the last committed one."""

import asyncio
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from pelangi.audit.history import PUBLIC_TOPICS, Record
from pelangi.audit.options import AuditOptions
from pelangi.contracts.topics import DATA_PARTITIONS, MAX_MESSAGE_BYTES

READ_LIMIT_S = 60.0


class TopicReader:
    """A consumer without a group: it commits nothing and disturbs nobody."""

    def __init__(self, options: AuditOptions) -> None:
        self._partitions = [TopicPartition(topic, number) for topic in PUBLIC_TOPICS for number in range(DATA_PARTITIONS)]
        self._unread: list[Record] = []
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=options.kafka_bootstrap,
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_plain_username=options.kafka_user,
            sasl_plain_password=options.kafka_password,
            client_id=f"{options.kafka_user}.audit",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
        )

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
            self._consumer.assign(self._partitions)
            await self._consumer.seek_to_beginning(*self._partitions)
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._consumer.stop()

    async def read_new(self) -> list[Record]:
        """What was committed since the last call; at the first call everything. In log order within a partition.

        Raises TimeoutError where the end is not reached in time, for example behind a transaction that hangs.
        """
        async with asyncio.timeout(READ_LIMIT_S):
            ends: dict[TopicPartition, int] = await self._consumer.end_offsets(self._partitions)
            while await self._behind(ends):
                batches = await self._consumer.getmany(timeout_ms=200)
                self._unread += [_record(message) for batch in batches.values() for message in batch]
        records, self._unread = self._unread, []
        return records

    async def _behind(self, ends: dict[TopicPartition, int]) -> bool:
        for partition, end in ends.items():
            if await self._consumer.position(partition) < end:
                return True
        return False


def _record(message: object) -> Record:
    """A consumer record as evidence."""
    fields = {name: getattr(message, name) for name in ("topic", "partition", "offset", "key", "headers", "value")}
    return Record(
        topic=fields["topic"],
        partition=fields["partition"],
        offset=fields["offset"],
        key=fields["key"] or b"",
        headers=tuple((name, bytes(value or b"")) for name, value in fields["headers"]),
        value=fields["value"] or b"",
    )
