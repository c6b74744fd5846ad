"""A scheduling service without servers."""

from collections.abc import AsyncIterator

import httpx
import pytest

from pelangi.chassis.web import make_app
from services.scheduling.app import start
from services.scheduling.routes import routes
from tests.unit.scheduling.city import City


@pytest.fixture
async def city() -> AsyncIterator[City]:
    async def ready() -> tuple[bool, dict[str, str]]:
        return True, {}

    city = City()
    await start(city.runtime)
    app = make_app("scheduling", lifespan=None, asyncapi={}, ready=ready, live=lambda: True)
    app.include_router(routes(city.runtime))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://scheduling") as http:
        city.http = http
        yield city
