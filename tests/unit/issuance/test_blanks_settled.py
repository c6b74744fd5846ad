"""A blank that was taken while its caller crashed, slept or was overtaken: given back or used, once."""

from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from pelangi.contracts.codes import ServiceKind
from services.issuance.blanks import (
    Fate,
    Taking,
    fate,
)
from services.issuance.case import Document
from services.issuance.settling import settle_once
from tests.support.memory_store import store_fault
from tests.unit.issuance.officer import Client
from tests.unit.issuance.scenario import NOW, REQUEST, item_id
from tests.unit.issuance.stock import KIA, PRINTED, Times, ledger_of, print_ready, stock_of, stock_up, stored


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
