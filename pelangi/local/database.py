"""The document store of the local run: SecantusDB, which speaks MongoDB's protocol, as a process of its own.

It is never imported. With `--sync-on-commit` an acknowledged write survives kill -9, with `--auth` everybody needs a user.
"""

import shutil
import sys
from pathlib import Path
from urllib.parse import quote

from pymongo import MongoClient

from pelangi.chassis.provision import development_password
from pelangi.local.process import Child, Command, free_port, port_open

ADMIN = "admin"
REPLICA_SET = "secantus"


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
        data = self.folder / "data"
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
        return Command(self.name, (*self._argv(self.folder / "data", self.port), "--auth"))

    def ready(self) -> bool:
        """True once the server takes connections."""
        return port_open(self.port)

    def _argv(self, data: Path, port: int) -> tuple[str, ...]:
        server = Path(sys.executable).with_name("secantusd-py")
        if not server.exists():
            raise RuntimeError("secantusd-py is missing: install the locked requirements (make setup)")
        storage = ("--host", "127.0.0.1", "--port", str(port), "--storage-path", str(data), "--sync-on-commit")
        options = ("--cache-size", "256M", "--log-level", "WARNING", *(("--enable-test-commands",) if self.test_commands else ()))
        return (str(server), *storage, *options)
