"""The outermost layer of a service's HTTP, in bare ASGI: every call is counted and timed, and no fault of ours shows its text.

Starlette's own middleware of functions runs each call in tasks of its own, and FastAPI's routing and parsing cost more than most
calls themselves; so routes that are called often are plain ones, called straight from here.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pelangi.chassis.logs import without_text
from pelangi.chassis.metrics import HTTP

log = logging.getLogger(__name__)

CLIENT_GONE = 499
"""In metrics only: the caller went away before the whole body was here."""

Answers = Sequence[tuple[type[Exception], Callable[[Request, Any], Awaitable[Response]]]]
"""How an exception is answered, by its class."""


class PlainRoute(APIRoute):
    """A route whose endpoint takes the request and returns the response; documented like any other.

    Give it as `route_class_override` to `add_api_route`. Nothing is parsed or checked before the endpoint is called.
    """

    def get_route_handler(self) -> Callable[[Request], Any]:
        """The endpoint itself."""
        return self.endpoint


class Edge:
    """Middleware. answers: of the exceptions that the app expects; internal: of all others, before anything is sent."""

    def __init__(self, app: ASGIApp, answers: Answers, internal: Callable[[], Response]) -> None:
        self._app, self._answers, self._internal = app, answers, internal
        self._plain: dict[tuple[str, str], PlainRoute] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._serve(scope, receive, watched)
        except ClientDisconnect:  # nobody is there to be answered
            if not status:
                await Response(status_code=400)(scope, receive, send)
            status = CLIENT_GONE
        except Exception as error:
            log.error("unexpected", extra={"error": type(error).__name__}, exc_info=without_text(error))
            if status:  # half an answer is out: the server ends the connection
                raise
            await self._internal()(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            HTTP.labels(route, scope["method"], str(status or 500)).observe(time.perf_counter() - started)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        plain = self._plain.get((path, method))
        if plain is None:
            await self._app(scope, receive, send)
            found = scope.get("route")
            if isinstance(found, PlainRoute) and found.path == path and method in (found.methods or ()):
                self._plain[path, method] = found  # only what was declared so: there are never many
            return
        scope["route"] = plain
        request = Request(scope, receive)
        try:
            response: Response = await plain.endpoint(request)
        except Exception as error:  # noqa: BLE001 - raised again unless it is expected
            response = await self._answer(request, error)
        await response(scope, receive, send)

    async def _answer(self, request: Request, error: Exception) -> Response:
        for kind, answer in self._answers:
            if isinstance(error, kind):
                return await answer(request, error)
        raise error
