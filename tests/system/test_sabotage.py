"""A checker that cannot fail is worthless: each fault armed inside a service must make `--check` exit 1."""

import subprocess
import sys

import pytest

EXPECTED = {
    "lose-event": "item-not-handed-over",
    "double-message": "mail-doubled",
    "skip-close": "not-closed",
    "stale-detail": "details-stale",
    "wrong-area": "area",
}


@pytest.mark.parametrize("fault", EXPECTED)
def test_the_checker_finds_it(fault: str) -> None:
    argv = [sys.executable, "-m", "pelangi.cli", "simulate", "--quiet", "--requests", "10", "--seed", "3", "--check"]
    options = ["--sabotage", fault, "--timeout", "30", "--settle", "6"]
    result = subprocess.run([*argv, *options], capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 1, result.stdout
    assert EXPECTED[fault] in result.stdout, result.stdout
