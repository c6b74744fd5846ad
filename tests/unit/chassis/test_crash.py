"""Crash points end or stop the process where they are armed, once, and do nothing elsewhere."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.support.service import wait_for

PASS = "import sys; from pelangi.chassis.crash import arm, crash_point; arm(sys.argv[1]); {body}; print('through')"


def run(setting: str, body: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", PASS.format(body=body), setting]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=20)
    return process.returncode, said


def test_only_the_armed_point_and_only_the_nth_passage_ends_the_process() -> None:
    assert end(run("", "crash_point('a')")) == (0, "through\n")
    assert end(run("b", "crash_point('a')")) == (0, "through\n")
    assert end(run("a:3", "[crash_point('a') for _ in range(2)]")) == (0, "through\n")
    assert end(run("b,a:3", "[crash_point('a') for _ in range(3)]")) == (77, "")


def test_a_list_in_a_file_loses_the_point_that_was_come_to(tmp_path: Path) -> None:
    points = tmp_path / "points"
    points.write_text("a\nb:2\n")
    assert end(run(f"@{points}", "crash_point('a')")) == (77, "")
    assert points.read_text() == "b:2\n"
    assert end(run(f"@{points}", "crash_point('a')")) == (0, "through\n"), "the next start does not end there again"
    assert end(run(f"@{points}", "[crash_point('b') for _ in range(2)]")) == (77, "")
    assert points.read_text() == ""


def test_a_process_that_stops_itself_goes_on_when_it_is_told_to() -> None:
    process = run("a=stop", "[crash_point('a') for _ in range(2)]")
    wait_for(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    process.send_signal(signal.SIGCONT)
    assert end(process) == (0, "through\n"), "and it stops once"
