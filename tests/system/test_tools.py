"""The tools on a whole system: dead letters looked at and retried, keys rotated, every topic replayed. In this order."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from pymongo import MongoClient
from typer.testing import CliRunner

from pelangi.chassis.scan import Login, Unreadable, read_one
from pelangi.chassis.settings import development_key
from pelangi.cli.main import app
from pelangi.contracts.examples import EXAMPLES
from pelangi.contracts.topics import DATA_PARTITIONS, SERVICES, read_by
from pelangi.local.database import Database
from pelangi.local.private import PrivateStack
from tests.support.bodies import body
from tests.support.records import Raw, produce, record
from tests.support.service import ServiceProcess, wait_for

REQUESTS = 8
NAME, PHONE = "Sarinah binti Uji", "+62811900900"
WRONG = {  # the right key id with another key: a mistake in the settings, found by the tag of each record
    "INTAKE_VISIT_KEYS": ("visits", "intake"),
    "SCHEDULING_PLANNING_KEYS": ("planning", "scheduling"),
    "ISSUANCE_PERSON_KEYS": ("person", "issuance"),
    "NOTIFY_CONTACT_KEYS": ("contact", "notify"),
}


class System:
    """Parts that stay, and services that are stopped and started with other settings."""

    def __init__(self, stack: PrivateStack) -> None:
        self.stack = stack
        self.database = Database(stack.folder / "database", stack.ports["database"])
        self.kafka = SimpleNamespace(bootstrap=stack.bootstrap, login=self.login)
        self.mail = {
            "NOTIFY_SMTP_HOST": "127.0.0.1",
            "NOTIFY_SMTP_PORT": str(stack.ports["smtp"]),
            "NOTIFY_MAILBOX_URL": stack.url("mailbox"),
        }
        self.services: dict[str, ServiceProcess] = {}
        self.rings: dict[str, str] = {}

    def login(self, user: str) -> dict[str, str]:
        return {
            "bootstrap.servers": self.stack.bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": f"{user}-dev",
        }

    def start(self, *names: str, env: Mapping[str, str] = {}) -> None:
        """Start these services (all when none is named), those that run already anew."""
        chosen = names or SERVICES
        self.stop(*chosen)
        for name in chosen:
            mine = {k: v for k, v in {**self.rings, **env}.items() if k.startswith(name.upper())}
            self.services[name] = ServiceProcess(name, self.kafka, self.database, env=self.mail | mine).start(wait=False)
        for name in chosen:
            self.services[name].wait_ready()

    def stop(self, *names: str) -> None:
        going = [self.services.pop(name) for name in names or SERVICES if name in self.services]
        with ThreadPoolExecutor() as pool:
            list(pool.map(ServiceProcess.stop, going))

    def url(self, name: str) -> str:
        return self.services[name].url

    def run(self, *arguments: str, env: Mapping[str, str] = {}) -> tuple[int, str]:
        """A command of `pelangi`: exit code and output."""
        settings = {"PELANGI_KAFKA_BOOTSTRAP": self.stack.bootstrap, **env}
        for name in SERVICES:
            settings[f"{name.upper()}_KAFKA_BOOTSTRAP"] = self.stack.bootstrap
            settings[f"{name.upper()}_MONGO_URI"] = self.database.uri(name)
        done = CliRunner().invoke(app, list(arguments), env=settings)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output

    def letters(self, service: str) -> dict[str, list[str]]:
        """What `dlq list` shows, by coordinates."""
        code, output = self.run("dlq", "list", service)
        assert code == 0, output
        rows = [line.split() for line in output.splitlines()[1:]]
        return {row[0]: row[1:] for row in rows}

    def dump(self) -> dict[str, list[Any]]:
        """Every document of every service; but not the lease, whose beat is the process's own."""
        with MongoClient[dict[str, Any]](self.database.admin_uri, tz_aware=True) as client:
            return {
                f"{service}.{name}": sorted(client[service][name].find(), key=lambda d: str(d["_id"]))
                for service in SERVICES
                for name in client[service].list_collection_names()
                if name != "lease"
            }

    def case(self, service: str, request_id: str) -> dict[str, Any]:
        with MongoClient[dict[str, Any]](self.database.admin_uri, tz_aware=True) as client:
            return client[service]["cases"].find_one({"_id": request_id}) or {}

    def mails(self) -> int:
        return int(httpx.get(f"{self.stack.url('mailbox')}/api/messages", params={"limit": 1}).json()["total"])

    def has_read_all(self, group: str) -> bool:
        """Whether nothing lies behind the group's committed offsets; a transaction's marker there is nothing."""
        more = {"group.id": group, "enable.auto.commit": False, "enable.partition.eof": True, "fetch.wait.max.ms": 50}
        consumer = Consumer({**self.login(group), **more})
        try:
            partitions = [TopicPartition(t, p) for t in read_by(group) for p in range(DATA_PARTITIONS)]
            committed = consumer.committed(partitions, timeout=20)
            consumer.assign([TopicPartition(c.topic, c.partition, max(c.offset, 0)) for c in committed])
            for _ in partitions:
                message = consumer.poll(20)
                if message is None or (end := message.error()) is None:
                    return False
                assert end.code() == KafkaError._PARTITION_EOF
            return True
        finally:
            consumer.close()

    def settle(self) -> None:
        """Until all have read all, and nothing waits to be sent."""
        for group in SERVICES:
            wait_for(lambda g=group: self.has_read_all(g), 60, f"{group} has not read all")  # type: ignore[misc]
        wait_for(lambda: not any("pending_since" in d for docs in self.dump().values() for d in docs), 30, "outboxes")
        wait_for(self._rests, 30, "timers still work")

    def _rests(self) -> bool:
        """Whether nothing changes for longer than the services' timers pause: what they began is written."""
        before = self.dump()
        time.sleep(1.5)
        return self.dump() == before


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A few requests lived to their ends, and the services run."""
    parts = [argument for name in ("kafka", "database", "mailbox") for argument in ("--only", name)]
    with PrivateStack(tmp_path_factory.mktemp("tools"), parts) as stack:
        it = System(stack)
        try:
            it.start()
            _simulate(it)
            it.settle()
            yield it
        finally:
            it.stop()


def _simulate(system: System) -> None:
    urls = {f"PELANGI_{name.upper()}_URL": system.url(name) for name in SERVICES}
    more = {"PELANGI_MAILBOX_URL": system.stack.url("mailbox"), "PELANGI_KAFKA_BOOTSTRAP": system.stack.bootstrap}
    argv = [sys.executable, "-m", "pelangi.cli", "simulate", "--quiet", "--requests", str(REQUESTS), "--timeout", "45"]
    done = subprocess.run(argv, env={**os.environ, **urls, **more}, capture_output=True, text=True, timeout=300, check=False)
    # whether each reaches its lawful end is what test_city asks; here they only have to have lived
    assert f"{REQUESTS} accepted" in done.stdout, done.stdout + done.stderr


@pytest.fixture(scope="module")
def filed(system: System) -> dict[str, Any]:
    """A request filed while every service had one wrong key."""
    system.start(env={name: _other_key(key, by) for name, (key, by) in WRONG.items()})
    person = {"name": NAME, "birth_date": "1951-07-01", "sex": "P", "phone": PHONE, "services": ["KTP_RECORDING"]}
    answer = httpx.post(
        f"{system.url('intake')}/v1/requests",
        json=body() | {"persons": [person]},
        headers={"Idempotency-Key": str(uuid4())},
    )
    assert answer.status_code == 201, answer.text
    filed: dict[str, Any] = answer.json()
    return filed


def _other_key(ring: str, by: str) -> str:
    (kid,) = json.loads(development_key(ring))
    (other,) = json.loads(development_key(f"wrong {by}")).values()
    return json.dumps({kid: other})


def _letter_of(system: System, service: str, request_id: str) -> str:
    def found() -> str:
        return next((c for c, row in system.letters(service).items() if request_id in row), "")

    coordinates: str = wait_for(found, 30, f"no dead letter in {service}")
    return coordinates


@pytest.mark.parametrize("service", ["scheduling", "issuance", "notify", "intake"])
def test_what_was_set_aside_for_a_wrong_key_is_folded_beside_the_running_service(
    system: System, filed: dict[str, Any], service: str
) -> None:
    """Intake's comes last: its dead letter is the visit that scheduling makes once its own was retried."""
    request_id = filed["request_id"]
    coordinates = _letter_of(system, service, request_id)
    assert system.letters(service)[coordinates][1:3] == ["encryption", "BrokenToken"]
    wrong = {name: _other_key(key, by) for name, (key, by) in WRONG.items()}
    code, output = system.run("dlq", "retry", service, coordinates, env=wrong)
    assert (code, "still broken: encryption BrokenToken" in output) == (1, True), output
    assert coordinates in system.letters(service), "it stays"
    code, output = system.run("dlq", "retry", service, "--request", request_id)
    assert (code, f"{coordinates}  folded" in output) == (0, True), output
    assert coordinates not in system.letters(service), "a tombstone follows"
    code, output = system.run("dlq", "retry", service, coordinates)
    assert (code, output) == (1, f"refused: no dead letter {coordinates}\n")
    topic, partition, offset = coordinates.rsplit("-", 2)
    applied = system.case(service, request_id)["applied"]
    assert f"{topic.replace('.', '_')}:{request_id}" in applied, (partition, offset)


