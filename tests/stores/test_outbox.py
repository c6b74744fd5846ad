"""The outbox against the real server: what is pushed while the relay clears is neither lost nor stranded."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pelangi.chassis.clock import SystemClock
from pelangi.chassis.relay import Relay
from pelangi.chassis.running import PENDING
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import Guarded
from tests.stores.conftest import Rig

T = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)


def event(id: str, second: int = 0) -> dict[str, Any]:
    return {"type": "request-created.v1", "id": id, "time": T + timedelta(seconds=second), "sequence": 1, "data": b"{}"}


def push(version: int, *events: dict[str, Any]) -> Guarded:
    """As case.Change.update writes it."""
    update = {
        "$set": {"version": version + 1},
        "$push": {"outbox": {"$each": [{**event, "sequence": version + 1} for event in events]}},
        "$min": {"pending_since": events[0]["time"]},
    }
    return Guarded("a", version, update)


@pytest.fixture
async def relay(rig: Rig) -> Relay:
    await rig.cases.create_index(PENDING.keys, **PENDING.options)
    await rig.cases.insert({"_id": "a", "version": 1, "outbox": [event("e1"), event("e2", 1)], "pending_since": T})
    return Relay(rig.cases, "/services/intake", {}, SystemClock(), Signal())


async def pending(rig: Rig) -> list[dict[str, Any]]:
    return await rig.cases.find({"pending_since": {"$exists": True}}, sort=[("pending_since", 1)], limit=500)


async def test_what_was_sent_is_cleared_and_the_mark_removed_not_nulled(rig: Rig, relay: Relay) -> None:
    await relay._clear(await pending(rig))
    assert rig.raw() == {"_id": "a", "version": 1, "outbox": []}
    assert await pending(rig) == []


async def test_what_is_pushed_between_read_and_clear_stays_and_stays_pending(rig: Rig, relay: Relay) -> None:
    read = await pending(rig)
    assert await rig.cases.update(push(1, event("e3", 2)))
    await relay._clear(read)
    assert [e["id"] for e in rig.raw()["outbox"]] == ["e3"]
    assert rig.raw()["pending_since"] == T + timedelta(seconds=2)
    assert [d["_id"] for d in await pending(rig)] == ["a"]


async def test_the_mark_is_the_oldest_that_remains_whatever_the_order(rig: Rig, relay: Relay) -> None:
    read = await pending(rig)
    await rig.cases.update(push(1, event("e3", 9)))
    await rig.cases.update(push(2, event("e4", 4)))
    await relay._clear(read)
    assert rig.raw()["pending_since"] == T + timedelta(seconds=4)


async def test_clearing_twice_or_late_takes_nothing_else(rig: Rig, relay: Relay) -> None:
    """Two relays, or one that crashed between commit and clear."""
    read = await pending(rig)
    await relay._clear(read)
    await rig.cases.update(push(1, event("e3", 2)))
    await relay._clear(read)
    assert [e["id"] for e in rig.raw()["outbox"]] == ["e3"]
    assert rig.raw()["pending_since"] == T + timedelta(seconds=2)


async def test_push_after_clear_is_pending_again(rig: Rig, relay: Relay) -> None:
    await relay._clear(await pending(rig))
    await rig.cases.update(push(1, event("e3", 2)))
    assert [d["_id"] for d in await pending(rig)] == ["a"]


async def test_setting_the_mark_only_if_absent_would_strand_the_event(rig: Rig, relay: Relay) -> None:
    """Why `$min`: a writer that saw the mark set leaves it alone; the relay clears in between; nobody looks again."""
    read = await pending(rig)
    assert read[0]["pending_since"]  # the writer sees it, so it would not set it …
    await relay._clear(read)  # … and the relay removes it
    without = push(1, event("e3", 2))
    assert await rig.cases.update(Guarded("a", 1, {k: v for k, v in without.update.items() if k != "$min"}))
    assert await pending(rig) == [], "stranded"
    assert [e["id"] for e in rig.raw()["outbox"]] == ["e3"]


async def test_min_keeps_the_older_mark(rig: Rig, relay: Relay) -> None:
    await rig.cases.update(push(1, event("e3", 2)))
    assert rig.raw()["pending_since"] == T
    await rig.cases.update(push(2, event("e0", -5)))
    assert rig.raw()["pending_since"] == T - timedelta(seconds=5)


async def test_a_null_never_gets_smaller(rig: Rig, relay: Relay) -> None:
    """Why the mark is removed: BSON orders null before every time."""
    await rig.cases.update_where({"_id": "a"}, {"$set": {"pending_since": None}})
    await rig.cases.update(push(1, event("e3", 2)))
    assert rig.raw()["pending_since"] is None


async def test_many_cases_of_any_version_in_one_command(rig: Rig, relay: Relay) -> None:
    await rig.cases.insert_many(
        [
            {"_id": f"{n}", "version": 1 + n % 7, "outbox": [event(f"x{n}", n)], "pending_since": T + timedelta(seconds=n)}
            for n in range(300)
        ]
    )
    read = await pending(rig)
    assert len(read) == 301
    rig.seen.commands.clear()
    await relay._clear(read)
    assert [name for name, _ in rig.seen.data()] == ["update"]
    assert await pending(rig) == []


async def test_each_case_keeps_what_is_newer_than_its_own_version(rig: Rig, relay: Relay) -> None:
    """A case read at version 5 beside one read at version 1, whose next rows have lower numbers than 5."""
    await rig.cases.insert({"_id": "b", "version": 5, "outbox": [event("f1") | {"sequence": 5}], "pending_since": T})
    read = await pending(rig)
    assert await rig.cases.update(push(1, event("e3", 2)))
    await relay._clear(read)
    assert [e["id"] for e in rig.raw("a")["outbox"]] == ["e3"]
    assert rig.raw("b") == {"_id": "b", "version": 5, "outbox": []}
