"""The consumer loop: what is folded, what is set aside, what is put back."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from pelangi.chassis import consumer as module
from pelangi.chassis.case import Fact
from pelangi.chassis.clock import SystemClock
from pelangi.chassis.consumer import MAX_SAME_EXCEPTIONS, Consumer, HandlerBug
from pelangi.chassis.decode import Broken, Decoder
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import StoreError
from pelangi.contracts.codes import ItemOutcome
from pelangi.contracts.encryption import UnknownKey
from pelangi.contracts.events import ItemClosed
from pelangi.contracts.examples import EXAMPLES
from tests.support.memory_store import MemoryCollection, store_fault
from tests.support.records import Raw, record

ITEM: Any = EXAMPLES["item-closed.v1"]
VISITS: Any = EXAMPLES["visit-details.v1"]
SECRET = "32012345" + "67890123"
offsets = itertools.count()


def rid(at: int) -> str:
    return f"00000000-0000-5000-8000-{at:012x}"


def closed(request: int, sequence: int = 1, *, item: int = 1, outcome: str = "DONE") -> Raw:
    data = ITEM.model_copy(update={"request_id": rid(request), "item_id": rid(item), "outcome": ItemOutcome(outcome)})
    return record("item-closed.v1", data, sequence, partition=0, offset=next(offsets))


def handler(case: Any, fact: Any, _: Any) -> Any:
    if fact.data.outcome == "REJECTED":
        raise ValueError(SECRET)
    return {**case, "seen": [*case.get("seen", []), [fact.data.item_id[-1], fact.sequence]]}


@dataclass
class Rig:
    cases: MemoryCollection = field(default_factory=MemoryCollection)
    letters: list[tuple[Raw, str, str]] = field(default_factory=list)
    openers: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.consumer = Consumer(
            cases=self.cases,
            decoder=Decoder(self.openers),
            handlers={"item-closed.v1": handler, "visit-details.v1": lambda case, _, __: case},
            clock=SystemClock(),
            set_aside=self.set_aside,
            written=Signal(),
        )

    async def set_aside(self, raw: Any, broken: Any) -> None:
        self.letters.append((raw, broken.reason, broken.error))

    async def handle(self, *records: Raw) -> None:
        await self.consumer.handle(records)

    def seen(self, request: int = 1) -> Any:
        return self.cases.documents.get(rid(request), {}).get("seen")


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_: float) -> None:
        return None

    monkeypatch.setattr(module.asyncio, "sleep", nothing)


async def test_an_unknown_request_becomes_a_case(rig: Rig) -> None:
    await rig.handle(closed(1))
    assert rig.cases.documents[rid(1)]["version"] == 1
    assert rig.seen() == [["1", 1]]
    assert rig.consumer.written.count == 1


async def test_facts_of_one_request_are_folded_in_order_into_one_write(rig: Rig) -> None:
    await rig.handle(closed(1, 1, item=1), closed(1, 2, item=2), closed(1, 3, item=1))
    assert rig.seen() == [["1", 1], ["2", 2], ["1", 3]]
    assert rig.cases.documents[rid(1)]["version"] == 3
    assert rig.cases.calls == {"get_many": 1, "insert_many": 1}


async def test_known_means_that_the_fact_is_applied_not_that_the_case_exists(rig: Rig) -> None:
    await rig.handle(closed(1, 1, item=1))
    await rig.handle(closed(1, 1, item=2))
    assert rig.seen() == [["1", 1], ["2", 1]]


async def test_repeats_and_older_ones_write_nothing(rig: Rig) -> None:
    again = closed(1, 5)
    await rig.handle(again)
    calls = rig.cases.calls.copy()
    await rig.handle(again, closed(1, 4), again)
    assert rig.cases.calls - calls == {"get_many": 1}
    assert rig.cases.documents[rid(1)]["version"] == 1


async def test_at_most_three_commands_for_five_hundred_records(rig: Rig) -> None:
    await rig.handle(*(closed(at) for at in range(100)))
    calls = rig.cases.calls.copy()
    await rig.handle(*(closed(at % 250, 2 + at // 250) for at in range(500)))
    assert rig.cases.calls - calls == {"get_many": 1, "insert_many": 1, "update_many_guarded": 1}
    assert all(rig.seen(at)[-1] == ["1", 3] for at in range(250))


GOOD = 3


def poison() -> dict[str, Raw]:
    good = closed(99)
    return {
        "no JSON": good.but(value=b"{"),
        "not UTF-8": good.but(value=b'{"request_id": "\xff"}'),
        "empty": good.but(value=b""),
        "schema": good.but(value=b"{}"),
        "missing header": good.but(headers={"ce_sequence": None}),
        "header not UTF-8": good.but(headers={"ce_id": b"\xff"}),
        "no key": good.but(key=None),
        "key of another": good.but(key=rid(98).encode(), headers={"ce_subject": rid(98).encode()}),
        "sequence too large": good.but(headers={"ce_sequence": b"9" * 30}),
        "handler raises": closed(99, outcome="REJECTED"),
    }


@pytest.mark.parametrize("at", range(GOOD + 1))
@pytest.mark.parametrize("what", poison())
async def test_one_broken_record_is_set_aside_alone(rig: Rig, what: str, at: int) -> None:
    bad = poison()[what]
    batch = [closed(n) for n in range(GOOD)]
    batch.insert(at, bad)
    await rig.handle(*batch)
    assert [raw for raw, _, _ in rig.letters] == [bad]
    assert all(rig.seen(n) == [["1", 1]] for n in range(GOOD))
    assert rig.cases.documents.keys() == {rid(n) for n in range(GOOD)}


async def test_a_time_that_cannot_be_compared_is_no_reason(rig: Rig) -> None:
    await rig.handle(closed(1).but(headers={"ce_time": b"2026-11-24T02:10:00"}), closed(2).but(headers={"ce_time": b"x"}))
    assert rig.letters == []
    assert rig.seen(1) and rig.seen(2)


async def test_reasons_are_codes_and_class_names(rig: Rig) -> None:
    bad = poison()
    await rig.handle(bad["no JSON"], bad["missing header"], bad["key of another"], bad["handler raises"])
    assert [(reason, error) for _, reason, error in rig.letters] == [
        ("schema", "ValidationError"),
        ("envelope", "EnvelopeError"),
        ("key", "KeyMismatch"),
        ("handler", "ValueError"),
    ]


async def test_a_raising_handler_spares_the_other_facts_of_its_request(rig: Rig) -> None:
    await rig.handle(closed(1, 1, item=1), closed(1, 2, item=2, outcome="REJECTED"), closed(1, 3, item=3))
    assert rig.seen() == [["1", 1], ["3", 3]]
    assert len(rig.letters) == 1
    assert rig.cases.documents[rid(1)]["version"] == 2


async def test_the_log_names_the_exception_and_not_its_text(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    await rig.handle(poison()["handler raises"])
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text


async def test_many_of_one_exception_in_a_row_stop_the_consumer(rig: Rig) -> None:
    """A bug of ours must not drain the stream into the dead letters."""
    batch = [closed(at, outcome="REJECTED") for at in range(MAX_SAME_EXCEPTIONS)]
    with pytest.raises(HandlerBug, match=r"ValueError in item-closed\.v1"):
        await rig.handle(*batch)
    assert rig.letters == []
    assert rig.consumer.failing == "HandlerBug"
    with pytest.raises(HandlerBug):
        await rig.handle(*batch)
    assert rig.letters == []


async def test_a_good_one_between_begins_the_count_again(rig: Rig) -> None:
    half = MAX_SAME_EXCEPTIONS - 1
    bad = [closed(at, outcome="REJECTED") for at in range(2 * half)]
    await rig.handle(*bad[:half], closed(1000), *bad[half:])
    assert len(rig.letters) == 2 * half


async def test_one_broken_record_that_comes_again_and_again_is_one(rig: Rig) -> None:
    """While its dead letter cannot be sent the batch comes back; that is no bug of the handler."""
    bad, lost = closed(1, outcome="REJECTED"), []

    async def away(*_: Any) -> None:
        lost.append(1)
        raise ConnectionError

    good, rig.consumer.set_aside = rig.consumer.set_aside, away
    for _ in range(MAX_SAME_EXCEPTIONS + 5):
        with pytest.raises(ConnectionError):
            await rig.handle(bad)
    rig.consumer.set_aside = good
    await rig.handle(bad)
    assert [raw for raw, _, _ in rig.letters] == [bad]


@pytest.mark.parametrize("method", ["get_many", "insert_many", "update_many_guarded"])
@pytest.mark.parametrize("when", ["before", "after_write"])
async def test_a_store_that_fails_puts_the_batch_back_with_nothing_set_aside(rig: Rig, method: str, when: str) -> None:
    await rig.handle(closed(1))
    batch = [closed(1, 2), closed(2), poison()["no JSON"]]

    async def fault(called: str) -> None:
        if called == method:
            raise store_fault()

    setattr(rig.cases, when, fault)
    if (method, when) == ("get_many", "after_write"):
        return  # a read has no "after the write"
    with pytest.raises(StoreError):
        await rig.handle(*batch)
    assert rig.letters == []
    assert rig.consumer.failing == "PyMongoError"
    setattr(rig.cases, when, None)
    await rig.handle(*batch)
    assert (rig.seen(1), rig.seen(2)) == ([["1", 1], ["1", 2]], [["1", 1]])
    assert [reason for _, reason, _ in rig.letters] == ["schema"]
    assert rig.consumer.failing == ""


async def test_an_unknown_key_of_our_own_snapshots_is_waited_for() -> None:
    def not_here_yet(_: Any) -> Any:
        raise UnknownKey

    rig = Rig(openers={"visit-details.v1": not_here_yet})
    with pytest.raises(UnknownKey):
        await rig.handle(record("visit-details.v1", VISITS, 1), closed(1))
    assert rig.letters == []
    assert rig.cases.documents == {}


async def test_dead_letters_come_after_the_write(rig: Rig) -> None:
    async def look(*_: Any) -> None:
        assert rig.seen(1)
        rig.letters.append((closed(1), "", ""))

    rig.consumer.set_aside = look
    await rig.handle(poison()["no JSON"], closed(1))
    assert len(rig.letters) == 1


async def test_a_tombstone_is_a_fact_without_data(rig: Rig) -> None:
    tombstone = record("visit-details.v1", VISITS, 3).but(value=None)
    await rig.handle(tombstone)
    assert rig.cases.documents[VISITS.request_id]["applied"] == {f"visit-details_v1:{VISITS.request_id}": 3}


def racing(rig: Rig, method: str, other: Sequence[Raw]) -> None:
    """Another replica (after a rebalance) writes its facts between our read and our write."""

    async def hook(called: str) -> None:
        if called == method:
            rig.cases.before = None
            replica = Rig(cases=rig.cases)
            await replica.handle(*other)

    rig.cases.before = hook


@pytest.mark.parametrize("known", [False, True])
async def test_what_lost_a_race_is_read_and_folded_again(rig: Rig, known: bool) -> None:
    if known:
        await rig.handle(closed(1, 1, item=9))
    racing(rig, "update_many_guarded" if known else "insert_many", [closed(1, 2, item=2)])
    await rig.handle(closed(1, 3, item=3), closed(2))
    assert rig.seen(1)[-2:] == [["2", 2], ["3", 3]]
    assert rig.seen(2) == [["1", 1]]


async def test_a_race_on_the_very_same_records_applies_them_once(rig: Rig) -> None:
    batch = [closed(1), closed(1, 2), poison()["no JSON"]]
    racing(rig, "insert_many", batch)
    await rig.handle(*batch)
    assert rig.seen(1) == [["1", 1], ["1", 2]]
    assert len(rig.letters) == 1, "the replica set it aside as well, under the same key"


async def test_a_collision_does_not_count_an_exception_twice(rig: Rig) -> None:
    bad = [closed(at, outcome="REJECTED") for at in range(MAX_SAME_EXCEPTIONS - 1)]
    await rig.handle(closed(500))
    racing(rig, "update_many_guarded", [closed(500, 2)])
    await rig.handle(closed(500, 3), *bad)
    assert len(rig.letters) == len(bad)


async def test_a_document_that_no_database_takes_is_that_records_dead_letter(rig: Rig) -> None:
    """Else one record would put its batch back for ever."""

    def unstorable(case: Any, fact: Any, now: Any) -> Any:
        return {**case, "big": 2**70 if fact.data.outcome == "REJECTED" else 1}

    rig.consumer.handlers = {"item-closed.v1": unstorable}
    bad = closed(1, outcome="REJECTED")
    await rig.handle(closed(2), bad, closed(3))
    assert rig.letters == [(bad, "handler", "OverflowError")]
    assert rig.cases.documents.keys() == {rid(2), rid(3)}


@pytest.mark.parametrize("seed", range(30))
async def test_any_way_of_cutting_and_repeating_ends_the_same(rig: Rig, seed: int) -> None:
    """Batches of any size, records repeated as a redelivery does, faults at any call: one effect per fact, in order."""
    rng = random.Random(seed)
    stream = [closed(rng.randrange(4), at, item=rng.randrange(3)) for at in range(1, 40)]

    async def flaky(_: str) -> None:
        if rng.random() < 0.2:
            raise store_fault()

    rig.cases.before = rig.cases.after_write = flaky
    at = 0
    while at < len(stream):
        size = rng.randrange(1, 10)
        try:
            await rig.handle(*stream[at : at + size])
        except StoreError:
            at = max(at - rng.randrange(3), 0)  # redelivery from an older offset
        else:
            at += size
    for n in range(4):
        expected = [[r.value_item, r.sequence] for r in map(_Read, stream) if r.request == rid(n)]
        assert (rig.seen(n) or []) == expected


class _Read:
    def __init__(self, raw: Raw) -> None:
        data = ItemClosed.model_validate_json(raw.value or b"")
        self.request, self.value_item, self.sequence = data.request_id, data.item_id[-1], int(raw.header("ce_sequence"))


async def test_a_topic_with_a_decoder_of_its_own(rig: Rig) -> None:
    """Its place stands for the sequence; what its decoder raises is that record's dead letter."""

    def own(raw: Any) -> Fact[Any]:
        if raw.value == b"broken":
            raise Broken("encryption", "BrokenToken", rid(7))
        if raw.value == b"bug":
            raise LookupError(SECRET)
        return Fact(raw.topic, rid(7), str(raw.partition), raw.offset, "", raw.value)

    rig.consumer.decoder = Decoder({}, {"letters": own})
    rig.consumer.handlers = {
        **rig.consumer.handlers,
        "letters": lambda case, fact, _: {**case, "seen": [*case.get("seen", []), fact.data.decode()]},
    }
    a, bad, bug, b = (Raw("letters", None, v, [], 2, at) for at, v in enumerate([b"a", b"broken", b"bug", b"b"]))
    await rig.handle(a, bad, bug, closed(1), b)
    await rig.handle(b, a)
    assert rig.seen(7) == ["a", "b"]
    assert rig.seen(1) == [["1", 1]]
    assert [(reason, error) for _, reason, error in rig.letters] == [("encryption", "BrokenToken"), ("decode", "LookupError")]


