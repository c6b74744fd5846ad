"""A service's code on a real store inside this process: its API called without a socket, its consumer and relay by hand."""

import asyncio
import importlib
import json
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pelangi.chassis import web
from pelangi.chassis.clock import SystemClock
from pelangi.chassis.consumer import Consumer
from pelangi.chassis.relay import Relay
from pelangi.chassis.running import PENDING
from pelangi.chassis.service import CASES, Runtime, Service, make_decoder
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import Store
from pelangi.contracts.examples import EXAMPLES
from pelangi.contracts.topics import ITEM_CLOSED, REQUEST_CLOSED, VISIT_SCHEDULED
from pelangi.local.database import Database
from pelangi.simulate.bodies import request_body
from tests.support.records import Raw, record

FILED = 200
EVENT = {"intake": ITEM_CLOSED, "scheduling": ITEM_CLOSED, "issuance": VISIT_SCHEDULED, "notify": ITEM_CLOSED}
"""The fact about stored requests that each service is given."""


class Sink:
    """A transactional producer that keeps what was sent until it is taken."""

    def __init__(self) -> None:
        self.sent: list[Raw] = []

    async def begin_transaction(self) -> None:
        """Nothing to do."""

    async def commit_transaction(self) -> None:
        """Nothing to do."""

    async def send(self, topic: str, value: bytes | None, *, key: bytes, headers: Any) -> Any:
        self.sent.append(Raw(topic, key, value, headers, 0, len(self.sent)))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


@dataclass(slots=True)
class Inside:
    """One service. `sequence` grows, so that every fact is news."""

    service: Service
    runtime: Runtime
    consumer: Consumer
    relay: Relay
    app: Any
    sink: Sink = field(default_factory=Sink)
    sequence: int = 100
    filed: int = 0

    @classmethod
    async def open(cls, database: Database, name: str) -> "Inside":
        """The service with its indexes made."""
        service: Service = importlib.import_module(f"services.{name}.app").make()
        store, clock, written = Store(database.uri(name)), SystemClock(), Signal()
        runtime = Runtime(service.settings, clock, store, store.collection(CASES), written)
        for index in (PENDING, *service.indexes):
            await store.collection(index.collection).create_index(index.keys, **index.options)
        if service.start:
            await service.start(runtime)
        consumer = Consumer(
            cases=runtime.cases,
            decoder=make_decoder(service),
            handlers=service.handlers,
            clock=clock,
            set_aside=_refuse,
            written=written,
        )
        relay = Relay(runtime.cases, f"/services/{name}", service.snapshots, clock, written)
        app = web.make_app(name, lifespan=_nothing, asyncapi={}, ready=_ready, live=lambda: True)
        app.include_router(service.routes(runtime))
        return cls(service, runtime, consumer, relay, app)

    async def close(self) -> None:
        """Close the store's connections."""
        await self.runtime.store.close()

    async def file(self) -> None:
        """One more request."""
        body = request_body(1, self.filed, datetime.now(UTC).date())
        self.filed += 1
        assert await self._call("POST", "/v1/requests", body) in {201, 422}

    async def get(self, path: str) -> None:
        """One GET."""
        assert await self._call("GET", path) == 200, path

    async def end_item(self, item_id: str) -> None:
        """Find an item and be refused: its request has ended."""
        assert (
            await self._call("POST", f"/v1/items/{item_id}/transitions", {"to": "WITHDRAWN", "reason": "PERSON_REFUSED"}) == 409
        )

    async def batch(self, ids: Sequence[str]) -> None:
        """One new fact about each of these."""
        self.sequence += 1
        type_ = EVENT[self.service.settings.name]
        example = EXAMPLES[type_]
        raws = [
            record(type_, example.model_copy(update={"request_id": id_}), self.sequence, partition=0, offset=at)
            for at, id_ in enumerate(ids)
        ]
        await self.consumer.handle(raws)

    async def cycle(self, ids: Sequence[str]) -> None:
        """Put an event into the outbox of each of these, and send them."""
        now = datetime.now(UTC)
        event = {"type": EVENT[self.service.settings.name], "aggregate": "a", "time": now, "sequence": 1, "traceparent": ""}
        one = {**event, "id": str(uuid4()), "data": b"{}"}
        await self.runtime.cases.update_where(
            {"_id": {"$in": list(ids)}}, {"$push": {"outbox": one}, "$min": {"pending_since": now}}
        )
        while await self.relay.cycle(self.sink):  # type: ignore[arg-type]
            self.sink.sent.clear()

    async def _call(self, method: str, path: str, body: Any = None) -> int:
        """The status of a call."""
        status = 0
        raw = b"" if body is None else json.dumps(body).encode()
        path, _, query = path.partition("?")
        headers = [(b"content-type", b"application/json"), (b"idempotency-key", str(uuid4()).encode())]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [*headers, (b"content-length", str(len(raw)).encode())],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
            "state": {},
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": raw, "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)

        await self.app(scope, receive, send)
        return status


async def real_documents(inside: Mapping[str, Inside]) -> None:
    """File `FILED` requests; let every service hear of them, and of their end."""
    intake = inside["intake"]
    for _ in range(FILED):
        await intake.file()
    while await intake.relay.cycle(intake.sink):  # type: ignore[arg-type]
        pass
    told, intake.sink.sent = intake.sink.sent, []
    ids = {(raw.key or b"").decode() for raw in told}
    ends = [record(REQUEST_CLOSED, EXAMPLES[REQUEST_CLOSED].model_copy(update={"request_id": id_}), 50) for id_ in ids]
    for service in inside.values():
        heard = [raw for raw in (*told, *ends) if raw.topic in service.service.handlers]
        for at in range(0, len(heard), 500):
            await service.consumer.handle(heard[at : at + 500])


async def _refuse(record: Any, broken: Any) -> None:
    raise AssertionError(f"set aside: {record.topic} {broken.reason} {broken.args}")


async def _ready() -> tuple[bool, dict[str, str]]:
    return True, {}


@asynccontextmanager
async def _nothing(_: Any) -> Any:
    yield
