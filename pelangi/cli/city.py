"""`pelangi simulate` and `pelangi audit`: a synthetic city, and the checker."""

import asyncio
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pelangi.audit.options import AuditReport
    from pelangi.simulate.options import Accepted, Report, SimulateOptions

SABOTAGES = ("lose-event", "double-message", "skip-close", "stale-detail", "wrong-area")

Intake = Annotated[str, typer.Option("--intake-url", envvar="PELANGI_INTAKE_URL")]
Scheduling = Annotated[str, typer.Option("--scheduling-url", envvar="PELANGI_SCHEDULING_URL")]
Issuance = Annotated[str, typer.Option("--issuance-url", envvar="PELANGI_ISSUANCE_URL")]
Notify = Annotated[str, typer.Option("--notify-url", envvar="PELANGI_NOTIFY_URL")]
Mailbox = Annotated[str, typer.Option("--mailbox-url", envvar="PELANGI_MAILBOX_URL")]
Kafka = Annotated[str, typer.Option("--kafka", envvar="PELANGI_KAFKA_BOOTSTRAP")]
Stores = Annotated[
    bool | None, typer.Option("--stores/--no-stores", help="read the stores too; default: where the services' settings name them")
]
Restricted = Annotated[
    bool | None,
    typer.Option(
        "--restricted/--no-restricted", help="read the restricted topics too, as PELANGI_KAFKA_ADMIN_USER; default: likewise"
    ),
]
Settle = Annotated[float, typer.Option(help="seconds the audit waits for what is still missing")]


@dataclass(frozen=True)
class Addresses:
    """Where a system answers."""

    intake: str = "http://127.0.0.1:8001"
    scheduling: str = "http://127.0.0.1:8002"
    issuance: str = "http://127.0.0.1:8003"
    notify: str = "http://127.0.0.1:8004"
    mailbox: str = "http://127.0.0.1:8025"
    kafka: str = "127.0.0.1:9092"
    database_port: int | None = None

    @property
    def local(self) -> bool:
        """Whether it is a run on this machine: `pelangi up` on its usual ports, or one of our own."""
        return self == HERE or self.database_port is not None


HERE = Addresses()


def simulate(
    requests: Annotated[int, typer.Option(min=0, help="how many requests to file")] = 100,
    seed: Annotated[int, typer.Option(help="who asks for what, and what goes wrong")] = 1,
    check: Annotated[bool, typer.Option("--check", help="audit afterwards; exit 1 unless all reached their lawful end")] = False,
    play: Annotated[bool, typer.Option("--play", help="file nothing; play teams and desk for everybody until Ctrl-C")] = False,
    own: Annotated[bool, typer.Option("--own", help="run against a system of its own on free ports")] = False,
    http_only: Annotated[bool, typer.Option("--http-only", help="file nothing over Kafka")] = False,
    sabotage: Annotated[str, typer.Option(help=f"arm a fault in the services (implies --own): {', '.join(SABOTAGES)}")] = "",
    days: Annotated[int, typer.Option(min=0, help="play so many working days on systems of its own, on a fast clock")] = 0,
    requests_a_day: Annotated[int, typer.Option(min=1, help="with --days: visits at home asked for on each")] = 36,
    teams: Annotated[int, typer.Option(min=1, max=40, help="with --days: teams that drive")] = 4,
    compare: Annotated[str, typer.Option(help="with --days: fcfs plays the same days again, first come first served")] = "",
    day_seconds: Annotated[float, typer.Option(min=1.0, help="with --days: how long a calendar day takes")] = 8.0,
    report: Annotated[Path | None, typer.Option(help="with --days: the figures as JSON, into this file")] = None,
    timeout: Annotated[float, typer.Option(help="seconds until it gives up")] = 3600,
    settle: Settle = 60,
    concurrency: Annotated[int, typer.Option(help="calls at a time")] = 8,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress bar")] = False,
    intake_url: Intake = HERE.intake,
    scheduling_url: Scheduling = HERE.scheduling,
    issuance_url: Issuance = HERE.issuance,
    notify_url: Notify = HERE.notify,
    mailbox_url: Mailbox = HERE.mailbox,
    kafka: Kafka = HERE.kafka,
    stores: Stores = None,
    restricted: Restricted = None,
) -> None:
    """A synthetic city drives the public API: officers, teams and desk, with people who do not exist."""
    if sabotage and sabotage not in SABOTAGES:
        raise typer.BadParameter(f"one of {', '.join(SABOTAGES)}", param_hint="--sabotage")
    if days:
        from pelangi.cli.days import play_days
        from pelangi.simulate.days_record import DaysOptions

        chosen = DaysOptions(days=days, requests_a_day=requests_a_day, teams=teams, seed=seed, concurrency=concurrency)
        raise typer.Exit(0 if play_days(chosen, compare=compare, day_s=day_seconds, report=report, quiet=quiet) else 1)
    from pelangi.simulate.options import SimulateOptions
    from pelangi.simulate.play import simulate as run_simulation

    running = Addresses(intake_url, scheduling_url, issuance_url, notify_url, mailbox_url, kafka)
    with _own_system(sabotage) if own or sabotage else _as_is(running) as at:
        options = SimulateOptions(
            requests=requests,
            seed=seed,
            intake_url=at.intake,
            scheduling_url=at.scheduling,
            issuance_url=at.issuance,
            kafka_bootstrap="" if http_only else at.kafka,
            concurrency=concurrency,
            timeout_s=timeout,
            quiet=quiet,
        )
        if play:
            asyncio.run(_play_until_stopped(options))
            return
        result = asyncio.run(run_simulation(options))
        _show(result)
        ok = result.ok
        if check:
            ok = _audit(at, settle, result.accepted, stores=stores, restricted=restricted).ok and ok
    raise typer.Exit(0 if ok else 1)


