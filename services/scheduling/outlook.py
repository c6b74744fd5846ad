"""The days ahead, as far as somebody needs them."""

from dataclasses import dataclass
from datetime import date, datetime

from pelangi.chassis.store import Collection
from services.scheduling.case import Slot
from services.scheduling.planner.interface import Ask, Horizon, Planner
from services.scheduling.reference import Reference
from services.scheduling.store import read_days

RANGE = 40
"""How many days are read at once: a batch seldom needs a second range."""


@dataclass(slots=True)
class Outlook:
    """The days ahead, read from the store range by range, only as far as somebody needs them."""

    days: Collection
    horizon: Horizon

    @classmethod
    def ahead(cls, days: Collection, reference: Reference, now: datetime) -> "Outlook":
        """From the next working day on."""
        return cls(days, Horizon(list(reference.calendar.upcoming(now))))

    @property
    def first(self) -> date:
        """The first date that a visit may have."""
        return self.horizon.dates[0]

    async def choose(self, planner: Planner, ask: Ask, reference: Reference) -> Slot | None:
        """The planner's slot among all days of the horizon; None where none has room."""
        while True:
            slot = planner.choose(ask, self.horizon, reference)
            if slot or not await self.read_on(ask.earliest):
                return slot

    async def read_on(self, earliest: date | None = None) -> bool:
        """Read one more range, from a date on; whether there was one."""
        dates = self.horizon.unread(earliest, RANGE)
        if dates:
            self.horizon.days.update(await read_days(self.days, dates))
            self.horizon.read.update(dates)
        return bool(dates)
