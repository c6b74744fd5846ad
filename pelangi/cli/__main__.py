"""`python -m pelangi.cli` is the `pelangi` command."""

from pelangi.cli.main import app

app()
