"""The rolling plan (SCHEDULING.md §7): who waits is planned again and again, and told a date in the evening before the last.

A date that nobody was told costs nobody anything when it moves; what is told stays. So the plan is kept here, and a visit is
booked and announced only when its date is near, or at once where the need is urgent. Who weighs little is told last.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from enum import StrEnum
from typing import Any, cast

from pelangi.chassis.clock import JAKARTA, Clock
from pelangi.chassis.store import Collection, Document
from services.scheduling import plan_input
from services.scheduling.booking import Booker
from services.scheduling.case import Case, Slot, open_visit
from services.scheduling.fold import fold
from services.scheduling.metrics import TOLD
from services.scheduling.outlook import Outlook
from services.scheduling.plan_input import ON_THE_ROAD
from services.scheduling.planner.interface import Ask
from services.scheduling.planner.jobs import Seat
from services.scheduling.planner.priority import cannot_wait, urgency_of, weight
from services.scheduling.planner.questions import Answer, Question, digest
from services.scheduling.planner.solving import EVENING, REPLAN
from services.scheduling.reference import Reference
from services.scheduling.seating import Seating

log = logging.getLogger(__name__)

PLANS, CURRENT = "plans", "current"
EVENING_AT = clock_time(17)
"""When the office closes the plan of the next days."""
TOLD_AHEAD = 2
"""Visits of so many working days are announced in the evening: later dates may still change for the better."""
TOLD_EARLY = 50
"""From this weight on, or while the teams have time for all. Of the others only the next working day's: until then a newcomer in
greater need may take the place (30 simulated days: the vulnerable wait 1.8 days instead of 2.2; docs/simulation.md)."""
URGENT = 85
"""From this weight on a request is not left to the evening."""
CHANGES, PAUSE_S = 10, 60.0
"""A plan is made again after so many changes, or so long after the last plan where there was any."""


class Announce(StrEnum):
    """When residents are told: as soon as there is a date, or by the rolling plan."""

    AT_ONCE = "AT_ONCE"
    EVENING = "EVENING"


def evening_of(now: datetime) -> date:
    """The newest date whose evening has begun."""
    local = now.astimezone(JAKARTA)
    return local.date() if local.time() >= EVENING_AT else local.date() - timedelta(days=1)


def can_wait(case: Case, now: datetime) -> bool:
    """Whether a request is left to the rolling plan: a new visit for which a team drives, and nothing urgent."""
    if open_visit(case) or case["details"]["place"]["visit_kind"] not in ON_THE_ROAD:
        return False
    return weight(urgency_of(case, now)) < URGENT and not cannot_wait(case, now)


@dataclass(slots=True)
class Rolling:
    """The leader's plan of those who can wait. `plans`: one document, {evening, number, input_hash, seats by request}."""

    plans: Collection
    clock: Clock
    booker: Booker
    seating: Seating
    fairness: int = 0
    _planned: set[str] = field(default_factory=set)
    _outs: set[tuple[date, str, int]] = field(default_factory=set)
    _last: float | None = None
    _failed: str | None = None
    """The evening on which the planner had no answer: nobody waits for it another day, first fit places them."""

    async def __call__(self, cases: Sequence[Case], asks: Mapping[str, Ask], outlook: Outlook, reference: Reference) -> int:
        """Plan them again where it is time; in the evening, tell those whose date is near. How many were told."""
        now = self.clock.now()
        kept = cast(dict[str, Any], await self.plans.get(CURRENT) or {})
        evening = evening_of(now).isoformat()
        due = evening > kept.get("evening", evening)
        outs = {(on, out["team_id"], out["since"]) for on, day in outlook.horizon.days.items() for out in day.get("out", [])}
        if self._unanswered(evening) or not (due or outs != self._outs or self._is_time(cases)):
            return 0
        by_id = {case["_id"]: case for case in cases}
        alone = plan_input.one_of_each_place(asks.values(), outlook.horizon, reference)
        question = plan_input.question(
            alone,
            by_id,
            outlook.horizon,
            reference,
            now,
            # in the evening from nothing: nobody was told, and who needs it more gets the nearer date
            planned={} if due else {i: seat_of(seat) for i, seat in kept.get("seats", {}).items()},
            per_job=EVENING if due else REPLAN,
            seed=kept.get("number", 0) + 1,
            fairness=self.fairness,
        )
        answer = await self.seating.ask(question, alone)
        self._planned, self._outs, self._last = set(by_id), outs, time.monotonic()
        self._failed = evening if due and question is not None and answer is None else None
        if answer is None or question is None:
            return 0
        slots = self._near(answer, alone, by_id, outlook, reference) if due else []
        slots += self.seating.joining(slots, _others(asks, alone), by_id, outlook.horizon, reference)
        told = await self.booker.place(slots, reference, by_id) if slots else set[str]()
        await self._keep(answer, question, told, evening if due else kept.get("evening", evening))
        await self.booker.leave_out({i: asdict(answer.reasons[i]) for i in by_id if i in answer.plan.left_out})
        return len(told)

    @property
    def failed(self) -> bool:
        """Whether this evening's plan could not be made."""
        return self._failed == evening_of(self.clock.now()).isoformat()

    def _unanswered(self, evening: str) -> bool:
        return self._failed == evening and self._last is not None and time.monotonic() - self._last < PAUSE_S

    def _is_time(self, cases: Sequence[Case]) -> bool:
        changed = len({case["_id"] for case in cases} ^ self._planned)
        return changed >= CHANGES or (changed > 0 and (self._last is None or time.monotonic() - self._last >= PAUSE_S))

    def _near(
        self, answer: Answer, asks: Sequence[Ask], cases: Mapping[str, Case], outlook: Outlook, reference: Reference
    ) -> list[Slot]:
        now, dates, seats = self.clock.now(), outlook.horizon.dates, answer.plan.seats
        own = [seats[ask.request_id] for ask in asks if ask.request_id in seats]
        room_for_all = len(own) == len(asks) and all(seat.date <= dates[TOLD_AHEAD] for seat in own)

        def last(ask: Ask) -> date:
            early = room_for_all or weight(urgency_of(cases[ask.request_id], now)) >= TOLD_EARLY
            return dates[TOLD_AHEAD - 1] if early else dates[0]

        near = [ask for ask in asks if ask.request_id in seats and seats[ask.request_id].date <= last(ask)]
        slots = self.seating.slots(answer, near, cases, outlook.horizon, reference)
        for slot in slots:
            TOLD.labels(1 + outlook.horizon.dates.index(date.fromisoformat(slot["day"]))).inc()
        return slots

    async def _keep(self, answer: Answer, question: Question, told: set[str], evening: str) -> None:
        kept = {i: seat for i, seat in answer.plan.seats.items() if i in answer.reasons and i not in told}
        seats = {i: {**_stored(seat), "why": asdict(answer.reasons[i])} for i, seat in kept.items()}
        input_hash = digest(question)

        def transition(plan: Document) -> Document:
            number = plan.get("number", 0) + 1
            return {**plan, "evening": evening, "number": number, "input_hash": input_hash, "seats": seats}

        await fold(self.plans, {CURRENT: transition}, clock=self.clock, create=True)


def seat_of(stored: Mapping[str, Any]) -> Seat:
    """A seat as it is kept."""
    return Seat(stored["team_id"], date.fromisoformat(stored["date"]), stored["start"], stored["end"])


def _stored(seat: Seat) -> dict[str, Any]:
    return {"team_id": seat.team_id, "date": seat.date.isoformat(), "start": seat.start, "end": seat.end}


def _others(asks: Mapping[str, Ask], alone: Sequence[Ask]) -> list[Ask]:
    ids = {ask.request_id for ask in alone}
    return [ask for ask in asks.values() if ask.request_id not in ids]
