"""What the relay sends of an outbox, in which order, and what it leaves there when sending fails."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pelangi.chassis.case import Change, emit, mark, stub
from pelangi.chassis.clock import SystemClock
from pelangi.chassis.relay import Relay
from pelangi.chassis.signal import Signal
from pelangi.contracts.envelope import event_id, from_headers
from pelangi.contracts.events import encode
from pelangi.contracts.examples import EXAMPLES
from tests.support.memory_store import MemoryCollection

T = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)
CREATED: Any = EXAMPLES["request-created.v1"]
CLOSED: Any = EXAMPLES["request-closed.v1"]
DETAILS: Any = EXAMPLES["request-details.v1"]
R = CREATED.request_id


class Producer:
    """A transactional producer: what is committed, and a fault to raise at commit."""

    def __init__(self) -> None:
        self.committed: list[tuple[str, bytes | None, bytes, Any]] = []
        self.fault: Exception | None = None
        self._open: list[Any] = []

    async def begin_transaction(self) -> None:
        self._open = []

    async def commit_transaction(self) -> None:
        if self.fault:
            raise self.fault
        self.committed += self._open

    async def send(self, topic: str, value: bytes | None, *, key: bytes, headers: Any) -> Any:
        self._open.append((topic, value, key, headers))
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sent.set_result(None)
        return sent


def render(case: Any) -> Any:
    return None if case.get("erased") else DETAILS.model_copy(update={"planning": f"as of {case['version']}"})


@pytest.fixture
def cases() -> MemoryCollection:
    return MemoryCollection()


@pytest.fixture
def relay(cases: MemoryCollection) -> Relay:
    return Relay(cases, "/services/intake", {"request-details.v1": render}, SystemClock(), Signal())


async def store(cases: MemoryCollection, *transitions: Any, id: str = R, at: datetime = T) -> None:
    change: Change[Any] = Change(None, stub(id))  # type: ignore[arg-type]
    for transition in transitions:
        change.advance(transition(change.after), wall=at)
    await cases.insert(change.document())


async def test_events_leave_in_outbox_order_with_their_exact_bytes(cases: MemoryCollection, relay: Relay) -> None:
    await store(cases, lambda c: emit(c, CREATED), lambda c: emit(c, CLOSED))
    producer: Any = Producer()
    assert await relay.cycle(producer) == 1
    assert [(topic, value, key) for topic, value, key, _ in producer.committed] == [
        ("request-created.v1", encode("request-created.v1", CREATED), R.encode()),
        ("request-closed.v1", encode("request-closed.v1", CLOSED), R.encode()),
    ]
    read = [from_headers(topic, key, headers) for topic, _, key, headers in producer.committed]
    assert [(a.id, a.sequence, a.source, a.time) for a in read] == [
        (event_id("request-created.v1", R, R, 1), 1, "/services/intake", T),
        (event_id("request-closed.v1", R, R, 2), 2, "/services/intake", T),
    ]


async def test_an_event_with_a_key_of_its_own_is_sent_under_it(cases: MemoryCollection, relay: Relay) -> None:
    answer: Any = EXAMPLES["submission-answered.v1"]
    await store(cases, lambda c: emit(emit(c, CREATED), answer, key=answer.submission_id))
    producer: Any = Producer()
    assert await relay.cycle(producer) == 1
    assert [key for _, _, key, _ in producer.committed] == [R.encode(), answer.submission_id.encode()]
    (_, _, key, headers) = producer.committed[1]
    read = from_headers("submission-answered.v1", key, headers)
    assert (read.request_id, read.id) == (
        answer.submission_id,
        event_id("submission-answered.v1", answer.submission_id, answer.submission_id, 1),
    )
    assert dict(headers)["ce_partitionkey"] == key
    assert cases.documents[R]["outbox"] == []


async def test_what_was_sent_is_cleared_and_not_sent_again(cases: MemoryCollection, relay: Relay) -> None:
    await store(cases, lambda c: emit(c, CREATED))
    producer: Any = Producer()
    await relay.cycle(producer)
    assert cases.documents[R]["outbox"] == []
    assert "pending_since" not in cases.documents[R]
    assert await relay.cycle(producer) == 0
    assert len(producer.committed) == 1


async def test_one_snapshot_per_cycle_as_the_case_is_now(cases: MemoryCollection, relay: Relay) -> None:
    await store(cases, *[lambda c: mark({**c, "n": c["version"]}, "request-details.v1")] * 3)
    producer: Any = Producer()
    await relay.cycle(producer)
    ((topic, value, _, headers),) = producer.committed
    attributes = from_headers(topic, R.encode(), headers)
    assert (attributes.sequence, attributes.id) == (3, event_id("request-details.v1", R, R, 3))
    assert b'"as of 3"' in value
    assert cases.documents[R]["outbox"] == [], "the markers that it stands for are gone"


async def test_an_erased_case_sends_a_tombstone(cases: MemoryCollection, relay: Relay) -> None:
    await store(cases, lambda c: mark({**c, "erased": True}, "request-details.v1"))
    producer: Any = Producer()
    await relay.cycle(producer)
    ((topic, value, key, _),) = producer.committed
    assert (topic, value, key) == ("request-details.v1", None, R.encode())


async def test_a_transaction_that_fails_clears_nothing(cases: MemoryCollection, relay: Relay) -> None:
    await store(cases, lambda c: emit(c, CREATED))
    producer: Any = Producer()
    producer.fault = ConnectionError()
    with pytest.raises(ConnectionError):
        await relay.cycle(producer)
    assert len(cases.documents[R]["outbox"]) == 1
    producer.fault = None
    assert await relay.cycle(producer) == 1


async def test_what_is_pushed_while_sending_stays(cases: MemoryCollection, relay: Relay) -> None:
    await store(cases, lambda c: emit(c, CREATED))

    async def push(method: str) -> None:
        if method == "update_where_each":
            cases.before = None
            before: Any = await cases.get(R)
            change: Change[Any] = Change(before, before)
            change.advance(emit(before, CLOSED), wall=T + timedelta(seconds=1))
            assert await cases.update(change.update())

    cases.before = push
    producer: Any = Producer()
    await relay.cycle(producer)
    assert [e["type"] for e in cases.documents[R]["outbox"]] == ["request-closed.v1"]
    assert cases.documents[R]["pending_since"] == T + timedelta(seconds=1)
    await relay.cycle(producer)
    assert [topic for topic, *_ in producer.committed] == ["request-created.v1", "request-closed.v1"]


async def test_the_oldest_go_first_and_at_most_five_hundred(cases: MemoryCollection, relay: Relay) -> None:
    for at in range(510):
        await store(cases, lambda c: emit(c, CREATED), id=f"{at:03}", at=T - timedelta(seconds=at))
    producer: Any = Producer()
    assert await relay.cycle(producer) == 500
    assert producer.committed[0][2] == b"509"
    assert await relay.cycle(producer) == 10
    assert len(producer.committed) == 510
    assert cases.calls["find"] == 2, "one find and one update a cycle"
    assert cases.calls["update_where_each"] == 2


async def test_a_write_wakes_it_at_once(cases: MemoryCollection, relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pelangi.chassis.relay.POLL_S", 60)
    producer: Any = Producer()
    task = asyncio.create_task(relay.run(producer))
    while not cases.calls["find"]:  # noqa: ASYNC110 - the store has no event
        await asyncio.sleep(0)
    await store(cases, lambda c: emit(c, CREATED))
    relay.written.set()
    async with asyncio.timeout(5):
        while not producer.committed:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    task.cancel()