def test_a_dead_letter_is_redacted_unless_its_content_is_asked_for_with_a_reason(system: System, filed: dict[str, Any]) -> None:
    """A broken record with a person in it, as only a fault or an attack would write it."""
    value = json.dumps({"request_id": filed["request_id"], "outcome": "DONE", "nama": NAME, PHONE: [1, True, None]}).encode()
    (poison,) = produce(system.kafka, "issuance", [_closed(filed).but(value=value)])
    coordinates = f"{poison.topic}-{poison.partition}-{poison.offset}"
    wait_for(lambda: coordinates in system.letters("intake"), 30, "no dead letter")
    code, output = system.run("dlq", "show", "intake", coordinates)
    assert code == 0
    assert NAME not in output and PHONE not in output and "nama" not in output
    assert f"value    {len(value)} bytes" in output and '"outcome": "text of 4"' in output and "ce_sequence" in output
    code, output = system.run("dlq", "show", "intake", coordinates, "--reveal")
    assert (code, NAME in output) == (1, False)
    assert "intake.dead_letter_reads" not in system.dump()
    code, output = system.run("dlq", "show", "intake", coordinates, "--reveal", "--because", "tiket 77", "--who", "siti")
    assert (code, value.decode() in output) == (0, True)
    (row,) = system.dump()["intake.dead_letter_reads"]
    assert (row["who"], row["coordinates"], row["reason"]) == ("siti", coordinates, "tiket 77")
    assert time.time() - row["at"].timestamp() < 60


