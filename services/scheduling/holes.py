"""Who could be taken in tomorrow, or yet today, if they say yes on the phone (SCHEDULING.md §7, point 4)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from pelangi.chassis.clock import JAKARTA, local_date
from services.scheduling import plan_input
from services.scheduling.calendar import minute_of
from services.scheduling.case import Case, Slot, open_visit, wanted
from services.scheduling.day import ALL_DAY, Day
from services.scheduling.planner.interface import Ask, Horizon
from services.scheduling.planner.jobs import Job
from services.scheduling.planner.priority import urgency_of, weight
from services.scheduling.planner.questions import places
from services.scheduling.planning import ask_for
from services.scheduling.proposing import slot_of
from services.scheduling.reference import Reference

NOTICE = 120
"""Minutes between the phone call and the team: nobody is to be surprised."""
DETOUR = 30
"""Minutes of more driving at most: a quarter of an hour there and back."""
AT_MOST = 40
"""So many of those who wait are looked at, who needs it most first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who could be taken in. cost: minutes of more driving."""

    slot: Slot
    cost: int
    weight: int


async def who_fits(on: date, day: Day | None, cases: Sequence[Case], reference: Reference, now: datetime) -> list[Candidate]:
    """Who waits and would fit that day, who needs it most first; each where it costs least, as if it were alone."""
    if not reference.calendar.works(on):
        return []
    horizon = Horizon([on], {on: day} if day else {}, {on})
    waiting = [c for c in cases if open_visit(c) is None and wanted(c) is None and _of_use(c, on)]
    heaviest = sorted(waiting, key=lambda c: (-weight(urgency_of(c, now)), c["_id"]))[:AT_MOST]
    asks = {c["_id"]: ask_for(c, reference, on) for c in heaviest}
    by_id = {c["_id"]: c for c in heaviest}
    return await asyncio.to_thread(_candidates, asks, by_id, horizon, reference, now)


def _of_use(case: Case, on: date) -> bool:
    """Whether a team that drives can do something for it that day."""
    return case["details"]["place"]["visit_kind"] in plan_input.ON_THE_ROAD and case.get("plan_from", "") <= on.isoformat()


def earliest_minute(on: date, now: datetime) -> int:
    """The first minute of a day at which a team may come: not before the notice has passed."""
    return minute_of(now.astimezone(JAKARTA)) + NOTICE if on == local_date(now) else 0


def _candidates(
    asks: Mapping[str, Ask], cases: Mapping[str, Case], horizon: Horizon, reference: Reference, now: datetime
) -> list[Candidate]:
    found: list[Candidate] = []
    for request_id, ask in asks.items():
        question = plan_input.question([ask], cases, horizon, reference, now, fewest=1)
        if question is None:
            continue
        job = _today(next(j for j in question.jobs if j.job_id == request_id), ask, horizon.dates[0], now)
        for proposal in places(question, job, 1) if job.hours else []:
            slot = slot_of(ask, proposal, horizon, reference) if proposal.cost <= DETOUR else None
            if slot:
                found.append(Candidate(slot, proposal.cost, job.weight))
    return sorted(found, key=lambda c: (-c.weight, c.cost, c.slot["request_id"]))


def _today(job: Job, ask: Ask, on: date, now: datetime) -> Job:
    """The job at those of the people's hours on that day that are not over; without hours where all are."""
    first, weekday = earliest_minute(on, now), on.isoweekday()
    theirs = [(start, end) for day, start, end in ask.availability if day == weekday] if ask.availability else [(0, ALL_DAY)]
    return replace(job, hours=tuple((weekday, max(start, first), end) for start, end in theirs if max(start, first) < end))
