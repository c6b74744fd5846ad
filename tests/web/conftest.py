"""The portal for its tests: inside the process for the fast ones, on a port for a real browser."""

import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from pydantic import HttpUrl
from starlette.types import ASGIApp

from portal.app import create_app
from portal.settings import PortalSettings
from tests.web.fake_intake import FakeIntake


@pytest.fixture
def intake() -> FakeIntake:
    """The intake behind `portal`."""
    return FakeIntake()


@pytest.fixture
async def portal(intake: FakeIntake) -> AsyncIterator[httpx.AsyncClient]:
    """A browser without a window: cookies and redirects, but no JavaScript."""
    app = create_app(PortalSettings(), transport=intake.transport())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://portal") as client:
        yield client


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The URL of an application served by a thread of this process."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            deadline = time.monotonic() + 20
            while not server.started:
                assert time.monotonic() < deadline, "did not start"
                time.sleep(0.02)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture
def intake_calls() -> FakeIntake:
    """What reached the intake behind `portal_url`, and the switch that takes it away."""
    return FakeIntake()


@pytest.fixture
def portal_url(intake_calls: FakeIntake) -> Iterator[str]:
    """A portal that a browser can open."""
    with (
        served(intake_calls.app()) as intake_url,
        served(create_app(PortalSettings(intake_url=HttpUrl(intake_url)))) as url,
    ):
        yield url
