"""The real parts for whoever asks: Apache Kafka, the document store, the mailbox; each at most once per run, on free ports.

A test that names none of the fixtures starts nothing. Children are tied to this process (pelangi/local/leash.py), so
nothing is left behind even when the run is killed.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pelangi.chassis.provision import apply_database_users, apply_topics
from pelangi.local.database import Database
from pelangi.local.kafka import ADMIN, Kafka
from pelangi.local.mailbox import Mailbox
from pelangi.local.process import Child, free_port
from tests.support.browser import browser, page, photos  # noqa: F401 - fixtures


class Running:
    """What every part can do. `stop` or `kill` and `start` are an outage: data stays."""

    child: Child
    ready: Callable[[], bool]  # each part's own

    @property
    def pid(self) -> int:
        return self.child.pid

    def start(self) -> None:
        self.child.start()
        self.child.wait_ready(self.ready)

    def stop(self) -> None:
        self.child.stop()

    def kill(self) -> None:
        self.child.kill()

    def restart(self) -> None:
        """Kill it as a crash would, and start it with what was acknowledged."""
        self.kill()
        self.start()


class RunningKafka(Running, Kafka):
    """A broker with all declared topics, users and rights."""

    def __init__(self, folder: Path) -> None:
        Kafka.__init__(self, folder, free_port())
        self.prepare()
        self.child = Child(self.command())

    @property
    def password(self) -> str:
        """The administrator's."""
        return self.admin_password

    def login(self, user: str = ADMIN) -> dict[str, str]:
        """What a confluent_kafka client needs to be this user."""
        return {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": f"{user}-dev",
        }


class RunningDatabase(Running, Database):
    """A store with one user per service; `.uri(service)`, `.admin_uri`."""

    def __init__(self, folder: Path) -> None:
        Database.__init__(self, folder, free_port(), test_commands=True)
        self.prepare()
        self.child = Child(self.command())


class RunningMailbox(Running, Mailbox):
    """A mailbox; `.smtp_port`, `.http_url`."""

    def __init__(self, folder: Path) -> None:
        Mailbox.__init__(self, folder, free_port(), free_port())
        self.prepare()
        self.child = Child(self.command())


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKafka]:
    """The broker of this run."""
    broker = RunningKafka(tmp_path_factory.mktemp("kafka"))
    try:
        broker.start()
        apply_topics(broker.bootstrap, ADMIN, broker.admin_password)
        yield broker
    finally:
        broker.stop()


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDatabase]:
    """The document store of this run."""
    store = RunningDatabase(tmp_path_factory.mktemp("database"))
    try:
        store.start()
        apply_database_users(store.admin_uri)
        yield store
    finally:
        store.kill()  # its polite stop takes 2 s and the folder is thrown away


@pytest.fixture(scope="session")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMailbox]:
    """The mail server of this run."""
    server = RunningMailbox(tmp_path_factory.mktemp("mailbox"))
    try:
        server.start()
        yield server
    finally:
        server.stop()
