"""What happens to a day (see `day`): booked, freed, amended, and how much room there is. Pure functions: day -> day, or None.

Capacity lives here and nowhere else: whoever books writes this one document, guarded by its version.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise, zip_longest
from typing import Any, cast

from pelangi.contracts.codes import VisitKind, VisitStatus
from pelangi.contracts.public import PUBLIC_PLACE_KINDS
from services.scheduling.case import NOT_STARTED, OPEN_VISIT, Slot
from services.scheduling.day import ALL_DAY, MOVED, VACATED, Booking, Day, DayVisit, Member
from services.scheduling.reference import Reference, Team
from services.scheduling.travel import Coordinates


def book(day: Day, slot: Slot, reference: Reference) -> Day | None:
    """The day with the slot booked, in its visit or a new one; the same day if it is booked already; None where it is full."""
    bookings = day.get("bookings", {})
    if slot["placement_id"] in bookings:
        return day
    team = reference.team(slot["team_id"])
    if team is None or slot["visit_kind"] not in team.visit_kinds or not equipped(day, slot, team):
        return None
    known = day.get("visits", {}).get(slot["visit_id"])
    stands = known is not None and known["status"] not in VACATED
    if "walk_in" in slot:
        visit = _walked_in(day, known, slot) if known else None
    else:
        visit = _joined(day, known, slot, team, reference) if known and stands else _opened(day, known, slot, team, reference)
    if visit is None:
        return None
    booking: Booking = {
        "request_id": slot["request_id"],
        "visit_id": slot["visit_id"],
        "team_id": slot["team_id"],
        "minutes": slot["minutes"],
        "version": visit["version"],
    }
    if any(slot.get("blanks", ())):
        booking["blanks"] = slot["blanks"]
    if "walk_in" in slot:
        booking |= {"since": slot["walk_in"], "status": visit["status"]}
    return _with_visit(cast(Day, {**day, "bookings": {**bookings, slot["placement_id"]: booking}}), slot["visit_id"], visit)


def open_session(day: Day, slot: Slot, reference: Reference) -> Day | None:
    """The day with a session that nobody is in yet; the same day where the visit stands already; None where there is no room."""
    known, team = day.get("visits", {}).get(slot["visit_id"]), reference.team(slot["team_id"])
    if known is not None and known["status"] not in VACATED:
        return day
    if team is None or slot["visit_kind"] not in team.visit_kinds:
        return None
    visit = _opened(day, known, {**slot, "joins": True, "session": True}, team, reference)
    if visit is None:
        return None
    with_bookings = cast(Day, {**day, "bookings": day.get("bookings", {})})
    return _with_visit(with_bookings, slot["visit_id"], {**visit, "members": {}})


def to_move_to(visit: DayVisit, to: Slot) -> Slot:
    """The slot to which a visit moves: a session remains one."""
    return {**to, "session": True} if visit.get("session") else to


def free(day: Day, placement_ids: Iterable[str]) -> Day:
    """The day without these bookings. Those of a visit that has ended stay: they are history. While it is under way the member
    is marked as gone, and when nobody is left the visit is cancelled: the team need not go on. A session stands all the same.
    """
    for placement_id in placement_ids:
        booking = day.get("bookings", {}).get(placement_id)
        visit = day["visits"][booking["visit_id"]] if booking else None
        if booking and visit and visit["status"] in {*NOT_STARTED, *VACATED}:
            day = _freed(day, placement_id, booking, visit)
        elif booking and visit and visit["status"] in OPEN_VISIT:
            day = _gone(day, placement_id, booking, visit)
    return day


def amend(day: Day, slot: Slot, reference: Reference) -> Day:
    """The day with other items in a booking of a visit that has not started; the same day where they do not fit."""
    visit = day.get("visits", {}).get(slot["visit_id"])
    member = visit["members"].get(slot["request_id"]) if visit else None
    booking = day.get("bookings", {}).get(slot["placement_id"])
    if visit is None or member is None or booking is None or member["placement_id"] != slot["placement_id"]:
        return day
    if visit["team_id"] != slot["team_id"]:  # another team took it over since: to be judged again with what that one has
        return day
    room = visit["end"] - visit["start"] - used_minutes(day, slot["visit_id"]) + booking["minutes"]
    if visit["status"] not in NOT_STARTED or slot["minutes"] > room:
        return day
    alone = len(visit["members"]) == 1 and not visit.get("session")
    if not can_also(day, slot["placement_id"], (), slot.get("blanks", ()), reference):
        return day
    if alone and not in_time(day, slot["visit_id"], slot["at"], reference):
        return day
    members: dict[str, Member] = {**visit["members"], slot["request_id"]: {**member, "items": slot["items"]}}
    after: DayVisit = {**visit, "members": members}
    if alone:
        after["at"] = slot["at"]
    if alone and "place_keys" in slot:
        after["place_keys"] = slot["place_keys"]
    booking = {**booking, "minutes": slot["minutes"], "blanks": slot.get("blanks", [])}
    bookings = {**day["bookings"], slot["placement_id"]: booking}
    return cast(Day, {**day, "bookings": bookings, "visits": {**day["visits"], slot["visit_id"]: after}})


def is_amended(day: Day, slot: Slot) -> bool:
    """Whether the day has these items in the booking, at that place."""
    visit = day.get("visits", {}).get(slot["visit_id"])
    member = visit["members"].get(slot["request_id"]) if visit else None
    if visit is None or member is None or member["placement_id"] != slot["placement_id"] or visit["team_id"] != slot["team_id"]:
        return False
    there = len(visit["members"]) > 1 or visit.get("session", False) or tuple(visit.get("at", slot["at"])) == tuple(slot["at"])
    return there and member["items"] == slot["items"]


def booked(day: Day, slot: Slot) -> Slot | None:
    """The slot with its hours and the version that its visit had then, if this day has booked it."""
    booking = day.get("bookings", {}).get(slot["placement_id"])
    if booking is None:
        return None
    visit = day["visits"][booking["visit_id"]]
    version = booking.get("version", slot["visit_version"])
    found: Slot = {**slot, "start": visit["start"], "end": visit["end"], "visit_version": version}
    return {**found, "status": booking["status"]} if "status" in booking else found


def shared_visits(day: Day, slot: Slot) -> list[tuple[str, DayVisit]]:
    """Visits at a point of that kelurahan, or at the same institution, which still take others in."""
    return [(visit_id, v) for visit_id, v in day.get("visits", {}).items() if _takes_in(v, slot)]


def open_up(day: Day, visit_ids: Iterable[str]) -> Day:
    """The day in which others may join these visits, since they have left their old days."""
    arrived = {i: v for i, v in day.get("visits", {}).items() if i in set(visit_ids) and v.get("arriving")}
    if not arrived:
        return day
    opened = {i: cast(DayVisit, {k: x for k, x in v.items() if k != "arriving"}) for i, v in arrived.items()}
    return cast(Day, {**day, "visits": {**day["visits"], **opened}})


def _takes_in(visit: DayVisit, slot: Slot) -> bool:
    if visit["status"] != VisitStatus.PLANNED or visit.get("arriving"):
        return False
    if (visit["visit_kind"], visit["village_code"]) != (slot["visit_kind"], slot["village_code"]):
        return False
    return visit["visit_kind"] in PUBLIC_PLACE_KINDS or bool(set(visit.get("place_keys", ())) & set(slot.get("place_keys", ())))


def occupied(day: Day, team_id: str) -> list[tuple[int, int]]:
    """When the team is with somebody, in order."""
    visits = day.get("visits", {}).values()
    return sorted((v["start"], v["end"]) for v in visits if v["team_id"] == team_id and v["status"] not in VACATED)


def used_minutes(day: Day, visit_id: str) -> int:
    """Minutes that the members of a visit need."""
    return sum(b["minutes"] for b in day.get("bookings", {}).values() if b["visit_id"] == visit_id)


def out_since(day: Day | None, team_id: str) -> int:
    """The minute of the day from which a team cannot go out; past the day's end where it can."""
    return next((out["since"] for out in (day or {}).get("out", []) if out["team_id"] == team_id), ALL_DAY)


