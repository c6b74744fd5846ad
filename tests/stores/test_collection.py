"""Every method of a Collection, on the real server."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo import MongoClient

from pelangi.chassis.store import UNSTORABLE, Guarded, Store, StoreError, UniqueIndexTaken, require_storable
from tests.stores.conftest import READS, WRITES, Rig

NOW = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)


def doc(id: str, version: int = 1, **fields: Any) -> dict[str, Any]:
    return {"_id": id, "version": version, **fields}


async def test_get(rig: Rig) -> None:
    assert await rig.cases.get("a") is None
    await rig.cases.insert(doc("a", at=NOW, raw=b"\x00"))
    found = await rig.cases.get("a")
    assert found == doc("a", at=NOW, raw=b"\x00")
    assert found["at"].tzinfo is not None, "times are aware"


async def test_get_many(rig: Rig) -> None:
    await rig.cases.insert_many([doc("a"), doc("b")])
    assert await rig.cases.get_many(["a", "b", "c"]) == {"a": doc("a"), "b": doc("b")}
    assert await rig.cases.get_many([]) == {}


@pytest.mark.parametrize("count", [100, 101, 102, 500])
async def test_a_whole_batch_is_one_command(rig: Rig, count: int) -> None:
    """The server gives the first 101, or what was asked for, and waits: a `getMore` would be another round trip."""
    await rig.cases.insert_many([doc(f"{at}", filler="x" * 2000) for at in range(count)])
    rig.seen.commands.clear()
    assert len(await rig.cases.get_many([f"{at}" for at in range(count)])) == count
    assert len(await rig.cases.find({}, limit=count)) == count
    assert len(await rig.cases.find({}, limit=count, sort=[("_id", 1)])) == count
    assert [name for name, _ in rig.seen.commands] == ["find"] * 3


async def test_find(rig: Rig) -> None:
    await rig.cases.insert_many([doc(f"{at}", n=at, other=1) for at in range(5)])
    found = await rig.cases.find({"n": {"$gt": 0}}, sort=[("n", -1)], limit=2, fields=["n"])
    assert found == [{"_id": "4", "n": 4}, {"_id": "3", "n": 3}]
    assert len(await rig.cases.find({})) == 5


async def test_insert(rig: Rig) -> None:
    assert await rig.cases.insert(doc("a", n=1))
    assert not await rig.cases.insert(doc("a", n=2))
    assert rig.raw()["n"] == 1


async def test_insert_many_with_one_that_exists_inserts_the_others_and_says_false(rig: Rig) -> None:
    await rig.cases.insert(doc("b", n=0))
    assert not await rig.cases.insert_many([doc(i, n=1) for i in "abc"])
    assert [rig.raw(i)["n"] for i in "abc"] == [1, 0, 1]
    assert await rig.cases.insert_many([doc("d"), doc("e")])


async def test_update_is_guarded_by_the_version(rig: Rig) -> None:
    await rig.cases.insert(doc("a", n=1))
    assert not await rig.cases.update(Guarded("a", 2, {"$set": {"n": 2, "version": 3}}))
    assert not await rig.cases.update(Guarded("b", 1, {"$set": {"n": 2}}))
    assert await rig.cases.update(Guarded("a", 1, {"$set": {"n": 2, "version": 2}}))
    assert rig.raw() == doc("a", 2, n=2)
    assert rig.raw("b") is None


async def test_an_update_that_sets_what_is_there_has_been_applied(rig: Rig) -> None:
    """Matched counts, not modified: else a winner would take itself for a loser."""
    await rig.cases.insert(doc("a"))
    assert await rig.cases.update(Guarded("a", 1, {"$set": {"version": 1}}))


async def test_of_two_updates_at_one_version_one_wins(rig: Rig) -> None:
    await rig.cases.insert(doc("a"))
    wins = await asyncio.gather(*(rig.cases.update(Guarded("a", 1, {"$set": {"version": 2, "by": n}})) for n in range(8)))
    assert sum(wins) == 1
    assert rig.raw()["by"] == wins.index(True)


async def test_update_many_guarded(rig: Rig) -> None:
    await rig.cases.insert_many([doc("a"), doc("b", 5), doc("c")])
    rig.seen.commands.clear()
    updates = [Guarded(i, 1, {"$set": {"version": 2}}) for i in "abc"]
    assert not await rig.cases.update_many_guarded(updates)
    assert [rig.raw(i)["version"] for i in "abc"] == [2, 5, 2], "one that lost spoils no other"
    assert [name for name, _ in rig.seen.data()] == ["update"], "one command"
    assert await rig.cases.update_many_guarded(
        [Guarded(i, v, {"$set": {"version": 6}}) for i, v in zip("abc", (2, 5, 2), strict=True)]
    )


async def test_update_where_counts_what_matched(rig: Rig) -> None:
    await rig.cases.insert_many([doc(i, n=1) for i in "abc"])
    assert await rig.cases.update_where({"_id": {"$in": ["a", "b"]}}, {"$set": {"n": 2}}) == 2
    assert await rig.cases.update_where({"_id": "a"}, [{"$set": {"n": {"$add": ["$n", 1]}}}]) == 1
    assert [rig.raw(i)["n"] for i in "abc"] == [3, 2, 1]


async def test_count(rig: Rig) -> None:
    await rig.cases.insert_many([doc(i, n=1) for i in "abc"])
    assert await rig.cases.count({"n": 1}) == 3
    assert await rig.cases.count({"_id": {"$lt": "c"}}) == 2


async def test_an_index_made_twice_is_one(rig: Rig) -> None:
    for _ in range(2):
        await rig.cases.create_index([("n", 1)], sparse=True)
    assert len(rig.admin[rig.name].index_information()) == 2


async def unique(rig: Rig) -> None:
    await rig.cases.create_index([("receipt_code", 1)], unique=True, sparse=True)
    await rig.cases.insert(doc("a", receipt_code="SECRETCODE"))
    await rig.cases.insert(doc("z"))


@pytest.mark.parametrize("how", ["insert", "insert_many", "update"])
async def test_another_unique_index_is_not_already_there(rig: Rig, how: str) -> None:
    """A duplicate key counts as "done" only on `_id`: else it hands out another person's answer."""
    await unique(rig)
    new = doc("b", receipt_code="SECRETCODE")
    calls = {
        "insert": lambda: rig.cases.insert(new),
        "insert_many": lambda: rig.cases.insert_many([doc("c"), new]),
        "update": lambda: rig.cases.update(Guarded("z", 1, {"$set": {"receipt_code": "SECRETCODE"}})),
    }
    with pytest.raises(UniqueIndexTaken) as failure:
        await calls[how]()
    assert str(failure.value) == "receipt_code"
    everything = f"{failure.value!r} {failure.value.__cause__!r} {failure.value.__suppress_context__}"
    assert "SECRETCODE" not in everything
    assert failure.value.__suppress_context__, "the server's text, which holds the value, is not printed with it"


