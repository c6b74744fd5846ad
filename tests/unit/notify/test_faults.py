"""Each message once, whatever the provider, the process or the network does in between."""

import asyncio
from contextlib import nullcontext
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pelangi.chassis.case import Fact
from pelangi.contracts.codes import ReachChannel
from services.notify import delivery
from services.notify.delivery import MAX_ASKS
from services.notify.model import Case
from services.notify.rows import Row
from services.notify.sending import PUT_OFF_S, Edit, Limits, Sender, Step

from .bench import DESK, Bench
from .facts import (
    REQUEST,
    VISIT_2,
    contact,
    created,
    details,
    erased,
    everything,
    fold,
    scheduled,
)
from .fakes import Crash


@pytest.mark.parametrize("word", ["accept-crash", "lose-crash"])
async def test_a_crash_around_the_call_ends_in_one_mail(word: str) -> None:
    bench = Bench([word])
    await bench.learn(created(), details())
    with pytest.raises(Crash):
        await bench.sender().work()
    assert bench.states() == [("ACCEPTED", "CLAIMED")]
    await bench.sender().work()
    assert bench.mail.asked == 0, "a fresh claim is its holder's"
    await bench.until_settled()
    assert bench.mail.asked == 1
    assert bench.states() == [("ACCEPTED", "SENT")]
    assert list(bench.mail.mails.values()) == [1]


@pytest.mark.parametrize("word", ["accept-unseen", "lose"])
async def test_an_unseen_end_is_asked_about(word: str) -> None:
    bench = Bench([word])
    await bench.learn(created(), details())
    await bench.sender().work()
    assert bench.states() == [("ACCEPTED", "UNKNOWN")]
    await bench.until_settled()
    assert bench.states() == [("ACCEPTED", "SENT")]
    assert list(bench.mail.mails.values()) == [1]


async def test_what_got_lost_twice_goes_to_the_desk() -> None:
    bench = Bench(["lose", "lose"])
    await bench.learn(created(), details())
    await bench.until_settled()
    assert [(r["state"], r["audience"], r["channel"]) for r in bench.rows()] == [
        ("FAILED", "REQUESTER", "EMAIL"),
        ("SENT", "KELURAHAN", "VIA_KELURAHAN"),
    ]
    assert bench.rows()[0]["reason"] == "NOT_DELIVERED"
    assert [m.address for m in bench.desk.sent] == [DESK]
    assert not bench.mail.mails


async def test_nobody_to_ask_means_the_desk_and_no_second_mail() -> None:
    bench = Bench(["accept-unseen"], askable=None)
    await bench.learn(created(), details())
    await bench.until_settled()
    assert [(r["state"], r.get("reason")) for r in bench.rows()] == [("FAILED", "OUTCOME_UNKNOWN"), ("SENT", None)]
    assert list(bench.mail.mails.values()) == [1]
    assert [m.address for m in bench.desk.sent] == [DESK]


async def test_a_provider_that_never_answers_the_question_counts_as_nobody() -> None:
    bench = Bench(["accept-unseen"], answers=False)
    await bench.learn(created(), details())
    await bench.sender().work()
    bench.clock.pass_(5)
    await bench.sender().work()
    assert bench.states() == [("ACCEPTED", "UNKNOWN")]
    await bench.until_settled()
    assert [(r["state"], r.get("reason")) for r in bench.rows()] == [("FAILED", "OUTCOME_UNKNOWN"), ("SENT", None)]


async def test_a_temporary_refusal_is_tried_again_later() -> None:
    bench = Bench(["later", "later"])
    await bench.learn(created(), details(), scheduled())
    await bench.sender().work()
    assert bench.states() == [("ACCEPTED", "PENDING"), ("SCHEDULED", "PENDING")]
    assert bench.rows()[0]["reason"] == "SMTP_4XX"
    await bench.until_settled()
    assert bench.states() == [("ACCEPTED", "SENT"), ("SCHEDULED", "SENT")]
    assert bench.rows()[0]["attempts"] == 1
    assert bench.mail.asked == 0


