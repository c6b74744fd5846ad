"""What the faults did, kept line by line while they run, and the page made of it (docs/faults.md)."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
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


COUNTS = ("kills", "requests", "lost", "doubled", "differing", "stranded")
FINDINGS = COUNTS[2:]
RANDOM = "kill -9 of any process"
"""How the runs with random kills begin; only these kills count towards the goal."""
GOAL_KILLS, GOAL_REQUESTS = 200, 50_000
"""Kills at random, and requests of all classes together."""


def totals(results: Iterable[Result]) -> dict[str, int]:
    """The sum of every count."""
    kept = list(results)
    return {name: sum(getattr(r, name) for r in kept) for name in COUNTS}


def at_random(results: Iterable[Result]) -> list[Result]:
    """Those of random kills of any process."""
    return [r for r in results if r.fault.startswith(RANDOM)]


def shortfalls(results: Sequence[Result]) -> list[str]:
    """What is missing to say that nothing is lost or doubled in so many kills and requests; empty when it can be said."""
    said, kills, sums = [], totals(at_random(results))["kills"], totals(results)
    if kills < GOAL_KILLS:
        said.append(f"{kills} random kills of {GOAL_KILLS}")
    if sums["requests"] < GOAL_REQUESTS:
        said.append(f"{sums['requests']} requests of {GOAL_REQUESTS}")
    return said + [f"{count} {name}" for name, count in sums.items() if name in FINDINGS and count]


def row(result: Result) -> str:
    """One line of the table."""
    seed = "" if result.seed is None else result.seed
    return f"| {result.fault} | {' | '.join(str(getattr(result, name)) for name in COUNTS)} | {seed} |"


def render(results: Sequence[Result], about: Mapping[str, object] | None = None) -> str:
    """The page: what was said, a table of fault classes with a sum, and a table of the metrics that moved.

    about: when, at which commit and on what they were tried.
    """
    lines = ["# Faults", "", "Made by `make faults`; do not edit.", ""]
    lines += [*(f"* {name}: {value}" for name, value in about.items()), ""] if about else []
    missing = shortfalls(results)
    kills, sums = totals(at_random(results)), totals(results)
    said = ", ".join(f"{sums[name]} {name}" for name in FINDINGS)
    others = sums["kills"] - kills["kills"]
    lines += [
        f"**{kills['kills']} processes killed at random (over {kills['requests']} requests) and {others} other faults, over "
        f"{sums['requests']} requests in all: {said}.**",
        "",
    ]
    lines += ["Not proven: " + ", ".join(missing) + ".", ""] if missing else []
    lines += [f"| fault | {' | '.join(COUNTS)} | seed |", "|---|--:|--:|--:|--:|--:|--:|--:|"]
    lines += [row(result) for result in results]
    lines += [f"| **all** | {' | '.join(f'**{n}**' for n in sums.values())} | |", "", "## The metric that showed it", ""]
    lines += ["| fault | metric | moved by |", "|---|---|--:|"]
    lines += [f"| {r.fault} | `{name}` | {value:g} |" for r in results for name, value in r.metrics.items()]
    return "\n".join(lines) + "\n"
