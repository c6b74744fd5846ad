"""bench/report.md from the figures that are kept beside it."""

import json
from collections.abc import Sequence
from typing import Any

from pelangi.local.process import PROJECT

OUT = PROJECT / "bench"
_MET = {True: "yes", False: "**no**", None: ""}


def render(parts: Sequence[str]) -> str:
    """The report, in the order of the parts; those never measured are named as such."""
    kept: dict[str, dict[str, Any]] = {
        part: json.loads((OUT / f"{part}.json").read_text()) for part in parts if (OUT / f"{part}.json").exists()
    }
    lines = [
        "# Benchmark",
        "",
        "Made by `make bench`; do not edit. A figure without a unit is a ratio of two sides of one run.",
        "",
    ]
    lines += _machine(next(iter(kept.values()))) if kept else []
    for part in parts:
        lines += _part(part, kept[part]) if part in kept else [f"## {part}", "", "Not measured.", ""]
    return "\n".join(lines).rstrip() + "\n"


def _machine(one: dict[str, Any]) -> list[str]:
    facts = (f"{name} {value}" for name, value in one["machine"].items())
    return [f"Measured on: {', '.join(facts)}.", ""]


def _part(name: str, kept: dict[str, Any]) -> list[str]:
    lines = [f"## {name}", "", kept["about"].strip(), ""]
    lines += [f"Commit {kept['commit']}, {kept['at']}, {kept['seconds']:.0f} s.", ""]
    lines += ["| figure | value | goal | met | note |", "|---|---|---|---|---|"]
    for figure in kept["figures"]:
        value = f"{figure['value']:.4g} {figure['unit']}".strip()
        lines.append(f"| {figure['name']} | {value} | {figure['goal']} | {_MET[figure['met']]} | {figure['note']} |")
    return [*lines, ""]
