"""Every query of every service is answered by one of its own indexes; a query that nobody asks here fails the test."""

import ast
import importlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pelangi.chassis.leader import Lease
from pelangi.chassis.relay import Relay
from pelangi.chassis.store import Guarded
from pelangi.contracts.codes import RequestStatus
from pelangi.contracts.topics import SERVICES
from services.intake import store as intake
from services.intake.gauges import StateGauge
from services.issuance import store as issuance
from services.issuance.blanks import BLANKS_COLLECTION, BlankKind, Ledger, Taking
from services.notify import store as notify
from services.scheduling import store as scheduling
from tests.stores.served import ASKING, Query, Served, by_id, require_index, served
from tests.unit.chassis.test_relay import Producer

PROJECT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)
TODAY = date(2026, 11, 24)
OTHERS = 200

NOT_OF_A_COLLECTION = {
    ("services.notify.sending:Sender._ask", "find"),  # a provider is asked for a message
    ("services.intake.gauges:StateGauge.__call__", "count"),  # its own method
    ("pelangi.chassis.web:parse_json", "count"),  # of bytes
}


async def exercise_chassis(here: Served) -> None:
    """What every service asks."""
    relay = Relay(here.cases, "/services/test", {}, here.runtime.clock, here.runtime.written)
    event = {"type": "item-closed.v1", "id": "e", "time": NOW, "aggregate": "a", "sequence": 1, "traceparent": "", "data": b"{}"}
    await here.cases.insert_many(
        [{"_id": i, "version": 1, "outbox": [event], "pending_since": NOW} for i in ("pending", "stuck")]
    )
    relay._waiting["stuck"] = float("inf")
    assert await relay.cycle(Producer()) == 1  # type: ignore[arg-type]
    lease = Lease(here.store.collection("lease"))
    assert await lease.acquire()
    await lease.release()


async def exercise_intake(here: Served) -> None:
    cases = here.cases
    await cases.insert_many(
        [
            {
                "_id": f"{at:04}",
                "receipt_code": f"{at:011}",
                "received_at": NOW,
                "status": "ACCEPTED",
                "village_code": "19.71.04.1009",
                "match_keys": [f"{at:032x}", f"{at + 1:032x}"],
            }
            for at in range(OTHERS)
        ]
        + [{"_id": "duplicate", "to_join_since": NOW}]
    )
    assert await intake.by_receipt_code(cases, f"{7:011}")
    found = await intake.alike(cases, [f"{7:032x}"])
    assert sorted(d["receipt_code"] for d in found) == [f"{6:011}", f"{7:011}"]
    await intake.alike(cases, [f"{at:032x}" for at in range(2000)])
    assert [d["_id"] for d in await intake.to_join(cases)] == ["duplicate"]
    _, cursor = await intake.page(cases, status=None, village_code=None, cursor=None, now=NOW)
    for status in (None, RequestStatus.ACCEPTED):
        for village in (None, "19.71.04.1009"):
            for page in (None, cursor):
                rows, _ = await intake.page(cases, status=status, village_code=village, cursor=page, now=NOW)
                assert len(rows) == intake.PAGE
    await StateGauge(cases, here.runtime.clock)()


