"""The ledger of blanks over HTTP."""

from typing import Any, cast

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pelangi.chassis.commands import Answer, Command, execute, recall
from pelangi.chassis.service import Runtime
from pelangi.chassis.web import Problem, documented, idempotency_key, read_body, validate
from services.issuance.blanks import BlankMovement, Ledger, NoBlank, Stock, move_stock
from services.issuance.views import blanks_view


def add_blanks(router: APIRouter, runtime: Runtime, ledger: Ledger) -> None:
    """GET the stock, POST a movement."""

    @router.get("/v1/blanks")
    async def read_blanks() -> Response:
        """The blank cards on hand, and where the others went."""
        stocks = await ledger.read()
        return JSONResponse({"blanks": [blanks_view(kind, stock) for kind, stock in stocks.items()]})

    @router.post("/v1/blanks", openapi_extra=documented(BlankMovement))
    async def move_blanks(request: Request) -> Response:
        """Blanks came, were spoiled or lost, or were sent back."""
        key = idempotency_key(request)
        raw = await read_body(request, runtime.settings.digest_secret.get_secret_value())
        command = Command(key, raw.digest)
        for known in (await ledger.read()).values():  # the key may be bound in the ledger of the other kind
            if (answered := recall({**known}, command)) is not None:
                return answered.response()
        body = validate(BlankMovement, raw.value)

        def transition(stock: Any) -> tuple[Any, Answer]:
            try:
                after = move_stock(cast(Stock, stock), body.change, body.count)
            except NoBlank:
                raise no_blank() from None
            return after, Answer.of(200, blanks_view(body.kind, after))

        answer = await execute(ledger.collection, body.kind.value, command, transition, clock=runtime.clock)
        runtime.written.set()
        return answer.response()


def no_blank() -> Problem:
    """There is no blank for it."""
    return Problem(409, "no_blank", "Blangko tidak cukup. / Not enough blank cards.")
