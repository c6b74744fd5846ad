"""Working days of the office, in Asia/Jakarta: Monday to Friday, no public holiday, no collective leave (cuti bersama).

Holidays from the library `holidays` (SKB 3 Menteri); the calendar is computed nowhere else.
"""

from datetime import date, timedelta
from functools import cache

import holidays

_CATEGORIES = ("public", "government")


@cache
def _year(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("ID", years=year, categories=_CATEGORIES))


def is_working_day(day: date, *, closed: frozenset[date] = frozenset()) -> bool:
    """Whether the office works on that date. `closed`: further days from the office's own calendar."""
    return day.weekday() < 5 and day not in _year(day.year) and day not in closed


def add_working_days(day: date, count: int, *, closed: frozenset[date] = frozenset()) -> date:
    """The date `count` working days after `day`; `day` itself does not count."""
    while count > 0:
        day += timedelta(days=1)
        count -= is_working_day(day, closed=closed)
    return day