def _closed(filed: Mapping[str, Any]) -> Raw:
    data: Any = EXAMPLES["item-closed.v1"]
    request_id, item_id = filed["request_id"], filed["items"][0]["item_id"]
    return record("item-closed.v1", data.model_copy(update={"request_id": request_id, "item_id": item_id}), 1)


@pytest.mark.parametrize("service", SERVICES)
def test_a_record_that_is_still_broken_stays_with_its_reason(system: System, service: str) -> None:
    topic, writer = ("request-created.v1", "intake") if service == "issuance" else ("item-closed.v1", "issuance")
    data: Any = EXAMPLES[topic]
    poison = record(topic, data.model_copy(update={"request_id": str(uuid4())}), 1).but(value=b"{")
    (lies,) = produce(system.kafka, writer, [poison])
    coordinates = f"{lies.topic}-{lies.partition}-{lies.offset}"
    wait_for(lambda: coordinates in system.letters(service), 30, "no dead letter")
    code, output = system.run("dlq", "retry", service, "--all")
    assert (code, f"{coordinates}  still broken: schema ValidationError" in output) == (1, True), output
    assert coordinates in system.letters(service)


def test_a_record_left_on_its_topic_is_found_at_its_coordinates(system: System, filed: dict[str, Any]) -> None:
    (lies,) = produce(system.kafka, "issuance", [_closed(filed).but(value=b"{ not read by anybody")])
    intake = Login(system.stack.bootstrap, "intake", "intake-dev")
    found = read_one(intake, lies.topic, lies.partition, lies.offset)
    assert found is not None and (found.key, found.value, found.headers) == (lies.key, lies.value, lies.headers)
    assert read_one(intake, lies.topic, lies.partition, lies.offset + 1000) is None
    for nothing in ("none.v1", "scheduling.dlq"):
        with pytest.raises(Unreadable):
            read_one(intake, nothing, 0, 0)


