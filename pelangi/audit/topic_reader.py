"""Reads topics from the first record to the last committed one: the public ones as any city service may."""

import asyncio
import sys
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Generic, Self, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition

from pelangi.audit.history import PUBLIC_TOPICS, Record
from pelangi.audit.options import AuditOptions
from pelangi.audit.sealed import RESTRICTED_TOPICS, Opened, open_record
from pelangi.contracts.envelope import SCHEMA_BASE
from pelangi.contracts.topics import BY_NAME, MAX_MESSAGE_BYTES, SERVICES

READ_LIMIT_S = 60.0


T = TypeVar("T")
Take = Callable[[Record, bool], T]
"""Makes evidence of a record; told whether its value is null."""


class TopicReader(Generic[T]):
    """A consumer without a group: it commits nothing and disturbs nobody. `take` is what is kept of a record."""

    def __init__(self, options: AuditOptions, topics: Iterable[str], login: tuple[str, str], take: Take[T]) -> None:
        self._partitions = [TopicPartition(topic, number) for topic in topics for number in range(BY_NAME[topic].partitions)]
        self._unread: list[T] = []
        self._take = take
        user, password = login
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=options.kafka_bootstrap.split(","),
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_plain_username=user,
            sasl_plain_password=password,
            client_id=f"{user}.audit",
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

    async def read_new(self) -> list[T]:
        """What was committed since the last call; at the first call everything. In log order within a partition.

        Raises TimeoutError where the end is not reached in time, for example behind a transaction that hangs.
        """
        async with asyncio.timeout(READ_LIMIT_S):
            ends: dict[TopicPartition, int] = await self._consumer.end_offsets(self._partitions)
            while await self._behind(ends):
                batches = await self._consumer.getmany(timeout_ms=200)
                for batch in batches.values():
                    self._unread += [self._take(_record(message), message.value is None) for message in batch]
                    await asyncio.sleep(0)
        records, self._unread = self._unread, []
        return records

    async def _behind(self, ends: dict[TopicPartition, int]) -> bool:
        for partition, end in ends.items():
            if await self._consumer.position(partition) < end:
                return True
        return False


def public_reader(options: AuditOptions) -> TopicReader[Record]:
    """A reader of the public topics."""
    return TopicReader(options, PUBLIC_TOPICS, (options.kafka_user, options.kafka_password), lambda record, _: record)


def restricted_reader(options: AuditOptions) -> TopicReader[Opened]:
    """A reader of everything else, each record opened once. Only with keys, and a user that may read all of it."""
    assert options.keys is not None, "asked for only where there are keys"
    keys = options.keys
    login = (options.restricted_user, options.restricted_password)
    return TopicReader(options, RESTRICTED_TOPICS, login, lambda record, null: open_record(record, null, keys))


_CONSTANT = {name.encode(): name.encode() for name in (*BY_NAME, "1.0", "application/json")}
_CONSTANT |= {raw: raw for raw in (f"/services/{service}".encode() for service in SERVICES)}
_CONSTANT |= {raw: raw for raw in (f"{SCHEMA_BASE}/{name}.json".encode() for name in BY_NAME)}


def _record(message: object) -> Record:
    """A consumer record as evidence; what every record repeats is kept once."""
    fields = {name: getattr(message, name) for name in ("topic", "partition", "offset", "key", "headers", "value")}
    key = fields["key"] or b""

    def kept(raw: bytes | None) -> bytes:
        known = bytes(raw or b"")
        return key if known == key else _CONSTANT.get(known, known)

    return Record(
        topic=sys.intern(fields["topic"]),
        partition=fields["partition"],
        offset=fields["offset"],
        key=key,
        headers=tuple((sys.intern(name), kept(value)) for name, value in fields["headers"]),
        value=fields["value"] or b"",
    )
