"""The timer that opens documents, and how the service is composed."""

from typing import Any, cast

import pytest

from pelangi.chassis.clock import SystemClock
from pelangi.chassis.ids import random_id
from pelangi.contracts import topics
from pelangi.contracts.codes import DocumentKind, ItemVisitOutcome, ServiceKind
from services.issuance import opening
from services.issuance.app import make
from services.issuance.metrics import ITEMS_CLOSED
from services.issuance.opening import open_once
from services.issuance.store import INDEXES
from tests.unit.issuance.officer import Client
from tests.unit.issuance.scenario import REQUEST, Desk, completed, details


async def test_documents_are_opened_in_one_bulk_with_random_ids(client: Client) -> None:
    first = Desk(details(ServiceKind.KK_NEW, ServiceKind.KTP_RECORDING, ServiceKind.KIA)).case
    for n in range(5):
        await client.cases.insert(cast(dict[str, Any], {**first, "_id": f"{REQUEST[:-1]}{n}"}))
    assert await open_once(client.runtime, random_id) == 5
    assert client.cases.calls["update_many_guarded"] == 1
    ids = [d["document_id"] for c in client.cases.documents.values() for d in c["documents"]]
    assert len(set(ids)) == 10
    assert {i[14] for i in ids} == {"7"}
    assert await open_once(client.runtime, random_id) == 0


async def test_the_timer_takes_all_that_waits(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "CASES_PER_RUN", 2)
    for n in range(5):
        await client.cases.insert(cast(dict[str, Any], {**Desk(details(ServiceKind.KIA)).case, "_id": f"{REQUEST[:-1]}{n}"}))
    timer = opening.opening(client.runtime)
    await timer.work()
    assert all(d["documents"] for d in client.cases.documents.values())


async def test_a_case_that_moved_on_is_opened_by_the_next_run(client: Client) -> None:
    await client.cases.insert(cast(dict[str, Any], {**Desk(details(ServiceKind.KIA)).case}))

    async def race(method: str) -> None:
        if method == "update_many_guarded":
            client.cases.before = None
            client.cases.documents[REQUEST]["version"] += 1

    client.cases.before = race
    assert await open_once(client.runtime, random_id) == 0
    assert await open_once(client.runtime, random_id) == 1
    assert [d["document_kind"] for d in (await client.case())["documents"]] == [DocumentKind.KIA]


def test_the_service_is_composed_of_all_that_it_reads() -> None:
    service = make()
    assert set(service.handlers) == set(topics.read_by("issuance"))
    assert set(service.openers) == {topics.REQUEST_DETAILS, topics.VISIT_DETAILS}
    assert service.indexes is INDEXES


def test_what_handlers_close_is_counted() -> None:
    service = make()
    before = ITEMS_CLOSED.labels("DONE")._value.get()
    case: Any = {"_id": REQUEST, "version": 0}
    for fact in (details(ServiceKind.CONSULTATION), completed({0: ItemVisitOutcome.DONE}), completed({0: ItemVisitOutcome.DONE})):
        case = service.handlers[fact.type](case, fact, SystemClock().now())
    assert ITEMS_CLOSED.labels("DONE")._value.get() == before + 1
