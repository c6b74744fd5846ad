"""What a planner is asked and what it answers. Pure: the days are given to it, ids too."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice, takewhile
from typing import Any, Protocol

from services.scheduling.case import Item, Slot
from services.scheduling.day import Day
from services.scheduling.reference import Reference
from services.scheduling.travel import Coordinates


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that needs a place: for how long, where, for what; and the fresh ids it may use.

    refused: visits that it may not join, having been in them. block: least length of a new visit. move: it takes its visit along.
    availability: (ISO weekday, from, to) in minutes of the day; a preference only. deadline: not left for a preference.
    earliest: no date before. at: where the visit goes. place_keys: an institution by which others of the same place are
    recognised. kit, blanks: what the team must have, see `equipment`.
    """

    request_id: str
    placement_id: str
    visit_id: str
    visit_kind: str
    village_code: str
    point: dict[str, Any] | None
    at: Coordinates
    minutes: int
    items: Sequence[Item]
    block: int = 0
    joins: bool = False
    move: bool = False
    reason: str | None = None
    visit_version: int = 1
    refused: frozenset[str] = frozenset()
    availability: tuple[tuple[int, int, int], ...] = ()
    deadline: date | None = None
    earliest: date | None = None
    kit: tuple[str, ...] = ()
    blanks: tuple[int, ...] = ()
    place_keys: tuple[str, ...] = ()


@dataclass(slots=True)
class Horizon:
    """The dates a visit may be on, in order, and the days of those that were read. A date read but not in `days` is empty."""

    dates: Sequence[date]
    days: dict[date, Day] = field(default_factory=dict)
    read: set[date] = field(default_factory=set)

    def day(self, on: date) -> Day:
        return self.days.get(on) or {"_id": on.isoformat(), "version": 0}

    def loaded(self, earliest: date | None = None) -> Sequence[date]:
        """The dates whose days are known, from one on without a gap."""
        return list(takewhile(self.read.__contains__, self.dates[self.at(earliest) :]))

    def unread(self, earliest: date | None, count: int) -> Sequence[date]:
        """The next dates from one on whose days are not known."""
        return list(islice((d for d in self.dates[self.at(earliest) :] if d not in self.read), count))

    def at(self, earliest: date | None) -> int:
        return bisect_left(self.dates, earliest) if earliest else 0


class Planner(Protocol):
    """Chooses a slot among the days read so far; None where none of them has room."""

    def choose(self, ask: Ask, horizon: Horizon, reference: Reference) -> Slot | None: ...
