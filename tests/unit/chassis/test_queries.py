"""No query asks whether a field exists: for that the local store goes through every document of a sparse index (bench: cost)."""

from pathlib import Path

import pytest

from pelangi.local.process import PROJECT

SOURCES = sorted(p for folder in ("pelangi/chassis", "services", "portal") for p in (PROJECT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PROJECT)))
def test_queries_ask_for_a_range(path: Path) -> None:
    assert '"$exists": True' not in path.read_text(encoding="utf-8")
