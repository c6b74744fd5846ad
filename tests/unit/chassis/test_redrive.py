"""Dead letters retried: folded, overtaken, still broken, gone, waiting; and what is said of them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pelangi.chassis.clock import SystemClock
from pelangi.chassis.dead_letters import Original, coordinates, headers, seal
from pelangi.chassis.decode import Broken, Decoder, Record
from pelangi.chassis.redacted import redacted
from pelangi.chassis.redrive import DeadLetter, Redrive, Result, newest, note_reading
from pelangi.chassis.scan import Read
from pelangi.chassis.settings import development_key
from pelangi.contracts.encryption import KeyRing, UnknownKey
from pelangi.contracts.examples import EXAMPLES
from tests.support.memory_store import MemoryCollection, store_fault
from tests.support.records import Raw, record

TOPIC = "intake.dlq"
KEYS = KeyRing.of(json.loads(development_key(TOPIC)))
OTHER = KeyRing.of(json.loads(development_key("somebody else")))
ITEM: Any = EXAMPLES["item-closed.v1"]
RID = str(ITEM.request_id)
NAME = "Sarinah binti Uji"


def closed(sequence: int = 1, offset: int = 7) -> Raw:
    return record("item-closed.v1", ITEM, sequence, partition=3, offset=offset)


def letter(of: Raw, keys: KeyRing = KEYS, reason: str = "handler") -> DeadLetter:
    """As the running service sets it aside, read back from the topic."""
    about = headers(of, Broken(reason, "ValueError", RID))
    (found,) = newest([Read(TOPIC, 0, 0, coordinates(of).encode(), seal(of, keys, topic=TOPIC), about)])
    return found


class Rig:
    def __init__(self) -> None:
        self.cases = MemoryCollection()
        self.buried: list[str] = []
        self.on_topic: dict[tuple[str, int, int], Record] = {}
        self.faulty: type[Exception] | None = None
        self.tool = Redrive(
            topic=TOPIC,
            keys=KEYS,
            cases=self.cases,
            decoder=Decoder({}),
            handlers={"item-closed.v1": self.handler},
            clock=SystemClock(),
            fetch=self.fetch,
            bury=self.bury,
        )

    def handler(self, case: Any, fact: Any, _: Any) -> Any:
        if self.faulty:
            raise self.faulty(NAME)
        return {**case, "seen": [*case.get("seen", []), fact.sequence]}

    async def fetch(self, topic: str, partition: int, offset: int) -> Record | None:
        return self.on_topic.get((topic, partition, offset))

    async def bury(self, where: str) -> None:
        self.buried.append(where)

    @property
    def case(self) -> dict[str, Any]:
        return self.cases.documents.get(RID, {})


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_a_retried_record_is_folded_and_then_buried(rig: Rig) -> None:
    outcome = await rig.tool.retry(letter(closed()))
    assert (outcome.result, outcome.recovered) == (Result.FOLDED, True)
    assert (rig.case["seen"], rig.case["version"]) == ([1], 1)
    assert rig.buried == ["item-closed.v1-3-7"]


async def test_again_it_changes_nothing_and_counts_as_recovered(rig: Rig) -> None:
    """As after a crash between the fold and the tombstone."""
    await rig.tool.retry(letter(closed()))
    before = dict(rig.case)
    outcome = await rig.tool.retry(letter(closed()))
    assert (outcome.result, outcome.recovered) == (Result.OVERTAKEN, True)
    assert rig.case == before
    assert rig.buried == ["item-closed.v1-3-7"] * 2


async def test_what_later_facts_have_overtaken_is_a_no_op(rig: Rig) -> None:
    await rig.tool.retry(letter(closed(5, 9)))
    outcome = await rig.tool.retry(letter(closed(4, 8)))
    assert (outcome.result, rig.case["seen"]) == (Result.OVERTAKEN, [5])


async def test_overtaken_in_the_moment_between_look_and_write(rig: Rig) -> None:
    """The running service applies a later fact while the retry folds: the guard makes it a no-op."""
    raced = False

    async def race(method: str) -> None:
        nonlocal raced
        if method == "insert_many" and not raced:
            raced = True
            await rig.tool.retry(letter(closed(5, 9)))

    rig.cases.before = race
    outcome = await rig.tool.retry(letter(closed(4, 8)))
    assert outcome.recovered and raced
    assert rig.case["seen"] == [5]


async def test_a_record_that_is_still_broken_stays(rig: Rig) -> None:
    rig.faulty = ValueError
    outcome = await rig.tool.retry(letter(closed()))
    assert (outcome.result, outcome.why) == (Result.BROKEN, "handler ValueError")
    assert NAME not in outcome.why
    assert (rig.case, rig.buried) == ({}, [])


async def test_thirty_broken_ones_do_not_stop_the_tool(rig: Rig) -> None:
    """A running consumer stops after twenty of one kind; a retry is asked for, and says it of each."""
    rig.faulty = ValueError
    outcomes = [await rig.tool.retry(letter(closed(1, offset))) for offset in range(30)]
    assert {o.why for o in outcomes} == {"handler ValueError"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"value": b"{"}, "schema ValidationError"),
        ({"headers": {"ce_sequence": None}}, "envelope EnvelopeError"),
        ({"topic": "visit-scheduled.v1"}, "envelope EnvelopeError"),
    ],
)
async def test_a_broken_record_says_what_is_wrong_with_it_now(rig: Rig, changes: Mapping[str, Any], why: str) -> None:
    outcome = await rig.tool.retry(letter(closed().but(**changes)))
    assert (outcome.result, outcome.why, rig.buried) == (Result.BROKEN, why, [])


async def test_a_dead_letter_under_an_unknown_key_waits_and_a_forged_one_is_broken(rig: Rig) -> None:
    assert (await rig.tool.retry(letter(closed(), OTHER))).result is Result.WAITS
    forged = replace(letter(closed()), coordinates="item-closed.v1-3-8")
    assert (await rig.tool.retry(forged)).result is Result.BROKEN
    assert rig.buried == []


async def test_a_snapshot_under_an_unknown_key_waits(rig: Rig) -> None:
    def unknown(_: Record) -> Any:
        raise UnknownKey("unknown key id")

    rig.tool = replace(rig.tool, decoder=Decoder({}, {"item-closed.v1": unknown}))
    assert (await rig.tool.retry(letter(closed()))).result is Result.WAITS
    assert rig.buried == []


async def test_what_was_left_on_its_topic_is_read_there(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pelangi.chassis.dead_letters.MAX_MESSAGE_BYTES", 64 * 1024)
    huge = closed()
    left = letter(huge)
    assert (await rig.tool.retry(left)).result is Result.GONE
    assert rig.buried == []
    rig.on_topic["item-closed.v1", 3, 7] = huge
    assert (await rig.tool.retry(left)).result is Result.FOLDED
    assert rig.case["seen"] == [1]


async def test_infrastructure_is_raised_and_buries_nothing(rig: Rig) -> None:
    async def away(method: str) -> None:
        if method == "insert_many":
            raise store_fault()

    rig.cases.before = away
    with pytest.raises(type(store_fault())):
        await rig.tool.retry(letter(closed()))
    assert rig.buried == []


def test_the_newest_of_each_key_counts_and_a_tombstone_ends_it() -> None:
    def at(offset: int, key: str, value: bytes | None, reason: str = "") -> Read:
        return Read(TOPIC, 0, offset, key.encode(), value, [("reason", reason.encode())])

    lying = [at(0, "a.v1-0-1", b"x", "schema"), at(1, "b-v1-0-2", b"y", "key"), at(2, "a.v1-0-1", b"z", "handler")]
    assert [(d.coordinates, d.token, d.reason) for d in newest(lying)] == [
        ("b-v1-0-2", b"y", "key"),
        ("a.v1-0-1", b"z", "handler"),
    ]
    assert [d.coordinates for d in newest([*lying, at(3, "a.v1-0-1", None)])] == ["b-v1-0-2"]
    assert newest(lying)[0].place == ("b-v1", 0, 2)


def test_redacted_says_names_of_ours_kinds_and_sizes_and_nothing_else() -> None:
    body = {"request_id": RID, "outcome": "DONE", NAME: [NAME, 1], "closed_at": {"nik": 3201234567890123}, "items": [True, None]}
    was = Original(RID.encode(), json.dumps(body).encode(), [("ce_type", b"item-closed.v1"), (NAME, NAME.encode())], False)
    text = "\n".join(redacted("item-closed.v1", was))
    assert "Sarinah" not in text and RID not in text and "3201" not in text and "nik" not in text and "DONE" not in text
    for said in (
        "key      36 bytes",
        "ce_type  14 bytes",
        '"outcome": "text of 4"',
        '"closed_at"',
        f"unknown name of {len(NAME)}",
    ):
        assert said in text


@pytest.mark.parametrize("value", [b"{", b"\xff\xfe", b"[" * 100_000, b"", b'{"a": NaN}'])
def test_redacted_takes_anything(value: bytes) -> None:
    assert f"value    {len(value)} bytes" in redacted("item-closed.v1", Original(None, value, [], False))
    assert redacted("request-submitted.v1", Original(None, None, [("x", None)], True))


async def test_who_sees_content_is_kept_with_the_reason() -> None:
    reads = MemoryCollection()
    at = datetime(2026, 11, 24, tzinfo=UTC)
    await note_reading(reads, who="siti", coordinates="a.v1-0-1", reason="tiket 77", at=at)
    (row,) = reads.documents.values()
    assert {k: v for k, v in row.items() if k != "_id"} == {
        "who": "siti", "coordinates": "a.v1-0-1", "reason": "tiket 77", "at": at
    }  # fmt: skip
    for who, reason in (("siti", " "), ("", "tiket 77")):
        with pytest.raises(ValueError):
            await note_reading(reads, who=who, coordinates="a.v1-0-1", reason=reason, at=at)
    assert len(reads.documents) == 1