async def exercise_scheduling(here: Served) -> None:
    cases, days = here.cases, here.store.collection(scheduling.DAYS)
    waits = {"needs_visit_since": NOW, "plan_from": ""}
    await cases.insert_many(
        [{"_id": f"{at}", "placement": {}} for at in range(OTHERS)]
        + [{"_id": "waits", **waits}, {"_id": "later", **waits, "plan_from": "2026-12-01"}, {"_id": "left out", **waits}]
        + [{"_id": "never", **waits, "plan_from": "2036-12-01"}]
        + [{"_id": "review", "review_since": NOW, "review_reason": "NEEDS_DESK"}]
        + [{"_id": "wants", "wanted_since": NOW}, {"_id": "releases", "releases_since": NOW}]
    )
    dates = [(TODAY + timedelta(at)).isoformat() for at in range(OTHERS)]
    await days.insert_many([{"_id": on, "version": 1, "visit_ids": [f"v{on}"]} for on in dates])
    for on in dates[3:5]:
        assert await days.update(Guarded(on, 1, {"$set": {"unspread": ["v"]}}))
    assert [c["_id"] for c in await scheduling.waiting(cases, until=date(2026, 12, 31), without=["left out"])] == [
        "waits",
        "later",
    ]
    assert [c["_id"] for c in await scheduling.in_review(cases)] == ["review"]
    assert await scheduling.count_reviews(cases, "NEEDS_DESK") == 1
    assert [c["_id"] for c in await scheduling.stuck_bookings(cases, NOW + timedelta(1))] == ["wants"]
    assert await scheduling.stuck_bookings(cases, NOW) == []
    assert [c["_id"] for c in await scheduling.to_release(cases)] == ["releases"]
    assert set(await scheduling.placements(cases, ["1", "2"])) == {"1", "2"}
    assert set(await scheduling.visits_of(cases, ["1", "2"])) == {"1", "2"}
    assert set(await scheduling.read_days(days, [TODAY])) == {TODAY}
    assert [d["_id"] for d in await scheduling.days_from(days, TODAY, after=dates[0], limit=2)] == dates[1:3]
    assert [d["_id"] for d in await scheduling.days_of_visit(days, f"v{dates[0]}")] == [dates[0]]
    assert [d["_id"] for d in await scheduling.unspread_days(days)] == dates[3:5]
    assert [d["_id"] for d in await scheduling.unspread_days(days, after=dates[3])] == [dates[4]]
    assert [d["_id"] for d in await scheduling.unspread_days(days, limit=1)] == [dates[3]]


async def exercise_issuance(here: Served) -> None:
    cases = here.cases
    await cases.insert_many(
        [{"_id": f"{at}", "items": [{"item_id": f"i{at}"}], "documents": [{"document_id": f"d{at}"}]} for at in range(OTHERS)]
        + [{"_id": "waits", "to_open_since": NOW}]
    )
    for found in (await issuance.case_of_item(cases, "i7"), await issuance.case_of_document(cases, "d7")):
        assert found and found["_id"] == "7"
    assert [c["_id"] for c in await issuance.to_open(cases, 500)] == ["waits"]
    ledger = Ledger(here.store.collection(BLANKS_COLLECTION))
    take = await ledger.take(BlankKind.KTP, "r", "d", 0, NOW)
    await ledger.settle(BlankKind.KTP, Taking(take=take, request_id="r", document_id="d", attempt=0, at=NOW), used=True)


async def exercise_notify(here: Served) -> None:
    await here.cases.insert_many(
        [{"_id": f"{at}"} for at in range(OTHERS)] + [{"_id": "due", "due_since": NOW, "changed_at": NOW}]
    )
    assert [c["_id"] for c in await notify.due_cases(here.cases, NOW, 100)] == ["due"]
    assert await notify.due_cases(here.cases, NOW - timedelta(1), 100) == []


EXERCISES: Mapping[str, Callable[[Served], Awaitable[None]]] = {
    "intake": exercise_intake,
    "scheduling": exercise_scheduling,
    "issuance": exercise_issuance,
    "notify": exercise_notify,
}


@pytest.fixture(scope="module")
async def exercised(database: Any) -> AsyncIterator[dict[str, Served]]:
    """Every service after all its queries; each was found to be answered by an index."""
    done: dict[str, Served] = {}
    for name in SERVICES:
        async with served(database, name, "motor") as here:
            await exercise_chassis(here)
            await EXERCISES[name](here)
            done[name] = here
    yield done


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
@pytest.mark.parametrize("name", SERVICES)
async def test_every_query_uses_an_index(database: Any, name: str, driver: str) -> None:
    async with served(database, name, driver) as here:
        await exercise_chassis(here)
        await EXERCISES[name](here)
        here.check()  # fails where a query is not answered by an index of this service


