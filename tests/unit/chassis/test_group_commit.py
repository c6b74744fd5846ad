"""Concurrent calls share commands, and each gets the outcome of its own operation."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from pelangi.chassis.clock import SystemClock
from pelangi.chassis.commands import Answer, Command, execute
from pelangi.chassis.group_commit import MAX_GROUP, GroupCommit, Groups
from pelangi.chassis.store import UNSTORABLE, Guarded, StoreError, UniqueIndexTaken
from tests.support.memory_store import MemoryCollection, store_fault

Outcomes = list[Any]


@pytest.fixture
def cases() -> MemoryCollection:
    return MemoryCollection()


async def together(*calls: Awaitable[Any]) -> Outcomes:
    return await asyncio.gather(*calls, return_exceptions=True)


def doc(id: str, **fields: Any) -> dict[str, Any]:
    return {"_id": id, "version": 1, **fields}


async def test_calls_that_come_together_share_one_command(cases: MemoryCollection) -> None:
    shared = GroupCommit(cases)
    assert await together(*(shared.insert(doc(f"{n}")) for n in range(64))) == [True] * 64
    found = await together(*(shared.get(f"{n}") for n in range(65)))
    assert found == [*(doc(f"{n}") for n in range(64)), None]
    raised = {"$set": {"version": 2}}
    assert await together(*(shared.update(Guarded(f"{n}", 1, raised)) for n in range(64))) == [True] * 64
    assert cases.calls == {"insert_each": 1, "get_many": 1, "update_each": 1}
    assert {d["version"] for d in cases.documents.values()} == {2}


async def test_a_group_holds_five_hundred_at_most(cases: MemoryCollection) -> None:
    sizes: list[int] = []

    async def count(arguments: Any) -> Any:
        sizes.append(len(arguments))
        return arguments

    groups: Groups[int, int] = Groups(count)
    assert await together(*(groups.call(n) for n in range(MAX_GROUP + 7))) == list(range(MAX_GROUP + 7))
    assert sizes == [MAX_GROUP, 7] == [500, 7]


async def test_who_comes_while_a_group_is_in_flight_goes_with_the_next(cases: MemoryCollection) -> None:
    """A read that joined a group in flight could answer with what was there before the caller's own write."""
    shared, gate = GroupCommit(cases), asyncio.Event()
    cases.before = lambda _: gate.wait()  # type: ignore[assignment,return-value]
    first = asyncio.create_task(shared.get("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert cases.calls == {"get_many": 1}
    later = [asyncio.create_task(shared.get("a")) for _ in range(3)]
    await asyncio.sleep(0)
    assert cases.calls == {"get_many": 1}
    gate.set()
    assert await together(first, *later) == [None] * 4
    assert cases.calls == {"get_many": 2}


async def test_one_key_twice_in_a_group_is_inserted_once(cases: MemoryCollection) -> None:
    shared = GroupCommit(cases)
    found = await together(*(shared.insert(doc(i, n=n)) for n, i in enumerate("abbcb")))
    assert found == [True, True, False, True, False]
    assert cases.documents["b"]["n"] == 1


async def test_each_fails_for_itself(cases: MemoryCollection) -> None:
    """In the middle of a group: a known id, another unique index, and something that no database takes."""
    await cases.create_index([("receipt_code", 1)], unique=True)
    cases.documents["b"] = doc("b", receipt_code="B")
    shared = GroupCommit(cases)
    wanted = [doc("a"), doc("b"), doc("c", receipt_code="C"), doc("d", receipt_code="B"), doc("e", bad={1}), doc("f")]
    for document in wanted:
        document.setdefault("receipt_code", document["_id"].upper())
    a, b, c, d, e, f = await together(*(shared.insert(w) for w in wanted))
    assert (a, b, c, f) == (True, False, True, True)
    assert isinstance(d, UniqueIndexTaken) and isinstance(e, UNSTORABLE)
    assert cases.documents.keys() == {"a", "b", "c", "f"}


async def test_a_store_that_fails_fails_all_of_the_group_and_none_of_the_next(cases: MemoryCollection) -> None:
    shared = GroupCommit(cases)

    async def away(_: str) -> None:
        raise store_fault()

    cases.before = away
    failed = await together(*(shared.insert(doc(f"{n}")) for n in range(3)))
    assert [type(f) for f in failed] == [StoreError] * 3
    cases.before = None
    assert await together(*(shared.insert(doc(f"{n}")) for n in range(3))) == [True] * 3


async def test_two_updates_of_one_document_never_share_a_group(cases: MemoryCollection) -> None:
    """In one unordered bulk, guarded by 1 and by 2, the second could run first and be lost without a word."""
    cases.documents |= {i: doc(i) for i in "ab"}
    shared = GroupCommit(cases)
    first, second, other = await together(
        shared.update(Guarded("a", 1, {"$set": {"version": 2}})),
        shared.update(Guarded("a", 2, {"$set": {"version": 3}})),
        shared.update(Guarded("b", 1, {"$set": {"version": 2}})),
    )
    assert (first, second, other) == (True, True, True)
    assert cases.calls == {"update_each": 2}
    assert cases.documents["a"]["version"] == 3


async def test_one_update_that_does_not_match_leaves_it_open_for_all(cases: MemoryCollection) -> None:
    """The server says how many matched; a False sends each caller to look for its own mark."""
    cases.documents |= {i: doc(i) for i in "abc"}
    shared = GroupCommit(cases)
    guards = {"a": 1, "b": 9, "c": 1}
    found = await together(*(shared.update(Guarded(i, v, {"$set": {"version": v + 1}})) for i, v in guards.items()))
    assert found == [False] * 3
    assert [cases.documents[i]["version"] for i in "abc"] == [2, 1, 2]


async def test_a_caller_that_is_cancelled_takes_nobody_with_it(cases: MemoryCollection) -> None:
    shared, gate = GroupCommit(cases), asyncio.Event()
    cases.before = lambda _: gate.wait()  # type: ignore[assignment,return-value]
    in_flight = [asyncio.create_task(shared.insert(doc(f"{n}"))) for n in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(shared.insert(doc(f"{n}"))) for n in range(3, 6)]
    await asyncio.sleep(0)
    for task in (in_flight[0], in_flight[1], waiting[0]):
        task.cancel()
    gate.set()
    async with asyncio.timeout(5):
        found = await together(*in_flight, *waiting)
    assert [type(f) for f in (found[0], found[1], found[3])] == [asyncio.CancelledError] * 3
    assert (found[2], found[4], found[5]) == (True, True, True)
    assert cases.documents.keys() == {"0", "1", "2", "4", "5"}, "3 was given up before it was sent"
    assert await shared.insert(doc("z")), "and it goes on"


async def test_a_loop_that_ends_leaves_nobody_waiting(cases: MemoryCollection) -> None:
    shared, gate = GroupCommit(cases), asyncio.Event()
    cases.before = lambda _: gate.wait()  # type: ignore[assignment,return-value]
    callers = [asyncio.create_task(shared.insert(doc("a")))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    callers.append(asyncio.create_task(shared.insert(doc("b"))))
    await asyncio.sleep(0)
    assert shared._inserts._task
    shared._inserts._task.cancel()
    async with asyncio.timeout(1):
        assert [type(f) for f in await together(*callers)] == [asyncio.CancelledError] * 2


async def test_two_readers_of_one_document_do_not_share_it(cases: MemoryCollection) -> None:
    cases.documents["a"] = doc("a", list=[])
    shared = GroupCommit(cases)
    one, other = await together(shared.get("a"), shared.get("a"))
    one["list"].append(1)
    assert other["list"] == []
    assert cases.calls == {"get_many": 1}


async def test_everything_else_goes_through(cases: MemoryCollection) -> None:
    shared = GroupCommit(cases)
    assert await shared.insert_many([doc("a")])
    assert await shared.count({}) == 1
    assert cases.calls == {"insert_many": 1, "count": 1}


def filing(what: str) -> Any:
    """A transition whose answer differs each time."""

    def transition(case: Any) -> Any:
        return {**case, "what": what}, Answer.of(201, {"what": what})

    return transition


async def test_a_key_that_is_filed_twice_at_once_has_one_answer(cases: MemoryCollection) -> None:
    shared, clock = GroupCommit(cases), SystemClock()
    command = Command("k", "d", creates=True)
    answers = await together(*(execute(shared, "id", command, filing(f"{n}"), clock=clock) for n in range(5)))
    assert len({(a.status, a.body, a.version) for a in answers}) == 1
    assert cases.documents["id"]["what"] in answers[0].body.decode()
    assert cases.calls["insert_each"] == 1


async def test_whoever_lost_by_a_neighbours_fault_finds_its_own_mark(cases: MemoryCollection) -> None:
    """b moved on between read and write: a and c are told False, and answer what was written, once."""
    cases.documents |= {i: doc(i) for i in "abc"}
    shared, clock = GroupCommit(cases), SystemClock()

    def adding(case: Any) -> Any:
        after = {**case, "list": [*case.get("list", []), "once"]}
        return after, Answer.of(200, {"list": after["list"]})

    async def overtake(method: str) -> None:
        if method == "update_each":
            cases.before = None
            cases.documents["b"] = doc("b") | {"version": 7}

    cases.before = overtake
    answers = await together(*(execute(shared, i, Command(f"k{i}", "d"), adding, clock=clock) for i in "abc"))
    assert [a.version for a in answers] == [2, 8, 2]
    assert [cases.documents[i]["list"] for i in "abc"] == [["once"]] * 3


async def test_an_unknown_outcome_of_a_group_is_settled_by_each_ones_mark(cases: MemoryCollection) -> None:
    shared, clock = GroupCommit(cases), SystemClock()

    async def lost(method: str) -> None:
        if method == "insert_each":
            cases.after_write = None
            raise store_fault()

    cases.after_write = lost
    commands = [Command(f"k{n}", "d", creates=True) for n in range(3)]
    answers = await together(*(execute(shared, c.key, c, filing(c.key), clock=clock) for c in commands))
    assert [a.body for a in answers] == [filing(f"k{n}")({})[1].body for n in range(3)]
    assert {d["version"] for d in cases.documents.values()} == {1} and len(cases.documents) == 3