def equipped(day: Day, slot: Slot, team: Team) -> bool:
    """Whether the team has what the visit needs, and blanks left that day."""
    if not team.kit.issuperset(slot.get("kit", ())):
        return False
    mine = [b.get("blanks", ()) for b in day.get("bookings", {}).values() if b["team_id"] == team.team_id]
    used = [sum(taken) for taken in zip_longest(*mine, slot.get("blanks", ()), fillvalue=0)]
    return all(taken <= stock for taken, stock in zip(used, team.stock, strict=False))


def can_also(day: Day, placement_id: str, fresh: Iterable[str], blanks: Iterable[int], reference: Reference) -> bool:
    """Whether the team of a booking has the fresh equipment, and blanks left where more are needed now than were booked.

    What was booked stays booked, whatever the team has now.
    """
    booking = day["bookings"][placement_id]
    more = [max(0, now - was) for now, was in zip_longest(blanks, booking.get("blanks", ()), fillvalue=0)]
    team = reference.team(booking["team_id"])
    if team is None or not team.kit.issuperset(fresh):
        return not any(more) and not set(fresh)
    mine = [b.get("blanks", ()) for b in day["bookings"].values() if b["team_id"] == team.team_id]
    used = [sum(taken) for taken in zip_longest(*mine, more, fillvalue=0)]
    return all(taken <= stock for taken, stock, needed in zip(used, team.stock, more, strict=False) if needed)


