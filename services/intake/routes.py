"""HTTP of intake: call -> transition -> reply. No rules and no database here."""

from dataclasses import replace
from operator import itemgetter
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from pelangi.chassis.commands import ON_DOCUMENT, Answer, Command, execute
from pelangi.chassis.ids import derived_id
from pelangi.chassis.service import Runtime
from pelangi.chassis.store import UniqueIndexTaken
from pelangi.chassis.web import Problem, documented, etag, idempotency_key, if_match, not_found, read_body, validate
from pelangi.contracts.codes import RequestStatus
from pelangi.contracts.request import RequestBody, VillageCode
from services.intake import store
from services.intake.checking import checked
from services.intake.draws import draw
from services.intake.metrics import REQUESTS
from services.intake.model import Case, is_open, submit, withdraw
from services.intake.receipt import read_receipt_code
from services.intake.views import receipt, row, tracking, whole

CLIENT = "portal"
"""All officers are one client until sign-in tells clients apart (CONTRACTS.md §3)."""


LEDGER = replace(ON_DOCUMENT, version=itemgetter("content_version"))


class Withdrawal(BaseModel):
    """No reason is demanded."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    reason: str | None = Field(None, max_length=500)


def routes(runtime: Runtime) -> APIRouter:
    """The routes of intake."""
    router = APIRouter()
    _add_commands(router, runtime)
    _add_queries(router, runtime)
    return router


async def _read_case(runtime: Runtime, request_id: UUID) -> Case:
    case = await runtime.cases.get(str(request_id))
    if case is None or "body" not in case:
        raise not_found()
    return cast(Case, case)


def _add_commands(router: APIRouter, runtime: Runtime) -> None:
    cases, clock = runtime.cases, runtime.clock
    namespace = UUID(cast(Any, runtime.settings).deployment_secret.get_secret_value())
    digest_secret = runtime.settings.digest_secret.get_secret_value()

    async def run(request_id: str, command: Command, transition: Any) -> Response:
        answer = await execute(cases, request_id, command, transition, clock=clock, ledger=LEDGER)
        runtime.written.set()
        return answer.response()

    @router.post("/v1/requests", status_code=201, openapi_extra=documented(RequestBody))
    async def submit_request(request: Request) -> Response:
        """File a request for help; the same key and body give the same answer for ever."""
        key = idempotency_key(request)
        raw = await read_body(request, digest_secret)
        request_id = derived_id(namespace, CLIENT, key)
        command = Command(key, raw.digest, creates=True, traceparent=request.headers.get("traceparent", ""))

        def transition(case: Case) -> tuple[Case, Answer]:
            body = checked(raw.value, clock.now())
            after = submit(case, body, draw(body), clock.now())
            REQUESTS.labels(body.place.visit_kind, after["status"]).inc()
            return after, Answer.of(201, receipt(after), location=f"/v1/requests/{request_id}")

        while True:
            try:
                return await run(request_id, command, transition)
            except UniqueIndexTaken:  # another request has this receipt code: draw again
                continue

    @router.post("/v1/requests/{request_id}/withdrawal", openapi_extra=documented(Withdrawal, versioned=True))
    async def withdraw_request(request_id: UUID, request: Request) -> Response:
        """The requester no longer wants it."""
        key = idempotency_key(request)
        raw = await read_body(request, digest_secret)
        known = await _read_case(runtime, request_id)
        command = Command(key, raw.digest, if_match=_if_match_unless_known(request, known, key))

        def transition(case: Case) -> tuple[Case, Answer]:
            body = validate(Withdrawal, raw.value)
            if not is_open(case):
                raise closed_already()
            after = withdraw(case, body.reason, clock.now())
            return after, Answer.of(200, {"request_id": after["_id"], "status": after["status"]})

        return await run(str(request_id), command, transition)


def _add_queries(router: APIRouter, runtime: Runtime) -> None:
    cases = runtime.cases

    @router.get("/v1/requests/{request_id}")
    async def get_request(request_id: UUID) -> Response:
        """The whole request; `ETag` is its version."""
        case = await _read_case(runtime, request_id)
        return JSONResponse(whole(case), headers={"ETag": etag(case["content_version"])})

    @router.get("/v1/requests")
    async def list_requests(
        status: RequestStatus | None = None, village_code: VillageCode | None = None, cursor: str | None = None
    ) -> Response:
        """A page of requests, newest first; `Link: rel="next"` where there are more (RFC 8288)."""
        rows, after = await store.page(cases, status=status, village_code=village_code, cursor=cursor)
        query = {k: v for k, v in {"status": status, "village_code": village_code, "cursor": after}.items() if v}
        headers = {"Link": f'</v1/requests?{urlencode(query)}>; rel="next"'} if after else {}
        return JSONResponse({"requests": [row(cast(Case, r)) for r in rows]}, headers=headers)

    @router.get("/v1/tracking/{receipt_code}")
    async def track(receipt_code: str) -> Response:
        """Where a request stands, for whoever holds its receipt; 404 for anything unknown or malformed."""
        code = read_receipt_code(receipt_code)
        case = await store.by_receipt_code(cases, code) if code else None
        if case is None:
            raise not_found()
        return JSONResponse(tracking(cast(Case, case)))


def _if_match_unless_known(request: Request, case: Case, key: str) -> int | None:
    """A repeated call is answered before its precondition is looked at."""
    if any(record["key"] == key for record in case.get("keys", [])):
        return None
    return if_match(request)


def closed_already() -> Problem:
    """409: the request is closed."""
    return Problem(409, "state", "Permohonan sudah ditutup. / The request is closed.")
