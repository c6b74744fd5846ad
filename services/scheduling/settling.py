"""A call that asks for a slot: the first step of its booking with the answer remembered, then the other two (see `booking`).

The leader finishes what a dead process left; the same call again finds its answer, and finishes it too.
"""

import json
from typing import Any, cast

from fastapi import Response
from prometheus_client import Counter

from pelangi.chassis.commands import Answer, Command, execute
from pelangi.chassis.web import Problem
from services.scheduling import model
from services.scheduling.case import Case, Slot, find_visit, wanted
from services.scheduling.reference import read_reference
from services.scheduling.seating import known
from services.scheduling.work import Work


async def want(work: Work, slot: Slot, command: Command) -> Answer:
    """First step, with the answer remembered in the same write. Raises Problem 409 `state` where it wants something else."""
    runtime = work.runtime
    told = {"request_id": slot["request_id"], "visit_id": slot["visit_id"], "date": slot["day"], "team_id": slot["team_id"]}

    def transition(found: Any) -> tuple[Any, Answer]:
        after = model.want(found, known(slot, found), runtime.clock.wall())
        if after is found:
            raise Problem(409, "state", "Sedang dijadwalkan; muat ulang. / It is being planned; read it again.")
        return after, Answer.of(200, told)

    return await execute(runtime.shared, slot["request_id"], command, transition, clock=runtime.clock)


async def settled(work: Work, request_id: str, answer: Answer, outcomes: Counter) -> Response:
    """The answer once the day has booked it. Raises Problem 409 `full` where somebody else was faster there."""
    visit_id = json.loads(answer.body)["visit_id"]
    case = cast(Case, await work.runtime.cases.get(request_id))
    slot = wanted(case)
    finishes = slot is not None and slot["visit_id"] == visit_id
    if finishes:
        await work.booker.finish([case], await read_reference(work.reference))
        case = cast(Case, await work.runtime.cases.get(request_id))
    work.runtime.written.set()
    placed = find_visit(case, visit_id) is not None
    if finishes:
        outcomes.labels("booked" if placed else "full").inc()
    if not placed:
        raise Problem(409, "full", "Tempat itu baru saja terisi. / That place has just been taken.")
    return answer.response()
