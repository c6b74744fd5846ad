"""Do the days of scheduling add up: no team in two places, every booking somebody's, every request in its visit?"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise

from pelangi.audit.history import Finding, History, Json
from pelangi.audit.stored import Shared
from pelangi.contracts import topics
from pelangi.contracts.codes import VisitKind, VisitOutcome, VisitStatus

MOVED = "MOVED"
"""A visit that lives on in another day under the same id."""

Cases = Mapping[str, Json]

_VACATED = frozenset({str(VisitStatus.CANCELLED), MOVED})
_ENDED = frozenset(str(outcome) for outcome in VisitOutcome)
_NOT_STARTED = frozenset({str(VisitStatus.PLANNED), str(VisitStatus.CONFIRMED)})


def check_days(history: History) -> Iterator[Finding]:
    """Findings about days, and about requests that stand in them; none where scheduling's store was not read."""
    shared, cases = history.shared, history.cases.get(topics.SCHEDULING)
    if shared is None or cases is None:
        return
    for day in shared.days:
        yield from _capacity(day, shared)
        yield from _members(day, cases)
        for visit_id in day.get("unspread", []):
            yield Finding("visit-unspread", "", f"{day['_id']} {visit_id}")
        if not isinstance(day.get("version"), int):
            yield Finding("capacity-exceeded", "", f"{day['_id']} has no version to guard it")
    yield from _twice(shared)
    yield from _bookings(shared, cases)
    yield from _placements(shared, cases)


def _standing(day: Json) -> dict[str, Json]:
    """The visits of a day that take time of their teams."""
    return {id_: visit for id_, visit in day.get("visits", {}).items() if visit["status"] not in _VACATED}


def _capacity(day: Json, shared: Shared) -> Iterator[Finding]:
    """Of each team: one visit at a time, not more at homes than its number; of each visit: not more than fits into it."""
    used: dict[str, int] = defaultdict(int)
    for booking in day.get("bookings", {}).values():
        used[booking["visit_id"]] += booking["minutes"]
    by_team: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    homes: dict[str, int] = defaultdict(int)
    for visit_id, visit in _standing(day).items():
        by_team[visit["team_id"]].append((visit["start"], visit["end"], visit_id))
        homes[visit["team_id"]] += visit["visit_kind"] == VisitKind.HOME
        if used[visit_id] > visit["end"] - visit["start"]:
            room = visit["end"] - visit["start"]
            yield Finding("capacity-exceeded", "", f"{day['_id']} {visit_id}: {used[visit_id]} of {room} minutes")
    for team_id, visits in by_team.items():
        for (_, end, one), (start, _, other) in pairwise(sorted(visits)):
            if start < end:
                yield Finding("capacity-exceeded", "", f"{day['_id']} {team_id}: {one} and {other} at the same time")
        most = shared.teams.get(team_id, {}).get("home_visits_per_day")
        if most is not None and homes[team_id] > most:
            yield Finding("capacity-exceeded", "", f"{day['_id']} {team_id}: {homes[team_id]} of {most} homes")


def _members(day: Json, cases: Cases) -> Iterator[Finding]:
    """Every booking of a standing visit is one of its members, every member has its booking, and its case goes with it."""
    bookings: dict[str, Json] = day.get("bookings", {})
    for visit_id, visit in _standing(day).items():
        booked = {(b["request_id"], p) for p, b in bookings.items() if b["visit_id"] == visit_id}
        members = {(request_id, member["placement_id"]) for request_id, member in visit["members"].items()}
        for request_id, placement_id in sorted(booked ^ members):
            which = "a booking only" if (request_id, placement_id) in booked else "a member only"
            yield Finding("member-differs", request_id, f"{day['_id']} {visit_id} {placement_id}: {which}")
        for request_id, member in visit["members"].items():
            if problem := _following(visit_id, visit, member, _visits_of(cases, request_id)):
                yield Finding("member-differs", request_id, f"{day['_id']} {visit_id}: {problem}")


