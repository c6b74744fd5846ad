"""Writing records as a service does, and reading topics from beginning to end as a subscriber does."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from pelangi.contracts.envelope import Envelope, event_id, to_headers
from pelangi.contracts.events import Data, aggregate_id, encode
from pelangi.contracts.topics import BY_NAME


@dataclass(frozen=True, slots=True)
class Raw:
    """A record as it lies, or should lie, on a topic."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    partition: int = -1
    offset: int = -1

    def header(self, name: str) -> str:
        return dict(self.headers)[name].decode()

    def but(self, **changes: Any) -> "Raw":
        """The same record with something else in it; `headers` merge, None removes one."""
        headers = changes.pop("headers", {})
        merged = {k: v for k, v in {**dict(self.headers), **headers}.items() if v is not None}
        return replace(self, headers=list(merged.items()), **changes)


def record(type_: str, data: Data, sequence: int, *, time: datetime | None = None, partition: int = -1, offset: int = -1) -> Raw:
    """An event as its owner's relay sends it."""
    request_id = str(data.request.request_id if hasattr(data, "request") else data.request_id)  # type: ignore[attr-defined]
    aggregate = aggregate_id(type_, data)
    envelope = Envelope(
        type=type_,
        id=event_id(type_, request_id, aggregate, sequence),
        source=f"/services/{BY_NAME[type_].owner}",
        request_id=request_id,
        aggregate=aggregate,
        time=time or datetime.now(UTC),
        sequence=sequence,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        data=encode(type_, data),
    )
    return Raw(type_, request_id.encode(), envelope.data, to_headers(envelope), partition, offset)


def produce(kafka: Any, user: str, records: Iterable[Raw]) -> list[Raw]:
    """Write records as a user, in order; returns them with their coordinates."""
    producer, answers = Producer({**kafka.login(user), "message.timeout.ms": 15000, "enable.idempotence": True}), {}
    todo = list(records)
    for at, r in enumerate(todo):

        def answered(error: KafkaError | None, message: Any, at: int = at) -> None:
            answers[at] = error or message

        where = {"partition": r.partition} if r.partition >= 0 else {}
        producer.produce(r.topic, r.value, key=r.key, headers=r.headers, on_delivery=answered, **where)
    producer.flush(20)
    for answer in answers.values():
        if isinstance(answer, KafkaError):
            raise KafkaException(answer)
    return [replace(r, partition=answers[at].partition(), offset=answers[at].offset()) for at, r in enumerate(todo)]


def read_all(kafka: Any, *topics: str, user: str = "admin") -> list[Raw]:
    """Everything committed that lies on the topics now, each partition in order."""
    consumer = Consumer(
        {**kafka.login(user), "group.id": f"{user}.read-all", "enable.auto.commit": False, "enable.partition.eof": True}
    )
    try:
        known = consumer.list_topics(timeout=20).topics
        partitions = [TopicPartition(t, p, 0) for t in topics for p in known[t].partitions]
        consumer.assign(partitions)
        found, open_partitions = [], len(partitions)
        while open_partitions:
            message = consumer.poll(20)
            assert message is not None, f"{topics} could not be read"
            if message.error() is None:
                found.append(_raw(message))
            elif message.error().code() == KafkaError._PARTITION_EOF:
                open_partitions -= 1
            else:
                raise KafkaException(message.error())
        return found
    finally:
        consumer.close()


def _raw(message: Any) -> Raw:
    headers = [(name, value) for name, value in message.headers() or []]
    return Raw(message.topic(), message.key(), message.value(), headers, message.partition(), message.offset())
