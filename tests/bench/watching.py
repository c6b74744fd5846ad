"""What a stack does meanwhile: processor time and memory by process, commands and backlog by its own metrics, mails taken."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient

from pelangi.contracts.topics import SERVICES
from pelangi.local.database import Database
from pelangi.local.private import PrivateStack
from tests.bench.wire import Wire

OVER: Mapping[str, Mapping[str, Any]] = {
    "intake": {"status": "COMPLETED"},
    **{service: {"closed": {"$exists": True}} for service in SERVICES[1:]},
}
"""Cases of requests that are over."""

_LINE = re.compile(r"^(\w+)(?:\{([^}]*)\})? ([0-9.e+-]+)$", re.MULTILINE)


def processor_s(stack: PrivateStack) -> dict[str, float]:
    """Seconds of processor time that each program has used."""
    used: dict[str, float] = {}
    for name, program in stack.state()["programs"].items():
        times = psutil.Process(program["pid"]).cpu_times()
        used[name] = times.user + times.system
    return used


def resident_mb(stack: PrivateStack) -> dict[str, float]:
    """Resident memory of each program, in MB."""
    programs = stack.state()["programs"]
    return {name: psutil.Process(program["pid"]).memory_info().rss / 1e6 for name, program in programs.items()}


def less(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """What was added, by name."""
    return {name: value - before.get(name, 0.0) for name, value in after.items()}


async def metrics(stack: PrivateStack, service: str) -> Counter[str]:
    """The metrics of a service: sums over all labels by name."""
    wire = Wire(stack.ports[service])
    page = (await wire.get("/metrics")).body.decode()
    wire.close()
    sums: Counter[str] = Counter()
    for name, _, value in _LINE.findall(page):
        sums[name] += float(value)  # type: ignore[assignment]  # a Counter of floats adds just as well
    return sums


async def commands(stack: PrivateStack) -> dict[str, float]:
    """Commands that each service has sent to its database."""
    return {service: (await metrics(stack, service))["pelangi_database_commands_total"] for service in SERVICES}


def transitions(stack: PrivateStack) -> dict[str, float]:
    """How many transitions a request took in each service: the mean version of cases that are over. Most are a write each."""
    database = Database(stack.folder / "database", stack.ports["database"])
    client: Any = MongoClient(database.admin_uri)
    try:
        found = {service: list(client[service]["cases"].find(OVER[service], {"version": 1}, limit=500)) for service in OVER}
    finally:
        client.close()
    return {service: sum(c["version"] for c in cases) / len(cases) for service, cases in found.items() if cases}


@dataclass(slots=True)
class Mails:
    """The mails that a stack's mailbox has taken, read from its file as it grows. `at`: wall time by message id."""

    path: Path
    at: dict[str, float] = field(default_factory=dict)
    _read: int = 0

    def look(self) -> None:
        """Take in what is new."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                mail = json.loads(line)
                self.at.setdefault(mail["message_id"].partition("@")[0], datetime.fromisoformat(mail["received_at"]).timestamp())

    def of(self, ids: Mapping[str, str]) -> Iterator[tuple[str, float]]:
        """Request and time of those of these messages (by request) that were taken."""
        return ((request_id, self.at[id_]) for request_id, id_ in ids.items() if id_ in self.at)
