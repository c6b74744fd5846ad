"""A stand-in for intake: the answers of CONTRACTS.md §4, without store, broker or rules of its own beyond the shapes."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pelangi.contracts.request import RequestBody

CODES = [f"ABCDE-FGH{a}{b}-M" for a in "0123456789" for b in "0123456789"]


@dataclass(frozen=True)
class Call:
    """One POST /v1/requests as intake saw it, and how it was answered."""

    key: str
    body: Any
    headers: dict[str, str]
    status: int


@dataclass
class FakeIntake:
    """Set `away` to be unreachable; `tracking` and `warnings` are what is answered."""

    calls: list[Call] = field(default_factory=list)
    answers: dict[str, tuple[Any, dict[str, Any]]] = field(default_factory=dict)
    tracking: dict[str, dict[str, Any]] = field(default_factory=dict)
    warnings: list[dict[str, str]] = field(default_factory=list)
    extra_errors: list[dict[str, str]] = field(default_factory=list)
    away: bool = False

    @property
    def filed(self) -> list[Any]:
        """The body of each request that exists, once."""
        return [body for body, _ in self.answers.values()]

    def answer(self, method: str, path: str, headers: dict[str, str], content: bytes) -> tuple[int, dict[str, Any]]:
        """Status and JSON body of one exchange."""
        if path == "/healthz/live":
            return 200, {"live": True}
        if method == "GET" and path.startswith("/v1/tracking/"):
            found = self.tracking.get(path.rpartition("/")[2])
            return (200, found) if found else (404, _problem(404, "not_found"))
        if method == "POST" and path == "/v1/requests":
            body = json.loads(content)
            status, answer = self._file(headers.get("idempotency-key", ""), body)
            self.calls.append(Call(headers.get("idempotency-key", ""), body, headers, status))
            return status, answer
        return 404, _problem(404, "not_found")

    def _file(self, key: str, body: Any) -> tuple[int, dict[str, Any]]:
        UUID(key)
        if key in self.answers:
            known, answer = self.answers[key]
            return (201, answer) if known == body else (422, _problem(422, "key_reused"))
        errors = [*_shape_errors(body), *self.extra_errors]
        if errors:
            return 422, _problem(422, "invalid") | {"errors": errors}
        answer = self._accepted(body)
        self.answers[key] = body, answer
        return 201, answer

    def _accepted(self, body: Any) -> dict[str, Any]:
        code = CODES[len(self.answers)]
        items = [
            {"item_id": str(uuid4()), "person_ref": person["ref"], "service_kind": service, "missing": _missing(person)}
            for person in body["persons"]
            for service in person["services"]
        ]
        self.tracking[code] = {
            "receipt_code": code,
            "status": "SCHEDULED",
            "received_at": "2026-11-24T02:10:00Z",
            "due_on": "2026-12-08",
            "visit": {"date": "2026-11-30"},
            "closed": None,
            "items": [{"service_kind": item["service_kind"], "status": "SCHEDULED"} for item in items],
        }
        return {
            "request_id": str(uuid4()),
            "receipt_code": code,
            "status": "ACCEPTED",
            "due_on": "2026-12-08",
            "items": items,
            "warnings": self.warnings,
        }

    def transport(self) -> httpx.MockTransport:
        """Answers as a transport of httpx; the portal's four services are told apart by port."""

        def handle(request: httpx.Request) -> httpx.Response:
            if self.away or request.url.port != 8001:
                raise httpx.ConnectError("nobody there", request=request)
            status, body = self.answer(request.method, request.url.path, dict(request.headers), request.content)
            return httpx.Response(status, json=body)

        return httpx.MockTransport(handle)

    def app(self) -> Starlette:
        """Answers as a server."""

        async def handle(request: Request) -> Response:
            if self.away:
                return Response(status_code=503)
            status, body = self.answer(request.method, request.url.path, dict(request.headers), await request.body())
            return Response(json.dumps(body), status, media_type="application/json")

        return Starlette(routes=[Route("/{path:path}", handle, methods=["GET", "POST"])])


def _shape_errors(body: Any) -> list[dict[str, str]]:
    try:
        checked = RequestBody.model_validate_json(json.dumps(body))
    except ValidationError as error:
        return [_error("#" + "".join(f"/{step}" for step in e["loc"]), e["type"]) for e in error.errors()]
    niks = [(at, person.nik) for at, person in enumerate(checked.persons) if person.nik is not None]
    return [_error(f"#/persons/{at}/nik", "nik_format") for at, nik in niks if len(nik) != 16]


def _error(pointer: str, code: str) -> dict[str, str]:
    return {"pointer": pointer, "code": code, "detail": "Isian tidak sesuai. / The value does not fit."}


def _missing(person: Any) -> list[dict[str, str]]:
    codes = [code for code, name in (("NAME", "name"), ("NIK", "nik")) if not person.get(name)]
    return [{"code": code, "detail": code} for code in [*codes, "KK_OLD", "F102"]]


def _problem(status: int, code: str) -> dict[str, Any]:
    return {"type": f"https://pelangi.invalid/problems/{code}", "title": code, "status": status, "detail": "", "errors": []}