def blanks_in(day: Day, visit_id: str) -> tuple[int, ...]:
    """Blanks that the members of a visit need, by kind."""
    mine = [b.get("blanks", ()) for b in day.get("bookings", {}).values() if b["visit_id"] == visit_id]
    return tuple(sum(taken) for taken in zip_longest(*mine, fillvalue=0))


def where(visit: DayVisit, reference: Reference) -> Coordinates:
    """Where a visit goes."""
    lat, lon = visit.get("at") or reference.where({"village_code": visit["village_code"]})
    return lat, lon


def gap(day: Day, slot: Slot, team: Team, reference: Reference) -> tuple[int, int] | None:
    """The earliest free window for a new visit: in one stretch of working time, with the way there and from there to the next.

    Nobody drives in the break; the way home in the evening is not looked at.
    """
    on, length = date.fromisoformat(slot["day"]), max(slot["minutes"], slot["block"])
    calendar, at = reference.calendar, cast(Coordinates, tuple(slot["at"]))
    stops = _stops(day, team, reference)
    for segment in calendar.segments(on):
        for before, after in pairwise(stops):
            ready = calendar.after_work(on, before.free, reference.travel(team, before.at, at))
            start = max(segment.start, slot["not_before"], ready)
            end = start + length
            if end > min(segment.end, slot["not_after"], out_since(day, team.team_id)):
                continue
            if end > after.taken:
                continue
            if after.at is None or calendar.work(on, end, after.taken) >= reference.travel(team, at, after.at):
                return start, end
    return None


def in_time(day: Day, visit_id: str, at: Coordinates, reference: Reference) -> bool:
    """Whether a visit can stay at its hour if it is there: where it was thought to be, or near enough for its team."""
    visit, on = day["visits"][visit_id], date.fromisoformat(day["_id"])
    team, calendar, there = reference.team(visit["team_id"]), reference.calendar, cast(Coordinates, tuple(at))
    if there == where(visit, reference):
        return True
    if team is None:
        return False
    stops = _stops(cast(Day, {**day, "visits": {i: v for i, v in day["visits"].items() if i != visit_id}}), team, reference)
    before = [s for s in stops if s.free <= visit["start"]][-1]
    after = next(s for s in stops if s.taken >= visit["end"])
    arrives = calendar.work(on, before.free, visit["start"]) >= reference.travel(team, before.at, there)
    return arrives and (
        after.at is None or calendar.work(on, visit["end"], after.taken) >= reference.travel(team, there, after.at)
    )


@dataclass(frozen=True, slots=True)
class _Stop:
    """Where a team is taken from a minute on, and free again; at None: the end of the day, whenever that is."""

    taken: int
    free: int
    at: Any


def _stops(day: Day, team: Team, reference: Reference) -> list[_Stop]:
    visits = [v for v in day.get("visits", {}).values() if v["team_id"] == team.team_id and v["status"] not in VACATED]
    stops = sorted((_Stop(v["start"], v["end"], where(v, reference)) for v in visits), key=lambda s: (s.taken, s.free))
    return [_Stop(0, 0, reference.base), *stops, _Stop(ALL_DAY, ALL_DAY, None)]


def _joined(day: Day, visit: DayVisit, slot: Slot, team: Team, reference: Reference) -> DayVisit | None:
    if visit["team_id"] != slot["team_id"] or not _takes_in(visit, slot):
        return None
    if slot["move"] and slot["request_id"] in visit["members"]:  # it is there already: none is taken along to where it stands
        return None
    end = max(visit["end"], visit["start"] + used_minutes(day, slot["visit_id"]) + slot["minutes"])
    if end > visit["end"] and (visit["visit_kind"] in PUBLIC_PLACE_KINDS or end > _free_until(day, visit, team, reference)):
        return None
    return {**visit, "end": end, "members": {**visit["members"], slot["request_id"]: _member(slot)}}


def _walked_in(day: Day, visit: DayVisit, slot: Slot) -> DayVisit | None:
    """The visit with somebody who came to it without a date; its end stays."""
    if visit["status"] not in OPEN_VISIT or visit.get("arriving") or visit["visit_kind"] not in PUBLIC_PLACE_KINDS:
        return None
    if visit["team_id"] != slot["team_id"] or slot["request_id"] in visit["members"] or _served_by(day, slot) > visit["end"]:
        return None
    return {**visit, "members": {**visit["members"], slot["request_id"]: _member(slot)}}


