"""`python -m tests.bench_planner [ROW …]`: measure the rows (all without a name), then write bench/planner/report.md.

What a row found is kept in bench/planner/ROW.json, its maps beside; the report is of all that is kept.
"""

import argparse
import sys
import time
from functools import partial

from tests.bench_planner.report import OUT, keep, kept_in, render
from tests.bench_planner.rows import ROWS


def main(names: list[str]) -> int:
    """0 also where a demand is missed: the report says so."""
    OUT.mkdir(parents=True, exist_ok=True)
    for name in names or ROWS:
        started = time.monotonic()
        measured = ROWS[name].measure(partial(_say, name))
        keep(OUT, name, ROWS[name].about, measured, time.monotonic() - started)
        for figure in measured.figures:
            _say(name, f"{figure.name}: {figure.value:.6g} {figure.unit} {figure.goal} {figure.note}")
    (OUT / "report.md").write_text(render(list(ROWS), kept_in(OUT, list(ROWS))))
    return 0


def _say(name: str, text: str) -> None:
    sys.stdout.write(f"{name}: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench_planner", description=__doc__)
    parser.add_argument("row", nargs="*", choices=[*ROWS, []], help="only these rows")
    sys.exit(main(parser.parse_args().row))
