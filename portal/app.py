"""The composition root: settings, the way to the services, routes. The only file that knows everything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

import httpx
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry
from prometheus_client.exposition import generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from pelangi.chassis.logs import setup_logs
from pelangi.chassis.metrics import HTTP
from pelangi.chassis.settings import DeploymentSettings
from portal import ops, routes, texts
from portal.edge import Edge
from portal.intake import Intake
from portal.pages import Portal, portal_of, templates, villages_by_district
from portal.passthrough import METHODS, PassThrough, problem
from portal.receipts import ReceiptBox
from portal.settings import PortalSettings


def create_app(settings: PortalSettings, *, transport: httpx.AsyncBaseTransport | None = None) -> ASGIApp:
    """The portal, ready to serve: words and templates are read and checked here.

    transport: another way to the services than the network, for tests.
    """
    texts.tables(), texts.messages(), templates(), villages_by_district(), ops.panels()
    urls = settings.service_urls()
    timeout = httpx.Timeout(settings.timeout_seconds, connect=min(3.0, settings.timeout_seconds))
    http = httpx.AsyncClient(transport=transport, timeout=timeout, follow_redirects=False, trust_env=False)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await http.aclose()

    app = Starlette(
        routes=[
            Route("/", routes.home),
            Route("/request", routes.show_form),
            Route("/request", routes.send_form, methods=["POST"]),
            Route("/request/done/{receipt_code}", routes.done),
            Route("/track", routes.track_entry),
            Route("/track/{receipt_code}", routes.track),
            Route("/api/{service}/{path:path}", PassThrough(http, urls).__call__, methods=METHODS),
            Route("/ops", ops.show),
            Route("/ops/query_range", ops.query_range),
            Route("/healthz/live", _live),
            Route("/healthz/ready", _ready),
            Route("/metrics", _metrics),
            Mount("/static", StaticFiles(directory=str(files("portal") / "static"))),
        ],
        exception_handlers={HTTPException: _http_error, Exception: _fault},
        lifespan=lifespan,
    )
    app.state.watch = ops.Watch(http, urls, str(settings.prometheus_url).rstrip("/"))
    app.state.portal = Portal(intake=Intake(http, urls["intake"]), receipts=ReceiptBox(settings.cookie_key))
    return Edge(app)


async def _live(_: Request) -> Response:
    return JSONResponse({"live": True})


async def _ready(request: Request) -> Response:
    """The portal is ready when it can serve pages; a form is kept safe even while intake is away."""
    intake = "reachable" if await portal_of(request).intake.reachable() else "unreachable"
    return JSONResponse({"ready": True, "components": {"pages": "ready", "intake": intake}})


async def _metrics(_: Request) -> Response:
    return Response(generate_latest(_registry), media_type=CONTENT_TYPE_LATEST)


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if request.url.path.startswith("/api/"):
        return problem(status, "http")
    return routes.trouble(request, "missing" if status == 404 else "refused", status=status)


async def _fault(request: Request, _: Exception) -> Response:
    return routes.trouble(request, "away", status=500)


def _collectors() -> CollectorRegistry:
    """Only what a portal has: its requests and its process, none of the Kafka and database metrics of the chassis."""
    registry = CollectorRegistry()
    for collector in (HTTP, PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
        registry.register(collector)
    return registry


_registry = _collectors()


def main() -> None:
    """Serves the portal until it is told to end; refuses where nobody may be served without sign-in."""
    deployment, settings = DeploymentSettings(), PortalSettings()
    setup_logs("portal", deployment.log_level)
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, access_log=False, log_config=None)


if __name__ == "__main__":
    main()
