"""HTTP of what happens to a request after its receipt: call -> transition -> reply. No rules and no database here."""

from datetime import date
from functools import partial
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from pelangi.chassis.clock import local_date
from pelangi.chassis.commands import Answer
from pelangi.chassis.service import Runtime
from pelangi.chassis.web import FieldError, Problem, documented, invalid, validate
from pelangi.contracts.request import MAX_ITEMS, Date, Ref, RequestBody
from services.intake import duplicates, life, store, views
from services.intake.calls import Call, Calls, require_open, told
from services.intake.checking import checked
from services.intake.draws import draw
from services.intake.duplicates import Joiner
from services.intake.matching import keyed, likenesses, match_keys, why
from services.intake.model import Case, show, withdraw

MAX_KEPT_ITEMS = 3 * MAX_ITEMS
"""Items of a request with those that corrections have withdrawn: a snapshot must stay sendable."""


class Told(BaseModel):
    """Base of the bodies: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Withdrawal(Told):
    """No reason is demanded."""

    reason: str | None = Field(None, max_length=500)


class Deceased(Told):
    """Who has died, and when if it is known."""

    person_ref: Ref
    date: Annotated[Date | None, Field(description="Day of death, not in the future.")] = None


class DuplicateOf(Told):
    """The request that goes on."""

    request_id: UUID


class NoContact(Told):
    """Nothing more to say."""


def life_routes(runtime: Runtime) -> APIRouter:
    """The calls on an existing request."""
    router, calls = APIRouter(), Calls(runtime)
    _add_endings(router, calls)
    _add_corrections(router, calls)
    _add_duplicates(router, calls)
    return router


def _add_endings(router: APIRouter, calls: Calls) -> None:
    clock = calls.runtime.clock

    @router.post("/v1/requests/{request_id}/withdrawal", openapi_extra=documented(Withdrawal, versioned=True))
    async def withdraw_request(request_id: UUID, request: Request) -> Response:
        """The requester no longer wants it."""
        call = await calls.read(request_id, request)

        def transition(case: Case) -> tuple[Case, Answer]:
            body = validate(Withdrawal, call.body.value)
            require_open(case)
            after = withdraw(case, body.reason, clock.now())
            return after, told(after)

        return await calls.run(call.request_id, call.command, transition, call.known)

    @router.post("/v1/requests/{request_id}/no-contact", openapi_extra=documented(NoContact, versioned=True))
    async def give_up_request(request_id: UUID, request: Request) -> Response:
        """The office gives up reaching anybody; only where information is missing or the visit was put off (409 otherwise)."""
        call = await calls.read(request_id, request)

        def transition(case: Case) -> tuple[Case, Answer]:
            validate(NoContact, call.body.value)
            require_open(case)
            if not life.may_give_up(case):
                raise Problem(409, "state", "Permohonan ini masih berjalan. / This request is under way.")
            after = life.give_up(case, clock.now())
            return after, told(after)

        return await calls.run(call.request_id, call.command, transition, call.known)


def _add_corrections(router: APIRouter, calls: Calls) -> None:
    clock = calls.runtime.clock

    @router.post("/v1/requests/{request_id}/details", openapi_extra=documented(RequestBody, versioned=True))
    async def correct_request(request_id: UUID, request: Request) -> Response:
        """The whole corrected body: items match by person ref and service, new pairs are new, missing ones are withdrawn."""
        call = await calls.read(request_id, request)

        def transition(case: Case) -> tuple[Case, Answer]:
            now = clock.now()
            body = checked(call.body.value, now, call.body.raw)
            require_open(case)
            after = keyed(life.correct(case, body, draw(body).item_ids, now), calls.secret)
            if len(after["items"]) > MAX_KEPT_ITEMS:
                detail = "Terlalu banyak perubahan; ajukan permohonan baru. / Too many changes; file a new request."
                raise invalid([FieldError("#/persons", "too_many_items", detail)])
            return after, told(after, due_on=after["due_on"], **_counts(after))

        return await calls.run(call.request_id, call.command, transition, call.known)

    @router.post("/v1/requests/{request_id}/deceased", openapi_extra=documented(Deceased, versioned=True))
    async def note_death(request_id: UUID, request: Request) -> Response:
        """A person has died: their items end. `offer`: what the family may ask for now. The same person again changes nothing."""
        call = await calls.read(request_id, request)

        def transition(case: Case) -> tuple[Case, Answer]:
            body = validate(Deceased, call.body.value)
            if body.person_ref not in case.get("deceased", {}):
                require_open(case)
                _require_possible(case, body, local_date(clock.now()))
            after = life.decease(case, body.person_ref, body.date, clock.now())
            after = show(case) if after is case else after  # the ETag moves with every answer
            return after, told(after, offer=list(life.OFFER))

        return await calls.run(call.request_id, call.command, transition, call.known)


def _require_possible(case: Case, body: Deceased, today: date) -> None:
    """Raises Problem 422 for somebody who is not in the request, or a day that has not come."""
    refs = {str(person["ref"]) for person in case["body"]["persons"]}
    errors = []
    if body.person_ref not in refs:
        errors.append(FieldError("#/person_ref", "unknown_person", "Orang ini tidak ada. / There is no such person."))
    if body.date and body.date > today:
        errors.append(FieldError("#/date", "date_future", "Tanggal itu belum tiba. / That day has not come yet."))
    if errors:
        raise invalid(errors)


def _counts(case: Case) -> dict[str, int]:
    """The size of what changed, not the whole of it: the answer is kept."""
    withdrawn = sum(bool(item.get("withdrawn")) for item in case["items"])
    return {
        "items_count": len(case["items"]) - withdrawn,
        "withdrawn_count": withdrawn,
        "warnings_count": len(case["warnings"]),
    }


def _add_duplicates(router: APIRouter, calls: Calls) -> None:
    cases, clock, joiner = calls.runtime.cases, calls.runtime.clock, Joiner.of(calls.runtime)

    @router.get("/v1/requests/{request_id}/possible-duplicates")
    async def possible_duplicates(request_id: UUID) -> Response:
        """Requests that may be about the same person, newest first; an officer decides, nothing is ever merged by itself."""
        case = await calls.case(request_id)
        mine = likenesses(case, calls.secret)
        others = [cast(Case, d) for d in await store.alike(cases, match_keys(mine)) if d["_id"] != case["_id"] and "body" in d]
        found = [(other, why(mine, likenesses(other, calls.secret))) for other in others]
        found.sort(key=lambda pair: (pair[0]["received_at"], pair[0]["_id"]), reverse=True)
        return JSONResponse({"requests": [views.alike(other, reasons) for other, reasons in found if reasons]})

    @router.post("/v1/requests/{request_id}/duplicate-of", openapi_extra=documented(DuplicateOf, versioned=True))
    async def close_duplicate(request_id: UUID, request: Request) -> Response:
        """An officer says that it is the same as another request, which goes on and whose state its receipt shows from now on."""
        call = await calls.read(request_id, request)
        if call.answer is not None:
            return call.answer.response()
        other_id = str(validate(DuplicateOf, call.body.value).request_id)
        response = await duplicates.overtaking(partial(close, call, other_id))
        closed = await calls.case(request_id)
        if "to_join_since" in closed:
            await joiner.join(closed)
        return response

    async def close(call: Call, other_id: str) -> Response:
        claim, other = await joiner.face(call.known, other_id)

        def transition(case: Case) -> tuple[Case, Answer]:
            require_open(case)
            duplicates.require_original(case, other)
            duplicates.require_heading(case, claim)
            after = life.close_as_duplicate(case, other_id, clock.now())
            return after, told(after, duplicate_of=other_id)

        return await calls.run(call.request_id, call.command, transition)
