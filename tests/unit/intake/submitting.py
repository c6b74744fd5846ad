"""Intake's two replicas, relay and HTTP on one store in memory, and the answers to what is submitted to them."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID, uuid5

import httpx
import pytest
from fastapi import FastAPI

from pelangi.chassis import consumer as consumer_module
from pelangi.chassis import web
from pelangi.chassis.consumer import Consumer
from pelangi.chassis.decode import Broken
from pelangi.chassis.relay import Relay
from pelangi.chassis.service import CASES, Runtime, make_decoder
from pelangi.chassis.signal import Signal
from pelangi.contracts.topics import SUBMISSION_ANSWERED
from services.intake.app import Settings, make
from services.intake.store import INDEXES
from tests.support.memory_store import MemoryCollection, MemoryStore
from tests.support.records import Raw
from tests.unit.intake.rig import Clock

KEY = "4c1d9a52-8e0b-4f6d-9a37-5b2e7f1c3d60"


SECRET = UUID(Settings().deployment_secret.get_secret_value())


R = str(uuid5(SECRET, f"/clients/hospital|{KEY}"))


class Producer:
    """A transactional producer that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[Raw] = []

    async def begin_transaction(self) -> None: ...

    async def commit_transaction(self) -> None: ...

    async def send(self, topic: str, value: bytes | None, *, key: bytes, headers: Any) -> Any:
        self.sent.append(Raw(topic, key, value, headers))

        async def acknowledged() -> None: ...

        return acknowledged()


@dataclass
class Rig:
    """Intake's consumers (two replicas), its relay and its HTTP, on one store in memory."""

    http: httpx.AsyncClient
    runtime: Runtime
    letters: list[tuple[Raw, Broken]] = field(default_factory=list)
    producer: Producer = field(default_factory=Producer)

    def __post_init__(self) -> None:
        service = make()
        self.first, self.second = (
            Consumer(
                cases=self.runtime.cases,
                decoder=make_decoder(service),
                handlers=service.handlers,
                clock=self.runtime.clock,
                set_aside=self.set_aside,
                written=self.runtime.written,
            )
            for _ in range(2)
        )
        self.relay = Relay(self.runtime.cases, "/services/intake", service.snapshots, self.runtime.clock, self.runtime.written)

    @property
    def cases(self) -> MemoryCollection:
        return cast(MemoryCollection, self.runtime.cases)

    async def set_aside(self, record: Any, broken: Broken) -> None:
        self.letters.append((record, broken))

    async def take(self, *records: Raw) -> list[Raw]:
        """One batch, and what intake then sends."""
        await self.first.handle(records)
        return await self.send()

    async def send(self) -> list[Raw]:
        self.producer.sent.clear()
        while await self.relay.cycle(cast(Any, self.producer)):
            pass
        return list(self.producer.sent)

    def case(self, id: str = R) -> Any:
        return self.cases.documents[id]


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """Two replicas that do not pause before they try again."""

    async def nothing(_: float) -> None:
        return None

    monkeypatch.setattr(consumer_module.asyncio, "sleep", nothing)
    store = MemoryStore()
    for index in INDEXES:
        await store.collection(index.collection).create_index(index.keys, **index.options)
    runtime = Runtime(Settings(), cast(Any, Clock()), cast(Any, store), store.collection(CASES), Signal())

    async def ready() -> tuple[bool, dict[str, str]]:
        return True, {}

    app: FastAPI = web.make_app("intake", lifespan=None, asyncapi={}, ready=ready, live=lambda: True)
    app.include_router(make().routes(runtime))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        yield Rig(http, runtime)


def answer(sent: list[Raw]) -> Any:
    (one,) = [r for r in sent if r.topic == SUBMISSION_ANSWERED]
    return json.loads(one.value or b"")


def refused(*problems: tuple[str, str], key: str = KEY) -> dict[str, Any]:
    return {
        "submission_id": key,
        "outcome": "REFUSED",
        "request_id": None,
        "problems": [{"pointer": pointer, "code": code} for pointer, code in problems],
    }


ACCEPTED = {"submission_id": KEY, "outcome": "ACCEPTED", "request_id": R, "problems": []}
