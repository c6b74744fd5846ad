"""A desk officer over a store in memory."""

from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest

from pelangi.chassis.clock import SystemClock
from pelangi.chassis.service import Runtime
from pelangi.chassis.signal import Signal
from pelangi.chassis.web import make_app
from services.issuance.app import Settings
from services.issuance.routes import routes
from tests.support.memory_store import MemoryStore
from tests.unit.issuance.officer import Client


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async def ready() -> tuple[bool, dict[str, str]]:
        return True, {}

    store = MemoryStore()
    runtime = Runtime(Settings(), SystemClock(), cast(Any, store), store.collection("cases"), Signal())
    app = make_app("issuance", lifespan=None, asyncapi={}, ready=ready, live=lambda: True)
    app.include_router(routes(runtime))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://issuance") as http:
        yield Client(runtime, http)
