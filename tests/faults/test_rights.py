"""What an operator can get wrong: a password, rights, a full disk. Nothing is set aside, all recovers by itself, and it shows."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from confluent_kafka.admin import AclBindingFilter, AclOperation, AclPermissionType, ResourcePatternType, ResourceType
from pymongo import MongoClient

from pelangi.chassis.provision import admin_client, apply_database_users, apply_topics
from pelangi.local.kafka import ADMIN
from tests.conftest import RunningDatabase
from tests.faults.facts import scheduled
from tests.faults.filing import Cases, assert_once, file_all, keys
from tests.faults.metrics import Watch, ready
from tests.faults.report import Result, keep, whole
from tests.support.bodies import body
from tests.support.records import produce, read_all
from tests.support.service import ServiceProcess, expel, wait_for

AWAY_S = 60.0 if whole() else 3.0
RETRIES, FAILURES = "pelangi_batch_retries_total", "pelangi_leadership_failures_total"
REVIVALS = "pelangi_consumer_revivals_total"


@pytest.fixture
def intake(kafka: Any, database: Any) -> Iterator[ServiceProcess]:
    env = {} if whole() else {"INTAKE_IDLE_LIMIT_S": "3"}
    with ServiceProcess("intake", kafka, database, env=env) as process:
        process.start()
        yield process
    expel(kafka, "intake")


def status(service: ServiceProcess, key: str) -> int:
    return httpx.post(f"{service.url}/v1/requests", json=body(), headers={"Idempotency-Key": key}, timeout=40).status_code


def applied(cases: Cases, id: str) -> bool:
    return len(cases.get(id).get("visits", {})) == 1 and cases.get(id)["version"] == 1


@contextmanager
def wrong_password(database: Any) -> Iterator[None]:
    """The store knows another password of intake's user, and everybody has to sign in again."""
    with MongoClient[dict[str, Any]](database.admin_uri) as client:
        client["intake"].command("updateUser", "intake", pwd=str(uuid4()))
    database.restart()
    try:
        yield
    finally:
        apply_database_users(database.admin_uri)


def test_a_wrong_password_of_the_database(kafka: Any, database: Any, intake: ServiceProcess) -> None:
    letters, seen, unknown, wanted = len(read_all(kafka, "intake.dlq")), Watch(intake.url), str(uuid4()), keys(2)
    began = time.monotonic()
    with wrong_password(database), Cases(database) as cases:
        produce(kafka, "scheduling", [scheduled(unknown)])
        assert status(intake, wanted[0]) == 503
        wait_for(lambda: seen.moved(RETRIES), what="the consumer noticed nothing")
        wait_for(lambda: intake.components()["database"] == "away", what="readiness stays green")
        assert not intake.ready()
        assert not ready(intake.url, "database")
        time.sleep(max(0.0, began + AWAY_S - time.monotonic()))
        assert not cases.get(unknown)
    with Cases(database) as cases:
        wait_for(lambda: applied(cases, unknown), 60, "not applied afterwards")
        wait_for(intake.all_well, 60)
        ids = [a["request_id"] for a in file_all(intake, wanted)]
        wait_for(lambda: cases.all_sent(ids), 60)
    assert_once(kafka, "request-created.v1", ids)
    assert len(read_all(kafka, "intake.dlq")) == letters
    moved = seen.all_moved(RETRIES, FAILURES)
    keep(Result("wrong database password", 1, len(ids), metrics=moved | {"pelangi_ready database": -1}))


@contextmanager
def without_rights(kafka: Any, user: str) -> Iterator[None]:
    """Nothing is allowed to the user in Kafka."""
    admin, anything = admin_client(kafka.bootstrap, ADMIN, kafka.password), None
    every = AclBindingFilter(
        ResourceType.ANY, anything, ResourcePatternType.ANY, f"User:{user}", anything, AclOperation.ANY, AclPermissionType.ANY
    )
    for done in admin.delete_acls([every]).values():
        assert done.result(30), "there was nothing to take away"
    try:
        yield
    finally:
        apply_topics(kafka.bootstrap, ADMIN, kafka.password)


