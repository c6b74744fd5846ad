"""`pelangi replay`: a service reads its topics again from the beginning."""

from typing import Annotated

import typer

from pelangi.cli.common import AdminPassword, AdminUser, Bootstrap, refuse, table


def replay(
    group: Annotated[str, typer.Option(help="the consumer group: the name of the service")],
    topic: Annotated[list[str] | None, typer.Option(help="only these topics (default: all that the group has read)")] = None,
    bootstrap: Bootstrap = "127.0.0.1:9092",
    admin_user: AdminUser = "admin",
    admin_password: AdminPassword = "",
) -> None:
    """Set a group back to the first record that is still there. The service must be stopped; it reads again when started.

    Nothing changes by it and no message is sent: what a case has applied already is dropped.
    """
    from pelangi.chassis.provision import ProvisionError, admin_client, development_password
    from pelangi.chassis.rewind import GroupBusy, rewind

    admin = admin_client(bootstrap, admin_user, admin_password or development_password(admin_user))
    try:
        done = rewind(admin, group, topic or ())
    except GroupBusy as error:
        refuse(
            f"{error}: stop all its processes first. On one machine: end `pelangi up`, then `pelangi up --only kafka` "
            f"while you replay; in compose: `docker compose stop {group}`. A killed process leaves its group after 10 s."
        )
    except ProvisionError as error:
        refuse(error)
    typer.echo(table([("topic", "records to read again"), *((r.topic, str(r.records)) for r in done)]))
    typer.echo(f"start {group} again")
