"""Broken records at every place of a batch, and one in a hundred among many: kept whole, the rest unspoilt, all come back."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from uuid import UUID, uuid4

import pytest
from confluent_kafka import Producer
from pymongo import MongoClient

from pelangi.chassis import sabotage
from pelangi.chassis.clock import SystemClock
from pelangi.chassis.consumer import Consumer
from pelangi.chassis.decode import Broken
from pelangi.chassis.redrive import DeadLetter, newest
from pelangi.chassis.service import make_decoder
from pelangi.chassis.settings import development_key, key_ring
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import Store
from pelangi.contracts.events import VisitDetails
from pelangi.contracts.examples import EXAMPLES
from pelangi.contracts.sealing import seal_visits
from pelangi.contracts.snapshots import Visits
from pelangi.contracts.topics import DATA_PARTITIONS, VISIT_DETAILS, read_by
from tests.faults.facts import scheduled
from tests.faults.killer import SERVICES
from tests.faults.metrics import Watch
from tests.faults.report import Result, keep, whole
from tests.support.records import Raw, read_all, record
from tests.support.service import CRASHED, ServiceProcess, expel, wait_for

RAISES = "dead"
"""With this begin the ids of requests for which a handler is made to raise."""
MANY, RATE = (10_000, 400) if whole() else (1_000, 250)
OURS = {topic for service in SERVICES for topic in read_by(service)}


def visits(request_id: str) -> Raw:
    keys = key_ring_of("visits")
    return record(VISIT_DETAILS, seal_visits(request_id, Visits(visits=[]), keys), 1)


def key_ring_of(name: str) -> Any:
    from pydantic import SecretStr

    return key_ring(SecretStr(development_key(name)))


def fact(topic: str, request_id: str) -> Raw:
    """A good record about a request of which nothing is known."""
    if topic == VISIT_DETAILS:
        return visits(request_id)
    return record(topic, EXAMPLES[topic].model_copy(update={"request_id": request_id}), 1)


def bad_tag(good: Raw) -> Raw:
    data = VisitDetails.model_validate_json(good.value or b"")
    head, _, tag = data.visits.rpartition(".")
    return good.but(
        value=data.model_copy(update={"visits": f"{head}.{'B' if tag[0] == 'A' else 'A'}{tag[1:]}"}).model_dump_json().encode()
    )


def without_a_field(good: Raw) -> Raw:
    data = json.loads(good.value or b"")
    return good.but(value=json.dumps({k: v for k, v in data.items() if k != "request_id"}).encode())


BROKEN: dict[str, Callable[[Raw], Raw]] = {
    "bad JSON": lambda good: good.but(value=b"{"),
    "header is not UTF-8": lambda good: good.but(headers={"ce_source": b"\xff\x00\xfe"}),
    "header is missing": lambda good: good.but(headers={"ce_sequence": None}),
    "field is missing": without_a_field,
    "null": lambda good: good.but(value=None),
}


@pytest.fixture
async def store(database: Any) -> Any:
    opened = Store(database.uri("intake"))
    yield opened
    await opened.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_at_every_position_of_a_batch(store: Store, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's own decoder and handlers on a real store; one good record of each topic, and a broken one anywhere."""
    monkeypatch.setitem(sabotage._armed, "handler-raises", RAISES)
    made = import_module(f"services.{service}.app").make()
    cases, aside = store.collection(f"poison-{uuid4().hex[:12]}"), list[tuple[Any, Broken]]()

    async def set_aside(record: Any, why: Broken) -> None:
        aside.append((record, why))

    handlers = sabotage.raising(made.handlers)
    consumer = Consumer(cases, make_decoder(made), handlers, SystemClock(), set_aside, Signal())
    topics = [topic for topic in read_by(service) if topic in EXAMPLES and topic in OURS]
    topics = [t for t in topics if t == VISIT_DETAILS or hasattr(EXAMPLES[t], "request_id")]
    tried = 0
    for position in range(len(topics) + 1):
        for topic in topics:
            for name, poison in poisons(topic).items():
                good = [fact(t, str(uuid4())) for t in topics]
                bad = poison()
                aside.clear()
                batch = [r.but(offset=n) for n, r in enumerate([*good[:position], bad, *good[position:]])]
                await consumer.handle(batch)
                assert [r.offset for r, _ in aside] == [position], f"{topic}: {name}"
                known = await cases.get_many([r.key.decode() for r in good if r.key])
                assert [c["version"] for c in known.values()] == [1] * len(good), f"{topic}: {name}"
                tried += 1
    keep(Result(f"poison at every position of a batch: {service}", tried, tried * len(topics)))


def poisons(topic: str) -> dict[str, Callable[[], Raw]]:
    """One broken record of each kind that this topic can have; in the short form those that differ by topic."""

    def make(break_: Callable[[Raw], Raw]) -> Callable[[], Raw]:
        return lambda: break_(fact(topic, str(uuid4())))

    kinds = dict(BROKEN) if whole() or topic.startswith(("visit-", "request-created")) else {"null": BROKEN["null"]}
    if topic == VISIT_DETAILS:
        del kinds["null"]  # a tombstone
        kinds["bad tag"] = bad_tag
    return {name: make(break_) for name, break_ in kinds.items()} | {"handler raises": lambda: fact(topic, raising_id())}


