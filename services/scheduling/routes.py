"""HTTP of scheduling: call -> transition -> reply. No rules and no database here; the calls by subject in `routes_*`."""

from fastapi import APIRouter

from pelangi.chassis.service import Runtime
from services.scheduling.roads import Roads
from services.scheduling.routes_plans import add_plans
from services.scheduling.routes_reference import add_tables
from services.scheduling.routes_requests import add_requests
from services.scheduling.routes_visits import add_visits
from services.scheduling.work import Work


def routes(runtime: Runtime, roads: Roads | None = None) -> APIRouter:
    """The routes of scheduling. roads: see `Work.of`."""
    router, work = APIRouter(), Work.of(runtime, roads=roads)
    add_visits(router, work)
    add_requests(router, work)
    add_plans(router, work)
    add_tables(router, work)
    return router
