"""A checker that cannot fail is worthless: each fault armed inside a service must make `--check` exit 1."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

EXPECTED = {
    "lose-event": "item-not-handed-over",
    "double-message": "mail-doubled",
    "skip-close": "not-closed",
    "stale-detail": "details-stale",
    "wrong-area": "area",
}

AT_ONCE = 2
"""Each run is a whole system of its own and waits for much of its time."""

Runs = dict[str, Future[subprocess.CompletedProcess[str]]]


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {fault: pool.submit(_run, fault) for fault in EXPECTED}


def _run(fault: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "pelangi.cli", "simulate", "--quiet", "--requests", "10", "--seed", "3", "--check"]
    options = ["--sabotage", fault, "--timeout", "30", "--settle", "6"]
    return subprocess.run([*argv, *options], capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize("fault", EXPECTED)
def test_the_checker_finds_it(runs: Runs, fault: str) -> None:
    result = runs[fault].result()
    assert result.returncode == 1, result.stdout
    assert EXPECTED[fault] in result.stdout, result.stdout
