"""What the faults did, kept line by line while they run, and the page made of it (docs/faults.md)."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


def whole() -> bool:
    """Whether this is `make faults` (at length) and not the short form in `make test`."""
    return os.environ.get("PELANGI_FAULTS") == "whole"


@dataclass(frozen=True, slots=True)
class Result:
    """One fault class tried once, after the checker.

    fault: the class, in words ("kill -9 of any process"). kills: processes killed, paused or outages made. requests: filed in it.
    lost, doubled, differing, stranded: findings of the checker. seed: of the order of events, where there is one.
    metrics: the metrics that showed the fault, and by how much they moved.
    """

    fault: str
    kills: int
    requests: int
    lost: int = 0
    doubled: int = 0
    differing: int = 0
    stranded: int = 0
    seed: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


def keep(result: Result) -> None:
    """Keep it for the page, where `PELANGI_FAULTS_OUT` names a file; every run calls this, so that the short form tries it."""
    if path := os.environ.get("PELANGI_FAULTS_OUT"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(result)) + "\n")


def read(path: Path) -> list[Result]:
    """All that was kept."""
    return [Result(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def render(results: Sequence[Result]) -> str:
    """The page: a table of fault classes with a sum, and a table of the metrics that moved."""
    lines = ["# Faults", "", "Made by `make faults`; do not edit.", ""]
    lines += ["| fault | kills | requests | lost | doubled | differing | stranded | seed |", "|---|--:|--:|--:|--:|--:|--:|--:|"]
    for r in results:
        seed = "" if r.seed is None else r.seed
        lines.append(f"| {r.fault} | {r.kills} | {r.requests} | {r.lost} | {r.doubled} | {r.differing} | {r.stranded} | {seed} |")
    sums = (sum(getattr(r, name) for r in results) for name in ("kills", "requests", "lost", "doubled", "differing", "stranded"))
    lines += [f"| **all** | {' | '.join(f'**{n}**' for n in sums)} | |", "", "## The metric that showed it", ""]
    lines += ["| fault | metric | moved by |", "|---|---|--:|"]
    lines += [f"| {r.fault} | `{name}` | {value:g} |" for r in results for name, value in r.metrics.items()]
    return "\n".join(lines) + "\n"