async def test_a_message_in_its_pause_is_not_hurried_by_one_before_it() -> None:
    bench = Bench(["later"])
    await bench.learn(details(), scheduled(VISIT_2))
    await bench.sender().work()
    await bench.learn(scheduled(status="CANCELLED"))
    await bench.sender().work()
    assert [(r["state"], r.get("reason")) for r in bench.rows()] == [("EXPIRED", "CANCELLED"), ("PENDING", "SMTP_4XX")]


async def test_refusals_without_end_go_to_the_desk() -> None:
    bench = Bench(["later"] * 25)
    await bench.learn(created(), details())
    await bench.until_settled(limit=5000)
    assert [(r["state"], r.get("reason")) for r in bench.rows()] == [("FAILED", "SMTP_4XX"), ("SENT", None)]


async def test_a_final_refusal_goes_to_the_desk_before_later_messages() -> None:
    bench = Bench(["never", "never"])
    await bench.learn(created(), details(), scheduled())
    await bench.until_settled()
    assert [(r["purpose"], r["state"], r["audience"]) for r in bench.rows()] == [
        ("ACCEPTED", "FAILED", "REQUESTER"),
        ("ACCEPTED", "SENT", "KELURAHAN"),
        ("SCHEDULED", "FAILED", "REQUESTER"),
        ("SCHEDULED", "SENT", "KELURAHAN"),
    ]
    assert len({r["message_id"] for r in bench.rows()}) == 4


async def test_the_desk_is_the_last_resort_and_tried_for_ever() -> None:
    bench = Bench()
    bench.desk.script = ["never"] * 30 + ["lose"] * 5
    await bench.learn(created(), details(contact(channel=ReachChannel.WHATSAPP)))
    await bench.until_settled(limit=10_000)
    assert bench.states() == [("ACCEPTED", "SENT")]
    assert [m.address for m in bench.desk.sent] == [DESK]


async def test_a_late_acceptance_still_counts_before_somebody_claims_again() -> None:
    """A sender that was stopped wakes up: its mail went out after the question, and before the second send."""
    bench = Bench(["accept"])
    await bench.learn(created(), details())

    def stopped_meanwhile() -> None:
        before = bench.case
        key = next(iter(before["messages"]))
        row = cast(Row, {**before["messages"][key], "state": "PENDING"})
        bench.cases.documents[REQUEST] = cast(Any, {**before, "messages": {key: row}, "version": before["version"] + 1})

    bench.mail.during = stopped_meanwhile
    await bench.sender().work()
    assert bench.states() == [("ACCEPTED", "SENT")]
    assert list(bench.mail.mails.values()) == [1]


async def test_a_call_that_would_begin_too_late_is_not_made() -> None:
    bench = Bench()
    await bench.learn(created(), details())
    await bench.sender(Limits(start_s=-1)).once()
    assert bench.rows()[0].get("reason") == "LATE"
    assert not bench.mail.mails
    await bench.until_settled()
    assert list(bench.mail.mails.values()) == [1]


async def test_erasure_between_claim_and_end_sends_no_second_mail() -> None:
    bench = Bench(["lose-crash"])
    await bench.learn(created(), details(), scheduled())
    with pytest.raises(Crash):
        await bench.sender().work()
    await bench.learn(erased())
    await bench.until_settled()
    assert bench.states() == [("ACCEPTED", "EXPIRED"), ("SCHEDULED", "EXPIRED")]
    assert not bench.mail.mails


async def three_cases(bench: Bench) -> None:
    """Requests a, b and c with one message each, `mail-a` and so on."""
    await bench.learn(created(), details())
    first = bench.cases.documents.pop(REQUEST)
    for name in "abc":
        (key, row), *_ = first["messages"].items()
        await bench.cases.insert({**first, "_id": name, "messages": {key: {**row, "message_id": f"mail-{name}"}}})


def states_of(bench: Bench) -> dict[str, str]:
    return {c["_id"]: next(iter(c["messages"].values()))["state"] for c in bench.cases.documents.values()}