async def test_two_stubs_without_a_code_do_not_collide(rig: Rig) -> None:
    await unique(rig)
    assert await rig.cases.insert_many([doc("b"), doc("c")])


async def test_what_no_database_takes_is_told_apart_from_a_store_that_fails(rig: Rig) -> None:
    for value in (2**70, NOW.date(), "\ud800", {1}):
        with pytest.raises(UNSTORABLE) as failure:
            await rig.cases.insert(doc("a", value=value))
        assert not isinstance(failure.value, StoreError)
        with pytest.raises(UNSTORABLE):
            require_storable(doc("a", value=value))
    huge = doc("a", value="x" * (17 * 1024 * 1024))
    for refused in (rig.cases.insert(huge), rig.cases.insert_many([huge])):
        with pytest.raises(UNSTORABLE):
            await refused
    with pytest.raises(UNSTORABLE):
        require_storable(huge)
    require_storable(doc("a", value="x"))


async def test_each_of_many_inserts_fails_for_itself(rig: Rig) -> None:
    """In the middle: a known id, one id twice, another unique index, what cannot be stored, what is too large."""
    await unique(rig)
    huge, bad = doc("huge", value="x" * (17 * 1024 * 1024)), doc("bad", value={1})
    wanted = [
        doc("b"),
        doc("a"),
        bad,
        doc("taken", receipt_code="SECRETCODE"),
        doc("c"),
        huge,
        doc("c"),
        doc("d", value="\ud800"),
    ]
    b, a, bad_, taken, c, huge_, again, surrogate, e = await rig.cases.insert_each([*wanted, doc("e")])
    assert (b, a, c, again, e) == (True, False, True, False, True)
    assert isinstance(taken, UniqueIndexTaken) and "SECRETCODE" not in str(taken)
    for unstorable in (bad_, huge_, surrogate):
        assert isinstance(unstorable, UNSTORABLE) and not isinstance(unstorable, StoreError)
    assert [d["_id"] for d in rig.admin[rig.name].find(sort=[("_id", 1)])] == ["a", "b", "c", "e", "z"]
    assert [type(o) for o in await rig.cases.insert_each([bad])] == [type(bad_)], "nothing is left to send"


