"""From the planner's answer to slots: asked with the days as they are read, and taken in them so that the next one sees it."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime

from pelangi.chassis.logs import without_text
from services.scheduling.agenda import errands_of, items_ahead, terms_of, usable
from services.scheduling.case import Case, Slot, open_visit
from services.scheduling.corrections import suits
from services.scheduling.days import book
from services.scheduling.equipment import blanks_of, kit_of, needed_for
from services.scheduling.metrics import MISFITS, UNPLANNED
from services.scheduling.minutes import minutes_for, most_minutes
from services.scheduling.planner.explain import JOINED
from services.scheduling.planner.first_fit import PATIENCE, session_for, slot_in
from services.scheduling.planner.interface import Ask, Horizon, Planner
from services.scheduling.planner.priority import cannot_wait, urgency_of, weight
from services.scheduling.planner.questions import Answer, Question
from services.scheduling.planner.worker import Solver
from services.scheduling.reference import Reference

log = logging.getLogger(__name__)

TOO_HEAVY = 50
"""From this weight on a request is not left to a session of a later day: the graver needs, as in `rolling.TOLD_EARLY`."""


@dataclass(frozen=True, slots=True)
class Seating:
    """Asks the planner, and makes slots of seats. planner: of what a team does beside its seat, see `with_more`."""

    solver: Solver
    planner: Planner

    async def ask(self, question: Question | None, asks: Sequence[Ask]) -> Answer | None:
        """The planner's answer; None where it has none: that is counted, and first fit does without."""
        if question is None:
            return None
        try:
            answer = await self.solver.plan(question)
        except Exception as error:
            UNPLANNED.labels(type(error).__name__).inc(len(asks))
            log.error("no plan", extra={"requests": len(asks)}, exc_info=without_text(error))
            return None
        MISFITS.set(len(answer.misfits))
        return answer

    def slots(
        self, answer: Answer, asks: Sequence[Ask], cases: Mapping[str, Case], horizon: Horizon, reference: Reference
    ) -> list[Slot]:
        """The slots of those who have a seat, taken in the horizon's days; without those that a day refuses, which is counted."""
        slots: list[Slot] = []
        for ask in asks:
            seat = answer.plan.seats.get(ask.request_id)
            team = reference.team(seat.team_id) if seat else None
            if seat is None or team is None:
                continue
            slot = slot_in(ask, seat.date, team, reference, (seat.start, seat.end))
            if book(horizon.day(seat.date), slot, reference) is None:
                UNPLANNED.labels("refused by the day").inc()
                log.warning("the day has no room where the plan has", extra={"request_id": ask.request_id, "day": slot["day"]})
                continue
            slot = with_more(slot, ask, cases[ask.request_id], horizon, reference, planner=self.planner)
            slot["why"] = asdict(answer.reasons[ask.request_id])
            take(horizon, slot, reference)
            slots.append(known(slot, cases[ask.request_id]))
        return slots

    def joining(
        self, opened: Sequence[Slot], asks: Sequence[Ask], cases: Mapping[str, Case], horizon: Horizon, reference: Reference
    ) -> list[Slot]:
        """Slots in the visits just opened, of those who go to the same places; taken in the horizon's days."""
        slots: list[Slot] = []
        for on in sorted({date.fromisoformat(slot["day"]) for slot in opened if slot["joins"]}):
            for ask in (a for a in asks if a.joins and not any(s["request_id"] == a.request_id for s in slots)):
                slot = self.planner.choose(ask, Horizon([on], horizon.days, {on}), reference)
                if slot and slot["visit_id"] != ask.visit_id:
                    take(horizon, slot, reference)
                    slots.append(known({**slot, "why": asdict(JOINED)}, cases[ask.request_id]))
        return slots


def at_sessions(
    asks: Iterable[Ask], cases: Mapping[str, Case], horizon: Horizon, reference: Reference, now: datetime
) -> list[Slot]:
    """Slots in sessions that the office announced, of those who go to those places; taken in the horizon's days.

    Who needs it more is not kept waiting for one.
    """
    slots: list[Slot] = []
    for ask in (a for a in asks if a.joins):
        case = cases[ask.request_id]
        heavy = weight(urgency_of(case, now)) >= TOO_HEAVY or cannot_wait(case, now)
        if slot := session_for(ask, horizon, reference, 0 if heavy else PATIENCE):
            take(horizon, slot, reference)
            slots.append(known({**slot, "why": asdict(JOINED)}, cases[ask.request_id]))
    return slots


def with_more(slot: Slot, ask: Ask, case: Case, horizon: Horizon, reference: Reference, *, planner: Planner) -> Slot:
    """A slot with the items too that were left out only because an earlier date was hoped for, where they fit that day."""
    details = case["details"]
    more = [i for i in usable(items_ahead(case), slot["day"]) if i not in ask.items]
    items = [*ask.items, *more]
    minutes, on = minutes_for(items, details), date.fromisoformat(slot["day"])
    if not any("not_before" in i for i in more) or minutes > most_minutes(ask.visit_kind, ask.at, reference, on):
        return slot
    needed = needed_for(items, details)
    all_in_one = replace(ask, items=items, minutes=minutes, earliest=on, kit=kit_of(needed), blanks=blanks_of(needed))
    together = planner.choose(all_in_one, horizon, reference)
    if together is None or together["day"] != slot["day"]:
        return slot
    in_their_hours = suits(details, together["day"], together["start"], together["end"])
    return together if in_their_hours or not suits(details, slot["day"], slot["not_before"], slot["not_after"]) else slot


def take(horizon: Horizon, slot: Slot, reference: Reference) -> None:
    """Book a chosen slot in the days as read, so that the next request of the batch sees it."""
    on = date.fromisoformat(slot["day"])
    after = book(horizon.day(on), slot, reference)
    assert after is not None
    horizon.days[on] = after


def known(slot: Slot, case: Case) -> Slot:
    """The slot with what the request was when it was chosen."""
    visit = open_visit(case)
    chosen: Slot = {**slot, "asked": slot["reason"], "terms": terms_of(case), "errands": errands_of(case)}
    return {**chosen, "not_earlier": visit.get("not_earlier")} if visit else chosen
