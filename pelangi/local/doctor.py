"""`pelangi doctor`: what this machine lacks for `make up`, and the command that brings it.

Looking is apart from judging: `Probes` looks, `findings` is pure.
"""

import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from pelangi.local.kafka import VERSION, is_fetched
from pelangi.local.process import port_taken
from pelangi.local.up import PORTS, default_folder, status

PYTHON, JAVA = (3, 11), 17
MIN_FREE_BYTES = 2 * 1024**3
"""The jars, and the logs of Kafka and the store for some days of trying things."""
MIN_FILES = 1024
"""What a fresh Debian allows; 170 partitions and the services' connections fit."""

APT = "sudo apt-get install --no-install-recommends"


def _output(argv: Sequence[str]) -> str:
    """What a program prints; nothing when it is not there or hangs."""
    try:
        run = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=20)  # noqa: S603 - fixed commands
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout + run.stderr


def _holder(port: int) -> str:
    """Who listens on a port, as far as this user may know."""
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return ""
    pids = {c.pid for c in connections if c.laddr and c.laddr.port == port and c.status == psutil.CONN_LISTEN and c.pid}
    for pid in sorted(pids):
        try:
            return f"{psutil.Process(pid).name()} (pid {pid})"
        except psutil.Error:
            continue
    return ""


def _free_bytes() -> int:
    """Where the data will lie, or what there is of that path already."""
    folder = default_folder().absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _running_here() -> tuple[str, ...]:
    """The programs of a run that uses this data folder now."""
    state = status()
    return tuple(state["programs"]) if state else ()


@dataclass(frozen=True, slots=True)
class Probes:
    """How the machine is looked at; tests put in another machine."""

    python: tuple[int, ...] = sys.version_info[:3]
    which: Callable[[str], str | None] = shutil.which
    output: Callable[[Sequence[str]], str] = _output
    store_installed: Callable[[], bool] = lambda: Path(sys.executable).with_name("secantusd-py").exists()
    kafka_fetched: Callable[[], bool] = is_fetched
    port_taken: Callable[[int], bool] = port_taken
    holder: Callable[[int], str] = _holder
    running_here: Callable[[], tuple[str, ...]] = _running_here
    free_bytes: Callable[[], int] = _free_bytes
    file_limit: Callable[[], int] = lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    ports: Mapping[str, int] = field(default_factory=lambda: PORTS)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. get: the command that brings what is missing. required: `make up` does not work without."""

    name: str
    ok: bool
    said: str
    get: str = ""
    required: bool = True

    @property
    def mark(self) -> str:
        """In one word."""
        return "ok" if self.ok else "missing" if self.required else "optional"


def findings(probes: Probes) -> list[Finding]:
    """Everything that `make up` and `make test` need, in the order in which a person would get it."""
    return [
        _python(probes),
        Finding("packages", probes.store_installed(), "the locked requirements, the local store among them", "make setup"),
        _java(probes),
        *_kafka(probes),
        *_ports(probes),
        _disk(probes),
        _files(probes),
        _program(probes, "chromium", "tests of the pages", f"{APT} chromium"),
        _program(probes, "prometheus", "figures of the local run", f"{APT} prometheus"),
        _program(probes, "promtool", "tests of the alerts", f"{APT} prometheus"),
        _program(probes, "docker", "docker-compose.yml", f"{APT} docker.io docker-compose"),
    ]


def ready(found: Sequence[Finding]) -> bool:
    """Whether nothing is missing that `make up` needs."""
    return all(f.ok or not f.required for f in found)


def _python(probes: Probes) -> Finding:
    said = f"Python {'.'.join(map(str, probes.python))}"
    return Finding("python", probes.python >= PYTHON, said, f"{APT} python3 python3-venv  # 3.11 or newer: Debian 12")


def java_version(text: str) -> int:
    """The major version in the output of `java -version`; 0 where there is none. Java 8 calls itself 1.8."""
    found = re.search(r'version "(\d+)(?:\.(\d+))?', text)
    if not found:
        return 0
    major = int(found[1])
    return int(found[2] or 0) if major == 1 else major


def _java(probes: Probes) -> Finding:
    version = java_version(probes.output(("java", "-version"))) if probes.which("java") else 0
    said = f"Java {version}, {JAVA} or newer is needed" if version else f"Java {JAVA} or newer, for Kafka"
    return Finding("java", version >= JAVA, said, f"{APT} default-jre-headless")


def _kafka(probes: Probes) -> Iterator[Finding]:
    """Maven is needed once per machine: to fetch Kafka."""
    fetched, maven = probes.kafka_fetched(), bool(probes.which("mvn"))
    yield Finding("maven", maven, "fetches Kafka, once per machine", f"{APT} maven", required=not fetched)
    said = f"Apache Kafka {VERSION} {'is fetched' if fetched else 'is not fetched yet (54 MB)'}"
    yield Finding("kafka", fetched, said, "make up  # fetches it the first time", required=False)


def _ports(probes: Probes) -> Iterator[Finding]:
    ours = {name.removesuffix("-2") for name in probes.running_here()}
    if "mailbox" in ours:
        ours.add("smtp")  # one program, two ports
    for name, port in probes.ports.items():
        if not probes.port_taken(port):
            yield Finding(f"port {port}", True, f"{name}: free")
        elif name in ours:
            yield Finding(f"port {port}", True, f"{name}: runs already, from this folder")
        else:
            holder = probes.holder(port) or "somebody else (another user's program)"
            get = f"stop it, or: pelangi up --port {name}={port + 10000}"
            # Prometheus is left out where it is not installed, so its port is not needed either
            needed = name != "prometheus" or bool(probes.which("prometheus"))
            yield Finding(f"port {port}", False, f"{name}: taken by {holder}", get, required=needed)


def _disk(probes: Probes) -> Finding:
    free = probes.free_bytes()
    get = "free some, or choose another place: export PELANGI_DATA=/a/larger/disk"
    return Finding(
        "disk", free >= MIN_FREE_BYTES, f"{free / 1024**3:.1f} GiB free, {MIN_FREE_BYTES / 1024**3:.0f} are needed", get
    )


def _files(probes: Probes) -> Finding:
    limit = probes.file_limit()
    enough = limit >= MIN_FILES or limit == resource.RLIM_INFINITY
    return Finding("open files", enough, f"{limit} allowed, {MIN_FILES} are needed", f"ulimit -n {MIN_FILES * 8}")


def _program(probes: Probes, name: str, what_for: str, get: str) -> Finding:
    return Finding(name, probes.which(name) is not None, f"for {what_for}", get, required=False)
