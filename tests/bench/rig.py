"""A broker and a store for one part of the benchmark, warm and past their first seconds, and the sides' common settings."""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import uvloop
from aiokafka import AIOKafkaConsumer
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import MongoClient, ReadPreference
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from pelangi.chassis import kafka
from pelangi.chassis.provision import apply_database_users, apply_topics
from pelangi.chassis.running import PENDING
from pelangi.chassis.service import CASES, Service
from pelangi.chassis.settings import ServiceSettings
from pelangi.contracts.topics import DATA_PARTITIONS
from pelangi.local.kafka import ADMIN
from tests.bench.figures import Say
from tests.conftest import RunningDatabase, RunningKafka
from tests.support.records import Raw, produce

T = TypeVar("T")
SETTLED_S = 25.0
"""The Rust build of the store stalls once 10 to 20 s after its start (OPS.md §12)."""


@dataclass
class Rig:
    """The running parts; `settings(service)` points a service at them under another group."""

    kafka: RunningKafka
    database: RunningDatabase
    admin: Any
    started: float = field(default_factory=time.monotonic)

    def settings(self, service: Service, group: str = "") -> ServiceSettings:
        """The service's own settings, against this rig; `group`: what its group's name ends with."""
        own = service.settings
        urls = {"kafka_bootstrap": self.kafka.bootstrap, "mongo_uri": type(own.mongo_uri)(self.database.uri(own.name))}
        return own.model_copy(update={"name": f"{own.name}{group}", "kafka_user": own.name, **urls})

    def fresh(self, service: Service, name: str, documents: Sequence[dict[str, Any]] = ()) -> str:
        """A new collection with the indexes of the service's cases, and these documents in it; its name."""
        collection = self.admin[service.settings.name][name]
        collection.drop()
        for index in (PENDING, *service.indexes):
            if index.collection == CASES:
                collection.create_index(list(index.keys), **index.options)
        for at in range(0, len(documents), 1000):
            collection.insert_many(documents[at : at + 1000], ordered=False)
        return name

    def drop(self, service: Service, name: str) -> None:
        """The collection goes, so that later rounds find the store as small as the first one did."""
        self.admin[service.settings.name][name].drop()

    def produce(self, user: str, records: Sequence[Raw]) -> None:
        """Write records in order."""
        for at in range(0, len(records), 10_000):
            produce(self.kafka, user, records[at : at + 10_000])

    def settle(self, say: Say) -> None:
        """Wait until the store is past its stall."""
        left = self.started + SETTLED_S - time.monotonic()
        if left > 0:
            say(f"waiting {left:.0f} s for the store to settle")
            time.sleep(left)

    def by_hand(self, service: Service, name: str) -> tuple[Any, Any]:
        """The same collection as a hand-written program has it, with the same concerns: client and collection."""
        client: Any = AsyncIOMotorClient(self.database.uri(service.settings.name), tz_aware=True, retryWrites=False)
        durable = WriteConcern("majority", j=True)
        options = {"read_concern": ReadConcern("majority"), "write_concern": durable, "read_preference": ReadPreference.PRIMARY}
        return client, client.get_default_database()[name].with_options(**options)


@contextmanager
def rig(folder: Path) -> Iterator[Rig]:
    """A broker with the declared topics and a store with its users."""
    broker, store = RunningKafka(folder / "kafka"), RunningDatabase(folder / "store")
    try:
        store.start()
        broker.start()
        apply_topics(broker.bootstrap, ADMIN, broker.admin_password)
        apply_database_users(store.admin_uri)
        with MongoClient[Any](store.admin_uri, tz_aware=True) as admin:
            yield Rig(broker, store, admin)
    finally:
        broker.stop()
        store.kill()


@dataclass
class Commands(CommandListener):
    """Counts commands on data, as they go out."""

    seen: Counter[str] = field(default_factory=Counter)

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in {"find", "getMore", "insert", "update", "aggregate"}:
            self.seen[event.command_name] += 1

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass


def plain_consumer(settings: ServiceSettings, topic: str) -> AIOKafkaConsumer:
    """aiokafka's consumer with the same settings as ours: only what is done with the records differs."""
    return AIOKafkaConsumer(
        topic,
        bootstrap_servers=settings.kafka_bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=settings.kafka_user,
        sasl_plain_password=settings.kafka_password.get_secret_value(),
        group_id=settings.name,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=kafka.subscription(settings.name)["max_partition_fetch_bytes"],
    )


def spread(records: Sequence[Raw]) -> list[Raw]:
    """The records over all partitions in turn."""
    return [record.but(partition=at % DATA_PARTITIONS) for at, record in enumerate(records)]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run one side on the services' loop, with their settings of the garbage collector."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    finally:
        gc.set_threshold(700, 10, 10)
        gc.unfreeze()
