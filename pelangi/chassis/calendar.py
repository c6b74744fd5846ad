"""Working days of the office, in Asia/Jakarta: Monday to Friday, no public holiday, no collective leave (cuti bersama).

Holidays from the library `holidays` (SKB 3 Menteri); the calendar is computed nowhere else. What a decree changes in the year
(`closed`, `worked`) is told by the caller: scheduling's planning calendar keeps it as data. Due dates are counted without: a term
that was told to somebody does not move with the office's table.
"""

from datetime import date, timedelta
from functools import cache

import holidays

_CATEGORIES = ("public", "government")


@cache
def _year(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("ID", years=year, categories=_CATEGORIES))


_NO_DAYS: frozenset[date] = frozenset()


def is_working_day(day: date, *, closed: frozenset[date] = _NO_DAYS, worked: frozenset[date] = _NO_DAYS) -> bool:
    """Whether the office works on that date. `closed`, `worked`: the office's own days off, and days worked in any case."""
    return day in worked or (day.weekday() < 5 and day not in _year(day.year) and day not in closed)


def add_working_days(day: date, count: int, *, closed: frozenset[date] = _NO_DAYS, worked: frozenset[date] = _NO_DAYS) -> date:
    """The date `count` working days after `day`; `day` itself does not count."""
    while count > 0:
        day += timedelta(days=1)
        count -= is_working_day(day, closed=closed, worked=worked)
    return day
