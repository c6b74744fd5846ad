"""After a team's call was written in the day and answered: the cases of the visit's members follow it.

Begun by whoever took the call, finished by the leader from the index of unspread visits. Each case follows a (visit, version)
once: `model.follow` is a no-op the second time.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import cast

from pelangi.chassis.clock import Clock
from pelangi.chassis.crash import crash_point
from pelangi.chassis.ids import random_claim
from pelangi.chassis.store import Collection
from services.scheduling import lifecycle, model
from services.scheduling.booking import Booker
from services.scheduling.case import NOT_STARTED, Case, Slot, find_visit, held, is_elsewhere, trace_of, wanted
from services.scheduling.day import MOVED, Day, DayVisit
from services.scheduling.days import open_session
from services.scheduling.fold import fold
from services.scheduling.metrics import ENDED, SESSIONS_LOST, SPREAD_FAILURES
from services.scheduling.reference import Reference, Sources, read_reference
from services.scheduling.store import unspread_days

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Spreader:
    """Makes cases follow their visits."""

    cases: Collection
    days: Collection
    reference: Sources
    clock: Clock
    booker: Booker

    async def all(self) -> tuple[int, list[Exception]]:
        """Finish what others began; how many visits that were, and why others could not be."""
        count, failures = 0, list[Exception]()
        after = ""
        while days := await unspread_days(self.days, after=after):
            after = days[-1]["_id"]
            for day, visit_id in ((d, v) for d in days for v in d["unspread"]):
                try:
                    await self.visit(day, visit_id)
                    count += 1
                except Exception as error:  # noqa: BLE001 - one visit that cannot follow must not hold up the others
                    SPREAD_FAILURES.labels(type(error).__name__).inc()
                    log.warning("not spread yet", extra={"visit_id": visit_id, "day": day["_id"], "error": type(error).__name__})
                    failures.append(error)
        return count, failures

    async def begin(self, day: Day, visit_ids: Sequence[str]) -> None:
        """Let members follow at once, after a call that is done and answered: the leader finishes what does not work now."""
        behind = [visit_id for visit_id in visit_ids if visit_id in day.get("unspread", [])]
        try:
            if behind:
                await self.visits(day, behind)
        except Exception as error:  # noqa: BLE001 - the day has them; the leader's next round counts what fails again
            log.warning("not spread yet", extra={"day": day["_id"], "visits": len(behind), "error": type(error).__name__})

    async def visit(self, day: Day, visit_id: str) -> None:
        """All members of a visit follow it, then the day knows that they did."""
        await self.visits(day, [visit_id], fresh=False)

    async def visits(self, day: Day, visit_ids: Sequence[str], *, fresh: bool = True) -> None:
        """The same for several visits of a day: their members' cases are read and written once.

        fresh: the day was read or written just now, so that it need not be read again.
        """
        done: dict[str, int] = {}
        standing: list[str] = []
        for visit_id in visit_ids:
            visit = day["visits"][visit_id]
            if visit["status"] == MOVED:
                known = cast(dict[str, Case], await self.cases.get_many(list(visit["members"])))
                if not await self._move(day, visit_id, known):
                    continue
                fresh = False  # the places that its members left are free by now
            elif visit["status"] not in NOT_STARTED or visit.get("handed_over") == visit["version"]:
                # else it came back to this day: whoever was to follow it has left
                standing.append(visit_id)
            done[visit_id] = visit["version"]
        if standing:
            await self._follow(day, standing)
        if done:
            known_days = {day["_id"]: day} if fresh else None
            await fold(self.days, {day["_id"]: partial(_all_spread, done)}, clock=self.clock, known=known_days)

    async def _follow(self, day: Day, visit_ids: Sequence[str]) -> None:
        """The members of visits that stand in this day."""
        ids = [request_id for visit_id in visit_ids for request_id in day["visits"][visit_id]["members"]]
        known = cast(dict[str, Case], await self.cases.get_many(ids))
        if any(wanted(case) for case in known.values()):
            moving = [case for case in known.values() if (slot := wanted(case)) and slot["move"]]
            await self.booker.finish(moving, await read_reference(self.reference))  # they leave their old day before
            await self.booker.hold_members([case for case in known.values() if case not in moving], day)
            # read again: a member held just now follows as it is now, not as it was before
            known = cast(dict[str, Case], await self.cases.get_many(ids))
        seen = [lifecycle.seen(day, visit_id) for visit_id in visit_ids]
        await self._fold_first_then_rest(known, lambda case: _followed(case, seen, self.clock.now()))
        for status in (s.status for s in seen if s.status in model.ENDED):
            ENDED.labels(status).inc()

    async def _move(self, day: Day, visit_id: str, known: dict[str, Case]) -> bool:
        """Every member takes a place of its own in the visit's new day; for whom there is none, the planner finds another visit.

        A session is there before them. Who walked in from elsewhere is not sent to where the team will be another day.
        False where somebody else is at the booking of a member: this visit is to be looked at again.
        """
        visit, reference = day["visits"][visit_id], await read_reference(self.reference)
        if unfinished := [c for c in known.values() if wanted(c)]:
            await self.booker.finish(unfinished, reference)
            known = cast(dict[str, Case], await self.cases.get_many(list(known)))
        if visit["moved_to"].get("session"):
            await self._open_session(visit["moved_to"], reference)
        behind = {i: c for i, c in known.items() if _is_behind(c, visit_id, visit)}
        slots = [_member_slot(c, visit, day) for c in behind.values() if not _came_from_elsewhere(c, visit_id)]
        for some in (slots[:1], slots[1:]):
            if some:
                await self.booker.place(some, reference, behind)
            crash_point("visit.after-first-member")
        now = self.clock.now()
        parted: dict[str, Callable[[Case], Case]] = {
            i: lambda case: model.part(case, visit_id, visit["version"], visit.get("reason"), now) for i in behind
        }
        after = await fold(self.cases, parted, clock=self.clock, trace=trace_of) if parted else {}
        return not any(_is_behind(c, visit_id, visit) for c in after.values())

    async def _open_session(self, to: Slot, reference: Reference) -> None:
        days = await fold(self.days, {to["day"]: partial(_with_session, to, reference)}, clock=self.clock, create=True)
        if not lifecycle.stands(days[to["day"]], to["visit_id"]):
            SESSIONS_LOST.inc()
            log.warning("no room for a session by now", extra={"visit_id": to["visit_id"], "day": to["day"]})

    async def _fold_first_then_rest(self, known: Mapping[str, Case], transition: Callable[[Case], Case]) -> None:
        members = list(known)
        for some in (members[:1], members[1:]):
            if some:
                await fold(self.cases, dict.fromkeys(some, transition), clock=self.clock, known=known, trace=trace_of)
            crash_point("visit.after-first-member")


def _followed(case: Case, seen: Sequence[model.Seen], now: datetime) -> Case:
    """The case after its visit; it is a member of one of them, or of several in turn."""
    for one in seen:
        case = model.follow(case, one, now)
    return case


def _all_spread(versions: Mapping[str, int], day: Day) -> Day:
    for visit_id, version in versions.items():
        day = lifecycle.spread(day, visit_id, version)
    return day


def _with_session(to: Slot, reference: Reference, day: Day) -> Day:
    """The day with the session, if it has room; not once more where it was there and moved on."""
    return open_session(day, to, reference) or day


def _came_from_elsewhere(case: Case, visit_id: str) -> bool:
    mine = find_visit(case, visit_id)
    return mine is not None and bool(mine.get("walk_in")) and is_elsewhere(case, mine)


def _is_behind(case: Case, visit_id: str, visit: DayVisit) -> bool:
    """Whether the case is still in the visit as it was before it moved."""
    mine = find_visit(case, visit_id)
    return mine is not None and mine["version"] < visit["version"] and mine["status"] in NOT_STARTED


def _member_slot(case: Case, visit: DayVisit, day: Day) -> Slot:
    """One member's share of the place that the visit moves to."""
    old = held(case)
    mine = find_visit(case, old["visit_id"]) if old else None
    assert old is not None and mine is not None, "a visit that has not started is held"
    booking = day["bookings"].get(old["placement_id"])
    return {
        **visit["moved_to"],
        "placement_id": random_claim(),
        "request_id": case["_id"],
        "joins": True,
        "items": old["items"],
        "minutes": booking["minutes"] if booking else old["minutes"],
        "kit": old.get("kit", []),
        "blanks": booking.get("blanks", []) if booking else old.get("blanks", []),
        "reason": visit.get("reason"),
        "asked": mine.get("asked"),
        "not_earlier": visit["moved_to"]["day"],
        "terms": mine.get("terms"),
        "errands": mine.get("errands"),
    }