async def test_each_of_many_updates_fails_for_itself(rig: Rig) -> None:
    await unique(rig)
    await rig.cases.insert_many([doc(i) for i in "bcd"])

    def to(id: str, version: int = 1, **fields: Any) -> Guarded:
        return Guarded(id, version, {"$set": {"version": version + 1, **fields}})

    assert await rig.cases.update_each([to("a"), to("b"), to("c")]) == [True, True, True]
    taken = to("b", 2, receipt_code="SECRETCODE")
    first, taken_, bad, last = await rig.cases.update_each([to("a", 2), taken, to("c", 2, n={1}), to("d")])
    assert (first, last) == (True, True)
    assert isinstance(taken_, UniqueIndexTaken) and isinstance(bad, UNSTORABLE)
    assert await rig.cases.update_each([to("a", 3), to("b", 9), to("d", 2)]) == [False] * 3, "which one did not match is not told"
    assert [rig.raw(i)["version"] for i in "abcd"] == [4, 2, 2, 3]


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_of_a_store_that_fails_nothing_is_known(database: Any, driver: str) -> None:
    store = Store(database.uri("intake"), driver=driver)
    await store.close()
    cases = store.collection("a")
    for failing in (cases.insert_each([doc("a")]), cases.update_each([Guarded("a", 1, {"$set": {"n": 1}})])):
        with pytest.raises(StoreError):
            await failing


async def test_every_kind_of_command_was_seen_with_its_concern(rig: Rig) -> None:
    await rig.cases.insert(doc("a"))
    await rig.cases.insert_many([doc("b")])
    await rig.cases.update(Guarded("a", 1, {"$set": {"version": 2}}))
    await rig.cases.update_many_guarded([Guarded("a", 2, {"$set": {"version": 3}})])
    await rig.cases.insert_each([doc("c")])
    await rig.cases.update_each([Guarded("a", 3, {"$set": {"version": 4}})])
    await rig.cases.update_where({"_id": "a"}, {"$set": {"n": 1}})
    await rig.cases.get("a")
    await rig.cases.get_many(["a"])
    await rig.cases.find({})
    await rig.cases.count({})
    names = [name for name, _ in rig.seen.data()]
    assert len(names) == 11 and set(names) == {"insert", "update", "find", "aggregate"}
    assert set(names) <= READS | WRITES
    rig.seen.assert_concerns()


async def test_ping(rig: Rig) -> None:
    await rig.store.ping()


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
@pytest.mark.parametrize("other", ["scheduling", "issuance", "notify", "admin"])
async def test_a_service_cannot_touch_anothers_database(database: Any, driver: str, other: str) -> None:
    uri = database.uri("intake").replace("/intake?", f"/{other}?")
    store = Store(uri, driver=driver)
    try:
        cases = store.collection("cases")
        for refused in (cases.get("a"), cases.insert({"_id": "a"}), cases.update_where({}, {"$set": {"n": 1}})):
            with pytest.raises(StoreError, match=r"not authorized|requires"):
                await refused
    finally:
        await store.close()


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_a_wrong_password_is_a_store_error(database: Any, driver: str) -> None:
    store = Store(database.uri("intake", "wrong"), driver=driver)
    try:
        with pytest.raises(StoreError):
            await store.ping()
    finally:
        await store.close()


def test_the_fixture_reads_as_the_administrator(database: Any) -> None:
    with MongoClient(database.admin_uri) as client:
        assert client.admin.command("ping")["ok"] == 1
