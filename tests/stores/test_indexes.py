"""Every query of intake, of issuance and of the chassis is answered by an index."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient

from pelangi.chassis.running import PENDING
from pelangi.contracts.codes import RequestStatus
from services.intake import store
from services.issuance import store as issuance
from services.issuance.blanks import BlankKind, Ledger, Taking
from tests.support.memory_store import MemoryCollection

NOW = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def cases(database: Any) -> Iterator[Any]:
    with MongoClient(database.uri("intake"), tz_aware=True) as client:
        collection: Any = client["intake"][f"test-{uuid4().hex[:12]}"]
        for index in (PENDING, *store.INDEXES):
            collection.create_index(list(index.keys), **index.options)
        collection.insert_many(
            [
                {
                    "_id": str(uuid4()),
                    "receipt_code": f"{at:011}",
                    "received_at": NOW,
                    "status": "ACCEPTED",
                    "village_code": "19.71.04.1009",
                    "match_keys": [f"{at:032x}", f"{at + 1:032x}"],
                }
                for at in range(200)
            ]
            + [{"_id": "pending", "pending_since": NOW}, {"_id": "duplicate", "to_join_since": NOW}]
        )
        yield collection
        collection.drop()


def stages(plan: Any) -> Iterator[str]:
    """All stages of a winning plan."""
    if isinstance(plan, dict):
        if "stage" in plan:
            yield plan["stage"]
        for child in plan.values():
            yield from stages(child)
    elif isinstance(plan, list):
        for child in plan:
            yield from stages(child)


def explain(collection: Any, filter: Any, sort: Sequence[tuple[str, int]] = (), limit: int = 0) -> set[str]:
    cursor = collection.find(filter, limit=limit)
    return set(stages((cursor.sort(list(sort)) if sort else cursor).explain()["queryPlanner"]["winningPlan"]))


class Recorder(MemoryCollection):
    """Remembers what it was asked to find."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[Any, Sequence[tuple[str, int]], int]] = []

    async def find(self, filter: Any, *, sort: Any = (), limit: int = 0, fields: Any = ()) -> list[dict[str, Any]]:
        self.asked.append((filter, sort, limit))
        return [{"_id": "x", "received_at": NOW}] * (limit if filter.keys() & {"_id"} == set() else 0)


async def queries() -> list[tuple[Any, Sequence[tuple[str, int]], int]]:
    asked = Recorder()
    await store.by_receipt_code(asked, "0" * 11)
    await store.alike(asked, [f"{7:032x}"])
    await store.alike(asked, [f"{at:032x}" for at in range(2000)])
    await store.to_join(asked)
    _, cursor = await store.page(asked, status=None, village_code=None, cursor=None)
    for status in (None, RequestStatus.ACCEPTED):
        for village in (None, "19.71.04.1009"):
            for page in (None, cursor):
                await store.page(asked, status=status, village_code=village, cursor=page)
    return asked.asked


async def test_every_query_of_intake_uses_an_index(cases: Any) -> None:
    for wanted, sort, limit in await queries():
        found = explain(cases, wanted, sort, limit)
        assert "IXSCAN" in found or "IDHACK" in found, (wanted, found)
        assert "COLLSCAN" not in found, (wanted, found)


def test_the_relays_query_uses_its_index(cases: Any) -> None:
    found = explain(cases, {"pending_since": {"$exists": True}}, [("pending_since", 1)], 500)
    assert "IXSCAN" in found and "COLLSCAN" not in found, found
    assert [d["_id"] for d in cases.find({"pending_since": {"$exists": True}})] == ["pending"]


async def test_who_may_be_the_same_person_is_found_by_any_of_the_digests(cases: Any) -> None:
    asked = Recorder()
    await store.alike(asked, [f"{7:032x}"])
    ((wanted, _, limit),) = asked.asked
    found = cases.find(wanted, limit=limit)
    assert sorted(d["receipt_code"] for d in found) == [f"{6:011}", f"{7:011}"]


async def test_duplicates_to_join_are_found(cases: Any) -> None:
    asked = Recorder()
    await store.to_join(asked)
    ((wanted, sort, limit),) = asked.asked
    assert [d["_id"] for d in cases.find(wanted, limit=limit).sort(list(sort))] == ["duplicate"]


def test_the_consumers_query_uses_the_id(cases: Any) -> None:
    found = explain(cases, {"_id": {"$in": ["a", "b"]}})
    assert found & {"IXSCAN", "IDHACK"} and "COLLSCAN" not in found, found


@pytest.fixture(scope="module")
def issuance_cases(database: Any) -> Iterator[Any]:
    with MongoClient(database.uri("issuance"), tz_aware=True) as client:
        collection: Any = client["issuance"][f"test-{uuid4().hex[:12]}"]
        for index in (PENDING, *issuance.INDEXES):
            collection.create_index(list(index.keys), **index.options)
        collection.insert_many(
            [{"_id": str(at), "items": [{"item_id": f"i{at}"}], "documents": [{"document_id": f"d{at}"}]} for at in range(200)]
            + [{"_id": "KTP", "on_hand": 1, "used": 0, "version": 1, "taking": {}}, {"_id": "waits", "to_open_since": NOW}]
        )
        yield collection
        collection.drop()


class Filters(Recorder):
    """Remembers the filters of its writes, too."""

    async def update_where(self, filter: Any, update: Any) -> int:
        self.asked.append((filter, (), 0))
        return 1


async def test_every_query_of_issuance_uses_an_index(issuance_cases: Any) -> None:
    asked = Filters()
    await issuance.request_of_item(asked, "i7")
    await issuance.request_of_document(asked, "d7")
    await issuance.to_open(asked, 500)
    ledger = Ledger(asked)
    await ledger.take(BlankKind.KTP, "r", "d", 0, NOW)
    await ledger.settle(BlankKind.KTP, Taking(take="t", request_id="r", document_id="d", attempt=0, at=NOW), used=True)
    assert len(asked.asked) == 5
    for wanted, sort, limit in asked.asked:
        # guarded writes name one _id; the local store's explain shows a scan as soon as anything stands beside it
        only = {"_id": wanted["_id"]} if "_id" in wanted else wanted
        found = explain(issuance_cases, only, sort, limit)
        assert found & {"IXSCAN", "IDHACK"} and "COLLSCAN" not in found, (wanted, found)


def test_this_test_can_fail(cases: Any) -> None:
    assert "COLLSCAN" in explain(cases, {"due_on": "2026-12-14"})
