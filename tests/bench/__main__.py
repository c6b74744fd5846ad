"""`python -m tests.bench [PART …]`: measure the parts (all without a name), then write bench/report.md from all that is measured.

Each part is a module of this folder with `measure(folder, say) -> list[Figure]`; its figures are kept in bench/PART.json.
"""

import argparse
import importlib
import json
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.machine import machine
from tests.bench.report import OUT, render

PARTS = ("consume", "relay", "http", "readable", "windows", "cost", "memory", "startup", "chain")


def main(names: list[str]) -> int:
    """0 also where a goal is missed: the report says so."""
    OUT.mkdir(exist_ok=True)
    for name in names or PARTS:
        started = time.monotonic()
        part = importlib.import_module(f"tests.bench.{name}")
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            figures: list[Figure] = part.measure(Path(folder), lambda text, name=name: _say(f"{name}: {text}"))
        seconds = round(time.monotonic() - started, 1)
        kept = {"about": part.__doc__, "at": datetime.now(UTC).isoformat(timespec="seconds"), "seconds": seconds, **machine()}
        kept["figures"] = [asdict(figure) for figure in figures]
        (OUT / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")
        for figure in figures:
            _say(f"{name}: {figure.name}: {figure.value:.4g} {figure.unit} {figure.goal} {figure.note}")
    (OUT / "report.md").write_text(render(PARTS))
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help="only these parts")
    sys.exit(main(parser.parse_args().part))
