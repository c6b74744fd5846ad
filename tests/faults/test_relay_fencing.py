"""The relay under kills and pauses on real Kafka: nothing lost, nothing told twice, a leader of yesterday is not heard."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from pelangi.chassis import kafka as chassis_kafka
from pelangi.chassis.case import Change, emit, stub
from pelangi.chassis.clock import SystemClock
from pelangi.chassis.relay import Relay
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import Store
from pelangi.contracts.examples import EXAMPLES
from services.intake.app import Settings
from tests.faults.filing import Cases, assert_once, file_all, keys, post, sent
from tests.support.records import read_all
from tests.support.service import ServiceProcess, expel, wait_for

CREATED = "request-created.v1"


@pytest.fixture
def settings(kafka: Any, database: Any) -> Settings:
    return Settings(kafka_bootstrap=kafka.bootstrap, mongo_uri=SecretStr(database.uri("intake")))


class Relays:
    """Two relays of intake on one outbox, each with its own producer of the one transactional id."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.cases = store.collection(f"test-{uuid4().hex[:12]}")
        self.relay = Relay(self.cases, "/services/intake", {}, SystemClock(), Signal())
        self._settings = settings
        self.producers: list[AIOKafkaProducer] = []

    async def leader(self) -> AIOKafkaProducer:
        producer = chassis_kafka.make_producer(self._settings, transactional_id="relay-intake")
        self.producers.append(producer)
        await producer.start()
        return producer

    async def pending(self) -> str:
        """A request whose request-created lies in the outbox."""
        request_id = str(uuid4())
        event = EXAMPLES[CREATED].model_copy(update={"request_id": request_id})
        change: Change[Any] = Change(None, stub(request_id))  # type: ignore[arg-type]
        change.advance(emit(change.after, event), wall=SystemClock().wall())
        await self.cases.insert(change.document())
        return request_id


@pytest.fixture
async def relays(settings: Settings) -> AsyncIterator[Relays]:
    store = Store(settings.mongo_uri.get_secret_value())
    it = Relays(settings, store)
    yield it
    for producer in it.producers:
        try:
            await producer.stop()
        except KafkaError:
            continue  # a fenced one cannot stop cleanly
    await store.close()


async def test_a_fenced_relay_raises_and_nothing_of_it_is_read(kafka: Any, relays: Relays) -> None:
    old = await relays.leader()
    request_id = await relays.pending()
    new = await relays.leader()
    with pytest.raises(KafkaError):
        await relays.relay.cycle(old)
    assert sent(kafka, CREATED, [request_id]) == {}
    assert (await relays.cases.get(request_id) or {})["outbox"], "what was not sent stays"
    assert await relays.relay.cycle(new) == 1
    assert len(assert_once(kafka, CREATED, [request_id])[request_id]) == 1
    assert (await relays.cases.get(request_id) or {})["outbox"] == []


async def test_a_relay_that_is_fenced_between_send_and_commit(kafka: Any, relays: Relays) -> None:
    """It paused with records on the log; the new leader's init aborts them."""
    old = await relays.leader()
    request_id = await relays.pending()
    await old.begin_transaction()
    for case in await relays.cases.find({}):
        for record in relays.relay._records(case):
            await old.send_and_wait(record.topic, record.value, key=record.key, headers=record.headers)
    new = await relays.leader()
    with pytest.raises(KafkaError):
        await old.commit_transaction()
    assert sent(kafka, CREATED, [request_id]) == {}
    await relays.relay.cycle(new)
    assert len(assert_once(kafka, CREATED, [request_id])[request_id]) == 1


async def test_an_old_relays_resend_is_byte_for_byte_the_same(kafka: Any, relays: Relays) -> None:
    request_id = await relays.pending()
    producer = await relays.leader()
    read = await relays.cases.find({})
    _, records = await relays.relay._render(read)
    await relays.relay._send(producer, records)  # committed, and not cleared: as after a crash between the two
    await relays.relay.cycle(producer)
    assert len(assert_once(kafka, CREATED, [request_id])[request_id]) == 2


@pytest.fixture
def intake(kafka: Any, database: Any) -> Iterator[ServiceProcess]:
    with ServiceProcess("intake", kafka, database) as process:
        yield process
    expel(kafka, "intake")


@pytest.mark.parametrize(("point", "repeats"), [("relay.after-send", False), ("relay.after-commit", True)])
def test_a_crash_of_the_relay_loses_and_doubles_nothing(
    kafka: Any, database: Any, intake: ServiceProcess, point: str, repeats: bool
) -> None:
    wanted = keys(6)
    intake.start(crash_point=point)
    for key in wanted:
        post(intake, key)
    intake.wait_crashed()
    expel(kafka, "intake")
    intake.start()
    ids = [answer["request_id"] for answer in file_all(intake, wanted)]
    with Cases(database) as cases:
        wait_for(lambda: cases.all_sent(ids), what="the outbox does not empty")
    found = assert_once(kafka, CREATED, ids)
    assert any(len(records) > 1 for records in found.values()) is repeats, "the crash came where it should"
    snapshots = sent(kafka, "request-details.v1", ids)
    assert snapshots.keys() == set(ids)


def test_a_paused_leader_is_replaced_and_not_heard_again(kafka: Any, database: Any, intake: ServiceProcess) -> None:
    with ServiceProcess("intake", kafka, database) as second, Cases(database) as cases:
        intake.start()
        second.start()
        before = [a["request_id"] for a in file_all(intake, keys(2))]
        wait_for(lambda: cases.all_sent(before))
        leader, other = (intake, second) if leads(intake) else (second, intake)
        leader.pause()
        meanwhile = [a["request_id"] for a in file_all(other, keys(3))]
        wait_for(lambda: cases.all_sent(meanwhile), what="nobody took over")
        leader.resume()
        after = [a["request_id"] for a in file_all(leader, keys(3))]
        wait_for(lambda: cases.all_sent(after))
        wait_for(lambda: leads(other) and not leads(leader), what="the old one still leads")
        assert_once(kafka, CREATED, [*before, *meanwhile, *after])
        second.stop()


def leads(service: ServiceProcess) -> bool:
    import httpx

    return "\npelangi_leader 1.0" in httpx.get(f"{service.url}/metrics", timeout=10).text


def test_without_kafka_a_request_gets_its_201_and_its_event_later(kafka: Any, database: Any) -> None:
    with ServiceProcess("intake", None, database) as alone:
        alone.start()
        assert alone.components()["kafka"] == "away"
        (answer,) = file_all(alone, keys(1))
    assert sent(kafka, CREATED, [answer["request_id"]]) == {}
    with ServiceProcess("intake", kafka, database) as process, Cases(database) as cases:
        process.start()
        wait_for(lambda: cases.all_sent([answer["request_id"]]))
        process.stop()
    assert_once(kafka, CREATED, [answer["request_id"]])


def test_no_public_event_holds_what_could_be_a_nik(kafka: Any) -> None:
    """Over whatever this run has sent."""
    import re

    for record in read_all(kafka, CREATED, "request-closed.v1"):
        assert not re.search(rb"[0-9]{16}", (record.value or b"") + (record.key or b""))
