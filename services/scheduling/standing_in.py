"""A team is out: the I/O around the rules of `outage` (docs/adr/0016)."""

from collections.abc import Sequence
from datetime import date
from typing import Any, cast

from pelangi.chassis.commands import Answer, Command, execute
from services.scheduling import outage, views
from services.scheduling.case import NOT_STARTED, Case, Slot
from services.scheduling.day import MOVED, Day, Out
from services.scheduling.metrics import HANDED_OVER, PROMISES_BROKEN
from services.scheduling.outlook import Outlook
from services.scheduling.planner.first_fit import FirstFit
from services.scheduling.planner.interface import Ask, Horizon
from services.scheduling.reference import Reference
from services.scheduling.seating import take
from services.scheduling.work import Work


async def take_team_out(work: Work, day: Day, out: Out, command: Command, reference: Reference) -> Answer:
    """Look for other days beforehand, then one guarded write of the day; its members' cases follow. Raises as `execute` does."""
    now, on = work.runtime.clock.now(), date.fromisoformat(day["_id"])
    ids = outage.affected(day, out["team_id"], out["since"])
    members = {request_id for i in ids for request_id in day["visits"][i]["members"]}
    cases = cast(dict[str, Case], await work.runtime.cases.get_many(list(members))) if members else {}
    known = {i: outage.known_of(day, i, cases, now) for i in ids}
    left = outage.affected(outage.take_out(day, out, known, reference, now), out["team_id"], out["since"])
    horizon = Horizon([d for d in reference.calendar.upcoming(now) if d > on])
    outlook = Outlook(work.days, horizon)
    if left:
        await outlook.read_on()

    def choose(ask: Ask) -> Slot | None:
        slot = FirstFit().choose(ask, horizon, reference)
        if slot:
            take(horizon, slot, reference)
        return slot

    slots = outage.to_later_days(day, left, known, reference, choose)
    tried: list[tuple[Day, Day, bytes]] = []

    def transition(found: Any) -> tuple[Any, Answer]:
        after = outage.send_elsewhere(outage.take_out(found, out, known, reference, now), out, slots, now)
        told = Answer.of(200, views.outage(found, after, out))
        tried[:] = [(found, after, told.body)]
        return after, told

    answer = await execute(work.days, on.isoformat(), command, transition, clock=work.runtime.clock)
    work.runtime.written.set()
    if tried and answer.body is tried[0][2]:  # else somebody with the same key was faster, and counts
        before, after, _ = tried[0]
        await _spread(work, after, _count(after, outage.affected(before, out["team_id"], out["since"]), out["reason"]))
    return answer


async def _spread(work: Work, day: Day, ids: Sequence[str]) -> None:
    """Whose visit stays on its day is told at once; those who move need a booking each, which the leader makes."""
    written = cast(Day | None, await work.days.get(day["_id"])) if ids else None
    if written:
        await work.spreader.begin(written, ids)


def _count(day: Day, ids: Sequence[str], reason: str) -> list[str]:
    """Count what became of these visits; those of them that did not move."""
    here: list[str] = []
    for visit_id in ids:
        visit = day["visits"][visit_id]
        if visit["status"] in NOT_STARTED:
            HANDED_OVER.labels(reason).inc(len(visit["members"]))
        else:
            PROMISES_BROKEN.labels(reason).inc(len(visit["members"]))
        if visit["status"] != MOVED:
            here.append(visit_id)
    return here


for _reason in outage.REASONS_OUT:  # a series that begins at its first count would not alert anybody
    PROMISES_BROKEN.labels(_reason)
    HANDED_OVER.labels(_reason)