def test_keys_are_rotated_and_nobody_notices(system: System, filed: dict[str, Any]) -> None:
    """Readers first, then the writer, then the snapshots; a rotation too early is found out."""
    code, output = system.run("keys", "new", "planning")
    fresh = json.loads(output)
    (kid,) = fresh
    old = json.loads(development_key("planning"))
    visits = json.loads(system.run("keys", "new", "visits")[1])
    (visit_kid,) = visits
    old_visits = json.loads(development_key("visits"))
    readers = {"SCHEDULING_PLANNING_KEYS": json.dumps(old | fresh)}
    readers |= {f"{name}_VISIT_KEYS": json.dumps(old_visits | visits) for name in ("INTAKE", "ISSUANCE", "NOTIFY")}
    writers = {"INTAKE_PLANNING_KEYS": json.dumps(fresh | old), "SCHEDULING_VISIT_KEYS": json.dumps(visits | old_visits)}

    system.rings = readers
    system.start()
    system.settle()
    before, mails = system.dump(), system.mails()
    code, output = system.run("keys", "rotate", "intake", env=writers)
    assert (code, "Does intake run with the new ring?" in output) == (1, True), output
    system.rings |= writers
    system.start("intake", "scheduling")
    for service, topic, part, new_kid in (
        ("intake", "request-details.v1", "planning", kid),
        ("scheduling", "visit-details.v1", "visits", visit_kid),
    ):
        code, output = system.run("keys", "rotate", service, env=writers)
        assert (code, "all snapshots are under the newest keys" in output) == (0, True), output
        code, output = system.run("keys", "rotate", service, env=writers)
        assert (code, "under older keys: 0" in output) == (0, True), output
        uses = _uses(system, topic)
        assert uses[part, new_kid][1] > 0
        assert uses[part, f"dev-{part}"][0] > 0 == uses[part, f"dev-{part}"][1], "the old ones wait for compaction"
    system.settle()
    assert system.mails() == mails
    after = system.dump()
    for name in ("scheduling.days", "notify.cases"):
        assert _without_counters(after[name]) == _without_counters(before[name]), name


def _uses(system: System, topic: str) -> dict[tuple[str, str], tuple[int, int]]:
    code, output = system.run("keys", "where", topic)
    assert code == 0, output
    rows = [line.split() for line in output.splitlines()[1:]]
    return {(part, kid): (int(records), int(newest)) for part, kid, records, newest in rows}


def _without_counters(documents: list[Any]) -> list[Any]:
    """Without what says only how often a snapshot was read."""
    noise = ("version", "changed_at", "applied")
    return [{k: v for k, v in d.items() if k not in noise} for d in documents]


def test_replaying_every_topic_changes_no_document_and_sends_no_message(system: System) -> None:
    code, output = system.run("replay", "--group", "notify")
    assert (code, "stop all its processes first" in output) == (1, True), output
    system.stop()
    for options, why in ((("--group", "nobody"), "nobody"), (("--group", "notify", "--topic", "none.v1"), "none.v1")):
        code, output = system.run("replay", *options)
        assert (code, why in output) == (1, True), output
    before, mails = system.dump(), system.mails()
    assert len(before["intake.cases"]) >= REQUESTS and mails > REQUESTS
    for group in SERVICES:
        code, output = system.run("replay", "--group", group)
        assert code == 0, output
        again = dict(re.findall(r"^(\S+\.v1) +(\d+)$", output, re.MULTILINE))
        assert again.keys() <= set(read_by(group))
        assert sum(map(int, again.values())) > 5 * REQUESTS
        assert not system.has_read_all(group)
    system.start()
    system.settle()
    system.stop()
    after = system.dump()
    for name, documents in before.items():
        assert after[name] == documents, name
    assert after.keys() == before.keys()
    assert system.mails() == mails