def raising_id() -> str:
    return f"{RAISES}{str(uuid4())[4:]}"


@pytest.fixture
def intake(kafka: Any, database: Any) -> Iterator[ServiceProcess]:
    with ServiceProcess("intake", kafka, database, env={"INTAKE_SABOTAGE": f"handler-raises:{RAISES}"}) as process:
        process.start()
        yield process
    expel(kafka, "intake")


def test_one_in_a_hundred(kafka: Any, database: Any, intake: ServiceProcess) -> None:
    """A clean run, then one with 1 % poison; those that a release repairs come back by `dlq retry`, killed in the middle once."""
    clean = [str(uuid4()) for _ in range(MANY)]
    send(kafka, [(i, None) for i in clean])
    calm = latencies(database, clean)
    seen, before = Watch(intake.url), standing(kafka)
    ids = [raising_id() if n % 200 == 50 else str(uuid4()) for n in range(MANY)]
    breaks = list(BROKEN.values())
    send(kafka, [(id_, breaks[n // 200 % 5] if n % 200 == 150 else None) for n, id_ in enumerate(ids)])
    raising = {i for n, i in enumerate(ids) if n % 200 == 50}
    lost = {i for n, i in enumerate(ids) if n % 200 == 150}
    healthy = [i for i in ids if i not in raising | lost]
    ill = latencies(database, healthy)
    wait_for(lambda: len(standing(kafka).keys() - before.keys()) == len(raising | lost), 30, "not all are set aside")
    moved = seen.all_moved("pelangi_dead_letters_total")
    assert moved["pelangi_dead_letters_total"] == len(raising | lost)
    retried(intake, "redrive.after-fold:3", CRASHED)
    retried(intake, "", 1)  # what is broken for ever stays
    left = standing(kafka).keys() - before.keys()
    assert {standing(kafka)[k].reason for k in left} <= {"schema", "envelope"}
    assert len(left) == len(lost)
    assert all(c["version"] == 1 and len(c["visits"]) == 1 for c in known(database, raising))
    assert len(known(database, raising)) == len(raising)
    figures = {"p99 clean ms": p99(calm), "p99 with poison ms": p99(ill), "p99 ratio": p99(ill) / p99(calm)}
    keep(Result("1 % poison", len(raising | lost), 2 * MANY, metrics=moved | figures))


def send(kafka: Any, wanted: list[tuple[str, Callable[[Raw], Raw] | None]]) -> None:
    """At a steady rate, each stamped when it is sent."""
    producer = Producer({**kafka.login("scheduling"), "enable.idempotence": True, "linger.ms": 0})
    began = time.monotonic()
    for n, (request_id, break_) in enumerate(wanted):
        time.sleep(max(0.0, began + n / RATE - time.monotonic()))
        good = scheduled(request_id, visit_id=str(UUID(f"{int(time.time() * 1000):012x}{uuid4().hex[12:]}")))
        r = break_(good) if break_ else good
        producer.produce(r.topic, r.value, key=r.key, headers=r.headers, partition=UUID(request_id).int % DATA_PARTITIONS)
        producer.poll(0)
    assert producer.flush(30) == 0


def known(database: Any, ids: Any) -> list[dict[str, Any]]:
    with MongoClient[dict[str, Any]](database.admin_uri, tz_aware=True) as client:
        return list(client["intake"]["cases"].find({"_id": {"$in": list(ids)}}))


def latencies(database: Any, ids: list[str]) -> list[float]:
    """From the making of each record to its fold, in ms, once all are there; each was applied once."""
    wait_for(lambda: len(known(database, ids)) == len(ids), 60, "not all are applied")
    found = known(database, ids)
    assert all(c["version"] == 1 and len(c["visits"]) == 1 for c in found)
    return [(c["changed_at"] - born(c)).total_seconds() * 1000 for c in found]


def born(case: dict[str, Any]) -> datetime:
    """When its record was made: the id of its visit says it."""
    (visit_id,) = case["visits"]
    return datetime.fromtimestamp(int(visit_id.replace("-", "")[:12], 16) / 1000, UTC)


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def standing(kafka: Any) -> dict[str, DeadLetter]:
    """Intake's dead letters by coordinates, without those that were brought back."""

    class Seen:
        def __init__(self, raw: Raw) -> None:
            self.key, self.value, self.headers, self.at = raw.key, raw.value, raw.headers, None

    return {letter.coordinates: letter for letter in newest(Seen(r) for r in read_all(kafka, "intake.dlq"))}  # type: ignore[misc]


def retried(intake: ServiceProcess, point: str, code: int) -> None:
    """`pelangi dlq retry intake --all` by a release without the bug, beside the running service."""
    env = {**os.environ, **intake._env, "INTAKE_SABOTAGE": "", "INTAKE_CRASH_POINT": point}
    argv = [sys.executable, "-m", "pelangi.cli", "dlq", "retry", "intake", "--all"]
    run = subprocess.run(argv, check=False, env=env, capture_output=True, text=True, timeout=120)
    assert run.returncode == code, run.stdout + run.stderr
