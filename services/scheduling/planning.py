"""The planner's round: who waits, in order of priority, into the first days with room, a batch at a time."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from pelangi.chassis.clock import Clock, local_date
from pelangi.chassis.ids import random_claim, random_id
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import Collection
from pelangi.contracts.codes import VisitKind
from pelangi.contracts.public import PUBLIC_PLACE_KINDS
from services.scheduling import plan_input
from services.scheduling.agenda import AT_ONCE, asked_reason, errands_of, items_ahead, place_keys, terms_of, usable
from services.scheduling.booking import Booker
from services.scheduling.calendar import HORIZON
from services.scheduling.case import Case, Slot, held, open_visit, wanted
from services.scheduling.corrections import Act, Verdict, availability_of, judge, suits
from services.scheduling.day import Day
from services.scheduling.days import blanks_in, used_minutes, where
from services.scheduling.equipment import blanks_of, kit_of, needed_for, with_blanks
from services.scheduling.metrics import CAPACITY_SHORT, CAPPED, NO_DAY, WAITING
from services.scheduling.minutes import SOON, minutes_for, most_minutes, share_of
from services.scheduling.outlook import Outlook
from services.scheduling.planner.explain import FIRST_FREE, JOINED, Reason
from services.scheduling.planner.first_fit import FirstFit
from services.scheduling.planner.interface import Ask, Planner
from services.scheduling.planner.priority import due_day, order, waiting_since
from services.scheduling.planner.worker import Solver
from services.scheduling.reference import Reference, Sources, read_reference
from services.scheduling.rolling import Announce, Rolling, can_wait
from services.scheduling.seating import Seating, at_sessions, known, take, with_more
from services.scheduling.store import read_days, waiting

log = logging.getLogger(__name__)

BATCH = 100
RETRY_S = 60.0
"""A request that no day had room for is looked at again after so long."""
LOOK_AHEAD = timedelta(weeks=HORIZON // 5)
"""For whom a visit is of use only later than this: not yet. The horizon, counted in working days, does not end before: there are
more holidays in a year than weekends that are worked."""


def ask_for(case: Case, reference: Reference, on: date, *, new_id: Callable[[], str] = random_id) -> Ask:
    """What a case asks of the planner: a new visit, or a new place for the one it has.

    `on`: the first date that a visit may have. Items of no use by then are left out, unless there are no others: then the ask is
    for the date from which they are. Of a list that needs more than a day, as many persons as fit. A visit that the office moved
    does not come before the date that the office chose.
    """
    details, visit = case["details"], open_visit(case)
    place, all_items = details["place"], items_ahead(case)
    kind = place["visit_kind"]
    useful = min((i.get("not_before", AT_ONCE) for i in all_items), default=AT_ONCE)
    earliest = max(on.isoformat(), useful, (visit.get("not_earlier") if visit else None) or AT_ONCE)
    at = reference.where({"village_code": place["village_code"]} if kind in PUBLIC_PLACE_KINDS else place)
    most = most_minutes(kind, at, reference, date.fromisoformat(earliest), SOON)
    items = share_of(with_blanks(usable(all_items, earliest), kind, reference), details, most)
    deadline, needed = details.get("deadline"), needed_for(items, details)
    keys = tuple(place_keys(place))
    return Ask(
        request_id=case["_id"],
        placement_id=random_claim(),
        visit_id=visit["visit_id"] if visit else new_id(),
        visit_kind=kind,
        village_code=place["village_code"],
        point=reference.points.of(place["village_code"]) if kind in PUBLIC_PLACE_KINDS else None,
        at=at,
        minutes=minutes_for(items, details),
        items=items,
        block=reference.point_minutes(VisitKind(kind)) if kind in PUBLIC_PLACE_KINDS else 0,
        joins=visit is None and (kind in PUBLIC_PLACE_KINDS or bool(keys)),
        move=visit is not None,
        reason=asked_reason(case, items),
        visit_version=visit["version"] + 2 if visit else 1,  # as in ask_to_move
        refused=frozenset(v["visit_id"] for v in case.get("visits", [])),
        availability=availability_of(details),
        deadline=date.fromisoformat(deadline["date"]) if deadline else None,
        earliest=date.fromisoformat(earliest) if earliest > on.isoformat() else None,
        place_keys=keys,
        kit=kit_of(needed),
        blanks=blanks_of(needed),
    )


def ask_to_move(day: Day, visit_id: str, kit: Iterable[str], reference: Reference) -> Ask:
    """What a whole visit asks of the planner that is to be rescheduled with all its members. kit: what they need."""
    visit = day["visits"][visit_id]
    return Ask(
        request_id="",
        placement_id=random_claim(),
        visit_id=visit_id,
        visit_kind=visit["visit_kind"],
        village_code=visit["village_code"],
        point=visit["point"],
        at=where(visit, reference),
        minutes=used_minutes(day, visit_id),
        items=(),
        block=visit["end"] - visit["start"],
        move=True,
        kit=tuple(sorted(kit)),
        blanks=blanks_in(day, visit_id),
        place_keys=tuple(visit.get("place_keys", ())),
        visit_version=visit["version"] + 2,  # one for the move, one for the visit that the new day opens
    )


class PlanBy(StrEnum):
    """PRIORITY: the planner. FIRST_COME: the first free place, in the order of arrival; to compare with, not for people."""

    PRIORITY = "PRIORITY"
    FIRST_COME = "FIRST_COME"


@dataclass(slots=True)
class Round:
    """The planner's work in the leader."""

    cases: Collection
    days: Collection
    reference: Sources
    clock: Clock
    written: Signal
    booker: Booker
    solver: Solver
    plans: Collection
    announce: Announce = Announce.AT_ONCE
    plan_by: PlanBy = PlanBy.PRIORITY
    fairness: int = 0
    planner: Planner = field(default_factory=FirstFit)
    _rolling: Rolling | None = None
    _not_before: dict[str, float] = field(default_factory=dict)

    @property
    def seating(self) -> Seating:
        """How the planner is asked."""
        return Seating(self.solver, self.planner)

    async def __call__(self) -> None:
        """Place everybody who waits and can be placed."""
        while await self.batch():
            self.written.set()

    async def batch(self) -> int:
        """Place the next batch; how many got a place or have to wait for one. A handful of commands, however many requests."""
        now = self.clock.now()
        self._not_before = {i: at for i, at in self._not_before.items() if at > time.monotonic()}
        found = await waiting(self.cases, until=local_date(now) + LOOK_AHEAD, without=self._not_before)
        WAITING.set(len(found) + len(self._not_before))
        ready = [c for c in found if wanted(c) is None]
        if not ready:
            return 0
        reference = await read_reference(self.reference)
        outlook = Outlook.ahead(self.days, reference, now)
        told = 0
        if self.announce is Announce.EVENING and (later := [c for c in ready if can_wait(c, now)]):
            told = await self._roll(later, outlook, reference)
            if self._rolling is None or not self._rolling.failed:
                ready = [c for c in ready if not can_wait(c, now)]
        by_age = self.plan_by is PlanBy.FIRST_COME
        batch = sorted(ready, key=lambda c: (0, waiting_since(c), c["_id"]) if by_age else order(c, now))[:BATCH]
        verdicts = await self._judge([c for c in batch if open_visit(c)], outlook.first, reference)
        stay = {c["_id"]: c for c in batch if c["_id"] in verdicts and verdicts[c["_id"]].act is Act.STAY}
        seen = await self._stay(stay, verdicts, reference)
        unclear = {c["_id"] for c in batch if open_visit(c) and c["_id"] not in verdicts}
        others = [c for c in batch if c["_id"] not in stay and c["_id"] not in unclear]
        slots, kept = await self._choose(others, verdicts, outlook, reference)
        placed = await self.booker.place(slots, reference, {c["_id"]: c for c in others if _has(slots, c)}) if slots else set()
        return told + len(placed) + seen + kept + sum(c["_id"] in self._not_before for c in batch)

    async def _roll(self, cases: Sequence[Case], outlook: Outlook, reference: Reference) -> int:
        """The rolling plan for those who can wait, unless there is a session for them; how many were told a date."""
        if self._rolling is None:
            self._rolling = Rolling(self.plans, self.clock, self.booker, self.seating, self.fairness)
        await outlook.read_on()
        asks = {case["_id"]: ask_for(case, reference, outlook.first) for case in cases}
        by_id = {case["_id"]: case for case in cases}
        slots = at_sessions(asks.values(), by_id, outlook.horizon, reference, self.clock.now())
        there = {s["request_id"] for s in slots}
        joined = await self.booker.place(slots, reference, {i: by_id[i] for i in there}) if slots else set()
        others = {i: ask for i, ask in asks.items() if i not in there}
        return len(joined) + await self._rolling([by_id[i] for i in others], others, outlook, reference)

    async def _judge(self, corrected: Sequence[Case], first: date, reference: Reference) -> dict[str, Verdict]:
        """What is to become of the visits of corrected requests."""
        if not corrected:
            return {}
        dates = {c["_id"]: date.fromisoformat(visit["date"]) for c in corrected if (visit := open_visit(c))}
        days = await read_days(self.days, sorted(set(dates.values())))
        verdicts = {
            c["_id"]: judge(c, day, first, reference) for c in corrected if (day := days.get(dates[c["_id"]])) is not None
        }
        return {request_id: verdict for request_id, verdict in verdicts.items() if verdict}

    async def _stay(self, cases: Mapping[str, Case], verdicts: Mapping[str, Verdict], reference: Reference) -> int:
        """The visits of these stay where they are, with the items of their verdicts; how many were settled by that."""
        slots = [s for i, c in cases.items() if (s := _amended_slot(c, verdicts[i]))]
        amended = await self.booker.amend(slots, cases, reference) if slots else set()
        amending = {s["request_id"] for s in slots}
        await self.booker.keep([c for i, c in cases.items() if i not in amending])
        return len(cases) - len(amending) + len(amended)

    async def _choose(
        self, batch: Sequence[Case], verdicts: Mapping[str, Verdict], outlook: Outlook, reference: Reference
    ) -> tuple[list[Slot], int]:
        """Slots for these; and how many visits were settled without one."""
        stay: list[Case] = []
        leave: list[Case] = []
        if batch:
            await outlook.read_on()
        asks = {case["_id"]: ask_for(case, reference, outlook.first) for case in batch}
        new = {c["_id"]: c for c in batch if c["_id"] not in verdicts}
        at_once = at_sessions([asks[i] for i in new], new, outlook.horizon, reference, self.clock.now())
        planned = {i: case for i, case in new.items() if not _has(at_once, case)}
        slots, reasons = await self._planned(planned, asks, outlook, reference)
        slots += at_once
        for case in (c for c in batch if not _has(slots, c)):
            verdict, ask = verdicts.get(case["_id"]), asks[case["_id"]]
            if verdict and verdict.act is Act.MOVE and (verdict.shared or _too_far(ask, outlook)):
                leave.append(case)
                continue
            slot = await self._slot(ask, case, outlook, reference)
            if verdict and verdict.act is Act.PREFER and not (slot and suits(case["details"], slot["day"], *_hours(slot))):
                stay.append(case)
            elif verdict and verdict.shared:
                leave.append(case)
            elif slot is None:
                NO_DAY.inc()
                self._not_before[case["_id"]] = time.monotonic() + RETRY_S
                log.warning("no day has room", extra={"request_id": case["_id"], "minutes": ask.minutes})
            else:
                if slot["minutes"] < minutes_for(slot["items"], case["details"]):
                    CAPPED.inc()
                    log.warning("needs more than a day", extra={"request_id": case["_id"], "minutes": ask.minutes})
                take(outlook.horizon, slot, reference)
                why = FIRST_FREE if slot["visit_id"] == ask.visit_id else JOINED
                slots.append(known({**slot, "why": asdict(why)}, case))
        CAPACITY_SHORT.inc(sum(_too_late(case, slots, self._not_before) for case in new.values()))
        await self.booker.leave(leave)
        await self.booker.leave_out({i: asdict(reasons[i]) for i in reasons if i in self._not_before})
        return slots, len(leave) + await self._stay({c["_id"]: c for c in stay}, verdicts, reference)

    async def _planned(
        self, cases: Mapping[str, Case], asks: Mapping[str, Ask], outlook: Outlook, reference: Reference
    ) -> tuple[list[Slot], Mapping[str, Reason]]:
        """Slots by the planner for new visits for which a team drives, taken in the outlook; why each of the others has none.

        Who gets none here is for first fit: the planner looks at the first dates with room, first fit at a year.
        """
        if self.plan_by is PlanBy.FIRST_COME:
            return [], {}
        for_planner = [asks[i] for i in cases if plan_input.is_planned(asks[i])]
        alone = plan_input.one_of_each_place(for_planner, outlook.horizon, reference)
        now = self.clock.now()
        question = plan_input.question(alone, cases, outlook.horizon, reference, now, fairness=self.fairness)
        answer = await self.seating.ask(question, alone)
        if answer is None:
            return [], {}
        return self.seating.slots(answer, alone, cases, outlook.horizon, reference), answer.reasons

    async def _slot(self, ask: Ask, case: Case, outlook: Outlook, reference: Reference) -> Slot | None:
        """The first fit."""
        slot = await outlook.choose(self.planner, ask, reference)
        return with_more(slot, ask, case, outlook.horizon, reference, planner=self.planner) if slot else None


