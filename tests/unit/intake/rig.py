"""Intake behind its HTTP edge, over a dictionary: what the tests of its routes have in common."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI

from pelangi.chassis import web
from pelangi.chassis.service import CASES, Runtime
from pelangi.chassis.signal import Signal
from services.intake.app import Settings
from services.intake.duplicates import Joiner
from services.intake.routes import routes
from services.intake.store import INDEXES
from tests.support.bodies import body
from tests.support.memory_store import MemoryCollection, MemoryStore

NOW = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)


class Clock:
    """Time as the test says; every look is a second later, so that no two requests are received at once."""

    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> datetime:
        self.moment += timedelta(seconds=1)
        return self.moment

    wall = now


@dataclass
class Intake:
    http: httpx.AsyncClient
    cases: MemoryCollection
    written: Signal
    joiner: Joiner

    async def file(self, key: str = "", **changes: Any) -> httpx.Response:
        return await self.post("/v1/requests", body(**changes), key)

    async def post(self, path: str, value: Any, key: str = "", **headers: str) -> httpx.Response:
        headers = {"Idempotency-Key": key or str(uuid4()), **{k.replace("_", "-"): v for k, v in headers.items()}}
        return await self.http.post(path, json=value, headers=headers)

    async def withdraw(self, filed: Any, version: int | None = 1, key: str = "", value: Any = None) -> httpx.Response:
        headers = {} if version is None else {"If_Match": f'"{version}"'}
        return await self.post(f"/v1/requests/{filed['request_id']}/withdrawal", {} if value is None else value, key, **headers)

    async def call(self, filed: Any, path: str, value: Any, version: int | None = None, key: str = "") -> httpx.Response:
        """A call on a request, at its present version unless another is said."""
        version = self.case(filed)["content_version"] if version is None else version
        return await self.post(f"/v1/requests/{filed['request_id']}/{path}", value, key, If_Match=f'"{version}"')

    async def get(self, filed: Any, path: str = "") -> Any:
        response = await self.http.get(f"/v1/requests/{filed['request_id']}{path}")
        assert response.status_code == 200, response.text
        return response.json()

    def case(self, filed: Any) -> Any:
        """The stored document."""
        return self.cases.documents[filed["request_id"]]

    def sent(self, filed: Any) -> list[str]:
        """The types of the events it has emitted."""
        return [e["type"] for e in self.case(filed)["outbox"]]


@asynccontextmanager
async def running_intake(store: Any = None) -> AsyncIterator[Intake]:
    """Its routes, on a store of their own unless one is given."""
    store, written = store or MemoryStore(), Signal()
    cases = store.collection(CASES)
    for index in INDEXES:
        await store.collection(index.collection).create_index(index.keys, **index.options)
    runtime = Runtime(Settings(), Clock(), store, cases, written)  # type: ignore[arg-type]

    async def ready() -> tuple[bool, dict[str, str]]:
        return True, {}

    app: FastAPI = web.make_app("intake", lifespan=None, asyncapi={}, ready=ready, live=lambda: True)
    app.include_router(routes(runtime))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        yield Intake(http, cases, written, Joiner.of(runtime))


def problem(response: httpx.Response, status: int, code: str = "") -> list[tuple[str, str]]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    if code:
        assert response.json()["title"] == code
    return [(e["pointer"], e["code"]) for e in response.json()["errors"]]
