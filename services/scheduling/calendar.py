"""The hours in which a team can be with somebody: working days cut at the breaks. All local, Asia/Jakarta.

Whether a date is a working day is decided by pelangi/chassis/calendar.py; here are only the hours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cached_property

from pelangi.chassis.calendar import add_working_days, is_working_day
from pelangi.chassis.clock import JAKARTA, local_date

HORIZON = 260
"""How many working days ahead a visit may be (issue 3): a year."""


@dataclass(frozen=True, slots=True)
class Segment:
    """An unbroken stretch of working time, in minutes of the day."""

    start: int
    end: int


@dataclass(frozen=True)  # without slots, for the property that is computed once
class Opening:
    """Opening hours in minutes of the day; breaks as (ISO weekday, start, end)."""

    open: int
    close: int
    breaks: tuple[tuple[int, int, int], ...]

    def segments(self, weekday: int) -> list[Segment]:
        """The stretches of working time of a working day."""
        segments, start = [], self.open
        for on, pause, resume in sorted(self.breaks):
            if on == weekday and pause < self.close and resume > start:
                if pause > start:
                    segments.append(Segment(start, pause))
                start = resume
        if start < self.close:
            segments.append(Segment(start, self.close))
        return segments

    @cached_property
    def longest(self) -> int:
        """Minutes of the longest stretch from Monday to Friday: more than that no visit can take."""
        return max((s.end - s.start for weekday in range(1, 6) for s in self.segments(weekday)), default=0)


@dataclass(frozen=True, slots=True)
class Period:
    """Dates with other hours, both included: Ramadan."""

    first: date
    last: date
    opening: Opening


@dataclass(frozen=True, slots=True)
class Calendar:
    """usual: the hours outside all periods. closed, worked: the city's own days off, and days worked in spite of everything."""

    usual: Opening
    periods: tuple[Period, ...] = ()
    closed: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()

    def works(self, day: date) -> bool:
        """Whether the teams work on that date: no weekend, holiday, cuti bersama or closing day, or worked all the same."""
        return is_working_day(day, closed=self.closed, worked=self.worked)

    def after(self, day: date, count: int = 1) -> date:
        """The date `count` working days after `day`."""
        return add_working_days(day, count, closed=self.closed, worked=self.worked)

    def upcoming(self, now: datetime) -> Iterator[date]:
        """The dates on which a visit may be placed: from the next working day on, `HORIZON` of them."""
        day = local_date(now)
        for _ in range(HORIZON):
            day = self.after(day)
            yield day

    def opening(self, day: date) -> Opening:
        """The hours of a date."""
        return next((p.opening for p in self.periods if p.first <= day <= p.last), self.usual)

    @property
    def openings(self) -> tuple[Opening, ...]:
        """All hours that there are."""
        return self.usual, *(period.opening for period in self.periods)

    def segments(self, day: date) -> list[Segment]:
        """The stretches of working time of a date; none on a day off."""
        return self.opening(day).segments(day.isoweekday()) if self.works(day) else []

    def work(self, day: date, since: int, until: int) -> int:
        """Minutes of work on a date between two minutes of the day: nobody drives in the break."""
        return sum(max(0, min(s.end, until) - max(s.start, since)) for s in self.segments(day))

    def after_work(self, day: date, minute: int, minutes: int) -> int:
        """The minute of the day at which so many minutes of work have passed since another; past the end of work where never."""
        for segment in self.segments(day):
            begins = max(segment.start, minute)
            if begins <= segment.end and minutes <= segment.end - begins:
                return begins + minutes
            minutes -= max(0, segment.end - begins)
        return max(minute, self.opening(day).close) + minutes

    def before_work(self, day: date, minute: int, minutes: int) -> int:
        """The minute of the day from which on there are so many minutes of work until another; before the start where never."""
        for segment in reversed(self.segments(day)):
            ends = min(segment.end, minute)
            if ends >= segment.start and minutes <= ends - segment.start:
                return ends - minutes
            minutes -= max(0, ends - segment.start)
        return min(minute, self.opening(day).open) - minutes

    def longest(self, first: date, last: date) -> int:
        """Minutes of the longest visit that fits the hours of every date between two; never more than fits the usual ones.

        The shortest hours count: what is longer has no place on some of these dates, though one is looked for there.
        """
        periods = (p.opening for p in self.periods if p.first <= last and first <= p.last)
        return min(opening.longest for opening in (self.usual, *periods))


def moment(day: date, minute: int) -> datetime:
    """A minute of a date as a local date-time with offset."""
    return datetime.combine(day, time(minute // 60, minute % 60), JAKARTA)


def minute_of(at: time | datetime) -> int:
    """The minute of the day of a local time: the inverse of `moment`."""
    return at.hour * 60 + at.minute