def test_topic_rights_taken_away(kafka: Any, database: Any, intake: ServiceProcess) -> None:
    """Requests are still taken: their events wait. What comes in waits on its topic."""
    letters, seen, unknown = len(read_all(kafka, "intake.dlq")), Watch(intake.url), str(uuid4())
    began = time.monotonic()
    with Cases(database) as cases:
        with without_rights(kafka, "intake"):
            produce(kafka, "scheduling", [scheduled(unknown)])
            ids = [a["request_id"] for a in file_all(intake, keys(3))]
            wait_for(lambda: seen.moved(FAILURES), what="the relay noticed nothing")
            wait_for(lambda: intake.components()["consumer"] != "ok", what="readiness stays green")
            assert not ready(intake.url, "consumer")
            time.sleep(max(0.0, began + AWAY_S - time.monotonic()))
            assert not cases.all_sent(ids)
        wait_for(lambda: applied(cases, unknown), 60, "not applied afterwards")
        wait_for(lambda: cases.all_sent(ids), 60)
    wait_for(intake.all_well, 60)
    assert_once(kafka, "request-created.v1", ids)
    assert len(read_all(kafka, "intake.dlq")) == letters
    keep(
        Result(
            "topic rights taken away", 1, len(ids), metrics=seen.all_moved(FAILURES, REVIVALS) | {"pelangi_ready consumer": -1}
        )
    )


class SmallDisk:
    """A disk of its own, of 300 MB, that can be filled to the last byte."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(folder)], check=True)

    def fill(self) -> None:
        with (self.folder / "filler").open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError:
                    continue

    def free(self) -> None:
        (self.folder / "filler").unlink(missing_ok=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


def full_disk_of_the_database(kafka: Any, tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path / "disk")
    database = RunningDatabase(disk.folder / "database")
    try:
        database.start()
        apply_database_users(database.admin_uri)
        with ServiceProcess("intake", kafka, database) as intake:
            intake.start()
            _fill_and_free(kafka, database, disk, intake)
    finally:
        database.kill()
        disk.unmount()
        expel(kafka, "intake")


def _fill_and_free(kafka: Any, database: Any, disk: SmallDisk, intake: ServiceProcess) -> None:
    before = [a["request_id"] for a in file_all(intake, keys(3))]
    letters, seen, wanted, unknown = len(read_all(kafka, "intake.dlq")), Watch(intake.url), iter(keys(10_000)), str(uuid4())
    disk.fill()
    began, refused, taken = time.monotonic(), [], list[str]()
    while (time.monotonic() - began < AWAY_S or not refused) and time.monotonic() - began < 120:
        key = next(wanted)
        (taken if (answer := status(intake, key)) == 201 else refused).append(key)
        assert answer in (201, 503)
    produce(kafka, "scheduling", [scheduled(unknown)])
    wait_for(lambda: seen.moved(RETRIES) or seen.moved(FAILURES), what="nobody noticed anything")
    disk.free()
    database.restart()  # a store that could not write its log does not trust itself any more: its operator starts it again
    with Cases(database) as cases:
        wait_for(lambda: applied(cases, unknown), 90, "not applied afterwards")
        wait_for(intake.all_well, 60)
        ids = [*before, *(a["request_id"] for a in file_all(intake, [*taken, *refused]))]
        wait_for(lambda: cases.all_sent(ids), 60)
    assert_once(kafka, "request-created.v1", ids)
    assert len(read_all(kafka, "intake.dlq")) == letters
    moved = {name: seen.moved(name) for name in (RETRIES, FAILURES)}
    keep(Result("full disk of the database", 1, len(ids), metrics=moved | {"refused with 503": len(refused)}))


if whole() and os.geteuid() == 0 and shutil.which("mount"):  # a disk of one's own needs the rights to make one

    def test_a_full_disk_of_the_database(kafka: Any, tmp_path: Path) -> None:
        full_disk_of_the_database(kafka, tmp_path)
