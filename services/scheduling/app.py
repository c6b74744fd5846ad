"""Scheduling: gives every open request a visit, follows the teams, and says what came of it. The composition root."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, cast

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from pelangi.chassis.running import serve
from pelangi.chassis.service import Runtime, Service, Timer
from pelangi.chassis.settings import ServiceSettings, development_key, key_ring
from pelangi.contracts.sealing import planning_opener
from pelangi.contracts.topics import REQUEST_DETAILS, VISIT_DETAILS
from services.scheduling.announce import render_visits
from services.scheduling.case import Case
from services.scheduling.handlers import HANDLERS
from services.scheduling.planner.worker import Solver, Worker
from services.scheduling.planning import PlanBy
from services.scheduling.reference import REFERENCE, Sources, read_reference, seed
from services.scheduling.roads import Roads, read_roads
from services.scheduling.rolling import Announce
from services.scheduling.routes import routes
from services.scheduling.store import INDEXES
from services.scheduling.work import Work


class Settings(ServiceSettings):
    """planning_keys: opens the requests' snapshots. visit_keys: closes the visits' snapshots. announce: when people are told.

    plan_by: PRIORITY, or FIRST_COME for who wants to see what a list kept in the order of arrival would do.
    travel_matrix: a CSV file of minutes measured on the roads, see `roads.read_roads`; none means by distance everywhere.
    fairness: minutes of driving that coming a day earlier to a kelurahan may cost, per day that it waits longer than others.
    """

    model_config = SettingsConfigDict(env_prefix="SCHEDULING_", hide_input_in_errors=True)

    name: str = "scheduling"
    port: int = 8002
    planning_keys: SecretStr = SecretStr(development_key("planning"))
    visit_keys: SecretStr = SecretStr(development_key("visits"))
    announce: Announce = Announce.AT_ONCE
    plan_by: PlanBy = PlanBy.PRIORITY
    travel_matrix: Path | None = None
    fairness: Annotated[int, Field(ge=0, le=60)] = 0


def timers(runtime: Runtime, solver: Solver, settings: Settings, roads: Roads) -> Sequence[Timer]:
    """The leader's work: plan, finish what calls and dead processes left, sweep."""
    work = Work.of(runtime, solver, roads=roads, fairness=settings.fairness, announce=settings.announce, plan_by=settings.plan_by)
    return (
        Timer("planner", 1.0, work.planner),
        Timer("finish", 1.0, work.finish, woken=False),
        Timer("sweeper", 10.0, work.sweeper, woken=False),
        Timer("reviews", 10.0, work.reviews, woken=False),
    )


async def start(runtime: Runtime) -> None:
    """The tables from the data files, unless the office has changed them; and the holidays, whose first look takes a second."""
    tables = runtime.store.collection(REFERENCE)
    await seed(tables)
    next((await read_reference(Sources(tables))).calendar.upcoming(runtime.clock.now()))


def make(solver: Solver | None = None) -> Service:
    """The service, from the environment. solver: of the planner; none given means a process of its own. Raises BadMatrix."""
    settings = Settings()
    roads = read_roads(settings.travel_matrix) if settings.travel_matrix else Roads()
    visit_keys, planner = key_ring(settings.visit_keys), solver or Worker()

    async def begin(runtime: Runtime) -> None:
        await start(runtime)
        await planner.start()

    return Service(
        settings=settings,
        handlers=HANDLERS,
        routes=partial(routes, roads=roads),
        openers={REQUEST_DETAILS: planning_opener(key_ring(settings.planning_keys))},
        snapshots={VISIT_DETAILS: lambda case: render_visits(cast(Case, case), visit_keys)},
        timers=lambda runtime: timers(runtime, planner, settings, roads),
        start=begin,
        indexes=INDEXES,
    )


if __name__ == "__main__":
    serve(make)
