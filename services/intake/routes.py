"""HTTP of intake: call -> transition -> reply. No rules and no database here."""

from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pelangi.chassis.commands import Answer, Command
from pelangi.chassis.edge import PlainRoute
from pelangi.chassis.ids import derived_id
from pelangi.chassis.service import Runtime
from pelangi.chassis.store import UniqueIndexTaken
from pelangi.chassis.web import documented, etag, idempotency_key, not_found, read_body
from pelangi.contracts.codes import RequestStatus
from pelangi.contracts.request import RequestBody, VillageCode
from services.intake import store
from services.intake.calls import Calls
from services.intake.checking import checked
from services.intake.draws import draw
from services.intake.duplicates import original
from services.intake.matching import keyed
from services.intake.metrics import REQUESTS
from services.intake.model import Case, submit
from services.intake.receipt import read_receipt_code
from services.intake.routes_life import life_routes
from services.intake.views import receipt, row, tracking, whole

CLIENT = "portal"
"""All officers are one client until sign-in tells clients apart (CONTRACTS.md §3)."""


def routes(runtime: Runtime) -> APIRouter:
    """The routes of intake."""
    router, calls = APIRouter(), Calls(runtime)
    _add_filing(router, calls)
    _add_queries(router, calls)
    router.include_router(life_routes(runtime))
    return router


def _add_filing(router: APIRouter, calls: Calls) -> None:
    clock = calls.runtime.clock
    namespace = UUID(cast(Any, calls.runtime.settings).deployment_secret.get_secret_value())

    async def submit_request(request: Request) -> Response:
        """File a request for help; the same key and body give the same answer for ever."""
        key = idempotency_key(request)
        raw = await read_body(request, calls.secret)
        request_id = derived_id(namespace, CLIENT, key)
        command = Command(key, raw.digest, creates=True, traceparent=request.headers.get("traceparent", ""))

        filed: list[tuple[str, str, bytes]] = []

        def transition(case: Case) -> tuple[Case, Answer]:
            now = clock.now()
            body = checked(raw.value, now, raw.raw)
            after = keyed(submit(case, body, draw(body), now), calls.secret, body)
            answer = Answer.of(201, receipt(after), location=f"/v1/requests/{request_id}")
            filed.append((body.place.visit_kind, after["status"], answer.body))
            return after, answer

        while True:
            try:
                response = await calls.run(request_id, command, transition)
            except UniqueIndexTaken:  # another request has this receipt code: draw again
                continue
            for visit_kind, status, answered in filed[-1:]:
                if answered == response.body:  # a repeated key is answered what was filed before
                    REQUESTS.labels(visit_kind, status).inc()
            return response

    router.add_api_route(
        "/v1/requests",
        submit_request,
        methods=["POST"],
        status_code=201,
        openapi_extra=documented(RequestBody),
        route_class_override=PlainRoute,
    )


def _add_queries(router: APIRouter, calls: Calls) -> None:
    cases = calls.runtime.cases

    @router.get("/v1/requests/{request_id}")
    async def get_request(request_id: UUID) -> Response:
        """The whole request; `ETag` is its version."""
        case = await calls.case(request_id)
        return JSONResponse(whole(case), headers={"ETag": etag(case["content_version"])})

    @router.get("/v1/requests")
    async def list_requests(
        status: RequestStatus | None = None, village_code: VillageCode | None = None, cursor: str | None = None
    ) -> Response:
        """A page of requests, newest first; `Link: rel="next"` where there are more (RFC 8288)."""
        now = calls.runtime.clock.now()
        rows, after = await store.page(cases, status=status, village_code=village_code, cursor=cursor, now=now)
        query = {k: v for k, v in {"status": status, "village_code": village_code, "cursor": after}.items() if v}
        headers = {"Link": f'</v1/requests?{urlencode(query)}>; rel="next"'} if after else {}
        return JSONResponse({"requests": [row(cast(Case, r)) for r in rows]}, headers=headers)

    @router.get("/v1/tracking/{receipt_code}")
    async def track(receipt_code: str) -> Response:
        """Where a request stands, for whoever holds its receipt: of a duplicate, where the other stands. 404 otherwise."""
        code = read_receipt_code(receipt_code)
        case = await store.by_receipt_code(cases, code) if code else None
        if case is None or code is None:
            raise not_found()
        return JSONResponse(tracking(await original(cases, cast(Case, case)), code))
