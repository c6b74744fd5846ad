"""The planner's round: who waits, in order of priority, into the first days with room, a batch at a time."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from pelangi.chassis.clock import Clock
from pelangi.chassis.ids import random_claim, random_id
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import Collection
from pelangi.contracts.public import PUBLIC_PLACE_KINDS
from services.scheduling.booking import Booker
from services.scheduling.case import Case, Item, Slot, items_to_visit, open_visit, wanted
from services.scheduling.days import DayVisit, book
from services.scheduling.metrics import CAPPED, NO_DAY, WAITING
from services.scheduling.planner.first_fit import FirstFit
from services.scheduling.planner.interface import Ask, Horizon, Planner
from services.scheduling.planner.priority import order
from services.scheduling.reference import Reference, read_reference, service_minutes
from services.scheduling.store import read_days, waiting

log = logging.getLogger(__name__)

BATCH = 100
RANGE = 40
"""How many days are read at once: a batch seldom needs a second range."""
RETRY_S = 60.0
"""A request that no day had room for is looked at again after so long."""


def minutes_for(items: Sequence[Item], details: dict[str, Any]) -> int:
    """Time on site: per service and person, three times as long for who is slow to serve (DOMAIN.md §2.2)."""
    table = service_minutes()
    slow = {p["ref"] for p in details["persons"] if set(p["needs"]) & set(table.slow_needs)}
    minutes: dict[str, int] = {str(kind): m for kind, m in table.minutes.items()}
    return sum(minutes[i["service_kind"]] * (table.slow_factor if i["person_ref"] in slow else 1) for i in items)


def ask_for(case: Case, reference: Reference, *, new_id: Callable[[], str] = random_id) -> Ask:
    """What a case asks of the planner: a new visit, or a new place for the one it has."""
    details, visit = case["details"], open_visit(case)
    place, items = details["place"], items_to_visit(case)
    kind = place["visit_kind"]
    deadline = details.get("deadline")
    return Ask(
        request_id=case["_id"],
        placement_id=random_claim(),
        visit_id=visit["visit_id"] if visit else new_id(),
        visit_kind=kind,
        village_code=place["village_code"],
        point=reference.points.of(place["village_code"]) if kind in PUBLIC_PLACE_KINDS else None,
        minutes=minutes_for(items, details),
        items=items,
        joins=visit is None and kind in PUBLIC_PLACE_KINDS,
        move=visit is not None,
        visit_version=visit["version"] + 2 if visit else 1,  # as in ask_to_move
        refused=frozenset(v["visit_id"] for v in case.get("visits", [])),
        availability=_availability(details),
        deadline=date.fromisoformat(deadline["date"]) if deadline else None,
    )


def ask_to_move(visit_id: str, visit: DayVisit, minutes: int) -> Ask:
    """What a whole visit asks of the planner that is to be rescheduled with all its members."""
    return Ask(
        request_id="",
        placement_id=random_claim(),
        visit_id=visit_id,
        visit_kind=visit["visit_kind"],
        village_code=visit["village_code"],
        point=visit["point"],
        minutes=minutes,
        items=(),
        block=visit["end"] - visit["start"],
        move=True,
        visit_version=visit["version"] + 2,  # one for the move, one for the visit that the new day opens
    )


@dataclass(slots=True)
class Outlook:
    """The days ahead, read from the store range by range, only as far as somebody needs them."""

    days: Collection
    horizon: Horizon

    @classmethod
    def ahead(cls, days: Collection, reference: Reference, now: datetime) -> "Outlook":
        """From the next working day on."""
        return cls(days, Horizon(list(reference.calendar.upcoming(now))))

    async def choose(self, planner: Planner, ask: Ask, reference: Reference) -> Slot | None:
        """The planner's slot among all days of the horizon; None where none has room."""
        while True:
            slot = planner.choose(ask, self.horizon, reference)
            if slot or not await self.read_on():
                return slot

    async def read_on(self) -> bool:
        """Read one more range; whether there was one."""
        horizon = self.horizon
        dates = horizon.dates[horizon.read : horizon.read + RANGE]
        if dates:
            horizon.days.update(await read_days(self.days, dates))
            horizon.read += len(dates)
        return bool(dates)


@dataclass(slots=True)
class Round:
    """The planner's work in the leader."""

    cases: Collection
    days: Collection
    reference: Collection
    clock: Clock
    written: Signal
    booker: Booker
    planner: Planner = field(default_factory=FirstFit)
    _not_before: dict[str, float] = field(default_factory=dict)

    async def __call__(self) -> None:
        """Place everybody who waits and can be placed."""
        while await self.batch():
            self.written.set()

    async def batch(self) -> int:
        """Place the next batch; how many got a place or have to wait for one. A handful of commands, however many requests."""
        now = self.clock.now()
        self._not_before = {i: at for i, at in self._not_before.items() if at > time.monotonic()}
        found = await waiting(self.cases, without=self._not_before)
        WAITING.set(len(found) + len(self._not_before))
        ready = [c for c in found if wanted(c) is None]
        if not ready:
            return 0
        batch = sorted(ready, key=lambda c: order(c, now))[:BATCH]
        reference = await read_reference(self.reference)
        slots = await self._choose(batch, reference, now)
        placed = await self.booker.place(slots, reference, {c["_id"]: c for c in batch if _has(slots, c)}) if slots else set()
        return len(placed) + sum(c["_id"] in self._not_before for c in batch)

    async def _choose(self, batch: Sequence[Case], reference: Reference, now: datetime) -> list[Slot]:
        outlook = Outlook.ahead(self.days, reference, now)
        await outlook.read_on()
        slots: list[Slot] = []
        for case in batch:
            ask = ask_for(case, reference)
            slot = await outlook.choose(self.planner, ask, reference)
            if slot is None:
                NO_DAY.inc()
                self._not_before[case["_id"]] = time.monotonic() + RETRY_S
                log.warning("no day has room", extra={"request_id": case["_id"], "minutes": ask.minutes})
                continue
            if slot["minutes"] < ask.minutes:
                CAPPED.inc()
                log.warning("needs more than a day", extra={"request_id": case["_id"], "minutes": ask.minutes})
            take(outlook.horizon, slot, reference)
            slots.append(slot)
        return slots


def take(horizon: Horizon, slot: Slot, reference: Reference) -> None:
    """Book a chosen slot in the days as read, so that the next request of the batch sees it."""
    on = date.fromisoformat(slot["day"])
    after = book(horizon.day(on), slot, reference)
    assert after is not None
    horizon.days[on] = after


def _has(slots: Sequence[Slot], case: Case) -> bool:
    return any(s["request_id"] == case["_id"] for s in slots)


def _availability(details: dict[str, Any]) -> tuple[tuple[int, int, int], ...]:
    return tuple((a["weekday"], _minute(a["start"]), _minute(a["end"])) for a in details.get("availability", []))


def _minute(text: str) -> int:
    hour, minute = text.split(":")[:2]
    return int(hour) * 60 + int(minute)
