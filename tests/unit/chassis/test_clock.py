"""`PELANGI_CLOCK`, and time that runs faster."""

from datetime import UTC, datetime, timedelta

import pytest

from pelangi.chassis import clock as module
from pelangi.chassis.calendar import add_working_days, is_working_day
from pelangi.chassis.clock import SystemClock, local_date, parse_clock


class Frozen(datetime):
    @classmethod
    def now(cls, tz: object = None) -> "Frozen":  # type: ignore[override]
        return cls(2026, 11, 24, 1, 0, 0, 123_456, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "datetime", Frozen)


WALL = datetime(2026, 11, 24, 1, 0, 0, 123_000, tzinfo=UTC)


def test_empty_is_the_machines_clock_in_whole_milliseconds() -> None:
    assert parse_clock("").now() == parse_clock("").wall() == WALL


def test_offset_moves_business_time_only() -> None:
    it = parse_clock("offset=3600")
    assert it.now() == WALL + timedelta(hours=1)
    assert it.wall() == WALL


def test_rate_runs_from_since() -> None:
    it = parse_clock("rate=1440 since=2026-11-24T00:00:00Z")
    assert it.now().replace(second=0, microsecond=0) == datetime(2027, 1, 23, 0, 2, tzinfo=UTC), "an hour is 60 days"
    assert it.wall() == WALL
    assert parse_clock("rate=2 offset=-86400 since=2026-11-24T07:00:00+07:00").now() == datetime(
        2026, 11, 23, 2, 0, 0, 246_000, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "text",
    ["rate=2", "rate=fast since=2026-01-01T00:00:00Z", "offset", "offset=", "tempo=1", "since=yesterday", "rate=2 since="],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_clock(text)


def test_the_calendar_date_is_that_of_pangkalpinang() -> None:
    assert local_date(datetime(2026, 11, 23, 16, 59, tzinfo=UTC)).isoformat() == "2026-11-23"
    assert local_date(datetime(2026, 11, 23, 17, 0, tzinfo=UTC)).isoformat() == "2026-11-24"


def test_default_clock_is_the_default_setting() -> None:
    assert parse_clock("") == SystemClock()


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2026-12-23", True),
        ("2026-12-24", False),  # cuti bersama
        ("2026-12-25", False),  # Christmas
        ("2026-12-26", False),  # a Saturday
        ("2026-12-28", True),
        ("2026-08-17", False),  # Independence Day, a Monday
    ],
)
def test_working_days(day: str, works: bool) -> None:
    assert is_working_day(datetime.fromisoformat(day).date()) is works


def test_adding_working_days() -> None:
    start = datetime(2026, 12, 23, tzinfo=UTC).date()
    assert add_working_days(start, 1).isoformat() == "2026-12-28"
    assert add_working_days(start, 0) == start
    closed = frozenset({datetime(2026, 12, 28, tzinfo=UTC).date()})
    assert add_working_days(start, 1, closed=closed).isoformat() == "2026-12-29"
