"""The sweeper: frees bookings that no case holds or wants, whatever left them behind.

It reads the day first and the case after it: a placement_id is wanted before it is booked and never comes back once let go, so
one that the case does not know *then* is dead. Each day is written guarded by the version that was read.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from pelangi.chassis.case import Change
from pelangi.chassis.clock import Clock, local_date
from pelangi.chassis.store import Collection, Guarded
from services.scheduling.case import Case, held, wanted
from services.scheduling.day import Day
from services.scheduling.days import free
from services.scheduling.metrics import SWEPT
from services.scheduling.store import days_from, placements

BACK = timedelta(days=7)
"""How far into the past it looks."""


@dataclass(slots=True)
class Sweeper:
    """Work of the leader, at most every `every_s` seconds, however often it is woken."""

    cases: Collection
    days: Collection
    clock: Clock
    every_s: float = 30.0
    _last: float | None = None

    async def __call__(self) -> None:
        """Sweep, if it is time."""
        now = time.monotonic()
        if self._last is None or now - self._last >= self.every_s:
            await self.sweep()
            self._last = now

    async def sweep(self) -> int:
        """Look at all days from a week ago on; how many bookings were freed."""
        first, after, count = local_date(self.clock.now()) - BACK, "", 0
        while days := await days_from(self.days, first, after=after):
            after = days[-1]["_id"]
            count += await self._sweep(days)
        return count

    async def _sweep(self, days: Sequence[Day]) -> int:
        requests = {b["request_id"] for d in days for b in d.get("bookings", {}).values()}
        cases = await placements(self.cases, sorted(requests)) if requests else {}
        updates: list[Guarded] = []
        count = 0
        for day in days:
            after = free(day, dead(day, cases))
            change: Change[Day] = Change(day, day)  # type: ignore[type-var]
            change.advance(after, wall=self.clock.wall())
            if change.changed:
                updates.append(change.update())
                count += len(day["bookings"]) - len(after["bookings"])
        if updates:
            await self.days.update_many_guarded(updates)  # what lost is looked at again next time
            SWEPT.inc(count)
        return count


def dead(day: Day, cases: dict[str, Case]) -> list[str]:
    """Bookings of a day that their case neither holds nor wants."""
    nobody: Case = {"_id": "", "version": 0}
    return [
        placement_id
        for placement_id, booking in day.get("bookings", {}).items()
        if placement_id not in {s["placement_id"] for f in (held, wanted) if (s := f(cases.get(booking["request_id"], nobody)))}
    ]
