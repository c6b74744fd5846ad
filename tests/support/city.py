"""Running the synthetic city against a private stack."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from pelangi.local.database import Database
from pelangi.local.private import PrivateStack

SERVICES = ("intake", "scheduling", "issuance", "notify")


def environment(stack: PrivateStack) -> dict[str, str]:
    """The environment that points `pelangi simulate` and `audit` at the stack, its stores and its restricted topics."""
    urls = {f"PELANGI_{name.upper()}_URL": stack.url(name) for name in (*SERVICES, "mailbox")}
    database = Database(stack.folder, stack.ports["database"])
    stores = {f"{name.upper()}_MONGO_URI": database.uri(name) for name in SERVICES}
    kafka = {"PELANGI_KAFKA_BOOTSTRAP": stack.bootstrap, "PELANGI_KAFKA_ADMIN_USER": "admin"}
    return {**os.environ, **urls, **stores, **kafka}


@contextmanager
def simulation(stack: PrivateStack, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`pelangi simulate` running; ended on the way out if it has not ended by itself."""
    argv = [sys.executable, "-m", "pelangi.cli", "simulate", "--quiet", *options]
    process = subprocess.Popen(argv, env=environment(stack), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str], timeout: float) -> tuple[int, str]:
    """Exit code and output."""
    output, _ = process.communicate(timeout=timeout)
    return process.returncode, output


def simulate(stack: PrivateStack, *options: str, timeout: float = 500) -> tuple[int, str]:
    """Run `pelangi simulate` to its end."""
    with simulation(stack, *options) as process:
        return finish(process, timeout)


def wait_for(condition: Callable[[], bool], timeout: float, what: str) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"still waiting for: {what}"
        time.sleep(0.05)


def filed(stack: PrivateStack) -> float:
    """How many requests intake has taken (all replicas)."""
    total = 0.0
    for port in (stack.ports["intake"], stack.ports["intake"] + 100):
        for line in metrics(port).splitlines():
            if line.startswith("pelangi_requests_total{"):
                total += float(line.rsplit(" ", 1)[1])
    return total


def metrics(port: int) -> str:
    """The metrics page of a process, empty while it is away."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=2).text
    except httpx.HTTPError:
        return ""


def leads(stack: PrivateStack, program: str) -> bool:
    """Whether this process (`intake`, `intake-2`) holds the lease of its service."""
    name, _, second = program.partition("-")
    return "pelangi_leader 1.0" in metrics(stack.ports[name] + (100 if second else 0))


def leader(stack: PrivateStack, service: str) -> str:
    """The process of a service that leads now."""
    for _ in range(400):
        for program in (service, f"{service}-2"):
            if program in stack.state()["programs"] and leads(stack, program):
                return program
        time.sleep(0.05)
    raise AssertionError(f"nobody leads {service}")


def kill(stack: PrivateStack, program: str) -> None:
    """kill -9; the supervisor starts it again."""
    os.kill(stack.pid(program), signal.SIGKILL)


@contextmanager
def paused(stack: PrivateStack, program: str) -> Iterator[None]:
    """SIGSTOP, then SIGCONT."""
    pid = stack.pid(program)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
