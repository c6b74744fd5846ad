"""The ledger of blanks: one for each card, never less than none, whatever crashes or races."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pelangi.chassis.service import Runtime
from pelangi.chassis.signal import Signal
from pelangi.contracts.codes import ItemVisitOutcome, ServiceKind
from services.issuance.app import Settings, make
from services.issuance.blanks import (
    BlankChange,
    BlankKind,
    Fate,
    Ledger,
    NoBlank,
    Opening,
    Stock,
    Taking,
    fate,
    move_stock,
    opened,
)
from services.issuance.case import Case, Document
from services.issuance.documents import DocumentStatus
from services.issuance.metrics import BLANKS
from services.issuance.model import Blank, Move, move_document
from services.issuance.settling import settle_once
from tests.support.memory_store import MemoryCollection, MemoryStore, store_fault
from tests.unit.issuance.officer import Client
from tests.unit.issuance.scenario import CARD_WAY, NOW, REQUEST, Desk, completed, details, item_id

PRINTED = {"to": "PRINTED", "siak_reference": "SIAK-1"}
KTP, KIA = BlankKind.KTP, BlankKind.KIA


class Times:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 24, 5, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    wall = now


def ledger_of(client: Client) -> Ledger:
    return Ledger(client.runtime.store.collection("blanks"))


def stored(client: Client) -> MemoryCollection:
    return cast(MemoryCollection, client.runtime.store.collection("blanks"))


async def stock_up(client: Client, kind: BlankKind, count: int) -> None:
    """Exactly this many on hand."""
    on_hand = (await ledger_of(client).read())[kind]["on_hand"]
    if on_hand:
        await client.post("/v1/blanks", {"kind": kind, "change": "RETURNED", "count": on_hand})
    if count:
        await client.post("/v1/blanks", {"kind": kind, "change": "RECEIVED", "count": count})


async def stock_of(client: Client, kind: BlankKind = KTP) -> dict[str, int]:
    answer = (await client.http.get("/v1/blanks")).json()
    return next({k: v for k, v in b.items() if k != "kind"} for b in answer["blanks"] if b["kind"] == kind)


def balanced(stock: Any) -> bool:
    return bool(
        stock["received"] == stock["on_hand"] + stock["used"] + stock["spoiled"] + stock["lost"]
        and all(stock[k] >= 0 for k in ("on_hand", "received", "used", "spoiled", "lost", "returned"))
    )


async def print_ready(client: Client, *kinds: ServiceKind) -> list[str]:
    documents = await client.have(*kinds)
    for document_id in documents:
        assert (await client.move(document_id, {"to": "PRINT_READY"})).status_code == 200
    return documents


async def test_a_fresh_system_starts_with_the_file_and_counts_from_there(client: Client) -> None:
    await cast(Any, make().start)(client.runtime)
    assert await stock_of(client) == {"on_hand": 6000, "received": 6000, "used": 0, "spoiled": 0, "lost": 0, "returned": 0}
    assert (await stock_of(client, KIA))["on_hand"] == 2000
    for change, count in (("RECEIVED", 100), ("SPOILED", 3), ("LOST", 2), ("RETURNED", 95)):
        answer = await client.post("/v1/blanks", {"kind": "KTP", "change": change, "count": count})
        assert answer.status_code == 200
    expected = {"on_hand": 6000, "received": 6005, "used": 0, "spoiled": 3, "lost": 2, "returned": 95}
    assert await stock_of(client) == expected
    assert answer.json() == {"kind": "KTP", **expected}
    await cast(Any, make().start)(client.runtime)
    assert await stock_of(client) == expected
    assert BLANKS.labels("KTP")._value.get() == 6000


async def test_a_movement_is_applied_once(client: Client) -> None:
    key, body = str(uuid4()), {"kind": "KIA", "change": "RECEIVED", "count": 10}
    answers = await asyncio.gather(*(client.post("/v1/blanks", body, key) for _ in range(30)))
    assert {(a.status_code, a.content) for a in answers} == {(200, answers[0].content)}
    assert (await stock_of(client, KIA))["on_hand"] == 2010
    for other in ({**body, "count": 11}, {**body, "kind": "KTP"}):
        again = await client.post("/v1/blanks", other, key)
        assert (again.status_code, again.json()["title"]) == (422, "key_reused")


@pytest.mark.parametrize("change", ["SPOILED", "LOST", "RETURNED"])
async def test_nothing_goes_below_none(client: Client, change: str) -> None:
    await stock_up(client, KTP, 2)
    refused = await client.post("/v1/blanks", {"kind": "KTP", "change": change, "count": 3})
    assert (refused.status_code, refused.json()["title"]) == (409, "no_blank")
    assert (await stock_of(client))["on_hand"] == 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"kind": "KK", "change": "RECEIVED", "count": 1},
        {"kind": "KTP", "change": "USED", "count": 1},
        {"kind": "KTP", "change": "RECEIVED", "count": 0},
        {"kind": "KTP", "change": "RECEIVED", "count": -1},
        {"kind": "KTP", "change": "RECEIVED", "count": 1.0},
        {"kind": "KTP", "change": "RECEIVED", "count": True},
        {"kind": "KTP", "change": "RECEIVED", "count": 10**30},
        {"kind": {"$ne": 1}, "change": "RECEIVED", "count": 1},
        {"kind": "KTP", "change": "RECEIVED", "count": 1, "x": 1},
    ],
)
async def test_movements_that_break_a_rule(client: Client, body: Any) -> None:
    assert (await client.post("/v1/blanks", body)).status_code == 422
    assert (await client.http.post("/v1/blanks", json=body)).status_code == 400
    assert (await stock_of(client))["on_hand"] == 6000


async def test_50_documents_and_10_blanks_print_exactly_10(client: Client) -> None:
    await stock_up(client, KIA, 10)
    documents = await print_ready(client, *[ServiceKind.KIA] * 50)
    waiting, printed = set(documents), 0
    for _ in range(6):  # who loses a race too often asks again
        answers = dict(zip(waiting, await asyncio.gather(*(client.move(d, PRINTED) for d in waiting)), strict=True))
        assert {a.status_code for a in answers.values()} <= {200, 409, 503}
        done = {d for d, a in answers.items() if a.status_code == 200}
        printed, waiting = printed + len(done), waiting - done
    assert printed == 10
    assert {a.json()["title"] for a in answers.values()} == {"no_blank"}
    assert (await client.sent()).count("document-issued.v1") == 10
    await settle_once(client.runtime, ledger_of(client))
    stock = await stock_of(client, KIA)
    assert (stock["on_hand"], stock["used"]) == (0, 10)
    assert balanced(stock)
    held = await client.move(next(iter(waiting)), {"to": "ON_HOLD", "reason": "NO_BLANK"})
    assert held.status_code == 200


async def test_200_at_once_print_one_card_on_one_blank(client: Client) -> None:
    [document_id] = await print_ready(client, ServiceKind.KTP_REISSUE)
    answers = await asyncio.gather(*(client.move(document_id, PRINTED) for _ in range(200)))
    assert Counter(a.status_code for a in answers) == {200: 1, 409: 199}
    assert {a.json()["title"] for a in answers if a.status_code == 409} == {"state"}
    await settle_once(client.runtime, ledger_of(client))
    stock = await stock_of(client)
    assert (stock["on_hand"], stock["used"]) == (5999, 1)
    assert stored(client).documents["KTP"]["taking"] == {}


async def test_what_is_refused_takes_no_blank(client: Client) -> None:
    [document_id] = await client.have(ServiceKind.KTP_NEW)
    assert (await client.move(document_id, PRINTED)).status_code == 409
    for step in CARD_WAY[:3]:
        await client.move(document_id, {"to": step})
    assert (await client.move(document_id, {"to": "PRINTED"})).status_code == 422
    assert (await stock_of(client))["used"] == 0


async def test_a_paper_and_a_card_that_comes_back_from_hold_take_none(client: Client) -> None:
    paper, card = await client.have(ServiceKind.KK_NEW, ServiceKind.KIA)
    for body in ({"to": "DATA_ENTERED"}, {"to": "VERIFIED"}, {**PRINTED, "to": "SIGNED"}, {"to": "PRINTED"}):
        assert (await client.move(paper, body)).status_code == 200
    for body in ({"to": "PRINT_READY"}, PRINTED, {"to": "ON_HOLD", "reason": "NO_RIBBON"}, {"to": "PRINTED"}):
        assert (await client.move(card, body)).status_code == 200
    assert ((await stock_of(client))["used"], (await stock_of(client, KIA))["used"]) == (0, 1)


async def test_printing_costs_few_commands_and_a_repeated_call_none_of_the_ledger(client: Client) -> None:
    [document_id] = await print_ready(client, ServiceKind.KIA)
    client.cases.calls.clear()
    key = str(uuid4())
    await client.move(document_id, PRINTED, key)
    assert client.cases.calls == {"find": 1, "get_many": 1, "update_each": 1}
    before = Counter(stored(client).calls)
    await client.move(document_id, PRINTED, key)
    assert stored(client).calls == before


@pytest.mark.parametrize("applied", [False, True])
async def test_an_unknown_result_of_taking_is_looked_up(client: Client, applied: bool) -> None:
    [document_id] = await print_ready(client, ServiceKind.KIA)
    await ledger_of(client).read()
    failed: list[str] = []

    async def fail_once(method: str) -> None:
        if method == "update_where" and not failed:
            failed.append(method)
            raise store_fault()

    collection = stored(client)
    collection.before, collection.after_write = (None, fail_once) if applied else (fail_once, None)
    answer = await client.move(document_id, PRINTED)
    assert failed
    assert answer.status_code == (200 if applied else 503)
    if not applied:
        assert (await client.move(document_id, PRINTED)).status_code == 200
    await settle_once(client.runtime, ledger_of(client))
    assert (await stock_of(client, KIA))["used"] == 1


async def test_a_crash_after_taking_gives_the_blank_back_and_the_late_caller_prints_nothing_with_it(client: Client) -> None:
    times = Times()
    client.runtime.clock = times
    [document_id] = await print_ready(client, ServiceKind.KIA)
    ledger = ledger_of(client)
    await ledger.take(KIA, REQUEST, document_id, 0, times.wall())  # and here it crashed
    assert await settle_once(client.runtime, ledger) == 0
    assert (await stock_of(client, KIA))["on_hand"] == 1999
    times.at += timedelta(minutes=3)
    assert await settle_once(client.runtime, ledger) == 0  # the attempt is ended in the case first
    assert (await client.case())["documents"][0]["print_attempt"] == 1
    assert await settle_once(client.runtime, ledger) == 1
    assert (await stock_of(client, KIA))["on_hand"] == 2000
    assert (await client.move(document_id, PRINTED)).status_code == 200
    assert await settle_once(client.runtime, ledger) == 1
    assert (await stock_of(client, KIA))["used"] == 1


async def test_a_retry_uses_the_blank_that_the_crashed_call_took(client: Client) -> None:
    [document_id] = await print_ready(client, ServiceKind.KIA)
    await stock_up(client, KIA, 1)
    take = await ledger_of(client).take(KIA, REQUEST, document_id, 0, NOW)
    assert (await stock_of(client, KIA))["on_hand"] == 0
    assert (await client.move(document_id, PRINTED)).status_code == 200
    assert (await client.case())["documents"][0]["blank"] == take


async def test_a_caller_that_wakes_after_all_is_settled_costs_no_blank(client: Client) -> None:
    [document_id] = await print_ready(client, ServiceKind.KIA)
    await client.move(document_id, PRINTED)
    ledger = ledger_of(client)
    await settle_once(client.runtime, ledger)
    await ledger.take(KIA, REQUEST, document_id, 0, NOW)
    assert (await stock_of(client, KIA))["used"] == 2
    await settle_once(client.runtime, ledger)
    stock = await stock_of(client, KIA)
    assert (stock["used"], stock["on_hand"]) == (1, 1999)


async def test_a_blank_taken_back_between_taking_and_printing_is_taken_anew(client: Client) -> None:
    times = Times()
    client.runtime.clock = times
    [document_id] = await print_ready(client, ServiceKind.KIA)
    ledger = ledger_of(client)
    armed = True

    async def pause(method: str) -> None:
        nonlocal armed
        if method == "update_each" and armed:  # the caller has its blank and is about to write the case
            armed = False
            times.at += timedelta(minutes=3)
            await settle_once(client.runtime, ledger)
            await settle_once(client.runtime, ledger)

    client.cases.before = pause
    assert (await client.move(document_id, PRINTED)).status_code == 200
    assert not armed
    await settle_once(client.runtime, ledger)
    stock = await stock_of(client, KIA)
    assert (stock["used"], stock["on_hand"]) == (1, 1999)
    assert (await client.case())["documents"][0]["print_attempt"] == 1


async def test_a_document_that_is_cancelled_gives_its_blank_back(client: Client) -> None:
    times = Times()
    client.runtime.clock = times
    [document_id] = await print_ready(client, ServiceKind.KIA)
    ledger = ledger_of(client)
    await ledger.take(KIA, REQUEST, document_id, 0, times.wall())
    await client.post(f"/v1/items/{item_id(0)}/transitions", {"to": "WITHDRAWN"})
    times.at += timedelta(minutes=3)
    for _ in range(2):
        await settle_once(client.runtime, ledger)
    assert (await stock_of(client, KIA))["used"] == 0


async def test_without_its_case_nothing_is_decided(client: Client) -> None:
    ledger = ledger_of(client)
    await ledger.take(KIA, "another request", "a document", 0, NOW - timedelta(days=9))
    assert await settle_once(client.runtime, ledger) == 0
    assert (await stock_of(client, KIA))["used"] == 1


def test_the_fate_of_a_taking() -> None:
    taking = Taking(take="t", request_id="r", document_id="d", attempt=1, at=NOW)
    late = NOW + timedelta(minutes=3)

    def of(wall: datetime = NOW, **document: Any) -> Fate:
        return fate(cast(Document, {"document_id": "d", **document}), taking, wall)

    assert of(blank="t", issued_at=NOW) is Fate.USED
    assert of(blank="other", issued_at=NOW) is of(late, blank="other", issued_at=NOW) is Fate.GIVE_BACK
    assert of(print_attempt=2) is Fate.GIVE_BACK
    assert of(print_attempt=1) is Fate.WAIT
    assert of(late, print_attempt=1) is Fate.END_ATTEMPT
    assert fate(None, taking, late) is Fate.WAIT


movements = st.tuples(st.sampled_from(BlankChange), st.integers(1, 5))


@given(st.lists(movements, max_size=30))
def test_16_movements_keep_the_balance(moves: list[tuple[BlankChange, int]]) -> None:
    stock: Stock = {**opened(KTP), "on_hand": 5, "received": 5}
    for change, count in moves:
        try:
            after = move_stock(stock, change, count)
        except NoBlank:
            assert count > stock["on_hand"]
            continue
        assert after["on_hand"] == stock["on_hand"] + (count if change is BlankChange.RECEIVED else -count)
        stock = after
        assert balanced(stock)


actions = st.lists(
    st.one_of(movements, st.tuples(st.sampled_from(["print", "crash", "late", "settle", "hour"]), st.integers(0, 3)))
)


@settings(max_examples=60, deadline=None)
@given(actions)
def test_16_received_is_on_hand_used_spoiled_and_lost_whatever_crashes(todo: list[tuple[str, int]]) -> None:
    """Prints, crashes between ledger and case, callers that wake late, the leader: the balance holds after every single step."""
    asyncio.run(_play(todo))


async def _play(todo: list[tuple[str, int]]) -> None:
    store, times = MemoryStore(), Times()
    runtime = Runtime(Settings(), times, cast(Any, store), store.collection("cases"), Signal())
    desk = Desk(details(*[ServiceKind.KIA] * 4), completed(dict.fromkeys(range(4), ItemVisitOutcome.DONE))).open()
    for n in range(4):
        desk.walk("PRINT_READY", document=n)
    await runtime.cases.insert(cast(dict[str, Any], {**desk.case}))
    ledger = Ledger(store.collection("blanks"))
    await ledger.read()
    store.collections["blanks"].documents["KIA"] |= {"on_hand": 3, "received": 3}
    for what, n in todo:
        await _act(runtime, ledger, times, what, n)
        assert balanced(store.collections["blanks"].documents["KIA"])
    for _ in range(3):
        times.at += timedelta(hours=1)
        await settle_once(runtime, ledger)
    stock = store.collections["blanks"].documents["KIA"]
    printed = [d["blank"] for d in store.collections["cases"].documents[REQUEST]["documents"] if "blank" in d]
    assert stock["used"] == len(printed) == len(set(printed))
    assert stock["taking"] == {}


async def _act(runtime: Runtime, ledger: Ledger, times: Times, what: str, n: int) -> None:
    case = cast(dict[str, Any], await runtime.cases.get(REQUEST))
    document = case["documents"][n % 4]
    if what in set(BlankChange):
        stock = (await ledger.read())[KIA]
        try:
            after = move_stock(stock, BlankChange(what), n)
        except NoBlank:
            return
        cast(MemoryStore, runtime.store).collections["blanks"].documents["KIA"] = cast(dict[str, Any], after)
    elif what == "settle":
        await settle_once(runtime, ledger)
    elif what == "hour":
        times.at += timedelta(hours=1)
    elif what in {"crash", "late"}:
        attempt = document.get("print_attempt", 0) - (what == "late")
        try:
            await ledger.take(KIA, REQUEST, document["document_id"], max(attempt, 0), times.wall())
        except NoBlank:
            return
    elif "blank" not in document:
        attempt = document.get("print_attempt", 0)
        try:
            take = await ledger.take(KIA, REQUEST, document["document_id"], attempt, times.wall())
        except NoBlank:
            return
        move = Move(DocumentStatus.PRINTED, siak_reference="S", blank=Blank(take, attempt))
        after_case = move_document(cast(Case, case), document["document_id"], move, lambda: "never", times.now())
        stored_case = {k: v for k, v in after_case.items() if k != "emits"}
        cast(MemoryCollection, runtime.cases).documents[REQUEST] = cast(
            dict[str, Any], {**stored_case, "version": case["version"] + 1}
        )


def test_an_opening_that_forgets_a_kind_does_not_load() -> None:
    for wrong in ({"KTP": 1}, {"KTP": 1, "KIA": -1}, {"KTP": 1, "KIA": 1, "SIM": 1}):
        with pytest.raises(ValidationError):
            Opening.model_validate(wrong)


async def promised(client: Client) -> list[Any]:
    return [i["card_promised"] for i in (await client.shown())["items"]]


async def test_trap_17_no_blank_means_no_card_is_promised_and_the_recording_goes_on(client: Client) -> None:
    await stock_up(client, KTP, 0)
    kinds = (ServiceKind.KTP_RECORDING, ServiceKind.KTP_NEW, ServiceKind.KIA, ServiceKind.KK_CHANGE)
    card, child_card, paper = await client.have(*kinds)
    shown = (await client.shown())["items"]
    assert [i["card_promised"] for i in shown] == [None, False, True, None]
    assert shown[0]["status"] == "DONE"  # the visit took place and the recording is finished by it
    assert (await client.move(paper, {"to": "DATA_ENTERED"})).status_code == 200
    for step in CARD_WAY[:3]:
        assert (await client.move(card, {"to": step})).status_code == 200
    refused = await client.move(card, PRINTED)
    assert (refused.status_code, refused.json()["title"]) == (409, "no_blank")
    assert (await client.move(card, {"to": "ON_HOLD", "reason": "NO_BLANK"})).status_code == 200
    await stock_up(client, KTP, 1)
    assert await promised(client) == [None, True, True, None]
    assert (await client.move(card, {"to": "PRINT_READY"})).status_code == 200
    assert (await client.move(card, PRINTED)).status_code == 200
    assert (await stock_of(client))["on_hand"] == 0
    assert await promised(client) == [None, True, True, None]  # this one is printed
    await client.post(f"/v1/items/{item_id(2)}/transitions", {"to": "WITHDRAWN"})
    assert await promised(client) == [None, True, False, None]
    assert child_card


async def test_settling_one_taking_again_leaves_a_later_one_alone(client: Client) -> None:
    ledger = ledger_of(client)
    await ledger.take(KIA, REQUEST, "d", 0, NOW)
    [first] = (await ledger.read())[KIA]["taking"].values()
    await ledger.settle(KIA, first, used=True)
    second = await ledger.take(KIA, REQUEST, "d", 0, NOW)
    for used in (True, False):  # a leader that was paused
        await ledger.settle(KIA, first, used=used)
    stock = (await ledger.read())[KIA]
    assert [t["take"] for t in stock["taking"].values()] == [second]
    assert (stock["used"], stock["on_hand"]) == (2, 1998)
