"""Requests posted as events to two replicas at once, and through crashes: one request, one answer per record."""

import json

import pytest

from pelangi.contracts.topics import REQUEST_CREATED, REQUEST_DETAILS, SUBMISSION_ANSWERED
from tests.support.bodies import body
from tests.support.memory_store import store_fault
from tests.support.submissions import submission
from tests.unit.intake.submitting import ACCEPTED, KEY, Rig, answer


async def test_two_replicas_with_the_same_record_make_one_request(rig: Rig) -> None:
    """A rebalance gives the record to the second while the first is about to write."""
    record = submission(KEY, body(), offset=7)

    async def overtake(method: str) -> None:
        if method == "insert_many":
            rig.cases.before = None
            await rig.second.handle([record])

    rig.cases.before = overtake
    sent = await rig.take(record)
    assert [r.topic for r in sent] == [REQUEST_CREATED, REQUEST_DETAILS, SUBMISSION_ANSWERED]
    assert rig.case()["version"] == 1


async def test_two_replicas_with_the_same_key_at_two_offsets_make_one_request(rig: Rig) -> None:
    async def overtake(method: str) -> None:
        if method == "insert_many":
            rig.cases.before = None
            await rig.second.handle([submission(KEY, body(), offset=8).but(partition=4)])

    rig.cases.before = overtake
    sent = await rig.take(submission(KEY, body(), offset=7))
    assert [r.topic for r in sent].count(REQUEST_CREATED) == 1
    answers = [json.loads(r.value or b"") for r in sent if r.topic == SUBMISSION_ANSWERED]
    assert answers == [ACCEPTED, ACCEPTED]
    assert rig.case()["version"] == 2


async def test_a_crash_after_the_write_answers_once(rig: Rig) -> None:
    """The store wrote and its answer was lost: the batch comes again and finds its own mark."""

    async def lost(method: str) -> None:
        rig.cases.after_write = None
        raise store_fault()

    rig.cases.after_write = lost
    record = submission(KEY, body(), offset=7)
    with pytest.raises(Exception, match="made up"):
        await rig.first.handle([record])
    sent = await rig.take(record)
    assert [r.topic for r in sent].count(SUBMISSION_ANSWERED) == 1
    assert [r.topic for r in sent].count(REQUEST_CREATED) == 1


async def test_a_taken_receipt_code_is_drawn_again_with_the_batch(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = iter(["00000000000", "00000000000", "00000000011"])
    monkeypatch.setattr("services.intake.draws.draw_receipt_code", lambda _: next(codes))
    await rig.take(submission(KEY, body(), offset=7))
    other = submission("4c1d9a52-8e0b-4f6d-9a37-5b2e7f1c3d61", body(), offset=8)
    with pytest.raises(Exception, match="receipt_code"):
        await rig.first.handle([other])
    assert answer(await rig.take(other))["outcome"] == "ACCEPTED"
    assert len({c["receipt_code"] for c in rig.cases.documents.values()}) == 2
