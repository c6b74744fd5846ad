"""HTTP of scheduling: call -> transition -> reply. No rules and no database here; the calls by subject in `routes_*`."""

from fastapi import APIRouter

from pelangi.chassis.service import Runtime
from services.scheduling.routes_plans import add_plans
from services.scheduling.routes_reference import add_tables
from services.scheduling.routes_requests import add_requests
from services.scheduling.routes_visits import add_visits


def routes(runtime: Runtime) -> APIRouter:
    """The routes of scheduling."""
    router = APIRouter()
    add_visits(router, runtime)
    add_requests(router, runtime)
    add_plans(router, runtime)
    add_tables(router, runtime)
    return router
