"""The shape of a day: all teams of one date, their visits and the bookings in them. What happens to it: `days`."""

from datetime import datetime
from typing import Any, NotRequired, TypedDict

from pelangi.contracts.codes import VisitStatus
from services.scheduling.case import Item, Slot
from services.scheduling.travel import Coordinates

MOVED = "MOVED"
"""A visit that was rescheduled: it lives on in another day under the same id; here its keys and its moving members stay."""

ALL_DAY = 24 * 60
VACATED = frozenset({VisitStatus.CANCELLED, MOVED})
"""Statuses in which a visit takes no time of its team."""


class Booking(TypedDict):
    """One request's share of a visit. version: of the visit when it was booked; older bookings have none.

    since, status: of a walk-in, the minute of the day from which on they were there, and the visit's status then.
    """

    request_id: str
    visit_id: str
    team_id: str
    minutes: int
    version: NotRequired[int]
    blanks: NotRequired[list[int]]
    since: NotRequired[int]
    status: NotRequired[str]


class Member(TypedDict):
    """gone: its request was closed after the team had set out; its items may be reported but need not be."""

    placement_id: str
    items: list[Item]
    reason: NotRequired[str | None]
    gone: NotRequired[bool]


class Out(TypedDict):
    """A team that cannot go out, from a minute of the day on, and why."""

    team_id: str
    since: int
    reason: str


class Broken(TypedDict):
    """A promise that the office could not keep: to so many requests, and the date they got instead; None: they wait for one."""

    requests: int
    date: str | None


class DayVisit(TypedDict):
    """One trip of one team. start, end: minutes of the day. keys: idempotency records of its calls. moved_to: see MOVED.

    at: where; older visits have none. place_keys: see Slot. members: by request. arriving: its request has not left the old day
    for here yet, and nobody joins. outcomes: by item, `{outcome, reason}`, once completed. handed_over: the version in which
    another team took it over, see `outage`. broken: see there. session: it was opened for whoever comes, and stands without
    members too.
    """

    team_id: str
    visit_kind: str
    village_code: str
    point: dict[str, Any] | None
    at: NotRequired[Coordinates]
    start: int
    end: int
    status: str
    version: int
    members: dict[str, Member]
    keys: list[dict[str, Any]]
    outcomes: NotRequired[dict[str, dict[str, Any]]]
    reason: NotRequired[str | None]
    completed_at: NotRequired[datetime]
    moved_to: NotRequired[Slot]
    place_keys: NotRequired[list[str]]
    arriving: NotRequired[bool]
    handed_over: NotRequired[int]
    broken: NotRequired[Broken]
    session: NotRequired[bool]


class Day(TypedDict, total=False):
    """`_id` is the date. visit_ids: for the index. unspread: visits whose members' cases have not all followed yet.

    out: teams that cannot go out. keys: idempotency records of the calls about the whole day.
    """

    _id: str
    version: int
    bookings: dict[str, Booking]
    visits: dict[str, DayVisit]
    visit_ids: list[str]
    unspread: list[str]
    out: list[Out]
    keys: list[dict[str, Any]]