def audit(
    settle: Settle = 60,
    intake_url: Intake = HERE.intake,
    scheduling_url: Scheduling = HERE.scheduling,
    issuance_url: Issuance = HERE.issuance,
    notify_url: Notify = HERE.notify,
    mailbox_url: Mailbox = HERE.mailbox,
    kafka: Kafka = HERE.kafka,
    stores: Stores = None,
    restricted: Restricted = None,
) -> None:
    """Check every request from topics, HTTP, mailbox and stores; exit 1 for anything lost, doubled, differing or stranded."""
    at = Addresses(intake_url, scheduling_url, issuance_url, notify_url, mailbox_url, kafka)
    raise typer.Exit(0 if _audit(at, settle, None, stores=stores, restricted=restricted).ok else 1)


@contextmanager
def _as_is(running: Addresses) -> Iterator[Addresses]:
    yield running


@contextmanager
def _own_system(sabotage: str) -> Iterator[Addresses]:
    from pelangi.local.private import PrivateStack

    options = ("--sabotage", sabotage) if sabotage else ()
    with tempfile.TemporaryDirectory(prefix="pelangi-") as folder, PrivateStack(Path(folder), options) as system:
        names = ("intake", "scheduling", "issuance", "notify", "mailbox")
        yield Addresses(
            **{name: system.url(name) for name in names}, kafka=system.bootstrap, database_port=system.ports["database"]
        )


def _audit(
    at: Addresses, settle: float, accepted: "Sequence[Accepted] | None", *, stores: bool | None, restricted: bool | None
) -> "AuditReport":
    from rich.console import Console

    from pelangi.audit.audit import audit as run_audit
    from pelangi.audit.options import AuditOptions
    from pelangi.audit.show import show as show_audit
    from pelangi.cli.access import access

    more = access(stores=stores, restricted=restricted, local=at.local, database_port=at.database_port)
    options = AuditOptions(
        intake_url=at.intake,
        scheduling_url=at.scheduling,
        issuance_url=at.issuance,
        notify_url=at.notify,
        mailbox_url=at.mailbox,
        kafka_bootstrap=at.kafka,
        keys=more.keys,
        restricted_user=more.user,
        restricted_password=more.password,
        stores=more.stores,
        if_readable=more.if_readable,
        settle_s=settle,
    )
    report = asyncio.run(run_audit(options, accepted))
    show_audit(report, Console(width=160))
    return report


async def _play_until_stopped(options: "SimulateOptions") -> None:
    from pelangi.simulate.play import play_all

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await play_all(options, stop)


def _show(report: "Report") -> None:
    typer.echo(
        f"simulate: {len(report.accepted)} accepted ({report.sent_twice} sent twice), {report.filed_per_second:.0f}/s filed, "
        f"{report.visits} visits ({report.visits_failed} failed), {report.documents} documents, "
        f"{report.retries} retries, {report.seconds:.1f} s"
    )
    typer.echo("  " + ", ".join(f"{status} {count}" for status, count in report.by_status().items()))
    if report.lives:
        typer.echo("  " + ", ".join(f"{what} {count}" for what, count in sorted(report.lives.items())))
    for code, count in report.problems.most_common():
        typer.echo(f"  odd answer {code}: {count}")
    for stuck in report.stuck[:20]:
        typer.echo(f"  stuck {stuck.request_id}: {stuck.why}")
    if len(report.stuck) > 20:
        typer.echo(f"  … and {len(report.stuck) - 20} more stuck")
