"""The pages of the benchmark and of the faults say what was measured, missed goals included."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.bench import report
from tests.bench.figures import at_least, at_most


def test_a_missed_goal_is_said_plainly_and_so_is_what_was_not_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(report, "OUT", tmp_path)
    figures = [at_least("speed", 0.5, 0.8, note="half of it is parsing"), at_most("growth", 1.05, 1.1)]
    kept = {
        "about": "What it is.",
        "at": "2026-11-25T00:00:00+00:00",
        "seconds": 3.0,
        "commit": "abc",
        "machine": {"processors": 2},
    }
    (tmp_path / "one.json").write_text(json.dumps(kept | {"figures": [asdict(f) for f in figures]}))
    page = report.render(["one", "two"])
    assert "| speed | 0.5 | >= 0.8 | **no** | half of it is parsing |" in page
    assert "| growth | 1.05 | <= 1.1 | yes |" in page
    assert "## two\n\nNot measured." in page
    assert "processors 2" in page
