"""Three steps to a place in a day, and the way back (ARCHITECTURE.md §2, "Visits and days").

1. the case says what it wants; 2. the day books it, capacity checked in that one document; 3. on the case wanted becomes held and
the event is pushed; then the old booking is freed. Who takes a visit along leaves its old day between 2 and 3, and gives up where
the team there was faster. No step needs another to be atomic with it: whoever finds a case between two steps finishes or clears
it, and a booking that no case holds or wants is freed.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from pelangi.chassis.clock import Clock
from pelangi.chassis.crash import crash_point
from pelangi.chassis.store import Collection
from services.scheduling import lifecycle, model
from services.scheduling.agenda import errands_of, terms_of
from services.scheduling.case import Case, Slot, held, open_visit, trace_of, wanted
from services.scheduling.day import Day
from services.scheduling.days import amend, book, booked, free, is_amended, open_up
from services.scheduling.fold import fold
from services.scheduling.metrics import AMENDED, DAY_FULL, MOVED, PLACED, RESUME_FAILURES
from services.scheduling.reference import Reference
from services.scheduling.store import stuck_bookings, to_release

log = logging.getLogger(__name__)

STUCK = timedelta(seconds=5)
"""A booking that has not moved on for so long has lost whoever was at it."""


@dataclass(frozen=True, slots=True)
class Booker:
    """Books, moves and frees places: the I/O around the pure transitions."""

    cases: Collection
    days: Collection
    clock: Clock

    async def place(self, slots: Sequence[Slot], reference: Reference, known: Mapping[str, Case] | None = None) -> set[str]:
        """Take these slots, one per request; which requests hold theirs now. At most one command per step and collection."""
        wanting = await self._fold_cases({s["request_id"]: self._want(s) for s in slots}, known)
        crash_point("booking.after-wanted")
        mine = [s for s in slots if _is(wanted(wanting.get(s["request_id"], _NOBODY)), s)]
        return await self._book_and_hold(mine, reference, wanting)

    async def resume(self, reference: Reference) -> tuple[int, list[Exception]]:
        """Finish or clear bookings whose process died between two steps; how many, and why others could not be.

        All at once; where that fails one by one, so that one bad case stops no other.
        """
        cases = await stuck_bookings(self.cases, self.clock.wall() - STUCK)
        try:
            await self.finish(cases, reference)
        except Exception as error:  # noqa: BLE001 - found again below, at the case that it comes from
            log.warning("not all bookings finished", extra={"error": type(error).__name__})
        else:
            return len(cases), []
        failures: list[Exception] = []
        for case in cases:
            try:
                await self.finish([case], reference)
            except Exception as error:  # noqa: BLE001 - one case must not hold up the others
                RESUME_FAILURES.labels(type(error).__name__).inc()
                log.warning("booking not finished", extra={"request_id": case["_id"], "error": type(error).__name__})
                failures.append(error)
        return len(cases) - len(failures), failures

    async def amend(self, slots: Sequence[Slot], known: Mapping[str, Case], reference: Reference) -> set[str]:
        """Other items in the bookings that these slots hold: first in the day, then on the case. Which requests have them now."""
        by_day: dict[str, Callable[[Day], Day]] = {}
        for day in {s["day"] for s in slots}:
            by_day[day] = partial(_amend_all, [s for s in slots if s["day"] == day], reference)
        days = await fold(self.days, by_day, clock=self.clock)
        crash_point("booking.after-amended")
        done = [s for s in slots if is_amended(days[s["day"]], s)]
        await self._fold_cases({s["request_id"]: self._amend(s) for s in done}, known)
        for slot in done:
            AMENDED.labels(slot["visit_kind"]).inc()
        return {s["request_id"] for s in done}

    async def keep(self, cases: Iterable[Case]) -> None:
        """The visits of these corrected requests stay as they are."""
        transitions = {c["_id"]: partial(_keep, terms_of(c), errands_of(c), self.clock.now()) for c in cases}
        if transitions:
            await self._fold_cases(transitions)

    async def leave(self, cases: Iterable[Case]) -> None:
        """These corrected requests leave visits that they share with others, or that are of no use to them."""
        leaving = {c["_id"]: self._leave_shared(visit["visit_id"]) for c in cases if (visit := open_visit(c))}
        if leaving:
            await self._release([c for c in (await self._fold_cases(leaving)).values() if c.get("releases")])

    async def leave_out(self, reasons: Mapping[str, dict[str, str]]) -> None:
        """No date has room for these requests, and why."""
        if reasons:
            await self._fold_cases({i: partial(_left_out, why) for i, why in reasons.items()})

    async def finish(self, cases: Sequence[Case], reference: Reference) -> None:
        """Second and third step for what these cases want. Safe beside whoever began it: every step finds its own mark."""
        slots = [slot for case in cases if (slot := wanted(case))]
        await self._book_and_hold(slots, reference, {c["_id"]: c for c in cases})

    async def hold_members(self, cases: Iterable[Case], day: Day) -> None:
        """Third step for those cases whose wanted slot this day has booked: before they can follow their visit."""
        slots = [done for c in cases if (slot := wanted(c)) and slot["day"] == day["_id"] and (done := booked(day, slot))]
        if slots:
            await self._fold_cases({s["request_id"]: self._hold(s) for s in slots})

    async def release(self) -> int:
        """Free what cases let go of; how many cases that were."""
        cases = await to_release(self.cases)
        await self._release(cases)
        return len(cases)

    async def free(self, by_day: Mapping[str, set[str]]) -> None:
        """Take bookings out of their days. Only for placement_ids that no case holds or wants: they never come back."""
        await fold(self.days, {day: partial(_free, ids) for day, ids in by_day.items()}, clock=self.clock)

    async def _book_and_hold(self, slots: Sequence[Slot], reference: Reference, known: Mapping[str, Case]) -> set[str]:
        if not slots:
            return set()
        days = await self._book(slots, reference)
        crash_point("booking.after-booked")
        stay = await self._leave([s for s in slots if s["move"] and booked(days[s["day"]], s)], known)
        crash_point("booking.after-left")
        third: dict[str, Callable[[Case], Case]] = {}
        for slot in slots:
            done = booked(days[slot["day"]], slot)
            third[slot["request_id"]] = self._hold(done) if done and slot["placement_id"] not in stay else self._give_up(slot)
            if done is None:
                DAY_FULL.inc()
        cases = await self._fold_cases(third, known)
        crash_point("booking.after-held")
        winners = [s for s in slots if _is(held(cases[s["request_id"]]), s)]
        lost = [s for s in slots if s not in winners and booked(days[s["day"]], s)]
        await self._open_up([s for s in winners if s["move"] and not s["joins"]])
        await self.free(_by_day(lost))
        await self._release([c for c in cases.values() if c.get("releases")])
        for slot in winners:
            (MOVED if slot["move"] else PLACED).labels(slot["visit_kind"]).inc()
        return {s["request_id"] for s in winners}

    async def _book(self, slots: Sequence[Slot], reference: Reference) -> dict[str, Day]:
        transitions: dict[str, Callable[[Day], Day]] = {}
        for day in {s["day"] for s in slots}:
            transitions[day] = partial(_book_all, [s for s in slots if s["day"] == day], reference)
        return await fold(self.days, transitions, clock=self.clock, create=True)

    async def _leave(self, moves: Sequence[Slot], known: Mapping[str, Case]) -> set[str]:
        """Mark the visits that these booked slots take along as moved in their old days.

        The placement_ids of those that cannot go: the visit has started there, was moved by the office, or is shared by now.
        """
        leaving = [(s, old) for s in moves if (old := held(known[s["request_id"]]))]
        if not leaving:
            return set()
        transitions: dict[str, Callable[[Day], Day]] = {}
        for day in {old["day"] for _, old in leaving}:
            transitions[day] = partial(_leave_all, [(s, old) for s, old in leaving if old["day"] == day])
        days = await fold(self.days, transitions, clock=self.clock)
        return {s["placement_id"] for s, old in leaving if not lifecycle.has_left(days[old["day"]], s)}

    async def _open_up(self, moved: Sequence[Slot]) -> None:
        """Others may join the visits that were taken along; where the process dies before, nobody does, and no more is lost."""
        by_day: dict[str, set[str]] = {}
        for slot in moved:
            by_day.setdefault(slot["day"], set()).add(slot["visit_id"])
        if by_day:
            await fold(self.days, {day: partial(_open_up, ids) for day, ids in by_day.items()}, clock=self.clock)

    async def _release(self, cases: Sequence[Case]) -> None:
        by_day: dict[str, set[str]] = {}
        for release in (r for c in cases for r in c["releases"]):
            by_day.setdefault(release["day"], set()).add(release["placement_id"])
        if by_day:
            await self.free(by_day)
            gone = {c["_id"]: {r["placement_id"] for r in c["releases"]} for c in cases}
            await self._fold_cases(
                {case_id: partial(_released, ids) for case_id, ids in gone.items()}, {c["_id"]: c for c in cases}
            )

    async def _fold_cases(
        self, transitions: Mapping[str, Callable[[Case], Case]], known: Mapping[str, Case] | None = None
    ) -> dict[str, Case]:
        return await fold(self.cases, transitions, clock=self.clock, known=known, trace=trace_of)

    def _want(self, slot: Slot) -> Callable[[Case], Case]:
        return lambda case: model.want(case, slot, self.clock.wall())

    def _hold(self, slot: Slot) -> Callable[[Case], Case]:
        return lambda case: model.hold(case, slot, self.clock.now())

    def _amend(self, slot: Slot) -> Callable[[Case], Case]:
        return lambda case: model.amend(case, slot, self.clock.now())

    def _leave_shared(self, visit_id: str) -> Callable[[Case], Case]:
        return lambda case: model.leave(case, visit_id, self.clock.now())

    def _give_up(self, slot: Slot) -> Callable[[Case], Case]:
        return lambda case: model.give_up(case, slot["placement_id"], self.clock.now())


_NOBODY: Case = {"_id": "", "version": 0}


def _is(placed: Slot | None, slot: Slot) -> bool:
    return placed is not None and placed["placement_id"] == slot["placement_id"]


def _book_all(slots: Sequence[Slot], reference: Reference, day: Day) -> Day:
    """The day with those of the slots that it has room for."""
    for slot in slots:
        day = book(day, slot, reference) or day
    return day


def _amend_all(slots: Sequence[Slot], reference: Reference, day: Day) -> Day:
    """The day with the items of those slots for which it has room."""
    for slot in slots:
        day = amend(day, slot, reference)
    return day


def _keep(terms: dict[str, str], errands: str, now: datetime, case: Case) -> Case:
    visit = open_visit(case)
    return model.keep(case, visit["visit_id"], terms, errands, now) if visit else case


def _left_out(why: dict[str, str], case: Case) -> Case:
    return model.left_out(case, why)


def _leave_all(pairs: Sequence[tuple[Slot, Slot]], day: Day) -> Day:
    """The day after the visits of these (new, old) slots left it."""
    for slot, old in pairs:
        day = lifecycle.leave(day, slot, old["placement_id"])
    return day


def _open_up(visit_ids: set[str], day: Day) -> Day:
    return open_up(day, visit_ids)


def _free(placement_ids: set[str], day: Day) -> Day:
    return free(day, placement_ids)


def _released(placement_ids: set[str], case: Case) -> Case:
    return model.released(case, placement_ids)


def _by_day(slots: Iterable[Slot]) -> dict[str, set[str]]:
    by_day: dict[str, set[str]] = {}
    for slot in slots:
        by_day.setdefault(slot["day"], set()).add(slot["placement_id"])
    return by_day
