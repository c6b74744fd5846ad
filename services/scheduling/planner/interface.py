"""What a planner is asked and what it answers. Pure: the days are given to it, ids too."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from services.scheduling.case import Item, Slot
from services.scheduling.days import Day
from services.scheduling.reference import Reference


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that needs a place: for how long, where, for what; and the fresh ids it may use.

    refused: visits that it may not join, having been in them. block: least length of a new visit. move: it takes its visit along.
    availability: (ISO weekday, from, to) in minutes of the day; a preference only. deadline: not left for a preference.
    """

    request_id: str
    placement_id: str
    visit_id: str
    visit_kind: str
    village_code: str
    point: dict[str, Any] | None
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


@dataclass(slots=True)
class Horizon:
    """The dates a visit may be on, in order, and those of their days that were read. A date not in `days` is an empty day."""

    dates: Sequence[date]
    days: dict[date, Day] = field(default_factory=dict)
    read: int = 0

    def day(self, on: date) -> Day:
        return self.days.get(on) or {"_id": on.isoformat(), "version": 0}

    def loaded(self) -> Sequence[date]:
        """The dates whose days are known."""
        return self.dates[: self.read]


class Planner(Protocol):
    """Chooses a slot among the days read so far; None where none of them has room."""

    def choose(self, ask: Ask, horizon: Horizon, reference: Reference) -> Slot | None: ...
