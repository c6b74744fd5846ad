"""`pelangi up`: order, restart, ports, clean stop and no orphans, with the real parts and stand-ins for the services."""

import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from confluent_kafka import Consumer

from pelangi.local.process import PROJECT, Child, Command, free_port
from pelangi.local.supervisor import Program, Stage, Supervisor
from pelangi.local.up import PORTS, Plan, UpSettings, status, up

SERVICES = ("intake", "scheduling", "issuance", "notify")


def wait_for(condition: Callable[[], Any], timeout: float = 60.0) -> Any:
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)
    return value


class Run:
    """One `pelangi up` in a process of its own."""

    def __init__(self, folder: Path, variables: dict[str, str] | None = None, **settings: Any) -> None:
        self.folder = folder
        self.ports = settings.setdefault("ports", {name: free_port() for name in PORTS})
        argv = [sys.executable, str(Path(__file__).with_name("run_up.py")), json.dumps({"folder": str(folder), **settings})]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONWARNINGS": "error", **(variables or {})}
        self.output_path = folder.with_suffix(".out")
        with self.output_path.open("ab") as output:
            self.process = subprocess.Popen(argv, stdout=output, stderr=output, env=environment, start_new_session=True)

    @property
    def output(self) -> str:
        return self.output_path.read_text()

    def state(self) -> dict[str, Any]:
        return status(self.folder) or {"ready_s": None, "programs": {}}

    def until_ready(self) -> dict[str, Any]:
        wait_for(lambda: self.process.poll() is not None or self.state()["ready_s"])
        assert self.process.poll() is None, self.output
        return self.state()

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(40)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Makes runs, and ends those that a failed test left."""
    made: list[Run] = []

    def make(**settings: Any) -> Run:
        made.append(Run(tmp_path / "data", **settings))
        return made[-1]

    yield make
    for run in made:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()


def pids(state: dict[str, Any]) -> list[int]:
    return [program["pid"] for program in state["programs"].values()]


def gone(numbers: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in numbers)


def test_the_whole_set_starts_restarts_a_dead_program_and_keeps_its_data(runs: Callable[..., Run]) -> None:
    settings = {"clock": "offset=60", "play": True, "env": {"intake": {"INTAKE_EXTRA": "yes"}}}
    run = runs(**settings)
    state = run.until_ready()
    assert set(state["programs"]) >= {"kafka", "database", "mailbox", *SERVICES, "portal", "player"}
    order = [line.split("|")[1].split()[0] for line in run.output.splitlines() if line.endswith(" listens")]
    assert set(order[:4]) == set(SERVICES) and order[4] == "portal", "the portal comes last"
    assert "city.demo-dev" in run.output and f"http://127.0.0.1:{run.ports['portal']}/" in run.output

    env = httpx.get(f"http://127.0.0.1:{run.ports['notify']}/env").json()
    assert env["NOTIFY_KAFKA_BOOTSTRAP"] == f"127.0.0.1:{run.ports['kafka']}" and env["PELANGI_CLOCK"] == "offset=60"
    assert env["NOTIFY_SMTP_PORT"] == str(run.ports["smtp"]) and env["NOTIFY_MONGO_URI"].startswith(
        "mongodb://notify:notify-dev@"
    )
    assert httpx.get(f"http://127.0.0.1:{run.ports['intake']}/env").json()["INTAKE_EXTRA"] == "yes"

    if "prometheus" in state["programs"]:  # optional: it is not in every registry
        targets = f"http://127.0.0.1:{run.ports['prometheus']}/api/v1/targets"
        wait_for(lambda: [t["health"] for t in httpx.get(targets).json()["data"]["activeTargets"]] == ["up"] * 5, 20)

    message = EmailMessage()
    message["Message-ID"], message["To"] = "<kept@pelangi.invalid>", "x@example.id"
    with smtplib.SMTP("127.0.0.1", run.ports["smtp"]) as smtp:
        smtp.send_message(message, "a@example.id")

    for name in ("intake", "kafka"):
        before = state["programs"][name]["pid"]
        os.kill(before, signal.SIGKILL)
        wait_for(
            lambda name=name: run.state()["programs"][name]["restarts"] and run.state()["programs"][name]["state"] == "ready"
        )
        assert run.state()["programs"][name]["pid"] != before

    last = pids(run.state())
    assert run.stop() == 0, run.output
    assert gone(last) and not (run.folder / "up.json").exists()

    again = runs(ports=run.ports, **settings)
    state = again.until_ready()
    assert httpx.get(f"http://127.0.0.1:{run.ports['mailbox']}/api/messages/kept@pelangi.invalid").json()["count"] == 1
    login = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512"}
    user = {"sasl.username": "city.demo", "sasl.password": "city.demo-dev", "group.id": "city.demo.test"}
    demo = Consumer({"bootstrap.servers": f"127.0.0.1:{run.ports['kafka']}", **login, **user})
    assert "request-created.v1" in demo.list_topics(timeout=10).topics
    demo.close()
    assert again.stop(signal.SIGINT) == 0 and gone(pids(state))


def test_every_port_that_is_taken_is_named(runs: Callable[..., Run]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        taken = {"portal": one.getsockname()[1], "smtp": two.getsockname()[1]}
        run = runs(ports={**{name: free_port() for name in PORTS}, **taken})
        assert run.process.wait(20) == 1
    assert f"port {taken['portal']} (for portal)" in run.output and f"port {taken['smtp']} (for mailbox)" in run.output


def test_a_start_that_fails_half_way_leaves_nothing(runs: Callable[..., Run]) -> None:
    run = runs(variables={"FAIL": "issuance"}, only=("mailbox", *SERVICES))
    wait_for(lambda: run.state()["programs"])
    started = pids(run.state())
    assert run.process.wait(40) == 1
    assert "issuance ended with code 1 before it was ready" in run.output and "says the stand-in" in run.output
    assert started and gone(started)
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(run.folder) in " ".join(p.info["cmdline"] or [])]


def test_children_die_with_a_supervisor_that_is_killed(runs: Callable[..., Run]) -> None:
    run = runs(only=("mailbox", "intake", "portal"), replicas=2)
    state = run.until_ready()
    assert set(state["programs"]) == {"mailbox", "intake", "intake-2", "portal"}
    run.process.kill()
    run.process.wait()
    wait_for(lambda: gone(pids(state)), 5)


def test_two_runs_on_one_folder_are_refused(runs: Callable[..., Run]) -> None:
    first = runs(only=("mailbox",))
    first.until_ready()
    second = runs(only=("mailbox",))
    assert second.process.wait(20) == 1 and "another run uses" in second.output
    assert first.stop() == 0


def test_a_second_signal_ends_what_does_not_listen(runs: Callable[..., Run]) -> None:
    run = runs(only=("intake",), variables={"STUBBORN": "intake"})
    state = run.until_ready()
    run.process.send_signal(signal.SIGINT)
    time.sleep(1)  # nothing to wait for: that it has not ended is what is asserted
    assert run.process.poll() is None
    began = time.monotonic()
    assert run.stop(signal.SIGINT) == 0 and time.monotonic() - began < 5
    assert gone(pids(state))


async def test_restarts_slow_down(tmp_path: Path) -> None:
    said: list[str] = []

    def listen(name: str, line: str) -> None:
        said.append(line)
        if name == "up" and len([s for s in said if "starting it again" in s]) == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    command = Command("brief", (sys.executable, "-c", "print('hello')"))
    program = Program("brief", lambda: command, lambda: True)
    assert await Supervisor([Stage((program,))], tmp_path, listen, backoff=(0.1, 0.4)).run() == 0
    assert [line.split()[-2] for line in said if "starting it again" in line] == ["0.1", "0.2", "0.4", "0.4", "0.4"]


async def test_a_stage_that_cannot_be_prepared_fails_the_start(tmp_path: Path) -> None:
    def broken() -> None:
        raise RuntimeError("no room on the disk")

    said: list[str] = []
    command = Command("idle", (sys.executable, "-c", "import time; time.sleep(100)"))
    idle = Program("idle", lambda: command, lambda: True)
    stages = [Stage((idle,)), Stage((Program("broken", lambda: command, lambda: True, prepare=broken), idle))]
    assert await Supervisor(stages, tmp_path, lambda _, line: said.append(line)).run() == 1
    assert said == ["no room on the disk"]


def test_a_child_takes_its_own_children_with_it() -> None:
    script = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '1000']); print(p.pid, flush=True); time.sleep(1000)"
    lines: list[str] = []
    child = Child(Command("parent", (sys.executable, "-c", script)), lambda _, line: lines.append(line))
    child.start()
    wait_for(lambda: lines)
    child.stop()
    assert gone([child.pid, int(lines[0])]) and child.exit_code == -signal.SIGTERM


def test_prometheus_scrapes_the_ports_and_replicas_of_this_run(tmp_path: Path) -> None:
    plan = Plan(UpSettings(folder=tmp_path, ports={"intake": 18001}, replicas=2), lambda *_: None)
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in plan.scrape_config()["scrape_configs"]}
    assert jobs["intake"] == ["127.0.0.1:18001", "127.0.0.1:18101"] and jobs["portal"] == ["127.0.0.1:8000"]
    assert set(jobs) == {*SERVICES, "portal"}


async def test_unknown_programs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such program: intaek"):
        await up(UpSettings(folder=tmp_path, only=("intaek",)))
    with pytest.raises(ValueError, match="no such program: kafak"):
        await up(UpSettings(folder=tmp_path, ports={"kafak": 1}))