def _too_far(ask: Ask, outlook: Outlook) -> bool:
    """Whether a visit is of no use within the horizon: a birthday was corrected, and it waits without a date."""
    return ask.earliest is not None and ask.earliest > outlook.horizon.dates[-1]


def _too_late(case: Case, slots: Sequence[Slot], without: Mapping[str, float]) -> bool:
    """Whether a request gets no date before it is due."""
    due = due_day(case)
    if due is None:
        return False
    return case["_id"] in without or any(s["request_id"] == case["_id"] and s["day"] > due.isoformat() for s in slots)


def _has(slots: Sequence[Slot], case: Case) -> bool:
    return any(s["request_id"] == case["_id"] for s in slots)


def _amended_slot(case: Case, verdict: Verdict) -> Slot | None:
    """The slot that the case holds, with other items; None where they are the same."""
    slot = held(case)
    assert slot is not None, "a visit that has not started is held"
    details = case["details"]
    needed = needed_for(verdict.items, details)
    now: Slot = {
        **slot,
        "at": verdict.at,
        "items": list(verdict.items),
        "minutes": verdict.minutes,
        "place_keys": place_keys(details["place"]),
        "terms": terms_of(case),
        "errands": errands_of(case),
        "kit": list(kit_of(needed)),
        "blanks": list(blanks_of(needed)),
    }
    same = all(now[k] == slot.get(k) for k in ("items", "minutes", "place_keys", "kit", "blanks"))
    return None if same and tuple(verdict.at) == tuple(slot["at"]) else now


def _hours(slot: Slot) -> tuple[int, int]:
    return slot["start"], slot["end"]
