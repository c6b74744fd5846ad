"""Windows that the desk may offer for a request: what one more visit would cost where the days stand now."""

import asyncio
from datetime import date, datetime

from pelangi.chassis.store import Collection
from services.scheduling import plan_input
from services.scheduling.case import Case, Slot
from services.scheduling.days import book
from services.scheduling.outlook import Outlook
from services.scheduling.planner.first_fit import FirstFit, slot_in
from services.scheduling.planner.interface import Ask, Horizon
from services.scheduling.planner.questions import Question, places
from services.scheduling.planner.solving import Proposal
from services.scheduling.planning import ask_for
from services.scheduling.reference import Reference

AT_MOST = 60
"""Places that are looked at, of which the cheapest of each date counts."""


async def propose(days: Collection, case: Case, reference: Reference, now: datetime, count: int) -> list[tuple[Slot, int | None]]:
    """At most so many (slot, cost in minutes), one a date: the cheapest first, or without a cost the first with room."""
    outlook = Outlook.ahead(days, reference, now)
    await outlook.read_on()
    ask = ask_for(case, reference, outlook.first)
    if plan_input.is_planned(ask):
        dates = max(count, plan_input.FEWEST_DATES)
        question = plan_input.question([ask], {ask.request_id: case}, outlook.horizon, reference, now, fewest=dates)
        if question is not None and (found := await _planned(ask, question, outlook, reference)):
            return found[:count]
    planner = FirstFit()
    slots = planner.proposals(ask, outlook.horizon, reference, count)
    while len(slots) < count and await outlook.read_on(ask.earliest):
        slots = planner.proposals(ask, outlook.horizon, reference, count)
    return [(slot, None) for slot in slots]


async def _planned(ask: Ask, question: Question, outlook: Outlook, reference: Reference) -> list[tuple[Slot, int | None]]:
    job = next(j for j in question.jobs if j.job_id == ask.request_id)
    found: dict[date, tuple[Slot, int | None]] = {}
    for proposal in await asyncio.to_thread(places, question, job, AT_MOST):
        slot = slot_of(ask, proposal, outlook.horizon, reference)
        if slot is not None:
            found.setdefault(proposal.seat.date, (slot, proposal.cost))
    return list(found.values())


def slot_of(ask: Ask, proposal: Proposal, horizon: Horizon, reference: Reference) -> Slot | None:
    """The slot of a proposal, if its day has room for it."""
    seat = proposal.seat
    team = reference.team(seat.team_id)
    if team is None:
        return None
    slot = slot_in(ask, seat.date, team, reference, (seat.start, seat.end))
    if book(horizon.day(seat.date), slot, reference) is None:
        return None
    return {**slot, "start": seat.start, "end": seat.end}
