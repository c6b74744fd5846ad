"""Key rotation: what a topic is sealed under, and who is sent again."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from pelangi.chassis.case import Change, mark, stub
from pelangi.chassis.clock import SystemClock
from pelangi.chassis.rekey import KeyUse, count_keys, key_ids, new_key, republish, under_old_keys, wait_sent
from pelangi.chassis.scan import Read
from pelangi.contracts.encryption import KeyRing
from pelangi.contracts.topics import REQUEST_DETAILS, VISIT_DETAILS
from tests.support.memory_store import MemoryCollection

OLD, NEW = (KeyRing.of(new_key(name, date(2026, 11, 24))) for name in ("old", "new"))
OLD_ID, NEW_ID = (next(iter(ring.keys)) for ring in (OLD, NEW))
CLOCK = SystemClock()


def visits(key: str, ring: KeyRing | None) -> Read:
    """A snapshot under a ring, or its tombstone."""
    token = ring.encrypt(b"{}", topic=VISIT_DETAILS, key=key) if ring else ""
    value = json.dumps({"request_id": key, "visits": token}).encode() if ring else None
    return Read(VISIT_DETAILS, 0, 0, key.encode(), value, [])


def broken(key: str, value: bytes = b"{") -> Read:
    return Read(VISIT_DETAILS, 0, 0, key.encode(), value, [])


def test_a_new_key_opens_what_it_closes_and_is_never_the_same() -> None:
    (kid,) = entry = new_key("planning", date(2026, 11, 24))
    assert kid.startswith("planning-20261124-")
    ring = KeyRing.of(entry)
    assert ring.decrypt(ring.encrypt(b"x", topic="t", key="k"), topic="t", key="k") == b"x"
    assert entry.values() != new_key("planning", date(2026, 11, 24)).values()


def test_key_ids_are_read_from_the_headers_of_every_part() -> None:
    parts = {part: ring.encrypt(b"{}", topic=REQUEST_DETAILS, key="a") for part, ring in (("planning", NEW), ("person", OLD))}
    value = json.dumps({**parts, "contact": 5, "request": {}}).encode()
    found = key_ids(Read(REQUEST_DETAILS, 0, 0, b"a", value, []))
    assert found == {"planning": NEW_ID, "person": OLD_ID, "contact": "?"}
    bare = Read("intake.dlq", 0, 0, b"a", OLD.encrypt(b"x", topic="intake.dlq", key="a").encode(), [])
    assert key_ids(bare) == {"value": OLD_ID}
    assert key_ids(visits("a", None)) == {}


@pytest.mark.parametrize("value", [b"{", b"[]", b'{"visits": "x.y"}', b'{"visits": "e30.y"}', b'{"visits": "bnVsbA.y"}', b"\xff"])
def test_what_is_not_ours_has_no_key(value: bytes) -> None:
    assert key_ids(broken("a", value)) == {"visits": "?"}


def test_a_key_id_that_would_steer_a_terminal_is_not_shown() -> None:
    from base64 import urlsafe_b64encode

    head = urlsafe_b64encode(json.dumps({"kid": "\x1b[2J"}).encode()).decode().rstrip("=")
    assert key_ids(Read("request-submitted.v1", 0, 0, b"a", f"{head}....".encode(), [])) == {"value": "?"}


def test_keys_are_counted_over_all_records_and_over_the_newest() -> None:
    lying = [visits("a", OLD), visits("b", OLD), visits("a", NEW), visits("c", OLD), visits("c", None), broken("d")]
    assert count_keys(lying) == sorted(
        [KeyUse("visits", "?", 1, 1), KeyUse("visits", NEW_ID, 1, 1), KeyUse("visits", OLD_ID, 3, 1)], key=lambda u: u.kid
    )
    compacted = [visits("a", NEW), visits("b", NEW)]
    assert [u.kid for u in count_keys(compacted)] == [NEW_ID], "the old one is found nowhere: it can be dropped"


def test_whose_newest_record_is_under_an_old_key() -> None:
    lying = [visits("a", OLD), visits("b", OLD), visits("a", NEW), visits("c", OLD), visits("c", None), broken("d")]
    assert under_old_keys(lying, {"visits": NEW_ID}) == ["b"], "tombstones and broken ones need no key"
    assert under_old_keys([*lying, visits("a", OLD)], {"visits": NEW_ID}) == ["b", "a"], "sent by a writer with the old ring"


def case(request: str, version: int = 3) -> dict[str, Any]:
    return {**stub(request), "version": version, "applied": {}, "changed_at": datetime(2026, 11, 1, tzinfo=UTC)}


@pytest.fixture
def cases() -> MemoryCollection:
    it = MemoryCollection()
    it.documents = {i: case(i) for i in ("a", "b", "c")}
    return it


async def test_cases_are_marked_by_a_guarded_transition(cases: MemoryCollection) -> None:
    done = await republish(cases, VISIT_DETAILS, ["a", "b", "gone"], CLOCK)
    assert (done.marked, done.waiting, done.unknown) == (2, 0, ["gone"])
    for i in ("a", "b"):
        document = cases.documents[i]
        (row,) = document["outbox"]
        assert (row["type"], row["marker"], row["sequence"], document["version"]) == (VISIT_DETAILS, True, 4, 4)
        assert document["pending_since"]
    assert cases.documents["c"]["version"] == 3


async def test_what_is_on_its_way_is_not_marked_again(cases: MemoryCollection) -> None:
    await republish(cases, VISIT_DETAILS, ["a"], CLOCK)
    done = await republish(cases, VISIT_DETAILS, ["a", "b"], CLOCK)
    assert (done.marked, done.waiting) == (1, 1)
    assert cases.documents["a"]["version"] == 4


async def test_a_lost_race_is_run_again_and_loses_nothing(cases: MemoryCollection) -> None:
    async def race(method: str) -> None:
        if method == "update_many_guarded" and cases.documents["b"]["version"] == 3:
            cases.documents["b"] = {**cases.documents["b"], "version": 4, "visit": "moved"}

    cases.before = race
    done = await republish(cases, VISIT_DETAILS, ["a", "b"], CLOCK)
    assert done.marked == 2
    assert (cases.documents["b"]["version"], cases.documents["b"]["visit"]) == (5, "moved")
    assert [len(cases.documents[i]["outbox"]) for i in ("a", "b")] == [1, 1]


async def test_many_go_in_batches_of_two_commands_and_one_look(cases: MemoryCollection) -> None:
    cases.documents = {str(at): case(str(at)) for at in range(450)}
    done = await republish(cases, VISIT_DETAILS, list(cases.documents), CLOCK)
    assert done.marked == 450
    assert cases.calls == {"get_many": 6, "update_many_guarded": 3}


async def test_waiting_ends_when_nothing_is_on_its_way(cases: MemoryCollection) -> None:
    change: Change[Any] = Change(case("a"), case("a"))  # type: ignore[arg-type]
    change.advance(mark(change.after, VISIT_DETAILS), wall=CLOCK.wall())
    cases.documents["a"] = change.document()
    looks = 0

    async def sent(method: str) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            cases.documents["a"] = case("a", 4)

    cases.before = sent
    await wait_sent(cases, VISIT_DETAILS, ["a", "b"], pause_s=0)
    assert looks == 3
