"""`pelangi keys`: rotating the keys of the restricted snapshots (docs/runbooks/key-rotation.md)."""

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pelangi.cli.common import AdminPassword, AdminUser, Bootstrap, load, refuse, table
from pelangi.contracts.topics import BY_NAME, INTAKE, REQUEST_DETAILS, SCHEDULING, VISIT_DETAILS

if TYPE_CHECKING:
    from pelangi.chassis.scan import Login
    from pelangi.chassis.service import Service

keys = typer.Typer(no_args_is_help=True, help="Keys of what is encrypted on topics.")

SNAPSHOT = {INTAKE: REQUEST_DETAILS, SCHEDULING: VISIT_DETAILS}
RINGS = {"planning": "planning_keys", "person": "person_keys", "contact": "contact_keys", "visits": "visit_keys"}
"""The setting that holds the ring of each part."""


@keys.command()
def new(name: Annotated[str, typer.Argument(help="e.g. planning, person, contact, visits, intake.dlq")]) -> None:
    """Print a new entry of a key ring, `{key id: key}`. It is shown once and kept nowhere."""
    from pelangi.chassis.rekey import new_key

    typer.echo(json.dumps(new_key(name, datetime.now(UTC).date())))


@keys.command()
def where(
    topic: Annotated[str, typer.Argument(help="e.g. request-details.v1")],
    bootstrap: Bootstrap = "127.0.0.1:9092",
    admin_user: AdminUser = "admin",
    admin_password: AdminPassword = "",
) -> None:
    """Which keys the records of a topic are sealed under, from its first record on; nothing is decrypted.

    A key that is not listed can be dropped.
    """
    from pelangi.chassis.rekey import count_keys
    from pelangi.chassis.scan import Unreadable, read_to_end

    if topic not in BY_NAME or BY_NAME[topic].public:
        raise typer.BadParameter("a topic with something encrypted on it", param_hint="TOPIC")
    try:
        uses = count_keys(read_to_end(_login(bootstrap, admin_user, admin_password), topic))
    except Unreadable as error:
        refuse(error)
    rows = [
        ("part", "key", "records", "newest of their request"),
        *((u.part, u.kid, str(u.records), str(u.newest)) for u in uses),
    ]
    typer.echo(table(rows) if uses else "nothing is encrypted there")


@keys.command()
def rotate(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="|".join(SNAPSHOT))],
    wait: Annotated[float, typer.Option(help="seconds to wait until the running service has sent them")] = 300,
    bootstrap: Bootstrap = "127.0.0.1:9092",
    admin_user: AdminUser = "admin",
    admin_password: AdminPassword = "",
) -> None:
    """Let the running service send its snapshots again under its newest keys. May be interrupted and run again.

    Run it with the settings of the service, which must run with its new ring already. Exit 1 where something is left.
    """
    if service not in SNAPSHOT:
        raise typer.BadParameter(f"one of {', '.join(SNAPSHOT)}", param_hint="SERVICE")
    from pelangi.chassis.redrive import UNREACHABLE
    from pelangi.chassis.scan import Unreadable

    made = load(service)
    try:
        done = asyncio.run(_rotate(made, SNAPSHOT[service], _login(bootstrap, admin_user, admin_password), wait))
    except Unreadable as error:
        refuse(error)
    except UNREACHABLE as error:
        refuse(f"{type(error).__name__}: the database does not answer as it should; nothing is lost, run it again")
    raise typer.Exit(0 if done else 1)


async def _rotate(service: "Service", topic: str, login: "Login", wait: float) -> bool:
    from pelangi.chassis.redrive import open_store
    from pelangi.chassis.rekey import republish, under_old_keys, wait_sent
    from pelangi.chassis.scan import read_to_end
    from pelangi.chassis.service import CASES
    from pelangi.chassis.settings import DeploymentSettings

    def old() -> list[str]:
        return under_old_keys(read_to_end(login, topic), wanted)

    wanted = _newest(service, topic)
    typer.echo(f"{topic}: " + ", ".join(f"{part} {kid}" for part, kid in wanted.items()))
    ids = await asyncio.to_thread(old)
    typer.echo(f"under older keys: {len(ids)}")
    if not ids:
        return True
    async with open_store(service.settings) as store:
        cases = store.collection(CASES)
        marked = await republish(cases, topic, ids, DeploymentSettings().make_clock())
        typer.echo(f"on their way again: {marked.marked + marked.waiting}")
        for unknown in marked.unknown:
            typer.echo(f"no such request in the database: {unknown}")
        try:
            async with asyncio.timeout(wait):
                await wait_sent(cases, topic, ids)
        except TimeoutError:
            typer.echo(f"not all sent after {wait:.0f} s: is the service running? Run this again", err=True)
            return False
    left = await asyncio.to_thread(old)
    if left:
        typer.echo(f"still under older keys: {len(left)}. Does {service.settings.name} run with the new ring?", err=True)
    else:
        typer.echo("all snapshots are under the newest keys")
    return not left


def _newest(service: "Service", topic: str) -> dict[str, str]:
    """The key id that each part is sealed under from now on."""
    from pelangi.chassis.rekey import PARTS
    from pelangi.chassis.settings import key_ring

    return {part: next(iter(key_ring(getattr(service.settings, RINGS[part])).keys)) for part in PARTS[topic]}


def _login(bootstrap: str, user: str, password: str) -> "Login":
    from pelangi.chassis.provision import development_password
    from pelangi.chassis.scan import Login

    return Login(bootstrap, user, password or development_password(user))
