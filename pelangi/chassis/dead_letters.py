"""Dead letters: broken records, kept whole and encrypted, with headers that say only codes and coordinates."""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer

from pelangi.chassis.decode import Broken, Record
from pelangi.chassis.metrics import DEAD_LETTERS
from pelangi.contracts.encryption import KeyRing
from pelangi.contracts.topics import MAX_MESSAGE_BYTES

HEADERS_BYTES = 64 * 1024
"""Room for the key and headers of a dead letter beside its value."""


def coordinates(record: Record) -> str:
    """The key of a dead letter: `topic-partition-offset`."""
    return f"{record.topic}-{record.partition}-{record.offset}"


def seal(record: Record, keys: KeyRing, *, topic: str) -> bytes:
    """The JWE of the original bytes, key and headers; exact after `unseal`.

    The few records too large to be kept in a dead letter (only other systems can write such) leave their value where it
    is: on the source topic, at the coordinates in the headers.
    """
    token = _sealed(record, record.value, keys, topic)
    return token if len(token) < MAX_MESSAGE_BYTES - HEADERS_BYTES else _sealed(record, None, keys, topic, left=True)


def _sealed(record: Record, value: bytes | None, keys: KeyRing, topic: str, *, left: bool = False) -> bytes:
    """One line of JSON, then the value as it is: base64 inside a JWE would grow it twice."""
    about = {
        "key": _b64(record.key),
        "headers": [[name, _b64(raw)] for name, raw in record.headers],
        "null": value is None,
        "left_on_topic": left,
    }
    plain = json.dumps(about).encode() + b"\n" + (value or b"")
    return keys.encrypt(plain, topic=topic, key=coordinates(record)).encode()


@dataclass(frozen=True, slots=True)
class Original:
    """A record as it was. left_on_topic: its value was too large and is only on the source topic."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    left_on_topic: bool


def unseal(token: bytes, keys: KeyRing, *, topic: str, key: str) -> Original:
    """The original of a dead letter. Raises BrokenToken or UnknownKey."""
    about, _, value = keys.decrypt(token.decode(), topic=topic, key=key).partition(b"\n")
    said = json.loads(about)
    headers = [(name, _raw(text)) for name, text in said["headers"]]
    return Original(_raw(said["key"]), None if said["null"] else value, headers, said["left_on_topic"])


def headers(record: Record, broken: Broken) -> list[tuple[str, bytes]]:
    """What is said in clear."""
    clear: dict[str, Any] = {
        "reason": broken.reason,
        "exception": broken.error,
        "source_topic": record.topic,
        "source_partition": record.partition,
        "source_offset": record.offset,
    }
    if broken.request_id:
        clear["request_id"] = broken.request_id
    return [(name, str(value).encode()) for name, value in clear.items()]


async def send(producer: AIOKafkaProducer, topic: str, keys: KeyRing, record: Record, broken: Broken) -> None:
    """Set a record aside; returns when Kafka has acknowledged it."""
    await producer.send_and_wait(
        topic,
        seal(record, keys, topic=topic),
        key=coordinates(record).encode(),
        headers=headers(record, broken),
    )
    DEAD_LETTERS.labels(broken.reason).inc()


def _b64(raw: bytes | None) -> str | None:
    return None if raw is None else b64encode(raw).decode()


def _raw(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)
