"""The store as infrastructure that fails: silent, dead in the middle of a bulk, refusing, losing connections. Intake alone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGCONT, SIGSTOP
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pymongo import MongoClient

from tests.faults.facts import scheduled
from tests.faults.filing import Cases, assert_once, file_all, keys
from tests.faults.metrics import Watch, ready
from tests.faults.report import Result, keep, whole
from tests.faults.stopping import stopped
from tests.support.bodies import body
from tests.support.records import produce, read_all
from tests.support.service import ServiceProcess, expel, wait_for

APP = "faulty"
RETRIES = "pelangi_batch_retries_total"
FAILURES = "pelangi_leadership_failures_total"
SILENT_S = 60.0 if whole() else 6.0
BULK, KILLS = 500, 6 if whole() else 1

CODES = {
    "write conflict": 112,
    "not the primary": 10107,
    "shutdown in progress": 91,
    "disk full": 14031,
    "no rights": 13,
    "authentication failed": 18,
    "time limit": 50,
    "cannot satisfy the write concern": 100,
    "interrupted": 11601,
    "internal error": 1,
}
FAULTS: dict[str, dict[str, Any]] = {name: {"errorCode": code} for name, code in CODES.items()}
FAULTS |= {
    "connection lost": {"closeConnection": True},
    "not replicated in time": {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}},
}
if not whole():
    FAULTS = {name: FAULTS[name] for name in ("no rights", "connection lost", "not replicated in time")}


@pytest.fixture
def intake(kafka: Any, database: Any) -> Iterator[ServiceProcess]:
    with ServiceProcess(
        "intake", kafka, database, env={"INTAKE_MONGO_URI": f"{database.uri('intake')}&appName={APP}"}
    ) as process:
        process.start()
        yield process
    expel(kafka, "intake")


@pytest.fixture
def cases(database: Any) -> Iterator[Cases]:
    with Cases(database) as it:
        yield it


@contextmanager
def failing(database: Any, commands: list[str], **how: Any) -> Iterator[None]:
    """Every such command of the service's driver fails meanwhile; others' do not."""
    with MongoClient[dict[str, Any]](database.admin_uri) as client:
        data = {"failCommands": commands, "appName": APP, **how}
        client.admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data})
        try:
            yield
        finally:
            client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


def status(service: ServiceProcess, key: str) -> int:
    """Of one attempt to file."""
    return httpx.post(f"{service.url}/v1/requests", json=body(), headers={"Idempotency-Key": key}, timeout=40).status_code


def applied_once(cases: Cases, ids: list[str], version: int) -> bool:
    known = cases.many(ids)
    return len(known) == len(ids) and all(len(case.get("visits", {})) == 1 and case["version"] == version for case in known)


def test_writes_that_fail_are_tried_again_and_nothing_is_set_aside(
    kafka: Any, database: Any, intake: ServiceProcess, cases: Cases
) -> None:
    """Each error in turn, on inserts and updates of the consumer, on the lease, and on calls over HTTP."""
    letters = len(read_all(kafka, "intake.dlq"))
    filed = file_all(intake, keys(len(FAULTS)))
    moved: dict[str, float] = {}
    for (name, how), answer in zip(FAULTS.items(), filed, strict=True):
        seen, unknown, known, (key,) = Watch(intake.url), str(uuid4()), answer["request_id"], keys(1)
        with failing(database, ["insert", "update"], **how):
            produce(kafka, "scheduling", [scheduled(unknown), scheduled(known)])
            wait_for(lambda seen=seen: seen.moved(RETRIES), what=f"{name}: the consumer noticed nothing")
            assert status(intake, key) in (201, 503), name
        wait_for(lambda u=unknown: applied_once(cases, [u], 1), timeout=60, what=f"{name}: a new case")
        wait_for(lambda k=known: applied_once(cases, [k], 2), timeout=60, what=f"{name}: a known case")
        ids = [known, file_all(intake, [key])[0]["request_id"]]
        wait_for(lambda ids=ids: cases.all_sent(ids), what=f"{name}: the outbox")
        moved[f"{RETRIES} {name}"] = seen.moved(RETRIES)
        filed = [*filed, {"request_id": ids[1]}]
    assert_once(kafka, "request-created.v1", {f["request_id"] for f in filed})
    assert len(read_all(kafka, "intake.dlq")) == letters
    wait_for(intake.all_well)
    keep(Result("write errors by configureFailPoint", len(FAULTS), len(filed), metrics=moved))


def test_reads_that_fail_are_infrastructure_too(kafka: Any, database: Any, intake: ServiceProcess, cases: Cases) -> None:
    seen, unknown = Watch(intake.url), str(uuid4())
    with failing(database, ["find"], errorCode=13):
        produce(kafka, "scheduling", [scheduled(unknown)])
        wait_for(lambda: seen.moved(RETRIES), what="the consumer noticed nothing")
        wait_for(lambda: seen.moved(FAILURES), what="the leader noticed nothing")
        assert intake.components()["consumer"] != "ok"
        assert not ready(intake.url, "consumer")
    wait_for(lambda: applied_once(cases, [unknown], 1))
    wait_for(intake.all_well)
    keep(Result("reads fail", 1, 1, metrics=seen.all_moved(RETRIES, FAILURES)))


def test_the_database_dies_in_the_middle_of_a_bulk(kafka: Any, database: Any, intake: ServiceProcess, cases: Cases) -> None:
    """It is killed while it writes a batch, and starts again with a part of it: the rest follows, nothing is doubled."""
    letters, kept = len(read_all(kafka, "intake.dlq")), 0
    for turn in range(12):
        intake.stop()
        intake.start(crash_point="consumer.after-read=stop")
        seen, ids = Watch(intake.url), [str(uuid4()) for _ in range(BULK)]
        produce(kafka, "scheduling", [scheduled(i).but(partition=turn) for i in ids])
        wait_for(lambda: stopped(intake), what="the point was not reached")
        intake.resume()
        time.sleep((2, 10, 30, 60)[turn % 4] / 1000)  # the batch takes longer to write
        database.kill()
        intake.pause()
        database.start()
        written = len(cases.many(ids))
        intake.resume()
        wait_for(lambda ids=ids: applied_once(cases, ids, 1), 60, "not all applied once")
        wait_for(intake.all_well, 60)
        if not (retries := seen.moved(RETRIES)):
            continue  # it was acknowledged before, or the write only began afterwards: that was not the middle
        keep(Result("database killed in the middle of a bulk", 1, BULK, metrics={RETRIES: retries, "kept": written}))
        kept += 1
        if kept == KILLS:
            break
    assert kept, "never in the middle"
    assert len(read_all(kafka, "intake.dlq")) == letters


def test_a_silent_database(kafka: Any, database: Any, intake: ServiceProcess, cases: Cases) -> None:
    """It takes connections and answers nothing, then goes on: red meanwhile, all applied afterwards."""
    letters, seen, unknown, (key,) = len(read_all(kafka, "intake.dlq")), Watch(intake.url), str(uuid4()), keys(1)
    database.child.signal(SIGSTOP)
    began = time.monotonic()
    try:
        produce(kafka, "scheduling", [scheduled(unknown)])
        wait_for(lambda: intake.components().get("database") == "away", what="readiness stays green")
        assert not ready(intake.url, "database")
        time.sleep(max(0.0, began + SILENT_S - time.monotonic()))
    finally:
        database.child.signal(SIGCONT)
    wait_for(lambda: applied_once(cases, [unknown], 1), 60)
    wait_for(intake.all_well, 60)
    ids = [a["request_id"] for a in file_all(intake, [key])]
    wait_for(lambda: cases.all_sent(ids), 60)
    assert_once(kafka, "request-created.v1", ids)
    assert len(read_all(kafka, "intake.dlq")) == letters
    failed = seen.moved("pelangi_database_commands_total", result="failed")
    keep(Result("database silent", 1, 2, metrics={"pelangi_ready database": -1, "commands failed": failed}))
