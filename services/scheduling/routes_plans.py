"""The plan of a day, who could still be taken in, sessions at a place, and a team that cannot go out or is back."""

from datetime import date
from typing import Any, cast

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pelangi.chassis.clock import local_date
from pelangi.chassis.commands import Answer, Command, execute, recall
from pelangi.chassis.ids import random_id
from pelangi.chassis.service import Runtime
from pelangi.chassis.web import Problem, documented, idempotency_key, not_found, read_body, validate
from pelangi.contracts.request import Date
from services.scheduling import days, outage, sessions, store, views
from services.scheduling.bodies import Outage, Return, Session
from services.scheduling.day import Day, Out
from services.scheduling.holes import who_fits
from services.scheduling.reference import read_reference
from services.scheduling.rescheduling import check_date
from services.scheduling.rolling import CURRENT
from services.scheduling.standing_in import take_team_out
from services.scheduling.work import Work


def add_plans(router: APIRouter, work: Work) -> None:
    """GET the plan of a date and its holes; POST a session, an outage, and its end."""
    runtime, clock = work.runtime, work.runtime.clock

    @router.get("/v1/plans/{on}")
    async def get_plan(on: Date) -> Response:
        """Teams, visits, order, times, travel; who is planned and not told; promises broken; and who is not placed, and why."""
        day = cast(Day | None, await work.days.get(on.isoformat()))
        waiting = await store.waiting(runtime.cases, until=date.max)
        not_placed = views.not_placed(waiting, await store.in_review(runtime.cases), clock.now())
        rolling = await work.plans.get(CURRENT)
        members = [request_id for visit in (day or {}).get("visits", {}).values() for request_id in visit["members"]]
        cases = await store.visits_of(runtime.cases, members)
        reference = await read_reference(work.reference)
        return JSONResponse(views.plan(on, day, cases, reference, not_placed=not_placed, rolling=rolling))

    @router.get("/v1/plans/{on}/holes")
    async def get_holes(on: Date) -> Response:
        """Who could be taken in on that day, today's included, if they agree by phone; who needs it most first."""
        today = local_date(clock.now())
        if on < today:
            return JSONResponse({"date": on.isoformat(), "candidates": []})
        reference, day = await read_reference(work.reference), cast(Day | None, await work.days.get(on.isoformat()))
        found = await who_fits(on, day, await store.waiting(runtime.cases, until=on), reference, clock.now())
        return JSONResponse({"date": on.isoformat(), "candidates": [views.candidate(each) for each in found]})

    @router.post("/v1/plans/{on}/sessions", openapi_extra=documented(Session))
    async def open_session(on: Date, request: Request) -> Response:
        """A visit at the office's point of a kelurahan, for whoever comes: requests of that place join it by themselves."""
        command, body = await _read(runtime, request, Session)
        day = await work.days.get(on.isoformat())
        if day is not None and (known := recall(day, command)) is not None:
            return known.response()
        reference = await read_reference(work.reference)
        slot = sessions.session(body, on, random_id(), reference, clock.now())

        def transition(found: Any) -> tuple[Any, Answer]:
            after = days.open_session(found, slot, reference)
            if after is None:
                raise Problem(409, "full", "Tim tidak dapat di sana pada jam itu. / The team cannot be there at those hours.")
            return after, Answer.of(200, {"visit_id": slot["visit_id"], "date": slot["day"], "team_id": slot["team_id"]})

        answer = await execute(work.days, on.isoformat(), command, transition, clock=clock)
        runtime.written.set()
        return answer.response()

    @router.post("/v1/plans/{on}/outages", openapi_extra=documented(Outage))
    async def report_outage(on: Date, request: Request) -> Response:
        """A team cannot go out: others take its visits over within an hour of the promise, the rest gets another date."""
        command, body = await _read(runtime, request, Outage)
        day = cast(Day | None, await work.days.get(on.isoformat()))
        if day is not None and (known := recall(cast(Any, day), command)) is not None:
            return known.response()
        reference = await read_reference(work.reference)
        if reference.team(body.team_id) is None:
            raise not_found()
        check_date(on, reference, clock.now(), today=True)
        out: Out = {"team_id": body.team_id, "since": body.since_minute, "reason": body.reason}
        answer = await take_team_out(work, day or {"_id": on.isoformat(), "version": 0}, out, command, reference)
        return answer.response()

    @router.post("/v1/plans/{on}/returns", openapi_extra=documented(Return))
    async def report_return(on: Date, request: Request) -> Response:
        """The team can go out again; what was taken over or moved stays there."""
        command, body = await _read(runtime, request, Return)

        def transition(day: Any) -> tuple[Any, Answer]:
            if not any(out["team_id"] == body.team_id for out in day.get("out", [])):
                raise Problem(409, "state", "Tim ini tidak berhalangan. / This team is not out.")
            return outage.bring_back(day, body.team_id), Answer.of(200, {"date": on.isoformat(), "team_id": body.team_id})

        answer = await execute(work.days, on.isoformat(), command, transition, clock=clock)
        runtime.written.set()
        return answer.response()


async def _read(runtime: Runtime, request: Request, model: type[Any]) -> tuple[Command, Any]:
    key = idempotency_key(request)
    raw = await read_body(request, runtime.settings.digest_secret.get_secret_value())
    return Command(key, raw.digest), validate(model, raw.value)
