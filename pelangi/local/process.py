"""Start a child process in a session of its own, wait until it is ready, stop it and all it started.

Nothing here ends a process by name: only by the pid of a child started here, and its process group.
"""

import asyncio
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
LEASH = Path(__file__).with_name("leash.py")
POLL_SECONDS = 0.05
LAST_LINES = 30
FREE_PORTS = (10_000, 19_999)
_chance, _given = random.SystemRandom(), set[int]()  # a seed that somebody sets must not repeat a port

LineSink = Callable[[str, str], None]
"""Takes the program's name and one line of its output."""


class ChildFailedError(RuntimeError):
    """A child ended, or was not ready in time. The message has its last lines of output."""


@dataclass(frozen=True)
class Command:
    """What to run. `env` is added to this process's environment; output goes to `log` where given, and to the sink."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    log: Path | None = None


class Child:
    """One running command. Call `start` from a thread that lives as long as the child should (leash.py says why)."""

    def __init__(self, command: Command, sink: LineSink | None = None) -> None:
        self.command = command
        self.started_at = 0.0
        self._sink = sink
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._last: deque[str] = deque(maxlen=LAST_LINES)

    @property
    def name(self) -> str:
        """The program's name in log lines and messages."""
        return self.command.name

    @property
    def pid(self) -> int:
        """The pid, which is the process group's id as well; 0 before the first start."""
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        """True from `start` until the process has ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """As in subprocess: None while running, negative for a signal."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start the command; returns at once."""
        if self.running:
            raise RuntimeError(f"{self.name} is running already")
        self._process = subprocess.Popen(  # noqa: S603  # commands come from our own code
            leashed(self.command.argv),
            env={**os.environ, **self.command.env},
            cwd=self.command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.started_at = time.monotonic()
        self._reader = threading.Thread(target=self._read, args=(self._process,), name=f"{self.name}-log", daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        log = self.command.log
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
        with process.stdout as lines, Path(log or os.devnull).open("ab", buffering=0) as file:
            for raw in lines:
                file.write(raw)
                line = raw.decode(errors="replace").rstrip("\r\n")
                self._last.append(line)
                if self._sink:
                    self._sink(self.name, line)

    def last_lines(self) -> str:
        """The end of the output, indented, for an error message."""
        if self._reader and not self.running:
            self._reader.join(1)
        return "\n".join(f"  {line}" for line in self._last)

    def signal(self, number: int) -> None:
        """Send a signal to the child and everything in its group; nothing happens when all have ended."""
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    def stop(self, grace: float = 15.0) -> None:
        """Ask to end (SIGTERM), then insist (SIGKILL) after `grace` seconds. Returns when it has ended."""
        if self._process is None:
            return
        if self.running:
            self.signal(signal.SIGTERM)
            _until(lambda: not self.running, grace)
        self._finish()

    async def stop_async(self, grace: float = 15.0) -> None:
        """The same without blocking the event loop."""
        if self._process is None:
            return
        if self.running:
            self.signal(signal.SIGTERM)
            await asyncio.to_thread(_until, lambda: not self.running, grace)
        await asyncio.to_thread(self._finish)

    def kill(self) -> None:
        """End it as a crash would: SIGKILL, no warning."""
        self._finish()

    def _finish(self) -> None:
        """SIGKILL to what is left of the group: a hung child, or grandchildren that it left behind."""
        if self._process is None:
            return
        self.signal(signal.SIGKILL)
        self._process.wait()
        if self._reader:
            self._reader.join(1)

    def wait_ready(self, ready: Callable[[], bool], timeout: float = 60.0) -> None:
        """Block until `ready()`; raises ChildFailedError when the child ends first or the time is over."""
        deadline = time.monotonic() + timeout
        while not ready():
            self._check(deadline, timeout)
            time.sleep(POLL_SECONDS)

    async def wait_ready_async(self, ready: Callable[[], bool], timeout: float = 60.0) -> None:
        """The same without blocking the event loop; `ready` runs in a thread."""
        deadline = time.monotonic() + timeout
        while not await asyncio.to_thread(ready):
            self._check(deadline, timeout)
            await asyncio.sleep(POLL_SECONDS)

    def _check(self, deadline: float, timeout: float) -> None:
        if not self.running:
            raise ChildFailedError(f"{self.name} ended with code {self.exit_code} before it was ready\n{self.last_lines()}")
        if time.monotonic() > deadline:
            raise ChildFailedError(f"{self.name} was not ready within {timeout:.0f} s\n{self.last_lines()}")


def leashed(argv: Sequence[str]) -> list[str]:
    """The same command, ended by the kernel when this process ends."""
    return [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *argv]


def _until(condition: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on, never the same twice.

    Below the range of outgoing connections: one of those could take it while the program that listens there restarts.
    """
    for _ in range(1000):
        port = _chance.randint(*FREE_PORTS)
        if port not in _given and not port_taken(port):
            _given.add(port)
            return port
    raise RuntimeError("no free port")


def port_taken(port: int, host: str = "127.0.0.1") -> bool:
    """True when a listener is in the way of a new one; what old connections left behind is not."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
        return False


def port_open(port: int, host: str = "127.0.0.1") -> bool:
    """True when somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def http_ok(url: str, timeout: float = 2.0) -> bool:
    """True when a GET is answered with 200. Any failure to connect or answer is False."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=timeout)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
