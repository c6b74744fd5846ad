"""`pelangi simulate --days`: the same working days under one or two ways of planning, each on a system of its own."""

import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pelangi.cli.common import table

if TYPE_CHECKING:
    from pelangi.simulate.days_figures import Figures, Waits
    from pelangi.simulate.days_record import DaysOptions

LEAD_S = 25.0
"""Seconds before the first day begins: a system starts in less. Where it does not, the days begin a week later."""
PROGRAMS = ("kafka", "database", "mailbox", "intake", "scheduling", "issuance", "notify")


@dataclass(frozen=True)
class Policy:
    """A way of planning: its name, and the settings of scheduling that make it."""

    name: str
    env: Mapping[str, str]


PLANNER = Policy("planner", {"SCHEDULING_ANNOUNCE": "EVENING", "SCHEDULING_PLAN_BY": "PRIORITY"})
COMPARED = {"fcfs": Policy("fcfs", {"SCHEDULING_ANNOUNCE": "AT_ONCE", "SCHEDULING_PLAN_BY": "FIRST_COME"})}


def play_days(options: "DaysOptions", *, compare: str, day_s: float, report: Path | None, quiet: bool) -> bool:
    """Play the days, print the figures; whether everybody is accounted for, and the planner serves no fewer than the other."""
    if compare and compare not in COMPARED:
        raise typer.BadParameter(f"one of {', '.join(COMPARED)}", param_hint="--compare")
    policies = [PLANNER, *([COMPARED[compare]] if compare else [])]
    typer.echo(
        f"simulate: {options.days} working days from {options.first}, {options.requests_a_day} requests a day, "
        f"{options.teams} teams, seed {options.seed}, {day_s:g} s a calendar day"
    )
    found = {policy.name: _play(policy, options, day_s, quiet=quiet) for policy in policies}
    ratio = found[PLANNER.name].served / found[compare].served if compare and found[compare].served else None
    _show(found, ratio)
    if report is not None:
        asked = {"day_seconds": day_s, **asdict(options), "first": options.first.isoformat()}
        result: dict[str, Any] = {"options": asked, "served_ratio": ratio, "policies": {n: asdict(f) for n, f in found.items()}}
        report.write_text(json.dumps(result, indent=1) + "\n")
    return all(figures.ok for figures in found.values()) and (ratio is None or ratio >= 1.0)


def _play(policy: Policy, options: "DaysOptions", day_s: float, *, quiet: bool) -> "Figures":
    from pelangi.local.private import PrivateStack
    from pelangi.simulate.clock import FastClock
    from pelangi.simulate.days import simulate_days
    from pelangi.simulate.days_figures import figures

    clock = FastClock.from_date(options.first, day_s, lead_s=LEAD_S)
    only = [argument for program in PROGRAMS for argument in ("--only", program)]
    env = {**policy.env, "PELANGI_CLOCK": clock.setting}
    with tempfile.TemporaryDirectory(prefix="pelangi-") as folder, PrivateStack(Path(folder), only, env) as system:
        here = replace(options, intake_url=system.url("intake"), scheduling_url=system.url("scheduling"))
        told = (lambda _: None) if quiet else lambda line: typer.echo(f"{policy.name} {line}")
        return figures(asyncio.run(simulate_days(here, clock, told)))


def _show(found: Mapping[str, "Figures"], ratio: float | None) -> None:
    typer.echo(table([("", *found), *_rows(list(found.values()))]))
    if ratio is not None:
        typer.echo(f"served, planner / fcfs: {ratio:.3f} ({100 * (ratio - 1):+.1f} %)")
    for name, figures in found.items():
        for problem, count in figures.problems.items():
            typer.echo(f"  {name}: {problem}: {count}")


def _rows(found: Sequence["Figures"]) -> list[tuple[str, ...]]:
    rows = [
        ("filed", *(str(f.filed) for f in found)),
        ("served", *(str(f.served) for f in found)),
        ("still waiting", *(f"{f.still_waiting} (mean {f.waiting.mean} days so far)" for f in found)),
        ("  of them vulnerable", *(f"{f.waiting_vulnerable.count} (mean {f.waiting_vulnerable.mean})" for f in found)),
        ("withdrawn", *(str(f.withdrawn) for f in found)),
        ("failed three times", *(str(f.failed) for f in found)),
        ("lost", *(str(f.lost) for f in found)),
        ("promises broken", *(str(f.broken) for f in found)),
        ("wait in working days", *("mean / p50 / p95 / max" for _ in found)),
        ("  vulnerable", *(_waits(f.vulnerable) for f in found)),
        ("  others", *(_waits(f.others) for f in found)),
    ]
    rows += [(f"    {urgency}", *(_waits(f.by_urgency[urgency]) for f in found)) for urgency in found[0].by_urgency]
    return [
        *rows,
        ("  kelurahan worst / median", *(f"{f.kelurahan_worst} / {f.kelurahan_median}" for f in found)),
        ("visits (nobody at home)", *(f"{f.visits} ({f.not_at_home})" for f in found)),
        ("driving minutes per visit", *(str(f.driving_minutes_per_visit) for f in found)),
        ("announcements per request", *(str(f.announcements_per_request) for f in found)),
        ("slowest day ended at", *(f"{f.latest // 60:02}:{f.latest % 60:02}" for f in found)),
        ("visits not in the morning's plan", *(str(f.late) for f in found)),
    ]


def _waits(waits: "Waits") -> str:
    return f"{waits.mean} / {waits.p50} / {waits.p95} / {waits.longest}"
