"""A whole system of one's own: `pelangi up` as a child on free ports, for a run with an armed fault and for tests."""

import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pelangi.local.process import PROJECT, Child, Command, port_taken
from pelangi.local.supervisor import STATE_FILE
from pelangi.local.up import PORTS, REPLICA_STEP

START_TIMEOUT_S = 180.0
FIRST_PORT, LAST_PORT = 20_000, 29_000
"""Below the range that outgoing connections take their ports from."""


def free_ports() -> dict[str, int]:
    """A free port for every program, and for the second replica of each."""
    numbers = random.sample(range(FIRST_PORT, LAST_PORT, 2 * REPLICA_STEP), 40)
    for base in numbers:
        ports = {name: base + at for at, name in enumerate(PORTS)}
        if not any(port_taken(p) or port_taken(p + REPLICA_STEP) for p in ports.values()):
            return ports
    raise RuntimeError("no free ports")


@dataclass
class PrivateStack:
    """`with PrivateStack(folder) as stack:` runs everything; nothing is left running afterwards.

    options: further arguments of `pelangi up`. env: environment of all programs.
    """

    folder: Path
    options: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=free_ports)

    def __post_init__(self) -> None:
        ports = [argument for name, number in self.ports.items() for argument in ("--port", f"{name}={number}")]
        argv = (sys.executable, "-m", "pelangi.cli", "up", "--data", str(self.folder), *ports, *self.options)
        self._child = Child(Command("up", argv, env=self.env, cwd=PROJECT, log=self.folder / "log" / "up.log"))

    def __enter__(self) -> "PrivateStack":
        self._child.start()
        try:
            self._child.wait_ready(lambda: self._ready_s() is not None, START_TIMEOUT_S)
        except BaseException:
            self._child.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._child.stop(grace=60)

    def url(self, program: str) -> str:
        """Base URL of a program; `mailbox` is its page."""
        return f"http://127.0.0.1:{self.ports[program]}"

    @property
    def bootstrap(self) -> str:
        """Where Kafka listens: every broker that was started."""
        programs = self.state()["programs"].items()
        return ",".join(f"127.0.0.1:{p['ports'][0]}" for name, p in sorted(programs) if name.startswith("kafka"))

    def state(self) -> dict[str, Any]:
        """The supervisor's own account: pids, ports, seconds, restarts by program."""
        loaded: dict[str, Any] = json.loads((self.folder / STATE_FILE).read_text())
        return loaded

    def pid(self, program: str) -> int:
        """The pid a program has now."""
        return int(self.state()["programs"][program]["pid"])

    def _ready_s(self) -> float | None:
        try:
            seconds: float | None = self.state()["ready_s"]
        except FileNotFoundError:
            return None
        return seconds
