"""Every right of every user, tried on a real broker: what is declared works, everything else is refused.

A cell is one user trying one thing: read or write a topic, join a group, begin transactions under a name, administer. The
broker is this module's own, since the allowed writes leave records that are no events.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from typer.testing import CliRunner

from pelangi.chassis.provision import _set_passwords, admin_client, apply_topics, grant_subscriber
from pelangi.cli.main import app
from pelangi.contracts import rights
from pelangi.contracts.topics import BY_NAME, SERVICES, TOPICS
from pelangi.local.kafka import ADMIN
from tests.conftest import RunningKafka

GRANTED, NOBODY, WRONG = "city.tester", "stranger", "intake with another password"
USERS = (*SERVICES, "form", "city.demo", GRANTED, NOBODY, WRONG)
WITH_LOGIN = USERS[:-1]
TOPIC_NAMES = tuple(topic.name for topic in TOPICS)
GROUPS = (
    *SERVICES,
    "form",
    "city.demo.state",
    "city.tester.state",
    "city.demo",
    "city.tester",
    "city.",
    "city.testers.state",
    "any",
)
TRANSACTIONS = (*(f"relay-{service}" for service in SERVICES), "relay-", "any")
ALLOWED, PATIENCE = "allowed", 30.0
NO_TOPIC, NO_GROUP, NO_CLUSTER = "TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"
NO_TRANSACTION, NO_LOGIN = "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "_AUTHENTICATION"
ADMINISTRATION = {
    "make a topic": NO_TOPIC,
    "delete a topic": NO_TOPIC,
    "change a topic": NO_TOPIC,
    "give itself a right": NO_CLUSTER,
    "set a password": NO_CLUSTER,
    "see another's rights": "none shown",
}
SPEED = {"socket.timeout.ms": 10_000, "reconnect.backoff.max.ms": 200, "log_level": 2}

Cell = tuple[str, str, str]


def declared(user: str) -> dict[Cell, str]:
    """Every cell of a user, and what has to come of it."""
    if user == WRONG:
        return {(user, way, topic): NO_LOGIN for way in ("read", "write") for topic in TOPIC_NAMES}
    cells: dict[Cell, str] = {}
    for topic in TOPICS:
        cells[user, "read", topic.name] = ALLOWED if rights.may_read(user, topic) else NO_TOPIC
        cells[user, "write", topic.name] = ALLOWED if rights.may_write(user, topic) else NO_TOPIC
    for group in GROUPS:
        own = user != NOBODY and group.startswith(rights.group_of(user))
        cells[user, "join", group] = ALLOWED if own else NO_GROUP
    for name in TRANSACTIONS:
        cells[user, "begin", name] = ALLOWED if name == rights.transactional_id_of(user) else NO_TRANSACTION
    return cells | {(user, "administer", thing): error for thing, error in ADMINISTRATION.items()}


class Tries:
    """What the users of one broker may do, found out by doing it."""

    def __init__(self, broker: RunningKafka, passwords: dict[str, str]) -> None:
        self.broker, self.passwords = broker, passwords

    def login(self, user: str, errors: list[str] | None = None) -> dict[str, Any]:
        def note(error: KafkaError) -> None:
            if errors is not None:
                errors.append(error.name())

        name = user.split(" ", maxsplit=1)[0]
        return {**self.broker.login(name), **SPEED, "sasl.password": self.passwords[user], "error_cb": note}

    def all(self) -> dict[Cell, str]:
        jobs: list[Callable[[], dict[Cell, str]]] = []
        for user in USERS:
            jobs += [lambda user=user: self.read(user), lambda user=user: self.write(user)]  # type: ignore[misc]
        for user in WITH_LOGIN:
            jobs += [lambda user=user, group=group: self.join(user, group) for group in GROUPS]  # type: ignore[misc]
            jobs += [lambda user=user, name=name: self.begin(user, name) for name in TRANSACTIONS]  # type: ignore[misc]
            jobs.append(lambda user=user: self.administer(user))  # type: ignore[misc]
        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(lambda job: job(), jobs))
        return {cell: outcome for part in done for cell, outcome in part.items()}

    def read(self, user: str) -> dict[Cell, str]:
        """Look every topic up, and fetch the one record that lies in partition 0 of each that is shown."""
        errors: list[str] = []
        outcome: dict[Cell, str] = {}
        consumer = Consumer({**self.login(user, errors), "group.id": rights.group_of(user), "enable.auto.commit": False})
        try:
            try:
                consumer.list_topics(timeout=3)
            except KafkaException:  # says only that there is no answer
                consumer.poll(1)
                return {(user, "read", name): NO_LOGIN if NO_LOGIN in errors else "no answer" for name in TOPIC_NAMES}
            for name in TOPIC_NAMES:
                if error := consumer.list_topics(name, timeout=PATIENCE).topics[name].error:
                    outcome[user, "read", name] = error.name()
            shown = [name for name in TOPIC_NAMES if (user, "read", name) not in outcome]
            consumer.assign([TopicPartition(name, 0, 0) for name in shown])
            end = time.monotonic() + PATIENCE
            while len(outcome) < len(TOPIC_NAMES) and time.monotonic() < end:
                for message in consumer.consume(50, timeout=0.2):
                    error = message.error()
                    outcome[user, "read", message.topic()] = error.name() if error else ALLOWED
        finally:
            consumer.close()
        return outcome

    def write(self, user: str) -> dict[Cell, str]:
        errors: list[str] = []
        outcome: dict[Cell, str] = {}

        def delivered(error: KafkaError | None, message: Any) -> None:
            outcome[user, "write", message.topic()] = error.name() if error else ALLOWED

        producer = Producer({**self.login(user, errors), "linger.ms": 0})
        for name in TOPIC_NAMES:
            producer.produce(name, key=b"written", value=b"by " + user.encode(), partition=0, on_delivery=delivered)
        end = time.monotonic() + PATIENCE
        while len(outcome) < len(TOPIC_NAMES) and time.monotonic() < end and NO_LOGIN not in errors:
            producer.poll(0.1)
        if NO_LOGIN in errors:
            producer.purge()
            return {(user, "write", name): NO_LOGIN for name in TOPIC_NAMES}
        return outcome

    def join(self, user: str, group: str) -> dict[Cell, str]:
        errors: list[str] = []
        assigned: list[Any] = []
        consumer = Consumer({**self.login(user, errors), "group.id": group, "enable.auto.commit": False})
        topics = [topic.name for topic in TOPICS if rights.may_read(user, topic)] or [TOPIC_NAMES[0]]
        try:
            consumer.subscribe(topics[:1], on_assign=lambda _, partitions: assigned.extend(partitions))
            end = time.monotonic() + PATIENCE
            while not assigned and NO_GROUP not in errors and time.monotonic() < end:
                message = consumer.poll(0.2)
                if message and message.error():
                    errors.append(message.error().name())
            if assigned:
                consumer.commit(offsets=[TopicPartition(topics[0], 0, 1)], asynchronous=False)
        finally:
            consumer.close()
        return {(user, "join", group): ALLOWED if assigned else next((e for e in errors if e == NO_GROUP), f"{errors}")}

    def begin(self, user: str, name: str) -> dict[Cell, str]:
        producer = Producer({**self.login(user), "transactional.id": name, "transaction.timeout.ms": 10_000})
        try:
            producer.init_transactions(PATIENCE)
        except KafkaException as error:
            return {(user, "begin", name): error.args[0].name()}
        return {(user, "begin", name): ALLOWED}

    def administer(self, user: str) -> dict[Cell, str]:
        admin = AdminClient(self.login(user))
        edit = ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
        topic = ConfigResource(ResourceType.TOPIC, TOPIC_NAMES[0], incremental_configs=[edit])
        right = AclBinding(
            ResourceType.TOPIC,
            "request-details.v1",
            ResourcePatternType.LITERAL,
            f"User:{user}",
            "*",
            AclOperation.READ,
            AclPermissionType.ALLOW,
        )
        password = UserScramCredentialUpsertion(user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), b"mine")
        tries: dict[str, Callable[[], Any]] = {
            "make a topic": lambda: admin.create_topics([NewTopic("own.v1", 1, 1)]),
            "delete a topic": lambda: admin.delete_topics([TOPIC_NAMES[0]]),
            "change a topic": lambda: admin.incremental_alter_configs([topic]),
            "give itself a right": lambda: admin.create_acls([right]),
            "set a password": lambda: admin.alter_user_scram_credentials([password]),
        }
        outcome = {(user, "administer", thing): administered(attempt) for thing, attempt in tries.items()}
        shown = rights_shown(admin, "intake" if user != "intake" else "notify")
        return outcome | {(user, "administer", "see another's rights"): ALLOWED if shown else "none shown"}


def rights_shown(admin: AdminClient, user: str) -> list[AclBinding]:
    """The client says nothing of a refusal here: it shows an empty list."""
    anything: Any = None
    every = AclBindingFilter(
        ResourceType.ANY, anything, ResourcePatternType.ANY, f"User:{user}", anything, AclOperation.ANY, AclPermissionType.ANY
    )
    shown: list[AclBinding] = admin.describe_acls(every).result(PATIENCE)
    return shown


def administered(attempt: Callable[[], Any]) -> str:
    try:
        for future in attempt().values():
            future.result(PATIENCE)
    except KafkaException as error:
        return str(error.args[0].name())
    return ALLOWED


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKafka]:
    """A broker with everything declared, one record in every topic, a granted subscriber and a user without rights."""
    own = RunningKafka(tmp_path_factory.mktemp("rights"))
    try:
        own.start()
        apply_topics(own.bootstrap, ADMIN, own.admin_password)
        admin = Producer(own.login())
        for name in TOPIC_NAMES:
            admin.produce(name, key=b"first", value=b"{}", partition=0)
        assert admin.flush(PATIENCE) == 0
        yield own
    finally:
        own.stop()


@pytest.fixture(scope="module")
def granted(broker: RunningKafka) -> str:
    """The password that `pelangi topics grant tester` printed."""
    done = CliRunner().invoke(app, ["topics", "grant", "tester", "--bootstrap", broker.bootstrap])
    assert done.exit_code == 0, done.output
    lines = dict(line.split(" ", 1) for line in done.output.splitlines())
    assert lines["user"] == GRANTED
    assert lines["groups"] == "city.tester.*"
    return lines["password"]


@pytest.fixture(scope="module")
def tried(broker: RunningKafka, granted: str) -> dict[Cell, str]:
    keep = admin_client(broker.bootstrap, ADMIN, broker.admin_password)
    _set_passwords(keep, {NOBODY: f"{NOBODY}-dev"})
    passwords = {user: f"{user}-dev" for user in WITH_LOGIN} | {GRANTED: granted, WRONG: "guessed"}
    for user in WITH_LOGIN:  # a broker that has just been told of a user may refuse it for a moment
        wait_for_login(broker, user, passwords[user])
    return Tries(broker, passwords).all()


def wait_for_login(broker: RunningKafka, user: str, password: str) -> None:
    for _ in range(50):
        with suppress(KafkaException):
            admin_client(broker.bootstrap, user, password).list_topics(timeout=2)
            return
        time.sleep(0.1)
    raise AssertionError(f"{user} cannot log in")


@pytest.mark.parametrize("user", USERS)
def test_user_may_do_what_is_declared_and_nothing_else(tried: dict[Cell, str], user: str) -> None:
    assert {cell: outcome for cell, outcome in tried.items() if cell[0] == user} == declared(user)


def test_every_cell_was_tried(tried: dict[Cell, str]) -> None:
    wanted = {cell: outcome for user in USERS for cell, outcome in declared(user).items()}
    assert tried.keys() == wanted.keys()
    topics = sum(way in {"read", "write"} for _, way, _ in wanted)
    assert topics == len(USERS) * len(TOPICS) * 2
    print(f"rights: {len(wanted)} cells, {topics} of them user x topic x read/write: {dict(Counter(wanted.values()))}")  # noqa: T201


def test_the_administrator_sees_the_rights(broker: RunningKafka) -> None:
    """So an empty list, shown to somebody else, is a refusal."""
    assert rights_shown(AdminClient({**broker.login(), **SPEED}), "intake")


def test_refused_writes_left_nothing(tried: dict[Cell, str], broker: RunningKafka) -> None:
    """The broker holds the first record, and one for each allowed write."""
    admin = Consumer({**broker.login(), "group.id": "unused"})
    try:
        for name in TOPIC_NAMES:
            allowed = sum(tried[user, "write", name] == ALLOWED for user in USERS)
            assert admin.get_watermark_offsets(TopicPartition(name, 0), timeout=10)[1] == 1 + allowed, name
    finally:
        admin.close()


def test_granting_again_gives_a_new_password_and_the_same_rights(broker: RunningKafka, tried: dict[Cell, str]) -> None:
    """After the table: the old password ends."""
    first = grant_subscriber(broker.bootstrap, ADMIN, broker.admin_password, "again")
    second = grant_subscriber(broker.bootstrap, ADMIN, broker.admin_password, "again")
    assert first != second
    wait_for_login(broker, "city.again", second)
    seen = admin_client(broker.bootstrap, "city.again", second).list_topics(timeout=10).topics
    assert set(seen) == {topic.name for topic in TOPICS if topic.public}
    with pytest.raises(KafkaException):
        admin_client(broker.bootstrap, "city.again", first).list_topics(timeout=2)


@pytest.mark.parametrize("name", ["", "Demo", "a.b", "demo*", "x" * 41, "../admin"])
def test_a_name_that_could_be_anothers_is_refused(name: str) -> None:
    done = CliRunner().invoke(app, ["topics", "grant", "--bootstrap", "127.0.0.1:1", "--", name])
    assert done.exit_code == 2
    assert "lower-case" in done.output


def test_the_page_is_what_is_declared() -> None:
    assert Path(__file__).parents[2].joinpath("docs", "rights.md").read_text(encoding="utf-8") == rights.page()


def test_the_page_by_example() -> None:
    rows = {line.split("`")[1]: line.split("|")[2:-1] for line in rights.page().splitlines() if line.startswith("| `")}
    assert rows.keys() == BY_NAME.keys()
    assert [cell.strip() for cell in rows["request-details.v1"]] == ["W", "R", "R", "R", ".", "."]
    assert [cell.strip() for cell in rows["item-closed.v1"]] == ["R", "R", "W", "R", ".", "R"]
    assert [cell.strip() for cell in rows["request-submitted.v1"]] == ["R", ".", ".", ".", "W", "."]
    assert [cell.strip() for cell in rows["notify.dlq"]] == [".", ".", ".", "RW", ".", "."]
