"""The `pelangi` command. Every command imports what it runs only when it runs."""

import asyncio
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from pelangi.cli import city
from pelangi.cli.dlq import dlq
from pelangi.cli.doctor import doctor
from pelangi.cli.keys import keys
from pelangi.cli.plan import plan
from pelangi.cli.replay import replay
from pelangi.cli.rules import rules

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Pelangi: mobile civil registration."
)
topics = typer.Typer(no_args_is_help=True, help="Topics, users and rights.")
contracts = typer.Typer(no_args_is_help=True, help="The published contracts.")
app.command()(city.simulate)
app.command()(city.audit)
app.add_typer(topics, name="topics")
app.add_typer(contracts, name="contracts")
app.add_typer(dlq, name="dlq")
app.add_typer(keys, name="keys")
app.add_typer(rules, name="rules")
app.add_typer(plan, name="plan")
app.command()(replay)
app.command()(doctor)

LOST = "lose-event:document-handed-over.v1"
"""Losing every event would stop everything; losing one type is what a checker must see."""

Bootstrap = Annotated[str, typer.Option(envvar="PELANGI_KAFKA_BOOTSTRAP")]
AdminUser = Annotated[str, typer.Option(envvar="PELANGI_KAFKA_ADMIN_USER")]
AdminPassword = Annotated[str, typer.Option(envvar="PELANGI_KAFKA_ADMIN_PASSWORD", help="default: <user>-dev")]

PROGRAMS = ("intake", "scheduling", "issuance", "notify", "portal")


@app.command()
def up(
    replicas: Annotated[int, typer.Option(help="processes per service (1 or 2)")] = 1,
    brokers: Annotated[int, typer.Option(help="Kafka brokers: 1, or 3 that replicate each other")] = 1,
    play: Annotated[bool, typer.Option(help="also play teams and desk, so that requests move by themselves")] = False,
    clock: Annotated[str, typer.Option(help="PELANGI_CLOCK, e.g. 'rate=1440 since=2026-11-24T00:00:00Z'")] = "",
    data: Annotated[Path | None, typer.Option(help="data folder (default .data, or PELANGI_DATA)")] = None,
    sabotage: Annotated[str, typer.Option(help="arm a fault inside the services, to see the checker find it")] = "",
    only: Annotated[list[str] | None, typer.Option(help="start only these programs")] = None,
    port: Annotated[list[str] | None, typer.Option(help="another port for a program, e.g. kafka=19092")] = None,
) -> None:
    """Run everything on this machine until Ctrl-C."""
    from pelangi.chassis.settings import DeploymentSettings
    from pelangi.local.up import PORTS, UpSettings, default_folder
    from pelangi.local.up import up as run_up

    DeploymentSettings()  # refuses production: everything here runs with development passwords
    fault = LOST if sabotage == "lose-event" else sabotage
    env = {name: {f"{name.upper()}_SABOTAGE": fault} for name in PROGRAMS[:4]} if sabotage else {}
    ports = {name: int(number) for name, _, number in (pair.partition("=") for pair in port or [])}
    settings = UpSettings(
        folder=data or default_folder(),
        ports={**PORTS, **ports},
        replicas=replicas,
        brokers=brokers,
        clock=clock or None,
        only=tuple(only or ()),
        play=play,
        env=env,
    )
    raise typer.Exit(asyncio.run(run_up(settings)))


@app.command()
def serve(program: Annotated[str, typer.Argument(help="|".join(PROGRAMS))]) -> None:
    """Run one service, or the portal, in this process."""
    if program not in PROGRAMS:
        raise typer.BadParameter(f"one of {', '.join(PROGRAMS)}")
    if program == "portal":
        import_module("portal.app").main()
        return
    from pelangi.chassis.running import serve as run

    run(import_module(f"services.{program}.app").make)


@topics.command("apply")
def topics_apply(
    bootstrap: Bootstrap = "127.0.0.1:9092",
    admin_user: AdminUser = "admin",
    admin_password: AdminPassword = "",
    mongo_admin_uri: Annotated[str, typer.Option(envvar="PELANGI_MONGO_ADMIN_URI", help="also make the database users")] = "",
    replication: Annotated[int, typer.Option()] = 1,
    min_isr: Annotated[int, typer.Option()] = 1,
) -> None:
    """Make topics, settings, Kafka users, rights and database users as declared; refuses to change a partition count."""
    from pelangi.chassis.provision import ProvisionError, apply_database_users, apply_topics, development_password
    from pelangi.chassis.settings import DeploymentSettings

    DeploymentSettings()  # refuses production: the users' passwords are the development ones
    password = admin_password or development_password(admin_user)
    try:
        changes = apply_topics(bootstrap, admin_user, password, replication=replication, min_isr=min_isr)
        if mongo_admin_uri:
            apply_database_users(mongo_admin_uri)
    except ProvisionError as error:
        typer.echo(f"refused: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo("\n".join(changes) or "nothing to change")


@topics.command("grant")
def topics_grant(
    name: Annotated[str, typer.Argument(help="of the city service: the user becomes city.NAME")],
    bootstrap: Bootstrap = "127.0.0.1:9092",
    admin_user: AdminUser = "admin",
    admin_password: AdminPassword = "",
) -> None:
    """Let a city service read the public topics; prints its password once."""
    from pelangi.chassis.provision import development_password, grant_subscriber

    try:
        password = grant_subscriber(bootstrap, admin_user, admin_password or development_password(admin_user), name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(f"user city.{name}\npassword {password}\ngroups city.{name}.*")


@contracts.command("export")
def contracts_export(folder: Annotated[Path, typer.Argument()] = Path("contracts")) -> None:
    """Write the published contracts: AsyncAPI, schemas, examples."""
    from pelangi.contracts.export import write

    for path in write(folder):
        typer.echo(path)


@contracts.command("check")
def contracts_check(
    folder: Annotated[Path, typer.Argument()] = Path("contracts"),
    against: Annotated[Path | None, typer.Option(help="released contracts: also exit 1 for a change that breaks them")] = None,
) -> None:
    """Compare the published contracts with the models; exit 1 where they differ."""
    from pelangi.contracts.compatibility import breaks, load
    from pelangi.contracts.export import differences

    found = differences(folder)
    typer.echo("\n".join(found) or "contracts are as the models say")
    if against:
        broken = breaks(load(against), load(folder))
        typer.echo("\n".join(f"breaks {line}" for line in broken) or f"nothing breaks {against}")
        found += broken
    raise typer.Exit(1 if found else 0)
