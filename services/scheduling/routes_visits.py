"""Calls on a visit. One guarded write in its day, then answered; the members' cases follow (see `spreading`)."""

from collections.abc import Awaitable, Callable
from typing import TypeVar, cast
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from pelangi.chassis.commands import Answer, Command, recall
from pelangi.chassis.store import Document
from pelangi.chassis.web import Problem, documented, idempotency_key, not_found, read_body, validate
from services.scheduling import lifecycle, sessions, settling, views
from services.scheduling.bodies import Completion, Failure, Nothing, Rescheduling, WalkIn
from services.scheduling.case import Case
from services.scheduling.day import Day
from services.scheduling.day_calls import Call
from services.scheduling.metrics import WALK_INS
from services.scheduling.reference import read_reference
from services.scheduling.rescheduling import find_slot
from services.scheduling.store import days_of_visit
from services.scheduling.work import Work

B = TypeVar("B", bound=BaseModel)
Prepare = Callable[[B, Day, str], Awaitable[Callable[[Day], Day]]]
"""From the body, the visit's day as it stands and the visit's id: the transition of the day."""


def add_visits(router: APIRouter, work: Work) -> None:
    """GET, the five calls, and who walks in."""
    runtime, clock = work.runtime, work.runtime.clock

    @router.get("/v1/visits/{visit_id}")
    async def get_visit(visit_id: UUID) -> Response:
        """When, where, whom, what; for the team."""
        key = str(visit_id)
        day = await _current(work, key)
        cases = await runtime.cases.get_many(list(day["visits"][key]["members"]))
        return JSONResponse(views.visit(day, key, cast(dict[str, Case], cases)))

    @router.post("/v1/visits/{visit_id}/depart", openapi_extra=documented(Nothing))
    async def depart(visit_id: UUID, request: Request) -> Response:
        """The team is on its way: PLANNED to EN_ROUTE."""

        async def prepare(_: Nothing, __: Day, visit: str) -> Callable[[Day], Day]:
            return lambda day: lifecycle.depart(day, visit)

        return await _call(work, visit_id, request, Nothing, prepare)

    @router.post("/v1/visits/{visit_id}/arrive", openapi_extra=documented(Nothing))
    async def arrive(visit_id: UUID, request: Request) -> Response:
        """The team is there: EN_ROUTE to ON_SITE."""

        async def prepare(_: Nothing, __: Day, visit: str) -> Callable[[Day], Day]:
            return lambda day: lifecycle.arrive(day, visit)

        return await _call(work, visit_id, request, Nothing, prepare)

    @router.post("/v1/visits/{visit_id}/complete", openapi_extra=documented(Completion))
    async def complete(visit_id: UUID, request: Request) -> Response:
        """ON_SITE to DONE, or PARTIAL where an item was deferred: every item of the visit once."""

        async def prepare(body: Completion, _: Day, visit: str) -> Callable[[Day], Day]:
            outcomes = [(i.item_id, i.outcome, i.reason) for i in body.items]
            return lambda day: lifecycle.complete(day, visit, outcomes, clock.now())

        return await _call(work, visit_id, request, Completion, prepare)

    @router.post("/v1/visits/{visit_id}/fail", openapi_extra=documented(Failure))
    async def fail(visit_id: UUID, request: Request) -> Response:
        """It did not take place; the requests get another visit, after the third time a human looks first."""

        async def prepare(body: Failure, _: Day, visit: str) -> Callable[[Day], Day]:
            return lambda day: lifecycle.fail(day, visit, body.reason, clock.now())

        return await _call(work, visit_id, request, Failure, prepare)

    @router.post("/v1/visits/{visit_id}/reschedule", openapi_extra=documented(Rescheduling))
    async def reschedule(visit_id: UUID, request: Request) -> Response:
        """PLANNED, on another day: the date asked for, else the first later one with room."""

        async def prepare(body: Rescheduling, day: Day, visit: str) -> Callable[[Day], Day]:
            reference = await read_reference(work.reference)
            lifecycle.may_move(day, visit)
            cases = cast(dict[str, Case], await runtime.cases.get_many(list(day["visits"][visit]["members"])))
            slot = await find_slot(work.days, day, visit, cases, on=body.date, reference=reference, now=clock.now())
            return lambda day: lifecycle.move(day, visit, slot, body.reason)

        return await _call(work, visit_id, request, Rescheduling, prepare)

    @router.post("/v1/visits/{visit_id}/walk-ins", openapi_extra=documented(WalkIn))
    async def add_walk_in(visit_id: UUID, request: Request) -> Response:
        """Somebody came to the place without a date; served there if the time left, the equipment and the blanks do."""
        key = idempotency_key(request)
        raw = await read_body(request, runtime.settings.digest_secret.get_secret_value())
        command = Command(key, raw.digest, traceparent=request.headers.get("traceparent", ""))
        case = await runtime.cases.get(str(validate(WalkIn, raw.value).request_id))
        if case is None:
            raise not_found()
        answer = recall(case, command) or await _walk_in(work, cast(Case, case), str(visit_id), command)
        return await settling.settled(work, case["_id"], answer, WALK_INS)


async def _walk_in(work: Work, case: Case, visit_id: str, command: Command) -> Answer:
    """First step of the booking, see `settling`."""
    day, reference = await _current(work, visit_id), await read_reference(work.reference)
    slot = sessions.walk_in(case, day, visit_id, reference, work.runtime.clock.now())
    if slot is None:
        WALK_INS.labels("full").inc()
        raise Problem(409, "full", "Waktu atau bahan tidak cukup. / There is not enough time, or not what is needed.")
    return await settling.want(work, slot, command)


async def _call(work: Work, visit_id: UUID, request: Request, model: type[B], prepare: Prepare[B]) -> Response:
    key, visit = idempotency_key(request), str(visit_id)
    raw = await read_body(request, work.runtime.settings.digest_secret.get_secret_value())
    command = Command(key, raw.digest)  # a day is about many requests: their traces are in their cases
    days = await days_of_visit(work.days, visit, whole=model is Rescheduling)
    for known in days:  # before anything else: a moved visit's calls are remembered in the day it left
        if (answer := recall(cast(Document, known), command, lifecycle.ledger(visit))) is not None:
            return answer.response()
    day = lifecycle.current(days, visit)
    if day is None:
        raise not_found()
    transition = await prepare(validate(model, raw.value), day, visit)
    answer = await work.day_calls.run(day["_id"], Call(visit, command, transition))
    work.runtime.written.set()
    return answer.response()


async def _current(work: Work, visit_id: str) -> Day:
    day = lifecycle.current(await days_of_visit(work.days, visit_id), visit_id)
    if day is None:
        raise not_found()
    return day
