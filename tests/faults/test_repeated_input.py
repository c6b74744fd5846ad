"""Input twice, in another order, and all of it once more, through a real service: the same end, and nothing more is said."""

import random
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from pelangi.chassis.provision import admin_client
from pelangi.chassis.rewind import rewind
from pelangi.contracts.topics import DATA_PARTITIONS
from pelangi.local.kafka import ADMIN
from tests.faults.facts import closed, scheduled
from tests.faults.filing import Cases, assert_once, file_all, keys, sent
from tests.faults.metrics import Watch, come_to_rest
from tests.faults.report import Result, keep, whole
from tests.support.records import Raw, produce
from tests.support.service import ServiceProcess, expel, wait_for

REQUESTS, ORDERS = (60, 8) if whole() else (8, 2)
READ = "pelangi_records_total"


@pytest.fixture
def intake(kafka: Any, database: Any) -> Iterator[ServiceProcess]:
    with ServiceProcess("intake", kafka, database) as process:
        process.start()
        yield process
    expel(kafka, "intake")


def story(answer: dict[str, Any]) -> list[Raw]:
    """A date, another date, and every item finished, in the order of the events."""
    id_, visit = answer["request_id"], str(uuid4())
    moved = [scheduled(id_, 1, visit, revision=1), scheduled(id_, 2, visit, revision=2)]
    records = [*moved, *(closed(id_, i["item_id"], n) for n, i in enumerate(answer["items"], 3))]
    return [r.but(partition=UUID(id_).int % DATA_PARTITIONS) for r in records]


def end(case: dict[str, Any]) -> dict[str, Any]:
    """What a request came to, without what is its own."""
    return {
        "status": case["status"],
        "closed": sorted(case["closed_items"].values()),
        "revisions": [visit["revision"] for visit in case["visits"].values()],
        "closing": case["closing"]["outcome"] if isinstance(case["closing"], dict) else case["closing"],
    }


def test_any_order_and_any_repetition_end_alike_and_the_log_once_more_changes_nothing(
    kafka: Any, database: Any, intake: ServiceProcess
) -> None:
    rng, seen, filed = random.Random(91), Watch(intake.url), file_all(intake, keys(REQUESTS))
    ids = [f["request_id"] for f in filed]
    stories, given = [story(f) for f in filed], 0
    tell(kafka, stories[0])  # in order, each once: what the others are compared with
    for _ in range(ORDERS):
        records = [r for told in stories[1:] for r in told * 2]
        rng.shuffle(records)
        given += len(records)
        tell(kafka, records)
    with Cases(database) as cases:
        wait_for(lambda: all("closing" in cases.get(i) for i in ids), 60, "not all are closed")
        wait_for(lambda: seen.moved(READ) >= given + len(stories[0]), 60, "not all is read")
        wait_for(lambda: cases.all_sent(ids))
        wanted, *others = [end(cases.get(i)) for i in ids]
        assert wanted["revisions"] == [2]
        assert others == [wanted] * len(others)
        assert_once(kafka, "request-closed.v1", ids)
        read = seen.moved(READ)
        once_more(kafka, intake, {i: cases.get(i) for i in ids}, cases)
    keep(Result("duplicate, reordered and replayed input", 1, REQUESTS, metrics={READ: read}))


def once_more(kafka: Any, intake: ServiceProcess, before: dict[str, Any], cases: Cases) -> None:
    """The whole log of this run's Kafka, by the group set back."""
    said = {topic: sent(kafka, topic, before) for topic in ("request-created.v1", "request-closed.v1", "request-details.v1")}
    intake.stop()
    records = sum(topic.records for topic in rewind(admin_client(kafka.bootstrap, ADMIN, kafka.password), "intake"))
    intake.start()
    wait_for(lambda: Watch.now(intake.url, READ) >= len(before), 60, "nothing is read again")
    come_to_rest(intake.url)
    assert 0 < Watch.now(intake.url, READ) <= records
    assert {i: cases.get(i) for i in before} == before
    assert {topic: sent(kafka, topic, before) for topic in said} == said


def tell(kafka: Any, records: list[Raw]) -> None:
    """Each by the owner of its topic, in this order within the topic; between topics there is none."""
    for owner, topic in (("issuance", "item-closed.v1"), ("scheduling", "visit-scheduled.v1")):
        produce(kafka, owner, [r for r in records if r.topic == topic])
