"""What every answer of the portal gets: security headers, a count by route, one log line without anything personal."""

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pelangi.chassis.metrics import HTTP

log = logging.getLogger("portal")

BODY_LIMIT = 1_000_000
_SAFE = {"GET", "HEAD", "OPTIONS"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


class TooLarge(Exception):
    """A body over the limit."""


async def read_body(request: Request) -> bytes:
    """The whole body; TooLarge as soon as it is known to be over the limit."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_LIMIT:
            raise TooLarge
        chunks.append(chunk)
    return b"".join(chunks)


class Edge:
    """Around the whole application; logs and metrics know the route, never the address that was opened."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            if from_elsewhere(scope):
                await _refuse(send_with_headers)
            else:
                await self._app(scope, receive, send_with_headers)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    @staticmethod
    def _note(scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        method = scope["method"] if scope["method"] in _SAFE | {"POST", "PUT"} else "other"
        HTTP.labels(route, method, str(status)).observe(seconds)
        log.info("http", extra={"route": route, "method": method, "status": status, "ms": round(seconds * 1000, 1)})


def from_elsewhere(scope: Scope) -> bool:
    """True for a change that another site makes a browser ask for."""
    site = Headers(scope=scope).get("sec-fetch-site", "none")
    return scope["method"] not in _SAFE and site not in {"same-origin", "none"}


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": b"Refused: sent by another site\n"})
