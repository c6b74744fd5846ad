"""bench/planner/report.md from what is kept of each row beside it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pelangi.local.process import PROJECT
from tests.bench.machine import machine
from tests.bench_planner.contest import Measured

OUT = PROJECT / "bench" / "planner"
FACTS = ("processors", "memory_gib", "processor", "python")
LIBRARIES = ("numba", "numpy", "pyvrp")
_MET = {True: "yes", False: "**no**", None: ""}

Kept = dict[str, Any]


def keep(out: Path, name: str, about: str, measured: Measured, seconds: float) -> None:
    """Write what a row found: NAME.json and its pictures."""
    facts: Any = machine()
    kept = {
        "about": about.strip(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "commit": facts["commit"],
        "machine": {fact: facts["machine"][fact] for fact in FACTS} | {library: _version(library) for library in LIBRARIES},
        "figures": [asdict(figure) for figure in measured.figures],
        "lines": [asdict(line) for line in measured.lines],
        "pictures": sorted(measured.pictures),
    }
    (out / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")
    for picture, svg in measured.pictures.items():
        (out / f"{picture}.svg").write_text(svg)


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def kept_in(out: Path, names: Sequence[str]) -> dict[str, Kept]:
    """What is kept of the rows that were ever measured."""
    return {name: json.loads((out / f"{name}.json").read_text()) for name in names if (out / f"{name}.json").exists()}


def render(names: Sequence[str], kept: Mapping[str, Kept]) -> str:
    """The report: all demands first, then row by row; those never measured are named as such."""
    lines = [
        "# Planner benchmark",
        "",
        "Made by `make bench-planner`; do not edit. The cities, and the check of every plan: tests/bench_planner/instances.py.",
        "Times are of one thread, from arrays to plan. A demand must be met with every seed: the figure is the worst of them.",
        "",
    ]
    if kept:
        facts = next(iter(kept.values()))["machine"]
        lines += [f"Measured on: {', '.join(f'{name} {value}' for name, value in facts.items())}.", ""]
    lines += ["| row | figure | value | demand | met |", "|---|---|---|---|---|"]
    for name in names:
        demands = [figure for figure in kept[name]["figures"] if figure["goal"]] if name in kept else []
        lines += [f"| {name} | {f['name']} | {_value(f)} | {f['goal']} | {_MET[f['met']]} |" for f in demands]
        if not demands:
            lines.append(f"| {name} | {_why_not(kept.get(name))} | | | |")
    for name in names:
        lines += ["", f"## {name}", "", *(_row(kept[name]) if name in kept else ["Not measured."])]
    return "\n".join(lines).rstrip() + "\n"


def _why_not(kept: Kept | None) -> str:
    """Why a row has no figures."""
    notes = [line["note"] for line in kept["lines"] if line["note"]] if kept else []
    return f"not measured: {notes[0]}" if notes else "not measured"


def _row(kept: Kept) -> list[str]:
    lines = [kept["about"], "", f"Commit {kept['commit']}, {kept['at']}, {kept['seconds']:.0f} s in all.", ""]
    if kept["figures"]:
        lines += ["| figure | value | demand | met | note |", "|---|---|---|---|---|"]
        lines += [f"| {f['name']} | {_value(f)} | {f['goal']} | {_MET[f['met']]} | {f['note']} |" for f in kept["figures"]]
        lines.append("")
    if kept["lines"]:
        lines += [
            "| instance | who | limit s | served | weight | of bound | travel | wall s | cpu s | iterations | seed | note |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
            *map(_line, kept["lines"]),
            "",
        ]
    return [*lines, *(f"![{picture}]({picture}.svg)" for picture in kept["pictures"])]


def _value(figure: Kept) -> str:
    return f"{figure['value']:.6g} {figure['unit']}".strip()


def _line(line: Kept) -> str:
    spent = line["spent"] or {}
    share = f"{100 * line['weight'] / line['bound']:.2f} %" if line["weight"] is not None and line["bound"] else ""
    note = f"**breaks {line['violations']} rules** {line['note']}" if line["violations"] else line["note"]
    limit = "" if line["limit"] is None else f"{line['limit']:g}"
    seconds = [f"{spent[kind]:.2f}" if spent else "" for kind in ("wall", "cpu")]
    shown = [line["served"], line["weight"], share, line["travel"], *seconds, line["iterations"], line["seed"]]
    cells = ["" if value is None else str(value) for value in shown]
    return f"| {line['instance']} | {line['engine']} | {limit} | {' | '.join(cells)} | {note} |"