async def test_a_question_that_breaks_counts_as_no_answer_and_loses_no_other_result() -> None:
    bench = Bench(["accept-unseen", "later", "accept-unseen"])
    await three_cases(bench)
    await bench.sender().work()
    assert states_of(bench) == {"a": "UNKNOWN", "b": "PENDING", "c": "UNKNOWN"}

    def broken(key: str) -> None:
        if key == "mail-a":
            raise ValueError("no JSON")

    bench.mail.during_ask = broken
    bench.clock.pass_(5)
    await bench.sender().work()
    assert states_of(bench) == {"a": "UNKNOWN", "b": "SENT", "c": "SENT"}
    for _ in range(MAX_ASKS):
        bench.clock.pass_(5)
        await bench.sender().work()
    rows = bench.cases.documents["a"]["messages"].values()
    assert sorted(r["state"] for r in rows) == ["FAILED", "SENT"], "nobody could be asked, so the desk is"
    assert len(bench.desk.sent) == 1
    assert set(bench.mail.mails.values()) == {1}


@pytest.mark.parametrize("error", [Crash, asyncio.CancelledError, KeyError])
async def test_the_results_of_a_pass_are_recorded_whatever_one_call_does(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench()
    await three_cases(bench)
    end = Sender._end

    async def broken(self: Sender, step: Step, not_after: float) -> Edit:
        if step.after["_id"] == "a":
            raise error
        return await end(self, step, not_after)

    monkeypatch.setattr(Sender, "_end", broken)
    with pytest.raises(Crash) if error is Crash else nullcontext():
        await bench.sender().work()
    assert states_of(bench) == {"a": "CLAIMED", "b": "SENT", "c": "SENT"}
    monkeypatch.undo()
    bench.clock.pass_(PUT_OFF_S)
    for _ in range(2):
        await bench.sender().work()
    assert states_of(bench)["a"] == "SENT"
    assert set(bench.mail.mails.values()) == {1}


async def test_a_result_that_cannot_be_understood_loses_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    await three_cases(bench)
    record = delivery.record

    def broken(case: Case, *rest: Any) -> Case:
        return record(case, *rest) if case["_id"] != "a" else record(case)  # type: ignore[call-arg]

    monkeypatch.setattr(delivery, "record", broken)
    await bench.sender().work()
    assert states_of(bench) == {"a": "CLAIMED", "b": "SENT", "c": "SENT"}
    monkeypatch.undo()
    bench.clock.pass_(PUT_OFF_S)
    await bench.sender().work()
    assert states_of(bench)["a"] == "SENT"
    assert set(bench.mail.mails.values()) == {1}


WORDS = ["accept", "accept-unseen", "lose", "later", "never", "accept-crash", "lose-crash"]


@settings(max_examples=60, deadline=None)
@given(st.permutations(everything()), st.lists(st.sampled_from(WORDS), max_size=12), st.lists(st.booleans(), min_size=20))
def test_whatever_happens_no_mail_is_sent_twice(facts: list[Fact[Any]], script: list[str], pauses: list[bool]) -> None:
    async def play() -> None:
        bench = Bench(script)
        for one, pause in zip(facts, pauses, strict=False):
            await bench.learn(one)
            if pause:
                try:
                    await bench.sender().work()
                except Crash:
                    bench.clock.pass_(60)
        for _ in range(len(WORDS) * 2):
            try:
                await bench.until_settled(limit=2000)
                break
            except Crash:
                continue
        assert all(count == 1 for count in (bench.mail.mails | bench.desk.mails).values())
        sent = {r["message_id"] for r in bench.rows() if r["state"] == "SENT"}
        assert sent == set(bench.mail.mails) | set(bench.desk.mails)
        direct = {k for k, r in bench.case["messages"].items() if not r.get("fallback")}
        assert direct == set(fold(everything())["messages"])
        assert all(r["state"] in ("SENT", "EXPIRED", "FAILED") for r in bench.rows())

    asyncio.run(play())
