"""Somebody who reads topics as they are written, and notes when each record could be read."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from pelangi.chassis.provision import development_password

ADMIN = "admin"


def login(bootstrap: str, user: str = ADMIN) -> dict[str, Any]:
    """What a confluent_kafka client needs to be this user."""
    return {
        "bootstrap.servers": bootstrap,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": user,
        "sasl.password": development_password(user),
    }


class Subscriber:
    """`with Subscriber(bootstrap, topics, note):` calls `note(message, monotonic time)` in a thread of its own, from now on."""

    def __init__(self, bootstrap: str, topics: tuple[str, ...], note: Callable[[Any, float], None]) -> None:
        settings = {"group.id": f"{ADMIN}.bench", "enable.auto.commit": False, "isolation.level": "read_committed"}
        self._consumer = Consumer({**login(bootstrap), **settings})
        self._topics, self._note = topics, note
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, name="bench-subscriber", daemon=True)

    def __enter__(self) -> "Subscriber":
        known = self._consumer.list_topics(timeout=20).topics
        ends = []
        for partition in (TopicPartition(t, p) for t in self._topics for p in known[t].partitions):
            _, end = self._consumer.get_watermark_offsets(partition, timeout=20)
            ends.append(TopicPartition(partition.topic, partition.partition, end))
        self._consumer.assign(ends)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join(10)
        self._consumer.close()

    def _read(self) -> None:
        while not self._over.is_set():
            for message in self._consumer.consume(500, timeout=0.0) or [self._consumer.poll(0.1)]:
                if message is not None and message.error() is None:
                    self._note(message, time.monotonic())
