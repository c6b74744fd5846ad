"""Business time for a simulation of many days: the services' clock runs fast, and the player follows it."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

JAKARTA = ZoneInfo("Asia/Jakarta")
DAY_S = 86_400.0


class BusinessClock(Protocol):
    """What the player knows of time."""

    def now(self) -> datetime: ...

    async def until(self, moment: datetime) -> None:
        """Returns when that moment has come; at once where it has passed."""


@dataclass(frozen=True, slots=True)
class FastClock:
    """It is `begins` at the machine's moment `since`, and every calendar day takes `day_s` seconds of the machine."""

    begins: datetime
    since: datetime
    day_s: float

    @classmethod
    def from_date(cls, on: date, day_s: float, *, lead_s: float) -> "FastClock":
        """A clock on which that date begins in `lead_s` seconds from now."""
        return cls(at(on, 0), datetime.now(UTC) + timedelta(seconds=lead_s), day_s)

    @property
    def setting(self) -> str:
        """The same clock as `PELANGI_CLOCK`, for the services."""
        offset = (self.begins - self.since).total_seconds()
        return f"offset={offset!r} rate={DAY_S / self.day_s!r} since={self.since.isoformat()}"

    def now(self) -> datetime:
        """The business time."""
        return self.begins + (datetime.now(UTC) - self.since) * (DAY_S / self.day_s)

    async def until(self, moment: datetime) -> None:
        """See `BusinessClock`."""
        left = (moment - self.now()).total_seconds() * self.day_s / DAY_S
        if left > 0:
            await asyncio.sleep(left)


def at(on: date, minute: int) -> datetime:
    """A minute of a date in the city."""
    return datetime.combine(on, time(), JAKARTA) + timedelta(minutes=minute)
