"""HTTP of issuance: call -> transition -> reply. No rules and no database here."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar, cast

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pelangi.chassis.commands import Answer, Command, execute
from pelangi.chassis.ids import random_id
from pelangi.chassis.service import Runtime
from pelangi.chassis.web import Body, Problem, documented, idempotency_key, invalid, not_found, read_body, validate
from pelangi.contracts.codes import ItemOutcome
from services.issuance import store
from services.issuance.blanks import BLANKS_COLLECTION, BlankKind, Ledger, NoBlank
from services.issuance.bodies import DocumentTransition, ItemTransition, missing
from services.issuance.case import Case, document_of, item_of
from services.issuance.metrics import count
from services.issuance.model import Blank, Missing, NeedsBlank, NotAllowed, close_item, move_document
from services.issuance.routes_blanks import add_blanks, no_blank
from services.issuance.views import Json, document_view, item_view, request_view

PRINT_TRIES = 4
"""A blank that was taken back meanwhile is taken anew."""

B = TypeVar("B", DocumentTransition, ItemTransition)


def routes(runtime: Runtime) -> APIRouter:
    """The routes of issuance."""
    router = APIRouter()
    ledger = Ledger(runtime.store.collection(BLANKS_COLLECTION))
    add_blanks(router, runtime, ledger)

    @router.get("/v1/requests/{request_id}/documents")
    async def read_documents(request_id: str) -> Response:
        """The items of a request and the documents opened for them."""
        case = await runtime.cases.get(request_id)
        if case is None:
            raise not_found()
        return JSONResponse(request_view(cast(Case, case), await ledger.read(), runtime.clock.now()))

    @router.post("/v1/items/{item_id}/transitions", openapi_extra=documented(ItemTransition))
    async def end_item(item_id: str, request: Request) -> Response:
        """End an item without a document: rejected by the office, or withdrawn by the resident."""
        key, raw = await _read(runtime, request)
        known = await store.case_of_item(runtime.cases, item_id)

        def change(case: Case) -> tuple[Case, Json]:
            body = _valid(ItemTransition, raw)
            after = close_item(case, item_id, ItemOutcome(body.to), body.reason, runtime.clock.now())
            return after, item_view(after, item_of(after, item_id), {}, runtime.clock.now())

        return await _run(runtime, known, _command(request, key, raw), change)

    @router.post("/v1/documents/{document_id}/transitions", openapi_extra=documented(DocumentTransition))
    async def move(document_id: str, request: Request) -> Response:
        """Take a document to its next status."""
        key, raw = await _read(runtime, request)
        known = await store.case_of_document(runtime.cases, document_id)

        next_edition, blank = random_id(), None

        def change(case: Case) -> tuple[Case, Json]:
            move = replace(_valid(DocumentTransition, raw).move(), blank=blank)
            after = move_document(case, document_id, move, lambda: next_edition, runtime.clock.now())
            document = document_of(after, document_id)
            return after, {"item_id": document["item_id"], **document_view(after, document, runtime.clock.now())}

        for _ in range(PRINT_TRIES):
            try:
                return await _run(runtime, known, _command(request, key, raw), change, fresh=blank is None)
            except NeedsBlank as needs:
                blank = await _take(ledger, needs, str(known and known["_id"]), document_id, runtime.clock.wall())
        raise Problem(503, "contention", "Coba lagi sebentar. / Try again shortly.")

    return router


async def _take(ledger: Ledger, needs: NeedsBlank, request_id: str, document_id: str, wall: datetime) -> Blank:
    """A blank for the card. Raises Problem 409 `no_blank`: it may go ON_HOLD NO_BLANK."""
    try:
        return Blank(await ledger.take(BlankKind(needs.kind), request_id, document_id, needs.attempt, wall), needs.attempt)
    except NoBlank:
        raise no_blank() from None


async def _read(runtime: Runtime, request: Request) -> tuple[str, Body]:
    """The key and the body as JSON."""
    key = idempotency_key(request)
    raw = await read_body(request, runtime.settings.digest_secret.get_secret_value())
    return key, raw


def _valid(model: type[B], raw: Body) -> B:
    """The body, once the key is known to be new. Raises Problem 422 for all that is wrong with it whatever the case is."""
    body = validate(model, raw.value)
    if errors := body.errors():
        raise invalid(errors)
    return body


def _command(request: Request, key: str, raw: Body) -> Command:
    return Command(key, raw.digest, traceparent=request.headers.get("traceparent", ""))


async def _run(
    runtime: Runtime, known: Case | None, command: Command, change: Callable[[Case], tuple[Case, Json]], *, fresh: bool = True
) -> Response:
    """The answer of a change of one case, applied once. Raises Problem 404, 409 `state`, or what `execute` raises.

    known: the case as it was found; fresh: just now, so that it need not be read again.
    """
    if known is None:
        raise not_found()
    tried: list[tuple[Case, Case]] = []

    def transition(case: Case) -> tuple[Case, Answer]:
        try:
            after, view = change(case)
        except LookupError:
            raise not_found() from None
        except NotAllowed:
            raise Problem(409, "state", "Langkah ini belum atau tidak lagi berlaku. / Not allowed in this state.") from None
        except Missing as lacks:
            raise invalid([missing(lacks.field)]) from None
        tried.append((case, after))
        return after, Answer.of(200, {"request_id": case["_id"], **view})

    read = cast(Any, known) if fresh else None
    answer = await execute(runtime.shared, known["_id"], command, transition, clock=runtime.clock, known=read)
    runtime.written.set()
    for before, after in tried[-1:]:
        count(before, after)
    return answer.response()
