"""`pelangi doctor`: what is missing on this machine, and how to get it."""

import typer

from pelangi.cli.common import table


def doctor() -> None:
    """Say what this machine lacks and how to get it; exit 1 where `make up` would not work."""
    from pelangi.local.doctor import Probes, findings, ready

    found = findings(Probes())
    typer.echo(table([(f.mark, f.name, f.said, "" if f.ok else f"-> {f.get}") for f in found]))
    typer.echo("ready for `make up`" if ready(found) else "not ready for `make up`: see `missing` above")
    raise typer.Exit(0 if ready(found) else 1)
