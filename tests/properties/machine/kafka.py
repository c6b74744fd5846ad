"""Kafka in memory: logs, groups with committed offsets and generations, transactions fenced by their id, read_committed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaConnectionError, ProducerFenced

from pelangi.contracts.topics import TOPICS
from tests.properties.machine.tally import TALLY

PARTITIONS = 3
"""Of every data topic here: enough to be shared by two replicas."""

OPEN, COMMITTED, ABORTED = "open", "committed", "aborted"


@dataclass(slots=True)
class Transaction:
    state: str = OPEN


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as a consumer gets it; `of` is the transaction that it was sent in."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    of: Transaction


@dataclass(slots=True)
class Group:
    """A consumer group: who is in it, and how far each partition was handled."""

    members: list["Consumer"] = field(default_factory=list)
    committed: dict[TopicPartition, int] = field(default_factory=dict)
    generation: int = 0
    delivered: dict[TopicPartition, int] = field(default_factory=dict)


class Kafka:
    """One cluster."""

    def __init__(self) -> None:
        counts = {t.name: 1 if t.name.endswith(".dlq") else PARTITIONS for t in TOPICS}
        self.logs: dict[TopicPartition, list[Entry]] = {TopicPartition(t, p): [] for t, n in counts.items() for p in range(n)}
        self.counts = counts
        self.groups: dict[str, Group] = {}
        self.epochs: dict[str, int] = {}
        self.open: dict[str, Transaction] = {}

    def append(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]], of: Any = None
    ) -> Entry:
        """Write one record; without a transaction it is committed at once."""
        where = TopicPartition(topic, crc32(key or b"") % self.counts[topic])
        log = self.logs[where]
        entry = Entry(topic, where.partition, len(log), key, value, list(headers), of or Transaction(COMMITTED))
        log.append(entry)
        return entry

    def readable(self, where: TopicPartition) -> int:
        """The last stable offset: a transaction that is still open hides what follows it."""
        log = self.logs[where]
        return next((e.offset for e in log if e.of.state == OPEN), len(log))

    def committed(self, topic: str) -> list[Entry]:
        """What a reader of committed records gets, each partition in order."""
        logs = (log for where, log in self.logs.items() if where.topic == topic)
        return [e for log in logs for e in log if e.of.state == COMMITTED]

    def begin(self, transactional_id: str) -> int:
        """What a producer's `init` does: a new epoch; whatever its id had open is aborted."""
        self.epochs[transactional_id] = self.epochs.get(transactional_id, 0) + 1
        if left := self.open.pop(transactional_id, None):
            left.state = ABORTED
        return self.epochs[transactional_id]

    def rebalance(self, name: str) -> None:
        """Share the partitions out anew, in ranges; members learn it at their next poll."""
        group = self.groups[name]
        group.generation += 1

    def lag(self, name: str, topics: Sequence[str]) -> int:
        """Readable records that the group has not committed."""
        done = self.groups[name].committed if name in self.groups else {}
        return sum(self.readable(w) - done.get(w, 0) for w in self.logs if w.topic in topics)


class Consumer:
    """A member of a group. It holds what it was given until it polls again, as one that is paused does."""

    def __init__(self, kafka: Kafka, group: str, topics: Sequence[str], process: Any) -> None:
        self._kafka, self._name, self._topics, self._process = kafka, group, topics, process
        self._group = kafka.groups.setdefault(group, Group())
        self._generation = -1
        self._at: dict[TopicPartition, int] = {}

    def join(self) -> None:
        self._group.members.append(self)
        self._kafka.rebalance(self._name)

    def leave(self) -> None:
        if self in self._group.members:
            self._group.members.remove(self)
            self._kafka.rebalance(self._name)

    def assignment(self) -> set[TopicPartition]:
        return set(self._at)

    async def position(self, where: TopicPartition) -> int:
        return self._at[where]

    def seek(self, where: TopicPartition, offset: int) -> None:
        self._at[where] = offset

    async def commit(self, ends: dict[TopicPartition, int]) -> None:
        """Refused to a member whose partitions were shared out anew."""
        await self._process.io()
        if self._generation != self._group.generation or self not in self._group.members:
            raise CommitFailedError("rebalanced")
        self._group.committed |= ends
        await self._process.io()

    async def poll(self) -> tuple[Entry, ...]:
        """A few records of some of its partitions, as the network happens to bring them; order is kept in a partition only."""
        await self._process.io()
        if self not in self._group.members:  # expelled while it was paused
            self.join()
        if self._generation != self._group.generation:
            self._take_over()
        rng, records = self._process.rng, list[Entry]()
        for where in rng.sample(sorted(self._at), len(self._at)):
            if rng.random() < 0.25:
                continue
            end = min(self._kafka.readable(where), self._at[where] + rng.randint(1, 6))
            records += [e for e in self._kafka.logs[where][self._at[where] : end] if e.of.state == COMMITTED]
            TALLY["redelivered"] += max(0, min(end, self._group.delivered.get(where, 0)) - self._at[where])
            self._group.delivered[where] = max(end, self._group.delivered.get(where, 0))
            self._at[where] = end
        return tuple(records)

    def _take_over(self) -> None:
        self._generation = self._group.generation
        mine, others = self._group.members.index(self), len(self._group.members)
        wheres = [w for w in self._kafka.logs if w.topic in self._topics and w.partition % others == mine]
        self._at = {w: self._group.committed.get(w, 0) for w in wheres}


class Producer:
    """An AIOKafkaProducer as far as the chassis uses it."""

    def __init__(self, kafka: Kafka, process: Any, transactional_id: str | None) -> None:
        self._kafka, self._process, self._id = kafka, process, transactional_id
        self._epoch = 0

    async def start(self) -> None:
        await self._process.io()
        if self._id:
            self._epoch = self._kafka.begin(self._id)
        await self._process.io()

    async def stop(self) -> None:
        return None

    def _require_newest(self) -> None:
        if self._id and self._kafka.epochs[self._id] != self._epoch:
            TALLY["fenced"] += 1
            raise ProducerFenced

    async def begin_transaction(self) -> None:
        self._require_newest()
        assert self._id
        self._kafka.open[self._id] = Transaction()

    async def send(self, topic: str, value: bytes | None, *, key: bytes, headers: Any) -> "asyncio.Future[Entry]":
        of = self._kafka.open[self._id] if self._id else None
        return asyncio.ensure_future(self._deliver(topic, value, key, headers, of))

    async def _deliver(self, topic: str, value: bytes | None, key: bytes, headers: Any, of: Transaction | None) -> Entry:
        self._require_newest()
        entry = self._kafka.append(topic, key, value, headers, of)  # at once: an idempotent producer keeps the order of sending
        await self._process.io()
        return entry

    async def send_and_wait(self, topic: str, value: bytes, *, key: bytes, headers: Any) -> Entry:
        await self._process.io()
        entry = self._kafka.append(topic, key, value, headers)
        await self._process.io()
        self._process.world.may_fail(KafkaConnectionError())
        return entry

    async def commit_transaction(self) -> None:
        """Its answer can be lost, before or behind the commit."""
        await self._process.io()
        self._require_newest()
        assert self._id
        self._process.world.may_fail(KafkaConnectionError())
        self._kafka.open.pop(self._id).state = COMMITTED
        await self._process.io()
        self._process.world.may_fail(KafkaConnectionError())
