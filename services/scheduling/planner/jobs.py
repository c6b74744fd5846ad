"""What the planner knows: visits to be made, teams' days, and plans. Nothing about who the people are (DOMAIN.md §1.4).

`Job` and `TeamDay` have no place for a name, NIK, sex, religion, status, income or phone; a test holds the exact list of fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum

from services.scheduling.travel import Coordinates

Window = tuple[int, int]
"""From and to, minutes of the day."""


class Level(IntEnum):
    """How firmly a job is placed (SCHEDULING.md §7): levels only go up, unless a person gives a reason.

    OPEN: not placed. PLANNED: placed, nobody told; may move. ANNOUNCED: told; the day is fixed, and the start within the promised
    window. LOCKED: tomorrow's; stays as it is unless its team is out.
    """

    OPEN = 0
    PLANNED = 1
    ANNOUNCED = 2
    LOCKED = 3


@dataclass(frozen=True, slots=True)
class Seat:
    """A place in a plan: a team on a date, from and to in minutes of the day."""

    team_id: str
    date: date
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Job:
    """A visit to be made.

    job_id: random, of the request (or of the visit, where several requests share it). received: the day on which its age counts
    from. at: where. minutes: on site. weight: 1 to 100. must: cannot wait longer. kit: equipment codes. blanks: by kind. at_home:
    counts among a team's home visits. hours: (ISO weekday, from, to) when people are there; empty for always. earliest: no day
    before. backlog: minutes of driving that each later day costs more, since its kelurahan waits longer than others. seat, level:
    where it is now, and how firmly.
    promised: the window in which an announced visit must start.
    """

    job_id: str
    received: date
    at: Coordinates
    minutes: int
    weight: int
    must: bool = False
    kit: frozenset[str] = frozenset()
    blanks: tuple[int, ...] = ()
    at_home: bool = True
    hours: tuple[tuple[int, int, int], ...] = ()
    earliest: date | None = None
    backlog: int = 0
    level: Level = Level.OPEN
    seat: Seat | None = None
    promised: Window | None = None


@dataclass(frozen=True, slots=True)
class TeamDay:
    """A team on a date. stretches: when it works, in order, not touching; a visit lies within one.

    base: where it starts and ends. kit: equipment codes. blanks: how many of each kind. home_visits: at most so many. way_home:
    minutes after the last stretch in which it may still be on its way back.
    """

    team_id: str
    date: date
    stretches: tuple[Window, ...]
    base: Coordinates
    kit: frozenset[str] = frozenset()
    blanks: tuple[int, ...] = ()
    home_visits: int = 99
    way_home: int = 0

    @property
    def minutes(self) -> int:
        """Of work, and of the way home after it."""
        return sum(closes - opens for opens, closes in self.stretches) + self.way_home


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is where and when; and who is nowhere. seats: by job_id. cost: of the objective, in minutes of travel."""

    seats: Mapping[str, Seat]
    left_out: frozenset[str]
    cost: int = 0
