"""Reading one batch ahead: what is committed, what comes again, and in which order."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import TopicPartition

from pelangi.chassis import read_ahead as module
from pelangi.chassis.read_ahead import ReadAhead

A, B = TopicPartition("t.v1", 0), TopicPartition("t.v1", 1)


@dataclass(frozen=True)
class Record:
    topic: str
    partition: int
    offset: int


@dataclass
class Consumer:
    """Two partitions of a log; gives two records of each partition at a time."""

    log: Mapping[TopicPartition, int] = field(default_factory=lambda: {A: 6, B: 6})
    at: dict[TopicPartition, int] = field(default_factory=lambda: {A: 0, B: 0})
    assigned: set[TopicPartition] = field(default_factory=lambda: {A, B})
    commits: list[dict[TopicPartition, int]] = field(default_factory=list)
    fault: Exception | None = None

    async def poll(self, _: Any) -> tuple[Record, ...]:
        if self.fault:
            raise self.fault
        given = [Record(p.topic, p.partition, at) for p in (A, B) for at in range(self.at[p], min(self.at[p] + 2, self.log[p]))]
        for record in given:
            self.at[TopicPartition(record.topic, record.partition)] = record.offset + 1
        return tuple(given)

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    async def position(self, partition: TopicPartition) -> int:
        return self.at[partition]

    def seek(self, partition: TopicPartition, offset: int) -> None:
        assert partition in self.assigned, "aiokafka refuses it"
        self.at[partition] = offset

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        assert offsets.keys() <= self.assigned, "aiokafka refuses it"
        self.commits.append(offsets)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AFTER_S", 0)


@pytest.fixture
def log() -> Consumer:
    return Consumer()


@pytest.fixture
async def ahead(log: Consumer) -> Any:
    made = ReadAhead(log.poll)
    yield made
    await made.forget()


async def begun(ahead: ReadAhead, log: Consumer, at_least: int = 4) -> list[int]:
    """Read a batch, and the next one behind it; the offsets of the first."""
    offsets = [r.offset for r in await ahead.read(log)]
    ahead.begin(at_least)
    for _ in range(5):
        await asyncio.sleep(0)
    return offsets


async def test_the_next_batch_is_read_meanwhile_and_given_once(ahead: ReadAhead, log: Consumer) -> None:
    assert await begun(ahead, log) == [0, 1, 0, 1]
    assert log.at == {A: 4, B: 4}
    assert [r.offset for r in await ahead.read(log)] == [2, 3, 2, 3]
    assert [r.offset for r in await ahead.read(log)] == [4, 5, 4, 5]


async def test_what_is_read_ahead_can_be_prepared_and_is_given_as_the_same_object(log: Consumer) -> None:
    prepared: list[Any] = []
    ahead = ReadAhead(log.poll, prepared.append)
    await begun(ahead, log)
    assert len(prepared) == 1
    assert await ahead.read(log) is prepared[0]
    await begun(ahead, log)
    assert len(prepared) == 1, "the end of the log: nothing was read"
    await ahead.forget()


async def test_nothing_is_committed_beyond_the_batch_in_hand(ahead: ReadAhead, log: Consumer) -> None:
    await begun(ahead, log)
    await ahead.commit()
    assert log.commits == [{A: 2, B: 2}]
    await ahead.read(log)
    await ahead.commit()
    assert log.commits[1:] == [{A: 4, B: 4}]


async def test_a_batch_that_is_not_full_is_not_read_past(ahead: ReadAhead, log: Consumer) -> None:
    await begun(ahead, log, at_least=5)
    assert log.at == {A: 2, B: 2}


async def test_what_is_put_back_takes_what_was_read_after_it_along(ahead: ReadAhead, log: Consumer) -> None:
    """FastStream seeks the partitions of the batch in hand; those of the next one must not be further on, in any partition."""
    log.at[B] = 6  # the batch in hand has records of A only, the next one of both
    assert [r.offset for r in await ahead.read(log)] == [0, 1]
    log.at[B] = 4
    ahead.begin(2)
    for _ in range(5):
        await asyncio.sleep(0)
    assert log.at == {A: 4, B: 6}
    await ahead.put_back()
    assert log.at == {A: 2, B: 4}
    log.seek(A, 0)  # FastStream's part
    assert [(r.partition, r.offset) for r in await ahead.read(log)] == [(0, 0), (0, 1), (1, 4), (1, 5)]


async def test_put_back_before_anything_was_read(ahead: ReadAhead, log: Consumer) -> None:
    await ahead.read(log)
    ahead.begin(4)
    await ahead.put_back()
    assert log.at == {A: 2, B: 2}
    await ahead.put_back()


async def test_partitions_of_somebody_else_are_left_alone(ahead: ReadAhead, log: Consumer) -> None:
    await begun(ahead, log)
    log.assigned = {B}
    await ahead.commit()
    await ahead.put_back()
    assert log.commits == [{B: 2}]
    assert log.at == {A: 4, B: 2}
    log.assigned = set()
    await ahead.commit()
    assert log.commits == [{B: 2}]


async def test_a_fault_of_reading_ahead_comes_when_its_batch_is_asked_for(ahead: ReadAhead, log: Consumer) -> None:
    assert len(await ahead.read(log)) == 4
    log.fault = ConnectionError()
    ahead.begin(4)
    for _ in range(5):
        await asyncio.sleep(0)
    await ahead.commit()
    assert log.commits == [{A: 2, B: 2}]
    with pytest.raises(ConnectionError):
        await ahead.read(log)
    log.fault = None
    assert [r.offset for r in await ahead.read(log)] == [2, 3, 2, 3]


async def test_a_fault_of_reading_ahead_does_not_hinder_putting_back(ahead: ReadAhead, log: Consumer) -> None:
    await ahead.read(log)
    log.fault = ConnectionError()
    ahead.begin(4)
    for _ in range(5):
        await asyncio.sleep(0)
    await ahead.put_back()
    assert log.at == {A: 2, B: 2}
