"""What is due is claimed, sent and recorded, in order, by one of many."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from pelangi.chassis import sabotage
from pelangi.contracts.codes import RequesterKind
from services.notify.metrics import PUT_OFF
from services.notify.sending import PUT_OFF_S, Limits
from services.notify.store import DUE
from tests.support.memory_store import store_fault

from .bench import REQUESTER, Bench
from .facts import (
    DATE,
    NOW,
    REQUEST,
    VISIT_1,
    VISIT_2,
    closed,
    completed,
    contact,
    created,
    details,
    fold,
    issued,
    scheduled,
)

LONG_DUE = NOW - timedelta(days=9999)


async def test_everything_is_told_once_and_in_order() -> None:
    bench = Bench()
    await bench.learn(created(), details(), scheduled(), issued())
    await bench.sender().work()
    await bench.learn(completed(), closed())
    await bench.sender().work()
    assert bench.states() == [(p, "SENT") for p in ("ACCEPTED", "SCHEDULED", "VISIT_DONE", "READY", "CLOSED")]
    assert [m.subject.split()[0] for m in bench.mail.sent] == ["Permohonan", "Jadwal", "Hasil", "Kunjungan", "Permohonan"]
    assert {m.address for m in bench.mail.sent} == {REQUESTER}
    assert set(bench.mail.mails.values()) == {1}
    assert "due_since" not in bench.case


async def test_a_pass_takes_one_find_and_two_bulks_however_many_cases() -> None:
    bench = Bench()
    for n in range(50):
        case = fold([created(), details()])
        await bench.cases.insert({**case, "_id": f"{n}", "version": 1, "changed_at": NOW})
    bench.cases.calls.clear()
    await bench.sender().once()
    assert dict(bench.cases.calls) == {"find": 1, "update_many_guarded": 2}
    assert len(bench.mail.sent) == 50


async def test_nothing_due_costs_one_find() -> None:
    bench = Bench()
    await bench.learn(created())
    bench.cases.calls.clear()
    await bench.sender().work()
    assert dict(bench.cases.calls) == {"find": 1}


async def test_the_first_told_is_scheduled_then_changed() -> None:
    bench = Bench()
    await bench.learn(created(), details(), scheduled())
    await bench.sender().work()
    await bench.learn(scheduled(revision=2, status="RESCHEDULED"), scheduled(revision=3, status="RESCHEDULED"))
    await bench.sender().work()
    await bench.learn(scheduled(revision=4, status="CANCELLED"))
    await bench.sender().work()
    said = [(r["purpose"], r["state"], r.get("reason")) for r in bench.rows() if "revision" in r]
    assert said == [
        ("SCHEDULED", "SENT", None),
        ("SCHEDULED", "EXPIRED", "SUPERSEDED"),
        ("CHANGED", "SENT", None),
        ("CHANGED", "SENT", None),
    ]
    assert bench.mail.sent[-1].subject == "Kunjungan ditunda"


async def test_a_date_that_passed_on_the_business_clock_is_not_told() -> None:
    bench = Bench()
    await bench.learn(created(), details(), scheduled())
    bench.clock.at += DATE - NOW.date() + timedelta(days=1)
    await bench.sender().work()
    assert bench.rows("SCHEDULED")[0].get("reason") == "PAST"


async def test_two_replicas_at_once_send_one_mail() -> None:
    bench = Bench()
    await bench.learn(created(), details())
    entered = asyncio.Barrier(2)

    async def together(method: str) -> None:
        if method == "update_many_guarded" and bench.cases.calls[method] <= 2:
            await entered.wait()

    bench.cases.before = together
    await asyncio.gather(bench.sender().once(), bench.sender().once())
    assert list(bench.mail.mails.values()) == [1]
    assert bench.states() == [("ACCEPTED", "SENT")]


async def test_a_claim_whose_write_is_in_doubt_is_found_by_its_own_mark() -> None:
    bench = Bench()
    await bench.learn(created(), details())

    async def broken(method: str) -> None:
        bench.cases.after_write = None
        raise store_fault()

    bench.cases.after_write = broken
    await bench.sender().work()
    assert bench.states() == [("ACCEPTED", "SENT")]
    assert list(bench.mail.mails.values()) == [1]


async def test_a_fact_between_call_and_record_loses_neither() -> None:
    bench = Bench()
    await bench.learn(created(), details())
    waiting: list[asyncio.Task[None]] = []
    bench.mail.during = lambda: waiting.append(asyncio.ensure_future(bench.learn(scheduled())))
    await bench.sender().once()
    await asyncio.gather(*waiting)
    bench.mail.during = lambda: None
    await bench.sender().work()
    assert bench.states() == [("ACCEPTED", "SENT"), ("SCHEDULED", "SENT")]
    assert set(bench.mail.mails.values()) == {1}


async def test_who_may_not_hear_of_documents_does_not_but_the_person_does() -> None:
    bench = Bench()
    await bench.learn(details(contact(kind=RequesterKind.TKSK)), issued())
    await bench.sender().work()
    assert [(r["state"], r.get("reason"), r["audience"]) for r in bench.rows()] == [("SENT", None, "PERSON")]


async def test_a_bug_in_one_case_does_not_stop_the_others() -> None:
    bench = Bench()
    await bench.learn(created(), details())
    poisoned = {**bench.case, "_id": "a", "contact": {"channel": "NONSENSE"}, "due_since": NOW - timedelta(days=9)}
    await bench.cases.insert(poisoned)
    await bench.sender().once()
    assert bench.states() == [("ACCEPTED", "SENT")]


async def test_cases_that_cannot_be_decided_let_those_behind_them_through() -> None:
    """More of them than a pass takes, and due before everybody else."""
    bench = Bench()
    await bench.learn(created(), details())
    for n in range(7):
        nonsense = {**bench.case, "_id": f"{n}", "contact": {"channel": "NONSENSE"}, "due_since": LONG_DUE}
        await bench.cases.insert(nonsense)
    await bench.cases.insert({**bench.case, "_id": "no row", "messages": {}, "due_since": LONG_DUE})
    before = PUT_OFF._value.get()
    await bench.sender(Limits(cases=3)).work()
    assert bench.states() == [("ACCEPTED", "SENT")]
    assert PUT_OFF._value.get() - before == 8
    off = [c for c in bench.cases.documents.values() if c["_id"] != REQUEST]
    assert {c["due_since"] for c in off} == {NOW + timedelta(seconds=PUT_OFF_S)}


async def test_a_case_that_was_put_off_is_told_once_it_can_be() -> None:
    bench = Bench()
    await bench.learn(created(), details())
    good = bench.case["contact"]
    bench.cases.documents[REQUEST]["contact"] = {"channel": "NONSENSE"}
    await bench.sender().work()
    assert bench.states() == [("ACCEPTED", "PENDING")]
    bench.cases.documents[REQUEST]["contact"] = good
    await bench.sender().work()
    assert bench.states() == [("ACCEPTED", "PENDING")], "not before its pause is over"
    await bench.learn(scheduled())
    await bench.sender().work()
    assert bench.states() == [("ACCEPTED", "SENT"), ("SCHEDULED", "SENT")], "a fact ends the pause"


async def test_a_cancellation_and_the_visit_in_its_place_are_one_message() -> None:
    bench = Bench()
    await bench.learn(created(), details(), scheduled())
    await bench.sender().work()
    await bench.learn(scheduled(revision=2, status="CANCELLED"), scheduled(VISIT_2))
    await bench.sender().work()
    assert [(r["purpose"], r["state"], r.get("reason")) for r in bench.rows()[1:]] == [
        ("SCHEDULED", "SENT", None),
        ("SCHEDULED", "EXPIRED", "REPLACED"),
        ("CHANGED", "SENT", None),
    ]
    assert [m.subject for m in bench.mail.sent[2:]] == ["Jadwal kunjungan yang baru"]


@pytest.fixture
def armed() -> Iterator[None]:
    sabotage.arm_sabotage("double-message")
    yield
    sabotage._armed.clear()


@pytest.mark.usefixtures("armed")
async def test_the_sabotage_sends_twice() -> None:
    bench = Bench()
    await bench.learn(created(), details())
    await bench.sender().work()
    assert list(bench.mail.mails.values()) == [2]


def test_rows_of_a_visit_name_it() -> None:
    assert {r["visit_id"] for r in fold([scheduled()])["messages"].values()} == {VISIT_1}


async def test_what_is_due_is_found_by_its_index() -> None:
    """The filter repeats the partial index's own range: the local database uses the index for nothing less."""
    bench = Bench()
    filters: list[Any] = []
    find = bench.cases.find

    async def watched(filter: Any, **options: Any) -> list[Any]:
        filters.append((filter, options["sort"]))
        return await find(filter, **options)

    bench.cases.find = watched  # type: ignore[method-assign]
    await bench.sender().work()
    ((asked, sort),) = filters
    partial = DUE.options["partialFilterExpression"]
    assert partial["due_since"].items() <= asked["due_since"].items()
    assert list(DUE.keys)[: len(sort)] == sort
