"""A whole system whose services end themselves at every crash point they have, one after another, under a load."""

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil

from pelangi.chassis.provision import development_password
from pelangi.contracts.topics import written_by
from pelangi.local.kafka import ADMIN
from pelangi.local.private import PrivateStack
from tests.faults.killer import SERVICES
from tests.support.service import expel_members

CONSUMER = (
    "consumer.after-read",
    "consumer.half-written",
    "consumer.half-updated",
    "consumer.after-write",
    "consumer.after-dead-letters",
)
RELAY = ("relay.after-read", "relay.after-send", "relay.after-commit")
OWN: Mapping[str, tuple[str, ...]] = {
    "intake": ("command.after-write", "duplicate.after-heading", "duplicate.after-learning"),
    "scheduling": (
        "command.after-write",
        "booking.after-wanted",
        "booking.after-booked",
        "booking.after-held",
        "booking.after-amended",
        "booking.after-left",
        "visit.after-day",
        "visit.after-first-member",
    ),
    "issuance": ("command.after-write",),
    "notify": ("send.after-claim", "send.after-accepted"),
}


def points_of(service: str) -> list[str]:
    """All crash points that a service can come to."""
    sends = any(not topic.endswith(".dlq") for topic in written_by(service))
    return [*CONSUMER, *(RELAY if sends else ()), *OWN[service]]


class Points:
    """Lists of points in files, one per service: each start of a service arms those that are left (pelangi/chassis/crash.py)."""

    def __init__(self, folder: Path, wanted: Mapping[str, Sequence[str]]) -> None:
        self._files = {service: folder / f"{service}.points" for service in wanted}
        for service, points in wanted.items():
            self._files[service].write_text("".join(f"{point}\n" for point in points))

    @property
    def env(self) -> dict[str, str]:
        """For the whole stack: each service reads its own setting."""
        lists = {f"{service.upper()}_CRASH_POINT": f"@{path}" for service, path in self._files.items()}
        return {**lists, "PELANGI_RESTART_MAX_S": "1"}  # as many crashes in a row are no reason to wait ever longer here

    def left(self) -> dict[str, list[str]]:
        """The points that nobody came to yet."""
        return {service: points for service, path in self._files.items() if (points := path.read_text().split())}

    def forget(self) -> None:
        """Nothing is armed from the next start on."""
        for path in self._files.values():
            path.write_text("")


async def expel_the_dead(stack: PrivateStack) -> None:
    """For ever: let the groups of services that ended forget them at once, instead of after their session (10 s)."""
    kafka = SimpleNamespace(bootstrap=stack.bootstrap, password=development_password(ADMIN))
    pids = {name: stack.pid(name) for name in SERVICES}
    while True:
        await asyncio.sleep(0.1)
        for name, pid in pids.items():
            if pid and not psutil.pid_exists(pid):
                pids[name] = 0
                await expel_members(kafka, name)
            elif not pid:
                pids[name] = _living(stack.pid(name))


def _living(pid: int) -> int:
    return pid if psutil.pid_exists(pid) else 0


@contextmanager
def services_away(stack: PrivateStack) -> Iterator[None]:
    """All services ended and not started again before the end; their groups are empty meanwhile."""
    supervisor = stack.state()["pid"]
    kafka = SimpleNamespace(bootstrap=stack.bootstrap, password=development_password(ADMIN))
    os.kill(supervisor, signal.SIGSTOP)
    try:
        for name in SERVICES:
            os.kill(stack.pid(name), signal.SIGKILL)
        for name in SERVICES:
            asyncio.run(expel_members(kafka, name))
        yield
    finally:
        os.kill(supervisor, signal.SIGCONT)


def documents(stack: PrivateStack) -> dict[tuple[str, str, Any], dict[str, Any]]:
    """Every document of every service, by database, collection and id; without the leases."""
    from pymongo import MongoClient

    uri = f"mongodb://{ADMIN}:{development_password(ADMIN)}@127.0.0.1:{stack.ports['database']}/?authSource=admin"
    with MongoClient[dict[str, Any]](uri, directConnection=True, tz_aware=True) as client:
        return {
            (name, collection, document["_id"]): document
            for name in SERVICES
            for collection in client[name].list_collection_names()
            if collection != "lease"
            for document in client[name][collection].find()
        }