def _visits_of(cases: Cases, request_id: str) -> dict[str, Json]:
    return {visit["visit_id"]: visit for visit in cases.get(request_id, {}).get("visits", [])}


def _following(visit_id: str, visit: Json, member: Json, known: dict[str, Json]) -> str:
    """How the case of a member differs from the visit; "" where it does not."""
    mine = known.get(visit_id)
    if mine is None:
        return "its case knows no such visit"
    ended = visit["status"] in _ENDED
    if member.get("gone") or (ended and mine["status"] == VisitStatus.CANCELLED):
        return ""  # its request was closed after the team had set out, or just before its case followed the end
    if {i["item_id"] for i in member["items"]} != {i["item_id"] for i in mine.get("items", [])}:
        return "other items"
    if ended and visit["status"] != VisitOutcome.FAILED:  # the outcome of a shared visit is each request's own
        return "" if mine["status"] in {VisitOutcome.DONE, VisitOutcome.PARTIAL} else f"{visit['status']}, case {mine['status']}"
    return "" if mine["status"] == visit["status"] else f"{visit['status']}, case {mine['status']}"


def _twice(shared: Shared) -> Iterator[Finding]:
    """A visit stands in one day, a placement is booked in one."""
    stands: dict[str, list[str]] = defaultdict(list)
    placed: dict[str, list[Json]] = defaultdict(list)
    days: dict[str, list[str]] = defaultdict(list)
    for day in shared.days:
        for visit_id in _standing(day):
            stands[visit_id].append(day["_id"])
        for placement_id, booking in day.get("bookings", {}).items():
            placed[placement_id].append(booking)
            days[placement_id].append(day["_id"])
    for visit_id, on in stands.items():
        if len(on) > 1:
            yield Finding("visit-twice", "", f"{visit_id} on {', '.join(on)}")
    for placement_id, bookings in placed.items():
        if len(bookings) > 1:
            yield Finding("booking-twice", bookings[0]["request_id"], f"{placement_id} on {', '.join(days[placement_id])}")


def _bookings(shared: Shared, cases: Cases) -> Iterator[Finding]:
    """A booking is held or wanted by its case, until its visit has ended: then it is history."""
    for day in shared.days:
        for placement_id, booking in day.get("bookings", {}).items():
            visit = day.get("visits", {}).get(booking["visit_id"])
            gone = visit is not None and visit["members"].get(booking["request_id"], {}).get("gone")
            if visit is not None and (visit["status"] in _ENDED or gone):
                continue
            if placement_id not in _own_placements(cases.get(booking["request_id"], {})):
                yield Finding("booking-orphan", booking["request_id"], f"{day['_id']} {booking['visit_id']} {placement_id}")


def _own_placements(case: Json) -> set[str]:
    placement = case.get("placement") or {}
    return {slot["placement_id"] for slot in (placement.get("held"), placement.get("wanted")) if slot}


def _placements(shared: Shared, cases: Cases) -> Iterator[Finding]:
    """What a case holds is booked, what it has planned it holds, and no booking stops half way."""
    booked = {(day["_id"], placement_id) for day in shared.days for placement_id in day.get("bookings", {})}
    for request_id, case in cases.items():
        placement = case.get("placement") or {}
        held = placement.get("held")
        if held and (held["day"], held["placement_id"]) not in booked:
            yield Finding("booking-missing", request_id, f"{held['day']} {held['visit_id']} {held['placement_id']}")
        for visit in case.get("visits", []):
            if visit["status"] in _NOT_STARTED and (not held or held["visit_id"] != visit["visit_id"]):
                yield Finding("booking-missing", request_id, f"{visit['date']} {visit['visit_id']}: planned, not held")
        if placement.get("wanted"):
            yield Finding("booking-unfinished", request_id, f"{placement['wanted']['day']} wanted")
        if case.get("releases"):
            yield Finding("booking-unfinished", request_id, f"{len(case['releases'])} to be released")
