"""Looks on while requests, days and tables change, and says which hard rule was broken or which promise was not kept.

It shares no rule with the service: the way, the working time, the equipment and the minutes are reckoned here once more, every
visit by the tables that were in force when it was booked ("visits that have a date keep it"). It is shown every write.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from enum import StrEnum
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from pelangi.chassis.calendar import is_working_day
from pelangi.contracts.codes import ScheduleStatus
from pelangi.contracts.events import decode
from pelangi.contracts.topics import VISIT_COMPLETED, VISIT_SCHEDULED
from services.scheduling.reference import ENOUGH, Equipment, service_minutes

Point = tuple[float, float]
Document = Mapping[str, Any]

UNDER_WAY = frozenset({"EN_ROUTE", "ON_SITE"})
AHEAD = frozenset({"PLANNED", "CONFIRMED"})
OPEN = AHEAD | UNDER_WAY
GONE = frozenset({"CANCELLED", "MOVED"})
GIVEN_OUT = frozenset({"FIRST_FREE", "JOINED"})
"""Why a visit is then that the planner did not seat: availability is only a preference there."""
SPEED_FROM = {7: 20.0, 8: 24.0, 11: 24.0, 12: 20.0, 13: 24.0, 15: 20.0}
BLANKS = ("KTP_BLANK", "KIA_BLANK")
WIB = timezone(timedelta(hours=7))


class Fault(StrEnum):
    """What can be wrong. UNEXPLAINED: a resident was told another thing, or nothing, without anybody having asked for it."""

    OVERLAP = "OVERLAP"
    TRAVEL = "TRAVEL"
    WORKING_TIME = "WORKING_TIME"
    NOT_AHEAD = "NOT_AHEAD"
    NO_SUCH_TEAM = "NO_SUCH_TEAM"
    OUT = "OUT"
    KIT = "KIT"
    BLANKS = "BLANKS"
    HOME_VISITS = "HOME_VISITS"
    ROOM = "ROOM"
    MINUTES = "MINUTES"
    HOURS = "HOURS"
    TOO_EARLY = "TOO_EARLY"
    PLACE = "PLACE"
    MISMATCH = "MISMATCH"
    TWO_VISITS = "TWO_VISITS"
    LEFT_OVER = "LEFT_OVER"
    PLAN = "PLAN"
    CRASHED = "CRASHED"
    UNEXPLAINED = "UNEXPLAINED"


class Finding(NamedTuple):
    """A rule that was broken, and where."""

    fault: Fault
    where: str


class Told(NamedTuple):
    """What a resident was told, and what the team knows."""

    date: str
    team_id: str
    start: int


@dataclass(frozen=True)
class Tables:
    """The office's tables as documents: who drives, when, from where."""

    teams: Document
    points: Document
    hours: Document

    @cached_property
    def by_id(self) -> dict[str, Document]:
        return {team["team_id"]: team for team in self.teams["teams"]}

    @cached_property
    def base(self) -> Point:
        given = self.teams["base"] or self.points["points"][0]
        return given["lat"], given["lon"]

    @cached_property
    def speed(self) -> float:
        """The lowest on any minute of the opening hours."""
        opens, closes = _minute(self.hours["open"]), _minute(self.hours["close"])
        known = [max((h for h in SPEED_FROM if h <= m // 60), default=None) for m in range(opens, closes)]
        return min(SPEED_FROM[h] for h in known if h is not None)

    @cached_property
    def _worked(self) -> dict[date, list[int]]:
        return {}

    def worked(self, on: date) -> list[int]:
        """Minutes of work of that date before each minute of the day."""
        if on not in self._worked:
            self._worked[on] = [0, *accumulate(self._works(on, minute) for minute in range(24 * 60))]
        return self._worked[on]

    def work(self, on: date, since: int, until: int) -> int:
        """Minutes of work between two minutes of a date."""
        return self.worked(on)[until] - self.worked(on)[since] if until > since else 0

    def _works(self, on: date, minute: int) -> bool:
        if not is_working_day(on) or on.isoformat() in self.hours["closed_days"]:
            return False
        if not _minute(self.hours["open"]) <= minute < _minute(self.hours["close"]):
            return False
        return not self._in_break(on.isoweekday(), minute)

    def way(self, team: Document, a: Point, b: Point) -> int:
        """Minutes that a team drives: along the great circle, a third more on the road, and never less than its least."""
        one, other = _on_the_globe(a), _on_the_globe(b)
        kilometres = 2 * 6371.0088 * math.asin(min(1.0, math.dist(one, other) / 2))
        return max(int(team["travel_minutes"]), math.ceil(kilometres * 1.35 / self.speed * 60 - 1e-6))

    def most(self, team: Document, at: Point) -> int:
        """The longest visit that a team can make somewhere without a break, on the weekday that is best for it."""
        return self.longest - self.way(team, self.base, at)

    @cached_property
    def longest(self) -> int:
        """Minutes of work without a break, from Monday to Friday."""
        found = 0
        for weekday in range(1, 6):
            run = 0
            for minute in range(_minute(self.hours["open"]), _minute(self.hours["close"])):
                run = 0 if self._in_break(weekday, minute) else run + 1
                found = max(found, run)
        return found

    def _in_break(self, weekday: int, minute: int) -> bool:
        breaks = (b for b in self.hours["breaks"] if b["weekday"] == weekday)
        return any(_minute(b["start"]) <= minute < _minute(b["end"]) for b in breaks)

    def at(self, place: Document) -> Point:
        """Where a place is: as given, else the office's point of its kelurahan."""
        if place["lat"] is not None and place["lon"] is not None:
            return place["lat"], place["lon"]
        point = next((p for p in self.points["points"] if p["village_code"] == place["village_code"]), None)
        return (point["lat"], point["lon"]) if point else self.base


@dataclass
class Watcher:
    """Shown every write of a day and of a case; told what people do before they do it. findings: what was wrong, in order."""

    tables: Tables
    now: datetime
    findings: list[Finding] = field(default_factory=list)
    announced: int = 0
    moved: int = 0
    """Announcements of another date, team or hour: each had a cause, or is among the findings."""
    _days: dict[str, Document] = field(default_factory=dict)
    _cases: dict[str, Document] = field(default_factory=dict)
    _events: Counter[str] = field(default_factory=Counter)
    _told: dict[tuple[str, str], Told] = field(default_factory=dict)
    _causes: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _booked_under: dict[str, Tables] = field(default_factory=dict)
    _kits: dict[str, set[str]] = field(default_factory=dict)
    _taken_over: set[str] = field(default_factory=set)
    """Bookings that have the length which was right for the team before."""
    _asked: dict[str, frozenset[date]] = field(default_factory=dict)

    @property
    def today(self) -> date:
        return self.now.astimezone(WIB).date()

    def cause(self, request_ids: Iterable[str], what: str) -> list[str]:
        """Somebody names these requests: what they were told may change because of it. Of which that was not known yet."""
        fresh = [request_id for request_id in request_ids if what not in self._causes[request_id]]
        for request_id in fresh:
            self._causes[request_id].add(what)
        return fresh

    def refused(self, request_ids: Iterable[str], what: str) -> None:
        """It was not done after all."""
        for request_id in request_ids:
            self._causes[request_id].discard(what)

    def asked(self, job_ids: Iterable[str], dates: Iterable[date]) -> None:
        """The planner was asked for a seat of these on one of these dates."""
        self._asked |= dict.fromkeys(job_ids, frozenset(dates))

    def found(self, fault: Fault, where: str) -> None:
        """Note it, once however often it is seen."""
        if (finding := Finding(fault, where)) not in self.findings:
            self.findings.append(finding)

    # --- each write of a day

    def saw_day(self, day: Document) -> None:
        """A day as it was written: what is new in it keeps the rules by the tables of now."""
        before, self._days[day["_id"]] = self._days.get(day["_id"], {}), day
        was, now = _standing(before), _standing(day)
        for visit_id, visit in now.items():
            old = was.get(visit_id)
            if old is None or _seat(day["_id"], old) != _seat(day["_id"], visit):
                self._opened(day["_id"], visit_id, now)
            elif _at(old) != _at(visit):
                self._driven_to(day["_id"], visit_id, now)
            elif visit["end"] > old["end"]:
                self._stretched(day["_id"], visit_id, now)
            fresh = visit["members"].keys() - (old["members"].keys() if old else set())
            if any(self._too_soon(request_id, day["_id"], visit["start"]) for request_id in fresh):
                self.found(Fault.NOT_AHEAD, f"{day['_id']} {visit_id}")
            if (
                old and old["team_id"] != visit["team_id"]
            ):  # taken over: judged by the tables of now, with the team that it has now
                for member in visit["members"].values():
                    self._booked_under[member["placement_id"]] = self.tables
                    self._kits.pop(member["placement_id"], None)
                    self._taken_over.add(member["placement_id"])
            booked = sum(b["minutes"] for b in day["bookings"].values() if b["visit_id"] == visit_id)
            if visit["status"] in OPEN and booked > visit["end"] - visit["start"]:
                self.found(Fault.ROOM, f"{day['_id']} {visit_id}")
        for team_id, route in _routes(now).items():
            for (_, a), (visit_id, b) in pairwise(route):
                if b["start"] < a["end"]:
                    self.found(Fault.OVERLAP, f"{day['_id']} {team_id} {visit_id}")
        self._new_bookings(before, day)

    def _too_soon(self, request_id: str, on: str, start: int) -> bool:
        """Nobody is visited on the day on which it was planned, but by agreement; then not in the past. Who walks in is there."""
        local = self.now.astimezone(WIB)
        if "walked in" in self._causes[request_id]:
            return on < local.date().isoformat()
        if "agreed" not in self._causes[request_id]:
            return on <= local.date().isoformat()
        return (on, start) < (local.date().isoformat(), local.hour * 60 + local.minute)

    def _opened(self, on: str, visit_id: str, now: Mapping[str, Document]) -> None:
        visit, at = now[visit_id], date.fromisoformat(on)
        out = [o["since"] for o in self._days[on].get("out", []) if o["team_id"] == visit["team_id"]]
        if out and visit["status"] in AHEAD and visit["end"] > min(out):
            self.found(Fault.OUT, f"{on} {visit_id}")
        where, team = f"{on} {visit_id}", self.tables.by_id.get(visit["team_id"])
        if team is None or visit["visit_kind"] not in team["visit_kinds"]:
            self.found(Fault.NO_SUCH_TEAM, where)
            return
        if self.tables.work(at, visit["start"], visit["end"]) < visit["end"] - visit["start"] or visit["end"] <= visit["start"]:
            self.found(Fault.WORKING_TIME, where)
        self._driven_to(on, visit_id, now)
        at_home = sum(v["visit_kind"] == "HOME" for _, v in _routes(now)[visit["team_id"]])
        if visit["visit_kind"] == "HOME" and at_home > team["home_visits_per_day"]:
            self.found(Fault.HOME_VISITS, where)

    def _team(self, on: str, visit_id: str, visit: Document) -> Document | None:
        """The team as the table has it now; without one that is found out."""
        team = self.tables.by_id.get(visit["team_id"])
        if team is None:
            self.found(Fault.NO_SUCH_TEAM, f"{on} {visit_id}")
        return team

    def _driven_to(self, on: str, visit_id: str, now: Mapping[str, Document]) -> None:
        """Its team can be there in time, and at its next visit."""
        visit, at = now[visit_id], date.fromisoformat(on)
        if (team := self._team(on, visit_id, visit)) is None:
            return
        route = _routes(now)[visit["team_id"]]
        place = [i for i, _ in route].index(visit_id)
        free, here = (route[place - 1][1]["end"], _at(route[place - 1][1])) if place else (0, self.tables.base)
        if self.tables.work(at, free, visit["start"]) < self.tables.way(team, here, _at(visit)):
            self.found(Fault.TRAVEL, f"{on} {visit_id}")
        self._drives_on(at, team, visit_id, route)

    def _stretched(self, on: str, visit_id: str, now: Mapping[str, Document]) -> None:
        """Others joined and it takes longer: still in one stretch of work, and the team is in time for its next visit."""
        visit, at = now[visit_id], date.fromisoformat(on)
        if (team := self._team(on, visit_id, visit)) is None:
            return
        if self.tables.work(at, visit["start"], visit["end"]) < visit["end"] - visit["start"]:
            self.found(Fault.WORKING_TIME, f"{on} {visit_id}")
        self._drives_on(at, team, visit_id, _routes(now)[visit["team_id"]])

    def _drives_on(self, on: date, team: Document, visit_id: str, route: Sequence[tuple[str, Document]]) -> None:
        place = [i for i, _ in route].index(visit_id)
        if place + 1 < len(route):
            visit, (_, following) = route[place][1], route[place + 1]
            if self.tables.work(on, visit["end"], following["start"]) < self.tables.way(team, _at(visit), _at(following)):
                self.found(Fault.TRAVEL, f"{on} {visit_id}")

    def _new_bookings(self, before: Document, day: Document) -> None:
        """Blanks: what a booking takes more than before is still there; and by which tables a booking is to be judged."""
        more: defaultdict[str, Counter[str]] = defaultdict(Counter)
        total: defaultdict[str, Counter[str]] = defaultdict(Counter)
        known = before.get("bookings", {})
        for visit_id, visit in _standing(day).items():
            for request_id, member in visit["members"].items():
                mine, took = _blanks(member["items"]), Counter[str]()
                placement_id = member["placement_id"]
                if placement_id in known and request_id in before["visits"][visit_id]["members"]:
                    was = before["visits"][visit_id]["members"][request_id]["items"]
                    if before["visits"][visit_id]["team_id"] == visit["team_id"]:
                        took = _blanks(was)
                    if was != member["items"]:
                        self._booked_under[placement_id] = self.tables
                else:
                    self._booked_under[placement_id] = self.tables
                more[visit["team_id"]] += mine - took
                total[visit["team_id"]] += mine
        for team_id, needed in more.items():
            team = self.tables.by_id.get(team_id, {})
            for kind, column in zip(BLANKS, ("ktp_blanks", "kia_blanks"), strict=True):
                stock = team.get(column)
                if needed[kind] and total[team_id][kind] > (ENOUGH if stock is None else stock):
                    self.found(Fault.BLANKS, f"{day['_id']} {team_id}")

    # --- each write of a case

    def saw_case(self, case: Document) -> None:
        """A case as it was written: what it announces is what was told before, unless somebody asked for something else."""
        self._cases[case["_id"]] = case
        outbox = case.get("outbox", [])
        for event in outbox[self._events[case["_id"]] :]:
            if event["type"] == VISIT_SCHEDULED:
                self._scheduled(case, decode(event["type"], bytes(event["data"])))
            elif event["type"] == VISIT_COMPLETED:
                completed: Any = decode(event["type"], bytes(event["data"]))
                visit_id = str(completed.visit_id)
                if self._told.pop((case["_id"], visit_id), None) and not self._causes[case["_id"]]:
                    self.found(Fault.UNEXPLAINED, f"{case['_id']} {visit_id} ended")
        self._events[case["_id"]] = len(outbox)

    def _scheduled(self, case: Document, event: Any) -> None:
        request_id, visit_id = case["_id"], str(event.visit_id)
        visit = next(v for v in case["visits"] if v["visit_id"] == visit_id)
        known = self._told.pop((request_id, visit_id), None)
        if event.status == ScheduleStatus.CANCELLED:
            if known and not self._causes[request_id]:
                self.found(Fault.UNEXPLAINED, f"{request_id} {visit_id} cancelled")
            return
        told = Told(event.date.isoformat(), visit["team_id"], visit["start"])
        self.announced += 1
        if known and told != known:
            self.moved += 1
            if not self._causes[request_id]:
                self.found(Fault.UNEXPLAINED, f"{request_id} {visit_id} {known} {told}")
        if self._too_soon(request_id, told.date, told.start) and not (known and known.date == told.date):
            self.found(Fault.NOT_AHEAD, f"{request_id} {visit_id}")
        if known and known.date == told.date and known.team_id != told.team_id and abs(known.start - told.start) > 60:
            self.found(Fault.UNEXPLAINED, f"{request_id} {visit_id} taken over {known} {told}")
        self._told[request_id, visit_id] = told
        self._in_their_hours(case, visit)

    def _in_their_hours(self, case: Document, visit: Document) -> None:
        """Who the planner seats is at home then, where any date that it was asked about, up to the deadline, is one of theirs."""
        dates = self._asked.get(case["_id"])
        if not visit.get("why") or visit["why"]["why"] in GIVEN_OUT or visit["revision"] > 1 or dates is None:
            return
        hours, deadline = case["details"]["availability"], case["details"]["deadline"]
        weekdays = {on.isoweekday() for on in dates if deadline is None or on.isoformat() <= deadline["date"]}
        if not any(h["weekday"] in weekdays for h in hours):
            return
        mine = [h for h in hours if h["weekday"] == date.fromisoformat(visit["date"]).isoweekday()]
        if not any(_minute(h["start"]) <= visit["start"] and visit["end"] <= _minute(h["end"]) for h in mine):
            self.found(Fault.HOURS, f"{case['_id']} {visit['date']} {visit['start']}")

    # --- between the planner's rounds

    def looked(self) -> None:
        """Everybody who was told a visit still has it."""
        for (request_id, visit_id), told in self._told.items():
            visit = self._days[told.date]["visits"].get(visit_id)
            stands = visit and visit["status"] not in GONE and request_id in visit["members"]
            if not (stands and _seat(told.date, visit) == told) and not self._causes[request_id]:
                self.found(Fault.UNEXPLAINED, f"{request_id} {visit_id} {told} silently")

    def rested(self) -> None:
        """After a round, with nothing under way: days and cases agree, and every visit is right for what is asked now."""
        self.looked()
        placed: defaultdict[str, list[tuple[str, str, str]]] = defaultdict(list)
        for on, day in self._days.items():
            if day.get("unspread"):
                self.found(Fault.LEFT_OVER, f"{on} unspread")
            for placement_id, booking in day.get("bookings", {}).items():
                visit = day["visits"].get(booking["visit_id"])
                member = visit["members"].get(booking["request_id"]) if visit else None
                if visit is None or member is None or member["placement_id"] != placement_id or visit["status"] in GONE:
                    if visit is None or not (member and member.get("gone")):
                        self.found(Fault.MISMATCH, f"{on} {booking['request_id']} is booked and in no visit")
                elif visit["status"] in OPEN and not member.get("gone"):
                    placed[booking["request_id"]].append((on, booking["visit_id"], placement_id))
        for request_id, case in self._cases.items():
            self._agrees(case, placed.pop(request_id, []))
        for request_id in placed:
            self.found(Fault.MISMATCH, f"{request_id} is booked and unknown")
        for request_id, case in self._cases.items():
            if "needs_visit_since" not in case:
                self._causes.pop(request_id, None)

    def _agrees(self, case: Document, places: Sequence[tuple[str, str, str]]) -> None:
        request_id = case["_id"]
        mine = [v for v in case.get("visits", []) if v["status"] in OPEN]
        if len(mine) > 1 or len(places) > 1:
            self.found(Fault.TWO_VISITS, request_id)
            return
        placement = case.get("placement") or {}
        if placement.get("wanted") or case.get("releases"):
            self.found(Fault.LEFT_OVER, request_id)
        if not mine:
            if places:
                self.found(Fault.MISMATCH, f"{request_id} is booked and has no visit")
            return
        if not places or (places[0][0], places[0][1]) != (mine[0]["date"], mine[0]["visit_id"]):
            self.found(Fault.MISMATCH, f"{request_id} has a visit that is not booked")
            return
        on, visit_id, placement_id = places[0]
        visit = self._days[on]["visits"][visit_id]
        held = placement.get("held") or {}
        shown = (mine[0]["date"], mine[0]["team_id"], mine[0]["start"], mine[0]["status"])
        if shown != (on, visit["team_id"], visit["start"], visit["status"]) or held.get("placement_id") != placement_id:
            self.found(Fault.MISMATCH, f"{request_id} says {shown}")
        if visit["status"] in AHEAD and "needs_visit_since" not in case and case["status"] == "ACCEPTED":
            self._is_right(case, on, visit_id, visit)

    def _is_right(self, case: Document, on: str, visit_id: str, visit: Document) -> None:
        """Equipment, minutes, dates and place of a visit ahead whose request has nothing left to be looked at."""
        member, details = visit["members"][case["_id"]], case["details"]
        placement_id, where = member["placement_id"], f"{on} {visit_id} {case['_id']}"
        tables = self._booked_under[placement_id]
        team = tables.by_id.get(visit["team_id"])
        kit = _kit(member["items"], details)
        known = self._kits.get(placement_id, set())
        if fresh := kit - known:
            now = self.tables.by_id.get(visit["team_id"]) if known else team
            if now is None or not fresh <= _equipment(now):
                self.found(Fault.KIT, f"{where} lacks {sorted(fresh - (_equipment(now) if now else set()))}")
        self._kits[placement_id] = kit
        booked, needed = self._days[on]["bookings"][placement_id]["minutes"], _minutes(member["items"], details)
        most = [t.most(u, _at(visit)) for t in (tables, self.tables) if (u := t.by_id.get(visit["team_id"]))]
        if visit["team_id"] not in self.tables.by_id:  # corrected since: then what the others can do counted
            most.append(max((self.tables.most(u, _at(visit)) for u in self.tables.by_id.values()), default=0))
        if booked < needed and not any(booked >= m for m in most) and placement_id not in self._taken_over:
            self.found(Fault.MINUTES, f"{where} {booked} < {needed}")
        earliest = {i["item_id"]: i.get("not_before") for i in details["items"]}
        if any((earliest.get(i["item_id"]) or "") > on for i in member["items"]):
            self.found(Fault.TOO_EARLY, where)
        at_home = visit["visit_kind"] == details["place"]["visit_kind"] == "HOME"
        if at_home and math.dist(tables.at(details["place"]), _at(visit)) > 1e-9:
            self.found(Fault.PLACE, where)


def _standing(day: Document) -> dict[str, Document]:
    return {i: v for i, v in day.get("visits", {}).items() if v["status"] not in GONE}


def _routes(visits: Mapping[str, Document]) -> defaultdict[str, list[tuple[str, Document]]]:
    """Who drives where, in order."""
    routes: defaultdict[str, list[tuple[str, Document]]] = defaultdict(list)
    for visit_id, visit in sorted(visits.items(), key=lambda pair: (pair[1]["start"], pair[1]["end"])):
        routes[visit["team_id"]].append((visit_id, visit))
    return routes


def _seat(on: str, visit: Document) -> Told:
    return Told(on, visit["team_id"], visit["start"])


def _at(visit: Document) -> Point:
    lat, lon = visit["at"]
    return lat, lon


def _equipment(team: Document) -> set[str]:
    return set(map(str, Equipment if team["equipment"] is None else team["equipment"]))


def _kit(items: Iterable[Document], details: Document) -> set[str]:
    """What must be there for these items and these people, without what is counted."""
    table, needs = service_minutes(), {p["ref"]: p["needs"] for p in details["persons"]}
    kit = set(table.always)
    for item in items:
        kit |= set(table.equipment[item["service_kind"]])
        for need in needs.get(item["person_ref"], ()):
            kit |= set(table.for_needs.get(need, ()))
    return {str(e) for e in kit} - set(BLANKS)


def _blanks(items: Iterable[Document]) -> Counter[str]:
    table = service_minutes().equipment
    return Counter(str(e) for i in items for e in table[i["service_kind"]] if e in BLANKS)


def _minutes(items: Iterable[Document], details: Document) -> int:
    """Time on site of these items: so many times as long for who is slow to serve."""
    table = service_minutes()
    slow = {p["ref"] for p in details["persons"] if not set(table.slow_needs).isdisjoint(p["needs"])}
    return sum(table.minutes[i["service_kind"]] * (table.slow_factor if i["person_ref"] in slow else 1) for i in items)


def _on_the_globe(point: Point) -> tuple[float, float, float]:
    lat, lon = math.radians(point[0]), math.radians(point[1])
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:5])
