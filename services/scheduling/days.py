"""The day document: all teams of one date, their visits and the bookings in them. Pure functions: day -> day, or None.

Capacity lives here and nowhere else: whoever books writes this one document, guarded by its version.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, NotRequired, TypedDict, cast

from pelangi.contracts.codes import VisitKind, VisitStatus
from pelangi.contracts.public import PUBLIC_PLACE_KINDS
from services.scheduling.case import Item, Slot
from services.scheduling.reference import Reference, Team

MOVED = "MOVED"
"""A visit that was rescheduled: it lives on in another day under the same id; here its keys and its moving members stay."""

VACATED = frozenset({VisitStatus.CANCELLED, MOVED})
"""Statuses in which a visit takes no time of its team."""


class Booking(TypedDict):
    """One request's share of a visit. version: of the visit when it was booked; older bookings have none."""

    request_id: str
    visit_id: str
    team_id: str
    minutes: int
    version: NotRequired[int]


class Member(TypedDict):
    placement_id: str
    items: list[Item]


class DayVisit(TypedDict):
    """One trip of one team. start, end: minutes of the day. keys: idempotency records of its calls. moved_to: see MOVED.

    outcomes: by item, `{outcome, reason}`, once completed.
    """

    team_id: str
    visit_kind: str
    village_code: str
    point: dict[str, Any] | None
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


class Day(TypedDict, total=False):
    """`_id` is the date. visit_ids: for the index. unspread: visits whose members' cases have not all followed yet."""

    _id: str
    version: int
    bookings: dict[str, Booking]
    visits: dict[str, DayVisit]
    visit_ids: list[str]
    unspread: list[str]


def book(day: Day, slot: Slot, reference: Reference) -> Day | None:
    """The day with the slot booked, in its visit or a new one; the same day if it is booked already; None where it is full."""
    bookings = day.get("bookings", {})
    if slot["placement_id"] in bookings:
        return day
    team = reference.team(slot["team_id"])
    if team is None or slot["visit_kind"] not in team.visit_kinds:
        return None
    known = day.get("visits", {}).get(slot["visit_id"])
    stands = known is not None and known["status"] not in VACATED
    visit = _joined(day, known, slot) if known and stands else _opened(day, known, slot, team, reference)
    if visit is None:
        return None
    booking: Booking = {
        "request_id": slot["request_id"],
        "visit_id": slot["visit_id"],
        "team_id": slot["team_id"],
        "minutes": slot["minutes"],
        "version": visit["version"],
    }
    visit_ids = day.get("visit_ids", [])
    return cast(
        Day,
        {
            **day,
            "bookings": {**bookings, slot["placement_id"]: booking},
            "visits": {**day.get("visits", {}), slot["visit_id"]: visit},
            "visit_ids": visit_ids if slot["visit_id"] in visit_ids else [*visit_ids, slot["visit_id"]],
        },
    )


def free(day: Day, placement_ids: Iterable[str]) -> Day:
    """The day without these bookings; those of a visit that has started stay, they are history."""
    for placement_id in placement_ids:
        booking = day.get("bookings", {}).get(placement_id)
        visit = day["visits"][booking["visit_id"]] if booking else None
        if booking and visit and visit["status"] in {VisitStatus.PLANNED, VisitStatus.CONFIRMED, *VACATED}:
            day = _freed(day, placement_id, booking, visit)
    return day


def booked(day: Day, slot: Slot) -> Slot | None:
    """The slot with its hours and the version that its visit had then, if this day has booked it."""
    booking = day.get("bookings", {}).get(slot["placement_id"])
    if booking is None:
        return None
    visit = day["visits"][booking["visit_id"]]
    version = booking.get("version", slot["visit_version"])
    return {**slot, "start": visit["start"], "end": visit["end"], "visit_version": version}


