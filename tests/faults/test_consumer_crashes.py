"""The consumer under kills and poison on real Kafka: every fact applied once, every broken record kept exactly."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from pelangi.chassis.dead_letters import unseal
from pelangi.chassis.settings import development_key, key_ring
from pelangi.contracts.events import VisitDetails
from pelangi.contracts.examples import EXAMPLES
from pelangi.contracts.sealing import seal_visits
from pelangi.contracts.snapshots import Visits
from tests.faults.filing import Cases, assert_once, file_all, keys
from tests.support.records import Raw, produce, read_all, record
from tests.support.service import ServiceProcess, expel, wait_for

ITEM: Any = EXAMPLES["item-closed.v1"]
SCHEDULED: Any = EXAMPLES["visit-scheduled.v1"]


@pytest.fixture
def intake(kafka: Any, database: Any) -> Iterator[ServiceProcess]:
    with ServiceProcess("intake", kafka, database) as process:
        yield process
    expel(kafka, "intake")


@pytest.fixture
def cases(database: Any) -> Iterator[Cases]:
    with Cases(database) as it:
        yield it


def closed(request_id: str, item_id: str, sequence: int) -> Raw:
    return record("item-closed.v1", ITEM.model_copy(update={"request_id": request_id, "item_id": item_id}), sequence)


def scheduled(request_id: str, sequence: int = 1) -> Raw:
    return record(
        "visit-scheduled.v1", SCHEDULED.model_copy(update={"request_id": request_id, "visit_id": str(uuid4())}), sequence
    )


def letters(kafka: Any, records: list[Raw]) -> dict[str, list[Raw]]:
    """Intake's dead letters of these records, by coordinates."""
    wanted = {f"{r.topic}-{r.partition}-{r.offset}" for r in records}
    found: dict[str, list[Raw]] = {}
    for letter in read_all(kafka, "intake.dlq"):
        key = (letter.key or b"").decode()
        if key in wanted:
            found.setdefault(key, []).append(letter)
    return found


def opened(letter: Raw) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]:
    """Value, key and headers of the record in a dead letter."""
    keys_ = key_ring(SecretStr(development_key("intake.dlq")))
    original = unseal(letter.value or b"", keys_, topic="intake.dlq", key=(letter.key or b"").decode())
    return original.value, original.key, [(name, value or b"") for name, value in original.headers]


@pytest.mark.parametrize(
    "point", ["consumer.after-read", "consumer.half-written", "consumer.after-write", "consumer.after-dead-letters"]
)
def test_a_crash_of_the_consumer_applies_every_fact_once(kafka: Any, intake: ServiceProcess, cases: Cases, point: str) -> None:
    intake.start(crash_point=point)
    known = file_all(intake, keys(2))
    unknown = [str(uuid4()) for _ in range(2)]  # facts about a request that intake does not know yet: new documents
    poison = closed(unknown[0], str(uuid4()), 1).but(value=b"{")
    produce(kafka, "scheduling", [scheduled(i) for i in [*unknown, *(k["request_id"] for k in known)]])
    facts = [closed(k["request_id"], item["item_id"], at) for k in known for at, item in enumerate(k["items"], start=1)]
    broken = [r for r in produce(kafka, "issuance", [*facts, poison]) if r.value == b"{"]
    intake.wait_crashed()
    expel(kafka, "intake")
    intake.start()
    ids = [k["request_id"] for k in known]
    wait_for(lambda: all("closing" in cases.get(i) for i in ids) and all(cases.get(i) for i in unknown), what="not applied")
    wait_for(lambda: cases.all_sent(ids) and letters(kafka, broken))
    for k in known:
        case = cases.get(k["request_id"])
        assert case["closed_items"] == {item["item_id"]: "DONE" for item in k["items"]}
        assert len(case["visits"]) == 1
        assert case["version"] == 1 + 3, "the filing, a visit, two items: each once"
        assert case["status"] == "COMPLETED"
    for i in unknown:
        assert (cases.get(i)["version"], len(cases.get(i)["visits"])) == (1, 1)
    assert_once(kafka, "request-closed.v1", ids)
    for found in letters(kafka, broken).values():
        assert {opened(letter)[0] for letter in found} == {b"{"}, "perhaps twice, under one key and with one content"


def visits(request_id: str, sequence: int) -> Raw:
    keys_ = key_ring(SecretStr(development_key("visits")))
    return record("visit-details.v1", seal_visits(request_id, Visits(visits=[]), keys_), sequence)


def bad_tag(request_id: str) -> Raw:
    good = visits(request_id, 9)
    data = VisitDetails.model_validate_json(good.value or b"")
    head, _, tag = data.visits.rpartition(".")
    wrong = data.model_copy(update={"visits": f"{head}.{'B' if tag[0] == 'A' else 'A'}{tag[1:]}"})
    return good.but(value=wrong.model_dump_json().encode())


def test_poison_anywhere_in_a_batch_is_kept_exactly_and_spoils_nothing(kafka: Any, intake: ServiceProcess, cases: Cases) -> None:
    intake.start()
    filed = file_all(intake, keys(6))
    intake.stop()  # so that what follows is one batch
    items = iter([(f["request_id"], f["items"][0]["item_id"]) for f in filed])
    some = closed(filed[0]["request_id"], str(uuid4()), 1)
    kinds = [
        some.but(value=b"{"),
        some.but(headers={"ce_sequence": None}),
        some.but(headers={"ce_source": b"\xff\x00\xfe"}),
    ]
    batch: list[Raw] = []
    for partition in range(3):  # each kind once as the first, the middle and the last record
        order = kinds[partition:] + kinds[:partition]
        mixed = [order[0], closed(*next(items), 1), order[1], closed(*next(items), 1), order[2]]
        batch += [r.but(partition=partition) for r in mixed]
    tags = [bad_tag(filed[0]["request_id"]), visits(filed[0]["request_id"], 1), bad_tag(filed[1]["request_id"])]
    lying = produce(kafka, "issuance", batch) + produce(kafka, "scheduling", [r.but(partition=0) for r in tags])
    bad = [r for r in lying if r.value == b"{" or len(r.headers) < 11 or (b"\xff\x00\xfe" in dict(r.headers).values())]
    bad += [lying[-3], lying[-1]]
    assert len(bad) == 3 * 3 + 2
    intake.start()
    wait_for(lambda: all(cases.get(f["request_id"]).get("closed_items") for f in filed), what="the good ones are not applied")
    wait_for(lambda: len(letters(kafka, bad)) == len(bad), what="dead letters are missing")
    intake.stop()
    assert letters(kafka, [r for r in lying if r not in bad]) == {}, "a good record was set aside"
    assert "under_way" in cases.get(filed[0]["request_id"]), "the good snapshot between two bad ones"
    found = letters(kafka, bad)
    for r in bad:
        (letter,) = found[f"{r.topic}-{r.partition}-{r.offset}"]
        assert opened(letter) == (r.value, r.key, r.headers)
        assert dict(letter.headers).keys() <= {
            "reason", "exception", "source_topic", "source_partition", "source_offset", "request_id"
        }  # fmt: skip
        assert (letter.header("source_topic"), letter.header("source_offset")) == (r.topic, str(r.offset))
    reasons = {letter.header("reason") for letters_ in found.values() for letter in letters_}
    assert reasons == {"schema", "envelope", "encryption"}
