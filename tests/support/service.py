"""One process of a service on the run's Kafka and store, at a free port, as `pelangi serve` starts it."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

import httpx
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.group import LeaveGroupRequest

from pelangi.local.process import PROJECT, Child, Command, free_port

CRASHED = 77
"""The exit code of a crash point."""


class ServiceProcess:
    """A service. `env` adds to or replaces the settings below; `kafka=None` leaves it without a broker.

    Its lease time is a second, so that a test need not wait five for the next leader.
    """

    def __init__(self, name: str, kafka: Any, database: Any, *, env: Mapping[str, str] | None = None) -> None:
        self.name, self.port = name, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        prefix = name.upper()
        self._env = {
            f"{prefix}_PORT": str(self.port),
            f"{prefix}_KAFKA_BOOTSTRAP": kafka.bootstrap if kafka else f"127.0.0.1:{free_port()}",
            f"{prefix}_MONGO_URI": database.uri(name),
            f"{prefix}_LEASE_TTL_S": "1",
            **(env or {}),
        }
        self.kafka = kafka
        self.child = self._child({})

    def _child(self, env: Mapping[str, str]) -> Child:
        argv = (sys.executable, "-m", "pelangi.cli", "serve", self.name)
        return Child(Command(self.name, argv, env={**self._env, **env}, cwd=PROJECT))

    def start(self, *, wait: bool = True, crash_point: str = "") -> "ServiceProcess":
        """Start it, with a crash point armed if one is named, and wait until everything it needs answers."""
        self.child = self._child({f"{self.name.upper()}_CRASH_POINT": crash_point})
        self.child.start()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Until every component is well (without Kafka: until the store is)."""
        self.child.wait_ready(self.all_well if self.kafka else self.ready, timeout)

    def components(self) -> dict[str, str]:
        """What readiness says; empty while it does not answer."""
        try:
            answer: dict[str, str] = httpx.get(f"{self.url}/healthz/ready", timeout=5).json()["components"]
        except httpx.HTTPError:
            return {}
        return answer

    def all_well(self) -> bool:
        return set(self.components().values()) == {"ok"}

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def wait_crashed(self, timeout: float = 30.0) -> None:
        """Until the armed crash point ended the process."""
        wait_for(lambda: not self.child.running, timeout, "the crash point was not reached")
        assert self.child.exit_code == CRASHED, self.child.last_lines()

    def pause(self) -> None:
        self.child.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.child.signal(signal.SIGCONT)

    def stop(self) -> None:
        self.child.stop()

    def kill(self) -> None:
        self.child.kill()

    def __enter__(self) -> "ServiceProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def wait_for(condition: Callable[[], Any], timeout: float = 30.0, what: str = "") -> Any:
    """The condition's first true value; fails the test when there is none in time."""
    import time

    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, what or "the condition did not come true in time"
        time.sleep(0.05)
    return value


async def expel_members(kafka: Any, group: str) -> None:
    """Make a group forget the members of killed processes at once; else the next one waits for their session to end (10 s)."""
    admin = AIOKafkaAdminClient(
        bootstrap_servers=kafka.bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username="admin",
        sasl_plain_password=kafka.password,
        client_id=f"test-{os.getpid()}",
    )
    await admin.start()
    try:
        node = await admin.find_coordinator(group)
        (described,) = await admin.describe_consumer_groups([group], node)
        for member in described.to_object()["groups"][0]["members"]:
            await admin._send_request(LeaveGroupRequest(group, member["member_id"]), node)
    finally:
        await admin.close()


def expel(kafka: Any, group: str) -> None:
    """The same for a test without a loop."""
    asyncio.run(expel_members(kafka, group))
