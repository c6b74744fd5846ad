"""The document store of the local run: SecantusDB, which speaks MongoDB's protocol, as a process of its own.

It is never imported. With `--sync-on-commit` an acknowledged write survives kill -9, with `--auth` everybody needs a user.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from pymongo import MongoClient

from pelangi.chassis.provision import development_password
from pelangi.local.cache import cache_folder, locked
from pelangi.local.process import Child, Command, free_port, leashed, port_open

RUST_VERSION = "0.5.3-beta.193"
ADMIN = "admin"
REPLICA_SET = "secantus"


def chosen_server() -> str:
    """Which build of the server runs: `PELANGI_STORE`, python (nothing to build) or rust (`make store`, much faster)."""
    chosen = os.environ.get("PELANGI_STORE") or "python"
    if chosen not in ("python", "rust"):
        raise RuntimeError("PELANGI_STORE: python or rust")
    return chosen


def build_rust_server() -> Path:
    """The server built by cargo from the same project, once per machine (about five minutes), whole or not at all."""
    server = _rust_server()
    with locked(server.parent.with_name(f"{server.parent.name}.lock")):
        if server.exists():
            return server
        if shutil.which("cargo") is None:
            raise RuntimeError("cargo is needed to build the store for benchmarks: install Rust")
        with tempfile.TemporaryDirectory(dir=server.parent.parent, prefix="build-") as temporary:
            # it asks for a newer compiler than it needs
            argv = ["cargo", "install", "secantus-mdb", "--version", RUST_VERSION, "--ignore-rust-version", "--root", temporary]
            run = subprocess.run(leashed(argv), check=False, capture_output=True, text=True)  # noqa: S603  # a fixed command
            if run.returncode:
                raise RuntimeError(f"the store could not be built:\n{run.stderr[-2000:]}")
            (Path(temporary) / "bin").rename(server.parent)
    return server


def _rust_server() -> Path:
    return cache_folder() / f"secantus-mdb-{RUST_VERSION}" / "secantusd-rs"


def _server() -> Path:
    rust = chosen_server() == "rust"
    server = _rust_server() if rust else Path(sys.executable).with_name("secantusd-py")
    if not server.exists():
        how = "build it once (make store)" if rust else "install the locked requirements (make setup)"
        raise RuntimeError(f"{server.name} is missing: {how}")
    return server


class Database:
    """One server on a port of the loopback; its data stays in `folder`."""

    name = "database"

    def __init__(
        self, folder: Path, port: int = 27017, admin_password: str = development_password("admin"), test_commands: bool = False
    ) -> None:
        self.folder = folder
        self.port = port
        self.admin_password = admin_password
        self.test_commands = test_commands

    @property
    def admin_uri(self) -> str:
        """For whoever makes users; no service gets it."""
        return self._uri(ADMIN, self.admin_password, "admin")

    def uri(self, service: str, password: str | None = None) -> str:
        """For a service: its own user in its own database."""
        return self._uri(service, password or f"{service}-dev", service)

    def _uri(self, user: str, password: str, database: str) -> str:
        credentials = f"{quote(user)}:{quote(password, safe='')}"
        return f"mongodb://{credentials}@127.0.0.1:{self.port}/{database}?authSource={database}&replicaSet={REPLICA_SET}"

    def prepare(self) -> None:
        """Give a new folder its administrator: the server knows no other way than a first start without `--auth`."""
        data = self._data()
        if data.is_dir():
            return
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        port = free_port()
        child = Child(Command(self.name, self._argv(fresh, port)))
        child.start()
        try:
            child.wait_ready(lambda: port_open(port))
            with MongoClient[dict[str, object]]("127.0.0.1", port, directConnection=True) as client:
                client.admin.command("createUser", ADMIN, pwd=self.admin_password, roles=["root"])
        finally:
            child.kill()  # what was acknowledged is on disk; a polite stop takes 2 s
        fresh.rename(data)

    def command(self) -> Command:
        """How to run it, after `prepare`."""
        return Command(self.name, (*self._argv(self._data(), self.port), "--auth"))

    def ready(self) -> bool:
        """True once the server takes connections."""
        return port_open(self.port)

    def _data(self) -> Path:
        """The builds do not read each other's files."""
        return self.folder / ("data" if chosen_server() == "python" else "data-rust")

    def _argv(self, data: Path, port: int) -> tuple[str, ...]:
        server = _server()
        storage = ("--host", "127.0.0.1", "--port", str(port), "--storage-path", str(data), "--sync-on-commit")
        options = ("--cache-size", "256M", "--log-level", "WARNING", *(("--enable-test-commands",) if self.test_commands else ()))
        return (str(server), *storage, *options)


if __name__ == "__main__":
    sys.stdout.write(f"{build_rust_server()}\n")
