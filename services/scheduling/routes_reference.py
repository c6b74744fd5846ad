"""Teams, calendar and points, which the office may change."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pelangi.chassis.commands import Answer, Command, execute, recall
from pelangi.chassis.store import Document
from pelangi.chassis.web import documented, etag, idempotency_key, if_match, read_body, validate
from services.scheduling.reference import TABLES, Table, defaults
from services.scheduling.work import Work


def add_tables(router: APIRouter, work: Work) -> None:
    """GET and PUT of each table."""
    for name, model in TABLES.items():
        _add_table(router, work, name, model)


def _add_table(router: APIRouter, work: Work, name: str, model: type[Table]) -> None:
    runtime, collection = work.runtime, work.reference.tables

    async def read() -> Document:
        return await collection.get(name) or defaults()[name]

    @router.get(f"/v1/{name}", name=f"get_{name}")
    async def get_table() -> Response:
        """The table as it stands; `ETag` is its version."""
        document = await read()
        return JSONResponse(document["value"], headers={"ETag": etag(document["version"])})

    @router.put(f"/v1/{name}", name=f"put_{name}", openapi_extra=documented(model, versioned=True))
    async def put_table(request: Request) -> Response:
        """Replace the table. Visits that have a date keep it."""
        key = idempotency_key(request)
        raw = await read_body(request, runtime.settings.digest_secret.get_secret_value())
        command = Command(key, raw.digest)
        if (known := recall(await read(), command)) is not None:  # a repeated call is answered before its precondition
            return known.response()
        command = Command(key, raw.digest, if_match=if_match(request))

        def transition(document: Any) -> tuple[Any, Answer]:
            value = validate(model, raw.value).model_dump(mode="json")
            return {**document, "value": value}, Answer.of(200, value)

        answer = await execute(collection, name, command, transition, clock=runtime.clock)
        runtime.written.set()
        return answer.response()
