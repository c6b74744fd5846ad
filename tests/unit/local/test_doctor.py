"""`pelangi doctor` on machines that lack this or that."""

import resource
from typing import Any

import pytest
from typer.testing import CliRunner

from pelangi.cli.main import app
from pelangi.local import doctor
from pelangi.local.doctor import Finding, Probes, findings, java_version, ready
from pelangi.local.up import PORTS

JAVA_17 = 'openjdk version "17.0.19" 2026-04-21\nOpenJDK Runtime Environment (build 17.0.19+10)'
GIB = 1024**3


def machine(*, lacks: tuple[str, ...] = (), taken: dict[int, str] | None = None, **other: Any) -> Probes:
    """A machine that has everything but these programs, and ports that somebody holds."""
    held = taken or {}
    plain: dict[str, Any] = {
        "python": (3, 11, 7),
        "which": lambda name: None if name in lacks else f"/usr/bin/{name}",
        "output": lambda argv: JAVA_17,
        "store_installed": lambda: True,
        "kafka_fetched": lambda: True,
        "port_taken": lambda port: port in held,
        "holder": lambda port: held.get(port, ""),
        "running_here": lambda: (),
        "free_bytes": lambda: 50 * GIB,
        "file_limit": lambda: 4096,
    }
    return Probes(**plain | other)


def look(probes: Probes, name: str) -> Finding:
    (found,) = [f for f in findings(probes) if f.name == name]
    return found


def test_a_machine_with_everything_is_ready() -> None:
    found = findings(machine())
    assert ready(found) and all(f.ok for f in found)
    assert {f"port {port}" for port in PORTS.values()} <= {f.name for f in found}


@pytest.mark.parametrize(
    ("probes", "name", "get"),
    [
        (machine(python=(3, 10, 12)), "python", "python3-venv"),
        (machine(store_installed=lambda: False), "packages", "make setup"),
        (machine(lacks=("java",)), "java", "install --no-install-recommends default-jre-headless"),
        (machine(output=lambda argv: JAVA_17.replace("17.0.19", "11.0.2")), "java", "default-jre-headless"),
        (machine(lacks=("mvn",), kafka_fetched=lambda: False), "maven", "install --no-install-recommends maven"),
        (machine(taken={9092: "java (pid 12)"}), "port 9092", "--port kafka=19092"),
        (machine(free_bytes=lambda: GIB), "disk", "PELANGI_DATA"),
        (machine(file_limit=lambda: 256), "open files", "ulimit -n"),
    ],
)
def test_what_make_up_needs(probes: Probes, name: str, get: str) -> None:
    found = look(probes, name)
    assert (found.ok, found.mark) == (False, "missing")
    assert get in found.get
    assert not ready(findings(probes))
    assert [f.name for f in findings(probes) if not f.ok and f.required] == [name], "and nothing else is said to be missing"


@pytest.mark.parametrize("program", ["chromium", "prometheus", "promtool", "docker"])
def test_what_it_can_do_without(program: str) -> None:
    probes = machine(lacks=(program,))
    assert look(probes, program).mark == "optional"
    assert "apt-get install" in look(probes, program).get
    assert ready(findings(probes))


def test_maven_is_not_needed_once_kafka_is_fetched() -> None:
    assert ready(findings(machine(lacks=("mvn",))))
    fresh = machine(kafka_fetched=lambda: False)
    assert ready(findings(fresh)), "the first `make up` fetches it"
    assert look(fresh, "kafka").mark == "optional"


def test_a_taken_port_says_who_holds_it_where_that_is_known() -> None:
    assert "taken by nginx (pid 4)" in look(machine(taken={8000: "nginx (pid 4)"}), "port 8000").said
    assert "another user" in look(machine(taken={8000: ""}), "port 8000").said


def test_ports_of_a_run_from_this_folder_are_not_in_the_way() -> None:
    probes = machine(taken={8001: "python", 1025: "python", 8002: "python"}, running_here=lambda: ("intake-2", "mailbox"))
    assert look(probes, "port 8001").ok and look(probes, "port 1025").ok
    assert not look(probes, "port 8002").ok


def test_a_port_of_prometheus_matters_only_with_prometheus() -> None:
    held = {9090: "cockpit (pid 9)"}
    assert not ready(findings(machine(taken=held)))
    assert ready(findings(machine(taken=held, lacks=("prometheus",))))


def test_no_limit_on_files_is_enough() -> None:
    assert look(machine(file_limit=lambda: resource.RLIM_INFINITY), "open files").ok


@pytest.mark.parametrize(
    ("text", "version"),
    [(JAVA_17, 17), ('openjdk version "21" 2023-09-19', 21), ('java version "1.8.0_202"', 8), ("command not found", 0), ("", 0)],
)
def test_java_versions(text: str, version: int) -> None:
    assert java_version(text) == version


def test_the_command_shows_every_line_and_exits_by_what_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "Probes", lambda: machine(lacks=("docker",)))
    done = CliRunner().invoke(app, ["doctor"])
    assert (done.exit_code, "ready for `make up`" in done.output) == (0, True)
    monkeypatch.setattr(doctor, "Probes", lambda: machine(lacks=("java",)))
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1
    line = next(line for line in done.output.splitlines() if line.startswith("missing"))
    assert "java" in line and "-> sudo apt-get install" in line


def test_this_machine_can_be_looked_at() -> None:
    """The real probes, whatever they find."""
    names = {f.name for f in findings(Probes())}
    assert {"python", "java", "maven", "kafka", "disk", "open files", "docker"} <= names
