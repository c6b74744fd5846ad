"""The HTTP edge of every service: problems, bodies, idempotency headers, health, metrics, offline documentation."""

import asyncio
import hmac
import json
import logging
import math
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from pelangi.chassis.edge import Answers, Edge
from pelangi.chassis.openapi import PROBLEM, document_problems
from pelangi.chassis.store import StoreError
from pelangi.contracts.request import OWN_RULES

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1_000_000
BODY_S = 30.0
"""How long a whole body may take: a megabyte over a village's slow line, not a caller who holds the connection for ever."""
MAX_DEPTH = 600
"""Of a body that is read: what walks it afterwards, deeper in the stack, must be able to as well."""
MAX_DIGITS = 300
"""Of a whole number: more than any float holds."""
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One broken rule: where (RFC 9457 pointer such as `#/persons/0/nik`), which, and what to do; never the value."""

    pointer: str
    code: str
    detail: str


class Problem(Exception):
    """An answer that is an RFC 9457 problem."""

    def __init__(self, status: int, code: str, detail: str, errors: list[FieldError] | None = None) -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.errors = status, code, detail, errors or []

    def response(self) -> Response:
        """The problem+json answer."""
        body: dict[str, Any] = {
            "type": f"https://pelangi.invalid/problems/{self.code}",
            "title": self.code,
            "status": self.status,
            "detail": self.detail,
            "errors": [{"pointer": e.pointer, "code": e.code, "detail": e.detail} for e in self.errors],
        }
        headers = {"Retry-After": "2"} if self.status == 503 else None
        return JSONResponse(body, self.status, media_type=PROBLEM, headers=headers)


def invalid(errors: list[FieldError]) -> Problem:
    """422 with all broken rules at once."""
    return Problem(422, "invalid", "Isian belum benar. / The body breaks one or more rules.", errors)


def not_found() -> Problem:
    """404."""
    return Problem(404, "not_found", "Tidak ditemukan. / Not found.")


@dataclass(frozen=True, slots=True)
class Body:
    """A parsed JSON body, its digest, which ignores key order and white space, and the text as it came."""

    value: Any
    digest: str
    raw: bytes


async def read_body(request: Request, secret: str) -> Body:
    """The JSON body of a request.

    Raises Problem: 415 other content type, 413 over 1 MB, 408 where it does not come in time, 400 not JSON.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json" and not content_type.endswith("+json"):
        raise Problem(415, "content_type", "Kirim application/json. / Send application/json.")
    try:
        async with asyncio.timeout(BODY_S):
            raw = await _read_bytes(request)
    except TimeoutError:
        raise Problem(408, "too_slow", "Kiriman terlalu lambat. / The body did not come in time.") from None
    try:
        return parse_json(raw, secret, call=request.scope["path"].lower())
    except NotJson:
        raise Problem(400, "not_json", "Bukan JSON. / Not JSON.") from None


async def _read_bytes(request: Request) -> bytes:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise Problem(413, "too_large", "Lebih dari 1 MB. / Over 1 MB.")
    return bytes(raw)


class NotJson(ValueError):
    """Not JSON, or JSON that means different things to different readers. The text holds nothing of it."""


def parse_json(raw: bytes, secret: str, *, call: str = "") -> Body:
    """A JSON text, from whatever edge it came in. call: what is asked with it, so that one key cannot mean two calls.

    Raises NotJson, also for duplicate keys, lone surrogates, numbers that no float or reader holds, and deeper nesting than
    MAX_DEPTH.
    """
    try:
        value = _STRICT(raw.decode("utf-8"))
        if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:  # else it cannot be as deep
            _require_shallow(value)
        # a lone surrogate is legal in JSON text and in no database
        canonical = _CANONICAL(value).encode("utf-8")
    except (ValueError, RecursionError):
        raise NotJson("not JSON") from None
    return Body(value, hmac.digest(secret.encode(), call.encode() + b"\n" + canonical, "sha256").hex(), raw)


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _no_constant(_: str) -> None:
    raise ValueError("not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("too large a number")
    return number


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError("too large a number")
    return int(text)


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole).decode


