"""Dead letters: broken records, kept whole and encrypted, with headers that say only codes and coordinates."""

import json
from base64 import b64encode
from typing import Any

from aiokafka import AIOKafkaProducer

from pelangi.chassis.decode import Broken, Record
from pelangi.chassis.metrics import DEAD_LETTERS
from pelangi.contracts.encryption import KeyRing


def coordinates(record: Record) -> str:
    """The key of a dead letter: `topic-partition-offset`."""
    return f"{record.topic}-{record.partition}-{record.offset}"


def seal(record: Record, keys: KeyRing, *, topic: str) -> bytes:
    """The JWE of the original bytes, key and headers; exact after decrypting."""
    original = {
        "value": _b64(record.value),
        "key": _b64(record.key),
        "headers": [[name, _b64(value)] for name, value in record.headers],
    }
    return keys.encrypt(json.dumps(original).encode(), topic=topic, key=coordinates(record)).encode()


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
