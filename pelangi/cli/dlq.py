"""`pelangi dlq`: the records that a service could not use, looked at and brought back."""

import asyncio
import getpass
from base64 import b64encode
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from pelangi.cli.common import ServiceName, load, refuse, table
from pelangi.contracts.topics import BY_NAME

if TYPE_CHECKING:
    from pelangi.chassis.dead_letters import Original
    from pelangi.chassis.redrive import DeadLetter, Outcome
    from pelangi.chassis.service import Service

T = TypeVar("T")

dlq = typer.Typer(no_args_is_help=True, help="Dead letters: records that a service could not use.")

Coordinates = Annotated[str, typer.Argument(metavar="COORDINATES", help="topic-partition-offset, as `list` shows them")]


@dlq.command("list")
def list_(service: ServiceName) -> None:
    """What stands in the service's dead letters: codes and coordinates, no content."""
    letters = _letters(load(service))
    head = ("coordinates", "since", "reason", "exception", "source", "request")
    rows = [head, *(_row(letter) for letter in letters)]
    typer.echo(table(rows) if letters else "no dead letters")


def _row(letter: "DeadLetter") -> tuple[str, ...]:
    since = f"{letter.since:%Y-%m-%dT%H:%M:%SZ}" if letter.since else "-"
    return (letter.coordinates, since, letter.reason, letter.exception, _source(letter), letter.request_id or "-")


def _source(letter: "DeadLetter") -> str:
    """Who wrote it."""
    topic = BY_NAME.get(letter.place[0])
    return "?" if topic is None else topic.owner or "other systems"


@dlq.command()
def show(
    service: ServiceName,
    coordinates: Coordinates,
    reveal: Annotated[bool, typer.Option("--reveal", help="show the record itself; needs --because")] = False,
    because: Annotated[str, typer.Option(help="why it must be seen; kept in the service's database")] = "",
    who: Annotated[str, typer.Option(help="who asks (default: the user of this machine)")] = "",
) -> None:
    """One dead letter: names, sizes and the shape of its JSON, unless its content is asked for with a reason."""
    from pelangi.chassis.redacted import redacted
    from pelangi.chassis.redrive import original
    from pelangi.contracts.encryption import BrokenToken, UnknownKey

    if reveal and not because.strip():
        refuse("--reveal needs --because: why must a person's data be seen?")
    made = load(service)
    (letter,) = _chosen(_letters(made), coordinates)
    try:
        was = original(letter, made.settings)
    except UnknownKey:
        refuse("sealed under a key that is not configured here")
    except BrokenToken:
        refuse("the dead letter itself is damaged")
    typer.echo(table([(name, text) for name, text in _about(letter)]))
    if not reveal:
        typer.echo("\n".join(redacted(letter.place[0], was)))
        return
    _run(_note(made, letter, because, who or getpass.getuser()))
    typer.echo(_revealed(was))


def _about(letter: "DeadLetter") -> list[tuple[str, str]]:
    head = ("coordinates", "since", "reason", "exception", "source", "request")
    return list(zip(head, _row(letter), strict=True))


async def _note(service: "Service", letter: "DeadLetter", because: str, who: str) -> None:
    """Before anything is shown; what cannot be noted is not shown."""
    from pelangi.chassis.redrive import READS, note_reading, open_store
    from pelangi.chassis.settings import DeploymentSettings

    at = DeploymentSettings().make_clock().wall()
    async with open_store(service.settings) as store:
        await note_reading(store.collection(READS), who=who, coordinates=letter.coordinates, reason=because, at=at)


def _revealed(was: "Original") -> str:
    lines = [f"key      {_text(was.key)}", *(f"header   {_text(name.encode())}: {_text(raw)}" for name, raw in was.headers)]
    return "\n".join([*lines, f"value    {'only on its topic' if was.left_on_topic else _text(was.value)}"])


def _text(raw: bytes | None) -> str:
    """As text where all of it is, else in base64: whatever was sent, it must not steer a terminal."""
    if raw is None:
        return "null"
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = "\0"
    return text if text.replace("\n", "").isprintable() else f"base64 {b64encode(raw).decode()}"


@dlq.command()
def retry(
    service: ServiceName,
    coordinates: Annotated[str, typer.Argument(metavar="[COORDINATES]", help="one record")] = "",
    request: Annotated[str, typer.Option(metavar="ID", help="all of this request")] = "",
    every: Annotated[bool, typer.Option("--all", help="all")] = False,
) -> None:
    """Fold the record like any other, beside the running service; exit 1 where one is still broken."""
    if sum(map(bool, (coordinates, request, every))) != 1:
        raise typer.BadParameter("name one record, or --request ID, or --all")
    made = load(service)
    letters = _letters(made)
    if coordinates:
        letters = _chosen(letters, coordinates)
    elif request:
        letters = [letter for letter in letters if letter.request_id == request]
    outcomes = _run(_retry(made, letters)) if letters else []
    recovered = sum(o.recovered for o in outcomes)
    typer.echo(f"{recovered} of {len(outcomes)} recovered")
    raise typer.Exit(0 if recovered == len(outcomes) else 1)


async def _retry(service: "Service", letters: "list[DeadLetter]") -> "list[Outcome]":
    from pelangi.chassis.redrive import redrive
    from pelangi.chassis.settings import DeploymentSettings

    outcomes = []
    async with redrive(service, DeploymentSettings().make_clock()) as tool:
        for letter in letters:
            outcome = await tool.retry(letter)
            outcomes.append(outcome)
            typer.echo(f"{letter.coordinates}  {outcome.result}{f': {outcome.why}' if outcome.why else ''}")
    return outcomes


def _run(work: Coroutine[Any, Any, T]) -> T:
    from pelangi.chassis.redrive import UNREACHABLE

    try:
        return asyncio.run(work)
    except UNREACHABLE as error:  # its text may hold an address with a password
        refuse(f"{type(error).__name__}: Kafka or the database does not answer as it should; nothing is lost, run it again")


def _letters(service: "Service") -> "list[DeadLetter]":
    from pelangi.chassis.redrive import read_letters
    from pelangi.chassis.scan import Unreadable

    try:
        return read_letters(service.settings)
    except Unreadable as error:
        refuse(error)


def _chosen(letters: "list[DeadLetter]", coordinates: str) -> "list[DeadLetter]":
    found = [letter for letter in letters if letter.coordinates == coordinates]
    if not found:
        refuse(f"no dead letter {coordinates}")
    return found
