"""Calls on a request: how it stands here, which windows could be offered, another visit."""

from typing import Any, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from pelangi.chassis.commands import Answer, Command, execute, recall
from pelangi.chassis.service import Runtime
from pelangi.chassis.web import FieldError, Problem, documented, idempotency_key, invalid, not_found, read_body, validate
from services.scheduling import model, settling, views
from services.scheduling.agenda import items_to_visit
from services.scheduling.appointing import appointment
from services.scheduling.bodies import AnotherVisit, Appointment
from services.scheduling.case import Case, is_plannable, live_items, open_visit
from services.scheduling.day import Day
from services.scheduling.metrics import APPOINTMENTS
from services.scheduling.proposing import propose
from services.scheduling.reference import read_reference
from services.scheduling.rolling import CURRENT
from services.scheduling.work import Work


def add_requests(router: APIRouter, work: Work) -> None:
    """GET a request, GET its possible windows, POST another visit."""
    runtime, clock = work.runtime, work.runtime.clock

    @router.get("/v1/requests/{request_id}")
    async def get_request(request_id: UUID) -> Response:
        """The request's visits, whether it needs one, and where it is planned so far."""
        return JSONResponse(views.request(await _read(runtime, request_id), await work.plans.get(CURRENT)))

    @router.get("/v1/requests/{request_id}/windows")
    async def get_windows(request_id: UUID, count: int = Query(3, ge=1, le=20)) -> Response:
        """Proposals for the desk, one a date, the cheapest first; nothing is booked."""
        case = await _read(runtime, request_id)
        if not is_plannable(case) or not items_to_visit(case):
            return JSONResponse({"request_id": case["_id"], "windows": []})
        reference = await read_reference(work.reference)
        found = await propose(work.days, case, reference, clock.now(), count)
        return JSONResponse({"request_id": case["_id"], "windows": [views.proposal(slot, cost) for slot, cost in found]})

    @router.post("/v1/requests/{request_id}/visits", status_code=202, openapi_extra=documented(AnotherVisit))
    async def ask_another_visit(request_id: UUID, request: Request) -> Response:
        """These items need a visit (again); the planner finds the date."""
        key = idempotency_key(request)
        raw = await read_body(request, runtime.settings.digest_secret.get_secret_value())
        command = Command(key, raw.digest, traceparent=request.headers.get("traceparent", ""))

        def transition(case: Any) -> tuple[Any, Answer]:
            if not case["version"]:
                raise not_found()
            after = _asked_again(case, validate(AnotherVisit, raw.value), clock.now())
            return after, Answer.of(202, {"request_id": after["_id"], "needs_visit": "needs_visit_since" in after})

        answer = await execute(runtime.shared, str(request_id), command, transition, clock=clock)
        runtime.written.set()
        return answer.response()

    @router.post("/v1/requests/{request_id}/appointments", openapi_extra=documented(Appointment))
    async def make_appointment(request_id: UUID, request: Request) -> Response:
        """A visit at a date and hour that the desk agreed with the people, today's included."""
        key = idempotency_key(request)
        raw = await read_body(request, runtime.settings.digest_secret.get_secret_value())
        command = Command(key, raw.digest, traceparent=request.headers.get("traceparent", ""))
        case = await _read(runtime, request_id)
        answer = recall(cast(Any, case), command) or await _appoint(work, case, validate(Appointment, raw.value), command)
        return await settling.settled(work, str(request_id), answer, APPOINTMENTS)


async def _appoint(work: Work, case: Case, body: Appointment, command: Command) -> Answer:
    """First step of the booking, see `settling`."""
    if not is_plannable(case) or not items_to_visit(case):
        raise Problem(409, "state", "Permohonan tidak dapat dijadwalkan. / The request cannot be planned now.")
    runtime, reference = work.runtime, await read_reference(work.reference)
    day = cast(Day, await work.days.get(body.date.isoformat()) or {"_id": body.date.isoformat(), "version": 0})
    slot = appointment(case, body, day, reference, runtime.clock.now())
    return await settling.want(work, slot, command)


def _asked_again(case: Case, body: AnotherVisit, now: Any) -> Case:
    if not is_plannable(case):
        raise Problem(409, "state", "Permohonan tidak dapat dijadwalkan. / The request cannot be planned now.")
    live = {i["item_id"] for i in live_items(case)}
    unknown = [
        FieldError(f"#/items/{at}", "unknown_item", "Bukan butir terbuka. / Not an open item of this request.")
        for at, item in enumerate(body.items)
        if item not in live
    ]
    if unknown:
        raise invalid(unknown)
    visit = open_visit(case)
    ahead = {i["item_id"] for i in visit["items"]} if visit else set()
    wanted = [i for i in body.items if i not in ahead]
    if not wanted:
        raise Problem(409, "state", "Sudah ada kunjungan. / A visit is planned for it already.")
    return model.ask_again(case, wanted, body.reason, now)


async def _read(runtime: Runtime, request_id: UUID) -> Case:
    case = await runtime.cases.get(str(request_id))
    if case is None:
        raise not_found()
    return cast(Case, case)
