"""A few working days on a fast clock, under both ways of planning, each on a whole system of its own."""

import json
import subprocess
import sys
from pathlib import Path

from pelangi.local.process import PROJECT

DAYS, A_DAY = 3, 6
OPTIONS = ("--days", str(DAYS), "--requests-a-day", str(A_DAY), "--compare", "fcfs", "--day-seconds", "4", "--seed", "5")


def test_days_are_played_under_both_ways_of_planning(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    argv = [sys.executable, "-m", "pelangi.cli", "simulate", *OPTIONS, "--report", str(report)]
    run = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False)
    found = json.loads(report.read_text()) if report.exists() else {}
    assert found, run.stdout + run.stderr
    for name, figures in found["policies"].items():
        assert figures["filed"] == DAYS * A_DAY, name
        assert (figures["lost"], figures["broken"], figures["problems"]) == (0, 0, {}), run.stdout
        assert figures["served"] > 0, run.stdout
        assert figures["served"] + figures["still_waiting"] + figures["withdrawn"] + figures["failed"] == DAYS * A_DAY
        assert figures["vulnerable"]["count"] + figures["others"]["count"] == figures["served"]
    told = found["policies"]["planner"]["planner"]
    assert sum(count for name, count in told.items() if name.startswith("pelangi_visits_told_total")) > 0, told
    assert run.returncode == (found["served_ratio"] < 1), run.stdout