def shared_visits(day: Day, slot: Slot) -> list[tuple[str, DayVisit]]:
    """Visits at a point of that kelurahan which still take others in."""
    return [
        (visit_id, v)
        for visit_id, v in day.get("visits", {}).items()
        if v["status"] == VisitStatus.PLANNED
        and (v["visit_kind"], v["village_code"]) == (slot["visit_kind"], slot["village_code"])
        and v["visit_kind"] in PUBLIC_PLACE_KINDS
    ]


def occupied(day: Day, team_id: str) -> list[tuple[int, int]]:
    """When the team is with somebody, in order."""
    visits = day.get("visits", {}).values()
    return sorted((v["start"], v["end"]) for v in visits if v["team_id"] == team_id and v["status"] not in VACATED)


def used_minutes(day: Day, visit_id: str) -> int:
    """Minutes that the members of a visit need."""
    return sum(b["minutes"] for b in day.get("bookings", {}).values() if b["visit_id"] == visit_id)


def gap(day: Day, slot: Slot, team: Team, reference: Reference) -> tuple[int, int] | None:
    """The earliest free window for a new visit: in one stretch of working time, with travel before it and before the next."""
    length = max(slot["minutes"], slot["block"])
    busy = occupied(day, team.team_id)
    for segment in reference.calendar.segments(date.fromisoformat(slot["day"])):
        start = max(segment.start + team.travel_minutes, slot["not_before"])
        latest = min(segment.end, slot["not_after"])
        for taken_from, taken_to in busy:
            if start + length + team.travel_minutes <= taken_from:
                break
            start = max(start, taken_to + team.travel_minutes)
        if start + length <= latest:
            return start, start + length
    return None


def _joined(day: Day, visit: DayVisit, slot: Slot) -> DayVisit | None:
    same = all(visit[k] == slot[k] for k in ("team_id", "visit_kind", "village_code"))
    if visit["status"] != VisitStatus.PLANNED or not same or visit["visit_kind"] not in PUBLIC_PLACE_KINDS:
        return None
    if used_minutes(day, slot["visit_id"]) + slot["minutes"] > visit["end"] - visit["start"]:
        return None
    return {**visit, "members": {**visit["members"], slot["request_id"]: _member(slot)}}


def _opened(day: Day, known: DayVisit | None, slot: Slot, team: Team, reference: Reference) -> DayVisit | None:
    if known and known["members"]:  # was moved away, and not all of its members have followed yet
        return None
    if known and known["status"] == MOVED and known["version"] >= slot["visit_version"]:  # moved on since the slot was chosen
        return None
    if slot["visit_kind"] == VisitKind.HOME and _home_visits(day, team.team_id) >= team.home_visits_per_day:
        return None
    window = gap(day, slot, team, reference)
    if window is None:
        return None
    return {
        "team_id": team.team_id,
        "visit_kind": slot["visit_kind"],
        "village_code": slot["village_code"],
        "point": slot["point"],
        "start": window[0],
        "end": window[1],
        "status": VisitStatus.PLANNED,
        "version": max(slot["visit_version"], known["version"] + 1 if known else 0),
        "members": {slot["request_id"]: _member(slot)},
        "keys": known["keys"] if known else [],
    }


def _home_visits(day: Day, team_id: str) -> int:
    visits = day.get("visits", {}).values()
    return sum(v["team_id"] == team_id and v["visit_kind"] == VisitKind.HOME and v["status"] not in VACATED for v in visits)


def _member(slot: Slot) -> Member:
    return {"placement_id": slot["placement_id"], "items": slot["items"]}


def _freed(day: Day, placement_id: str, booking: Booking, visit: DayVisit) -> Day:
    members = {
        request_id: m
        for request_id, m in visit["members"].items()
        if (request_id, m["placement_id"]) != (booking["request_id"], placement_id)
    }
    status = visit["status"] if members or visit["status"] in VACATED else VisitStatus.CANCELLED
    after: DayVisit = {**visit, "members": members, "status": status}
    bookings = {k: v for k, v in day["bookings"].items() if k != placement_id}
    return cast(Day, {**day, "bookings": bookings, "visits": {**day["visits"], booking["visit_id"]: after}})
