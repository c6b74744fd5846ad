"""`pelangi rules export|check`: the page of the registry's rules."""

from pathlib import Path
from typing import Annotated

import typer

rules = typer.Typer(no_args_is_help=True, help="The rules of the registry.")

Page = Annotated[Path, typer.Argument(help="where the page is")]
PAGE = Path("docs/rules.md")


@rules.command("export")
def export(path: Page = PAGE) -> None:
    """Write the page from the tables."""
    from pelangi.cli.rules_page import page

    path.write_text(page(), encoding="utf-8")
    typer.echo(path)


@rules.command("check")
def check(path: Page = PAGE) -> None:
    """Compare the page with the tables; exit 1 where it differs."""
    from pelangi.cli.rules_page import page

    same = path.exists() and path.read_text(encoding="utf-8") == page()
    typer.echo(
        "the page of the rules is as the tables say" if same else f"{path} differs from the tables: make rules", err=not same
    )
    raise typer.Exit(0 if same else 1)
