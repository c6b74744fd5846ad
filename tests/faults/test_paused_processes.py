"""Processes that were stopped for longer than what they held is theirs, and go on: two writers at once, two senders at once."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient

from tests.faults.facts import closed, scheduled
from tests.faults.filing import Cases, assert_once, file_all, keys
from tests.faults.metrics import Watch
from tests.faults.report import Result, keep, whole
from tests.faults.stopping import stopped
from tests.support.records import produce, read_all
from tests.support.service import ServiceProcess, expel, wait_for

ROUNDS = 5 if whole() else 1
CREATED = "request-created.v1"


@pytest.fixture
def pair(kafka: Any, database: Any) -> Iterator[tuple[ServiceProcess, ServiceProcess]]:
    """Two processes of intake, not started; the driver of the first says who it is, so that it alone can be slowed down."""
    env = {"INTAKE_MONGO_URI": f"{database.uri('intake')}&appName=first"}
    with ServiceProcess("intake", kafka, database, env=env) as first, ServiceProcess("intake", kafka, database) as second:
        yield first, second
    expel(kafka, "intake")


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_a_consumer_paused_past_its_session_writes_beside_the_one_that_has_its_place(
    kafka: Any, database: Any, pair: tuple[ServiceProcess, ServiceProcess], turn: int
) -> None:
    first, second = pair
    first.start(crash_point="consumer.after-read=stop")
    known = file_all(first, keys(3))
    seen = Watch(first.url)
    unknown = [str(uuid4()) for _ in range(3)]
    ids = [k["request_id"] for k in known]
    produce(kafka, "scheduling", [scheduled(i) for i in [*unknown, *ids]])
    produce(kafka, "issuance", [closed(k["request_id"], i["item_id"], n) for k in known for n, i in enumerate(k["items"], 1)])
    wait_for(lambda: stopped(first), what="the point was not reached")
    second.start(wait=False)
    with Cases(database) as cases:
        wait_for(
            lambda: all("closing" in cases.get(i) for i in ids) and all(cases.get(i) for i in unknown), 60, "nobody took over"
        )
        taken = Watch(second.url).moved("pelangi_rebalances_total") + 1  # its own first assignment
        first.resume()
        wait_for(lambda: seen.moved("pelangi_write_collisions_total"), what="the paused one did not write")
        wait_for(first.all_well, what="it does not come back")
        wait_for(lambda: seen.moved("pelangi_rebalances_total"), 60, "it does not join the group again")
        wait_for(lambda: cases.all_sent([*ids, *unknown]))
        versions = {i: cases.get(i)["version"] for i in [*ids, *unknown]}
        assert versions == dict.fromkeys(ids, 1 + 3) | dict.fromkeys(unknown, 1), "a fact was applied twice, or never"
    assert_once(kafka, "request-closed.v1", ids)
    moved = seen.all_moved("pelangi_write_collisions_total", "pelangi_rebalances_total")
    keep(Result("consumer paused past its session: two writers", 1, len(known), metrics=moved | {"second: rebalances": taken}))


@pytest.mark.parametrize("turn", range(ROUNDS))
@pytest.mark.parametrize("point", ["relay.after-read", *(["relay.after-send"] if whole() else [])])
def test_a_leader_paused_past_its_lease_is_refused(
    kafka: Any, database: Any, pair: tuple[ServiceProcess, ServiceProcess], point: str, turn: int
) -> None:
    """It goes on where it stopped, before it can find that the lease is lost: Kafka itself must refuse it."""
    first, second = pair
    first.start(crash_point=f"{point}=stop")
    second.start()
    (answer,) = file_all(second, keys(1))  # the leader finds it, and stops
    request_id = answer["request_id"]
    wait_for(lambda: stopped(first), what="the point was not reached")
    with Cases(database) as cases, slow_reading(database, "first"):
        wait_for(lambda: cases.all_sent([request_id]), what="nobody took over")
        lying = len(read_all(kafka, CREATED))
        first.resume()
        wait_for(lambda: refused(first), what="its send was not refused")
        assert len(read_all(kafka, CREATED)) == lying, "somebody can read what the old leader sent"
    assert len(assert_once(kafka, CREATED, [request_id])[request_id]) == 1
    wait_for(first.all_well)
    keep(Result(f"leader paused past its lease at {point}", 1, 1, metrics={f"{FAILURES} ProducerFenced": refused(first)}))


FAILURES = "pelangi_leadership_failures_total"


def refused(process: ServiceProcess) -> float:
    """How often Kafka told it that another has its place."""
    return Watch.now(process.url, FAILURES, error="ProducerFenced")


class slow_reading:
    """Every find of one driver takes three seconds, so that it learns late that the lease is not its own any more."""

    def __init__(self, database: Any, app: str) -> None:
        self._client: Any = MongoClient(database.admin_uri)
        self._data = {"failCommands": ["find"], "blockConnection": True, "blockTimeMS": 3000, "appName": app}

    def __enter__(self) -> None:
        self._client.admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": self._data})

    def __exit__(self, *_: object) -> None:
        self._client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
        self._client.close()
