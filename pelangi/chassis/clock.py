"""Time as an argument. Storage is UTC, the calendar is Asia/Jakarta."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

JAKARTA = ZoneInfo("Asia/Jakarta")


class Clock(Protocol):
    """Two times: `now` for business dates (it may run faster in a simulation), `wall` for ages, leases and `ce_time`."""

    def now(self) -> datetime: ...

    def wall(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's clock; `now` is `wall` moved by `offset` and, from `since` on, `rate` times as fast."""

    offset: timedelta = timedelta(0)
    rate: float = 1.0
    since: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def wall(self) -> datetime:
        """Now, UTC, whole milliseconds (what the database keeps)."""
        return _milliseconds(datetime.now(UTC))

    def now(self) -> datetime:
        """The business time, UTC, whole milliseconds."""
        wall = datetime.now(UTC)
        if self.rate == 1.0:
            return _milliseconds(wall + self.offset)
        return _milliseconds(self.since + (wall - self.since) * self.rate + self.offset)


def parse_clock(text: str) -> SystemClock:
    """A clock from `PELANGI_CLOCK`, e.g. `offset=3600 rate=1440 since=2026-11-24T00:00:00Z` (seconds; any part optional).

    Raises ValueError for anything else. A rate other than 1 needs `since`, so that all processes agree on the date.
    """
    parts = dict(part.split("=", 1) for part in text.split())
    if unknown := parts.keys() - {"offset", "rate", "since"}:
        raise ValueError(f"PELANGI_CLOCK: unknown part {sorted(unknown)[0]}")
    rate = float(parts.get("rate", "1"))
    if rate != 1.0 and "since" not in parts:
        raise ValueError("PELANGI_CLOCK: a rate needs since=<RFC 3339>")
    since = datetime.fromisoformat(parts.get("since", "2026-01-01T00:00:00+00:00"))
    return SystemClock(timedelta(seconds=float(parts.get("offset", "0"))), rate, since.astimezone(UTC))


def local_date(moment: datetime) -> date:
    """The calendar date in Pangkalpinang."""
    return moment.astimezone(JAKARTA).date()


def _milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
