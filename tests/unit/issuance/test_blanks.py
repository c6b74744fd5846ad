"""The ledger of blanks: one for each card, never less than none, whatever crashes or races."""

import asyncio
from collections import Counter
from datetime import timedelta
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
    Ledger,
    NoBlank,
    Opening,
    Stock,
    move_stock,
    opened,
)
from services.issuance.case import Case
from services.issuance.documents import DocumentStatus
from services.issuance.metrics import BLANKS
from services.issuance.model import Blank, Move, move_document
from services.issuance.settling import settle_once
from tests.support.memory_store import MemoryCollection, MemoryStore
from tests.unit.issuance.officer import Client
from tests.unit.issuance.scenario import CARD_WAY, REQUEST, Desk, completed, details, item_id
from tests.unit.issuance.stock import KIA, KTP, PRINTED, Times, balanced, ledger_of, print_ready, stock_of, stock_up, stored


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
