"""`pelangi plan draw`: the plan of a day as a picture."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelangi.cli.city import HERE, Scheduling
from pelangi.cli.common import refuse

if TYPE_CHECKING:
    import httpx

plan = typer.Typer(no_args_is_help=True, help="The teams' plans.")


@plan.command("draw")
def draw(
    on: Annotated[datetime, typer.Argument(metavar="DATE", formats=["%Y-%m-%d"], help="e.g. 2026-12-01")],
    scheduling_url: Scheduling = HERE.scheduling,
    output: Annotated[Path | None, typer.Option(help="the SVG file to write (default: standard output)")] = None,
) -> None:
    """Draw routes, hours and who has no date as SVG: no request, name or address in it, and homes only to about 250 m."""
    from pelangi.cli.plan_picture import draw as drawn

    svg = drawn(_fetch(scheduling_url, on.date().isoformat()))
    if output is None:
        typer.echo(svg, nl=False)
        return
    try:
        output.write_text(svg, encoding="utf-8")
    except OSError as error:
        refuse(f"{output}: {error.strerror}")
    typer.echo(output)


def _client(url: str) -> "httpx.Client":
    import httpx

    return httpx.Client(base_url=url, timeout=30)


def _fetch(url: str, on: str) -> dict[str, Any]:
    import httpx

    try:
        with _client(url) as client:
            answer = client.get(f"/v1/plans/{on}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        refuse(f"{url} does not answer ({type(error).__name__}); is scheduling running?")
    if answer.status_code != 200:
        refuse(f"{url} answered {answer.status_code} for {on}")
    try:
        plan_of_day = answer.json()
    except ValueError:
        plan_of_day = None
    if not isinstance(plan_of_day, dict) or not plan_of_day.keys() >= {"date", "teams", "not_placed"}:
        refuse(f"{url} answered with something else than a plan; is it scheduling?")
    return plan_of_day