async def test_a_batch_that_was_decoded_ahead_is_not_decoded_again(rig: Rig) -> None:
    decoded, decoder = [], rig.consumer.decoder
    rig.consumer.decoder = lambda raw: decoded.append(raw) or decoder(raw)  # type: ignore[assignment]
    batch = (closed(1), closed(2), closed(3).but(value=b"{"))
    rig.consumer.decode_ahead(batch)
    await rig.consumer.handle(batch)
    assert len(decoded) == 3
    assert (bool(rig.seen(1)), bool(rig.seen(2)), [reason for _, reason, _ in rig.letters]) == (True, True, ["schema"])
    await rig.consumer.handle(batch)
    assert len(decoded) == 6, "what comes again is decoded again"


async def test_another_batch_than_the_one_decoded_ahead_is_decoded_itself(rig: Rig) -> None:
    rig.consumer.decode_ahead((closed(1),))  # and then it was put back, say
    await rig.consumer.handle((closed(2),))
    assert (rig.seen(1), bool(rig.seen(2))) == (None, True)


async def test_what_cannot_be_decoded_ahead_fails_only_when_it_is_in_hand(rig: Rig) -> None:
    def no_key(_: Any) -> Any:
        raise UnknownKey("not here yet")

    rig.consumer.decoder = no_key  # type: ignore[assignment]
    rig.consumer.decode_ahead(batch := (closed(1),))
    with pytest.raises(UnknownKey):
        await rig.consumer.handle(batch)
