"""What several commands need: the administrator's login, and a service as its environment configures it."""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Never

import typer

from pelangi.contracts.topics import SERVICES

if TYPE_CHECKING:
    from pelangi.chassis.service import Service

Bootstrap = Annotated[str, typer.Option(envvar="PELANGI_KAFKA_BOOTSTRAP")]
AdminUser = Annotated[str, typer.Option(envvar="PELANGI_KAFKA_ADMIN_USER")]
AdminPassword = Annotated[str, typer.Option(envvar="PELANGI_KAFKA_ADMIN_PASSWORD", help="default: <user>-dev")]
ServiceName = Annotated[str, typer.Argument(metavar="SERVICE", help="|".join(SERVICES))]


def load(name: str) -> "Service":
    """A service from the environment, as `pelangi serve` makes it."""
    if name not in SERVICES:
        raise typer.BadParameter(f"one of {', '.join(SERVICES)}", param_hint="SERVICE")
    service: Service = import_module(f"services.{name}.app").make()
    return service


def refuse(why: object) -> Never:
    """Say why not, and exit 1."""
    typer.echo(f"refused: {why}", err=True)
    raise typer.Exit(1)


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Aligned columns, for people and for pipes."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