def store_functions() -> Iterator[str]:
    """Every query of a service's `store.py`."""
    for name in SERVICES:
        module = importlib.import_module(f"services.{name}.store")
        for function in vars(module).values():
            if inspect.iscoroutinefunction(function) and function.__module__ == module.__name__:
                first = next(iter(inspect.signature(function).parameters.values()), None)
                assert first and "Collection" in str(first.annotation), f"{function.__name__} asks what?"
                yield f"{module.__name__}:{function.__qualname__}"


class Calls(ast.NodeVisitor):
    """The (function, method) pairs in a module that call a method whose filter is the caller's own."""

    def __init__(self, module: str) -> None:
        self.module, self.within, self.found = module, list[str](), set[tuple[str, str]]()

    def _enter(self, node: Any, suffix: str = "") -> None:
        self.within.append(node.name + suffix)
        self.generic_visit(node)
        self.within.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._enter(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._enter(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr in ASKING:
            self.found.add((f"{self.module}:{'.'.join(self.within)}", node.func.attr))
        self.generic_visit(node)


def asking(*folders: str) -> set[tuple[str, str]]:
    """Every place in these folders that asks a collection for more than documents by `_id`."""
    found: set[tuple[str, str]] = set()
    for path in (p for folder in folders for p in sorted((PROJECT / folder).rglob("*.py"))):
        module = ".".join(path.relative_to(PROJECT).with_suffix("").parts)
        if module != "pelangi.chassis.store":
            calls = Calls(module)
            calls.visit(ast.parse(path.read_text()))
            found |= calls.found
    return found


def test_no_query_is_forgotten(exercised: dict[str, Served]) -> None:
    asked = {(f.replace(".<locals>", ""), method) for here in exercised.values() for f, method in here.asked.callers}
    there = asking("services", "pelangi/chassis")
    assert there >= NOT_OF_A_COLLECTION, "the list of exceptions is out of date"
    assert len(there) >= 19
    assert there - asked == NOT_OF_A_COLLECTION


def test_no_function_of_a_store_is_forgotten(exercised: dict[str, Served]) -> None:
    reached = {f for here in exercised.values() for f in here.asked.reached}
    functions = set(store_functions())
    assert len(functions) >= 18
    assert functions <= reached


def test_nobody_else_asks_a_collection() -> None:
    """Tools and checker read cases by `_id` only, or not at all."""
    assert asking("pelangi/cli", "portal", "pelangi/simulate") == set()


async def test_this_test_can_fail(database: Any) -> None:
    async with served(database, "intake", "motor") as here:
        name = here.shadow.name("cases")
        await here.cases.insert_many([{"_id": f"{at}", "due_on": f"{at}", "status": "ACCEPTED"} for at in range(OTHERS)])
        for wanted in ({"due_on": "2026-12-14"}, {"due_on": "2026-12-14", "channel": "PHONE"}, {}):
            with pytest.raises(AssertionError):
                here.require_index(Query(name, wanted))
        here.require_index(Query(name, {"status": "ACCEPTED"}))
        with pytest.raises(AssertionError):  # an index that nobody declared is no answer
            require_index(here.raw[name], Query(name, {"status": "ACCEPTED"}), set())


def test_what_the_id_answers() -> None:
    assert by_id({"_id": "a"}) and by_id({"_id": "a", "version": 1}) and by_id({"_id": {"$in": ["a"]}, "x": 1})
    assert by_id({"_id": {"$gt": "a"}})
    assert not by_id({}) and not by_id({"x": 1}) and not by_id({"_id": {"$gt": "a"}, "x": 1})
    assert not by_id({"_id": {"$nin": ["a"]}, "x": 1})