def _served_by(day: Day, slot: Slot) -> int:
    """The minute of the day at which everybody in a visit has been served, a walk-in too: one after another, as they came.

    Who had a date is taken to be there from the start. Time in which nobody was there is lost, and before the team is at the
    place nobody is served.
    """
    visit, came = day["visits"][slot["visit_id"]], slot["walk_in"]
    bookings = (b for b in day.get("bookings", {}).values() if b["visit_id"] == slot["visit_id"])
    shares = sorted([*((b.get("since", visit["start"]), b["minutes"]) for b in bookings), (came, slot["minutes"])])
    free = visit["start"] if visit["status"] == VisitStatus.ON_SITE else max(visit["start"], came)
    for since, minutes in shares:
        free = max(free, since) + minutes
    return free


def _with_visit(day: Day, visit_id: str, visit: DayVisit) -> Day:
    visit_ids = day.get("visit_ids", [])
    with_id = visit_ids if visit_id in visit_ids else [*visit_ids, visit_id]
    return cast(Day, {**day, "visits": {**day.get("visits", {}), visit_id: visit}, "visit_ids": with_id})


def _free_until(day: Day, visit: DayVisit, team: Team, reference: Reference) -> int:
    """How long the team can stay at a visit: until its next one, less the way there, and within one stretch of working time."""
    segments = reference.calendar.segments(date.fromisoformat(day["_id"]))
    closing = next((s.end for s in segments if s.start <= visit["start"] < s.end), visit["end"])
    here, on = where(visit, reference), date.fromisoformat(day["_id"])
    following = (s for s in _stops(day, team, reference) if s.at is not None and s.taken >= visit["end"] and s.taken > 0)
    leaves = (reference.calendar.before_work(on, s.taken, reference.travel(team, here, s.at)) for s in following)
    return min([closing, out_since(day, team.team_id), *leaves])


def _opened(day: Day, known: DayVisit | None, slot: Slot, team: Team, reference: Reference) -> DayVisit | None:
    if known and known["members"]:  # was moved away, and not all of its members have followed yet
        return None
    if known and known["status"] == MOVED and known["version"] >= slot["visit_version"]:  # moved on since the slot was chosen
        return None
    if slot["visit_kind"] == VisitKind.HOME and home_visits(day, team.team_id) >= team.home_visits_per_day:
        return None
    window = gap(day, slot, team, reference)
    if window is None:
        return None
    visit: DayVisit = {
        "team_id": team.team_id,
        "visit_kind": slot["visit_kind"],
        "village_code": slot["village_code"],
        "point": slot["point"],
        "at": slot["at"],
        "start": window[0],
        "end": window[1],
        "status": VisitStatus.PLANNED,
        "version": max(slot["visit_version"], known["version"] + 1 if known else 0),
        "members": {slot["request_id"]: _member(slot)},
        "keys": known["keys"] if known else [],
        "place_keys": slot.get("place_keys", []),
    }
    if slot.get("session"):
        visit["session"] = True
    return {**visit, "arriving": True} if slot["move"] and not slot["joins"] else visit


def home_visits(day: Day, team_id: str) -> int:
    """How many homes a team visits on a day."""
    visits = day.get("visits", {}).values()
    return sum(v["team_id"] == team_id and v["visit_kind"] == VisitKind.HOME and v["status"] not in VACATED for v in visits)


def _member(slot: Slot) -> Member:
    return {"placement_id": slot["placement_id"], "items": slot["items"], "reason": slot["reason"]}


def _gone(day: Day, placement_id: str, booking: Booking, visit: DayVisit) -> Day:
    member = visit["members"].get(booking["request_id"])
    if member is None or member["placement_id"] != placement_id or member.get("gone"):
        return day
    members: dict[str, Member] = {**visit["members"], booking["request_id"]: {**member, "gone": True}}
    in_vain = all(m.get("gone") for m in members.values()) and not visit.get("session")
    status = VisitStatus.CANCELLED if in_vain else visit["status"]
    after: DayVisit = {**visit, "members": members, "status": status}
    return cast(Day, {**day, "visits": {**day["visits"], booking["visit_id"]: after}})


def _freed(day: Day, placement_id: str, booking: Booking, visit: DayVisit) -> Day:
    members = {
        request_id: m
        for request_id, m in visit["members"].items()
        if (request_id, m["placement_id"]) != (booking["request_id"], placement_id)
    }
    stays = members or visit.get("session") or visit["status"] in VACATED
    status = visit["status"] if stays else VisitStatus.CANCELLED
    after: DayVisit = {**visit, "members": members, "status": status}
    bookings = {k: v for k, v in day["bookings"].items() if k != placement_id}
    return cast(Day, {**day, "bookings": bookings, "visits": {**day["visits"], booking["visit_id"]: after}})
