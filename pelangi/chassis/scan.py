"""Reading a topic from its first record to its last, once, for the tools: no group, nothing committed, nobody disturbed."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pelangi.chassis.settings import ServiceSettings

PATIENCE_S = 20.0
"""How long Kafka may say nothing at all before a reading is given up."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who reads, and where."""

    bootstrap: str
    user: str
    password: str = field(repr=False)

    @property
    def settings(self) -> dict[str, Any]:
        """What a client of librdkafka needs to be this user."""
        return {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": self.user,
            "sasl.password": self.password,
            "log_level": 2,
        }


def login_of(settings: ServiceSettings) -> Login:
    """A service's own user."""
    return Login(settings.kafka_bootstrap, settings.kafka_user, settings.kafka_password.get_secret_value())


@dataclass(slots=True)
class Read:
    """A record as it lies on a topic (a `Record`)."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Any
    at: datetime | None = None


class Unreadable(RuntimeError):
    """The topic is not there, may not be read by this user, or Kafka is away."""


def read_to_end(login: Login, topic: str) -> Iterator[Read]:
    """Every committed record of a topic that is there now, each partition in order. Raises Unreadable."""
    with closing(_consumer(login, "earliest")) as consumer:
        partitions = _partitions(consumer, topic)
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        still = len(partitions)
        while still:
            message = _next(consumer, topic)
            if isinstance(message, Read):
                yield message
            elif message == KafkaError._PARTITION_EOF:
                still -= 1
            else:
                raise Unreadable(f"{topic}: {KafkaError(message).str()}")


def read_one(login: Login, topic: str, partition: int, offset: int) -> Read | None:
    """The record at these coordinates; None where it is there no more. Raises Unreadable."""
    with closing(_consumer(login, "error")) as consumer:
        _partitions(consumer, topic)
        consumer.assign([TopicPartition(topic, partition, offset)])
        message = _next(consumer, topic)
        if isinstance(message, Read):
            return message if message.offset == offset else None
        if message in (KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            return None
        raise Unreadable(f"{topic}: {KafkaError(message).str()}")


def _consumer(login: Login, reset: str) -> Consumer:
    return Consumer(
        {
            **login.settings,
            "group.id": f"{login.user}.scan",  # the client wants a name; the group is never joined
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 50,  # an end of a partition is only seen after this
            "auto.offset.reset": reset,
        }
    )


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    try:
        found = consumer.list_topics(topic, timeout=PATIENCE_S).topics[topic]
    except KafkaException as error:
        raise Unreadable(f"{topic}: {error.args[0].str()}") from None
    if found.error or not found.partitions:
        raise Unreadable(f"{topic}: {found.error.str() if found.error else 'no such topic'}")
    return sorted(found.partitions)


def _next(consumer: Consumer, topic: str) -> Read | int:
    """The next record, or the code of what Kafka says instead."""
    message = consumer.poll(PATIENCE_S)
    if message is None:
        raise Unreadable(f"{topic}: Kafka says nothing")
    if (error := message.error()) is not None:
        return int(error.code())
    kind, stamp = message.timestamp()
    return Read(
        message.topic() or topic,
        message.partition() or 0,
        message.offset() or 0,
        _bytes(message.key()),
        _bytes(message.value()),
        list(message.headers() or []),
        datetime.fromtimestamp(stamp / 1000, UTC) if kind else None,
    )


def _bytes(raw: str | bytes | None) -> bytes | None:
    return raw.encode() if isinstance(raw, str) else raw