def _require_shallow(value: Any) -> None:
    """Raises ValueError for what would exhaust the stack of code that walks it."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError("too deep")
        level = [
            child
            for node in level
            if isinstance(node, (dict, list))
            for child in (node.values() if isinstance(node, dict) else node)
        ]


def idempotency_key(request: Request) -> str:
    """The `Idempotency-Key`, a UUID in its usual spelling. Raises Problem 400 without or malformed."""
    text = request.headers.get("idempotency-key", "").strip().strip('"')
    if not _UUID.fullmatch(text):
        raise Problem(400, "idempotency_key", "Idempotency-Key (UUID) diperlukan. / Idempotency-Key (a UUID) is required.")
    return text.lower()


def if_match(request: Request) -> int:
    """The version in `If-Match`. Raises Problem 428 without; 412 for one that can match nothing."""
    text = request.headers.get("if-match")
    if text is None:
        raise Problem(428, "if_match", "If-Match diperlukan. / If-Match is required.")
    version = text.strip().removeprefix("W/").strip('"')
    if not (version.isascii() and version.isdigit() and len(version) < 12):
        raise Problem(412, "version", "Sudah berubah; muat ulang. / It has changed; read it again.")
    return int(version)


def validate(model: type[M], value: Any, *, broken: Sequence[FieldError] = (), raw: bytes = b"") -> M:
    """`value` as a model. `broken`: rules already found broken; all are answered at once. `raw`: its JSON, where it is at hand.

    Raises Problem 422 with one error per broken rule and no values.
    """
    errors = list(broken)
    try:
        valid = model.model_validate_json(raw or json.dumps(value))
    except ValidationError as error:
        errors += [_field_error(e) for e in error.errors(include_url=False, include_context=False, include_input=False)]
        raise invalid(errors) from None
    if errors:
        raise invalid(errors)
    return valid


_DETAILS = {
    "missing": "Wajib diisi. / Required.",
    "extra_forbidden": "Isian tidak dikenal. / Unknown field.",
    "enum": "Bukan salah satu pilihan. / Not one of the choices.",
}


def _field_error(error: Any) -> FieldError:
    pointer = "#" + "".join(f"/{_step(part)}" for part in error["loc"])
    code = error["type"]
    own = error["msg"] if code in OWN_RULES else None
    return FieldError(pointer, code, own or _DETAILS.get(code, "Isian tidak sesuai. / The value does not fit."))


_FIELD_NAME = re.compile(r"[A-Za-z_]{1,40}")


def _step(part: int | str) -> str:
    """One step of a pointer. A name that no field could have is not repeated: somebody may have typed a person into it."""
    return str(part) if isinstance(part, int) or _FIELD_NAME.fullmatch(part) else "?"


_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "format": "uuid"},
    "description": "Drawn once per intention; the same key and body give the same answer, whatever happened in between.",
}
_IF_MATCH_PARAMETER = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "schema": {"type": "string"},
    "description": "The ETag that was read; 412 when it has moved on.",
}


def documented(model: type[BaseModel], *, versioned: bool = False) -> dict[str, Any]:
    """OpenAPI of a command (`openapi_extra`): its body, whole, and its headers. `versioned`: it takes `If-Match`."""
    schema = model.model_json_schema()
    return {
        "parameters": [_KEY_PARAMETER, _IF_MATCH_PARAMETER] if versioned else [_KEY_PARAMETER],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _inlined(schema, schema.get("$defs", {}))}}},
    }


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """References of a nested schema would point into the document around it."""
    if isinstance(node, dict):
        if "$ref" in node:
            return _inlined(definitions[node["$ref"].rpartition("/")[2]], definitions)
        return {k: _inlined(v, definitions) for k, v in node.items() if k != "$defs"}
    return [_inlined(v, definitions) for v in node] if isinstance(node, list) else node


def etag(version: int) -> str:
    """A version as an entity tag."""
    return f'"{version}"'


HealthCheck = Callable[[], Awaitable[dict[str, bool]]]
"""Truth per component; `ready` names the components that must be true."""


def make_app(
    name: str,
    *,
    lifespan: Any,
    asyncapi: dict[str, Any],
    ready: Callable[[], Awaitable[tuple[bool, dict[str, str]]]],
    live: Callable[[], bool],
) -> FastAPI:
    """A FastAPI app with what every service answers: health, metrics, OpenAPI 3.1, offline `/docs`, AsyncAPI."""
    app = FastAPIOffline(title=f"Pelangi {name}", version="1", lifespan=lifespan, redoc_url=None)
    document_problems(app)
    answers: Answers = (
        (Problem, _on_problem),
        (HTTPException, _on_http_exception),
        (RequestValidationError, _on_bad_parameters),
        (StoreError, _on_store_error),
    )
    app.add_middleware(Edge, answers=answers, internal=_internal)
    for kind, answer in answers:
        app.add_exception_handler(kind, answer)

    @app.get("/healthz/live", include_in_schema=False)
    async def live_() -> Response:
        return JSONResponse({"live": True}) if live() else JSONResponse({"live": False}, 503)

    @app.get("/healthz/ready", include_in_schema=False)
    async def ready_() -> Response:
        ok, components = await ready()
        return JSONResponse({"ready": ok, "components": components}, 200 if ok else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics_() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/asyncapi.json", include_in_schema=False)
    async def asyncapi_() -> Response:
        return JSONResponse(asyncapi)

    return app


def _internal() -> Response:
    return Problem(500, "internal", "Kesalahan di sisi kami. / A fault on our side.").response()


async def _on_problem(_: Request, problem: Any) -> Response:
    response: Response = problem.response()
    return response


async def _on_http_exception(request: Request, error: Any) -> Response:
    if error.status_code == 404:
        return not_found().response()
    response = Problem(error.status_code, "http", "Tidak dapat dilayani. / Cannot be served.").response()
    response.headers.update(error.headers or {})
    if error.status_code == 405:
        response.headers["Allow"] = ", ".join(_methods(request))
    return response


def _methods(request: Request) -> list[str]:
    """The methods that this path has: a method may be in a route of its own."""
    fits = (r for r in request.app.routes if r.matches(request.scope)[0] is not Match.NONE)
    return sorted({method for route in fits for method in getattr(route, "methods", None) or () if method != "HEAD"})


async def _on_bad_parameters(_: Request, error: Any) -> Response:
    if any(e["loc"][0] == "path" for e in error.errors()):
        return not_found().response()
    return invalid([_field_error(e) for e in error.errors()]).response()


async def _on_store_error(_: Request, error: Any) -> Response:
    log.warning("store unavailable", extra={"error": type(error).__name__})
    return Problem(503, "unavailable", "Coba lagi sebentar. / Try again shortly.").response()
