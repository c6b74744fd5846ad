"""The HTTP edge and the composition root."""

from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError

from pelangi.chassis.clock import SystemClock
from pelangi.chassis.running import make_app
from pelangi.chassis.service import Runtime
from pelangi.chassis.signal import Signal
from pelangi.chassis.web import Problem, _on_bad_parameters, _on_problem
from pelangi.contracts.topics import REQUEST_DETAILS, VISIT_DETAILS
from services.notify.app import Settings, make
from services.notify.routes import routes
from tests.support.memory_store import MemoryCollection

from .facts import NOW, REQUEST, VISIT_1, created, details, fold, issued, scheduled


async def ask(cases: MemoryCollection, request_id: str) -> httpx.Response:
    app = FastAPI()
    app.include_router(routes(cast(Any, Runtime(Settings(), SystemClock(), cast(Any, None), cases, Signal()))))
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_bad_parameters)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notify") as client:
        return await client.get("/v1/messages", params={"request_id": request_id})


async def test_messages_of_a_request() -> None:
    cases = MemoryCollection()
    case = fold([created(), details(version=7), scheduled(), issued()])
    key = next(k for k in case["messages"] if k.startswith("ACCEPTED"))
    case["messages"][key] |= {"state": "SENT", "channel": "EMAIL", "sent_at": NOW}
    await cases.insert({**case, "version": 1})
    answer = await ask(cases, REQUEST.upper())
    assert answer.status_code == 200
    body = answer.json()
    assert (body["request_id"], body["details_version"]) == (REQUEST, 7)
    first, second, third = body["messages"]
    assert first == {
        "message_id": case["messages"][key]["message_id"],
        "purpose": "ACCEPTED",
        "visit_id": None,
        "revision": None,
        "document_id": None,
        "edition": None,
        "audience": "REQUESTER",
        "channel": "EMAIL",
        "state": "SENT",
        "reason": None,
        "reader": 0,
        "mail_message_id": f"<{case['messages'][key]['message_id']}@pelangi.invalid>",
        "sent_at": "2026-11-24T03:00:00.000Z",
    }
    assert (second["purpose"], second["visit_id"], second["revision"], second["state"]) == ("SCHEDULED", VISIT_1, 1, "PENDING")
    assert (third["purpose"], third["audience"], third["mail_message_id"]) == ("READY", "PERSON", None)
    assert "contoh.invalid" not in answer.text


async def test_unknown_and_malformed_requests() -> None:
    assert (await ask(MemoryCollection(), REQUEST)).status_code == 404
    malformed = await ask(MemoryCollection(), "1971042902609001x")
    assert malformed.status_code == 422
    assert "1971042902609001" not in malformed.text


def test_the_service_is_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SMTP_PORT", "2525")
    service = make()
    assert (service.settings.name, service.settings.port, cast(Settings, service.settings).smtp_port) == ("notify", 8004, 2525)
    assert set(service.openers) == {REQUEST_DETAILS, VISIT_DETAILS}
    assert [
        t.name
        for t in service.timers(
            cast(Any, Runtime(service.settings, SystemClock(), cast(Any, None), MemoryCollection(), Signal()))
        )
    ] == ["send"]
    assert "-dev" not in repr(service.settings)


async def test_the_app_answers_without_any_infrastructure() -> None:
    app = make_app(make(), SystemClock())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notify") as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert list(paths) == ["/v1/messages"]
        assert (await client.get("/healthz/live")).status_code == 200
