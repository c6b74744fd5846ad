"""A team cannot go out: who takes its visits over, and what becomes of the others (SCHEDULING.md §7, points 5 and 6). Pure.

A visit that another team can make within an hour of what was promised keeps its promise, and only the team is another. The others
go to the first later day with room; for whom none was found the planner looks again. Those are promises broken, and kept as rows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, cast

from pelangi.chassis.clock import JAKARTA
from pelangi.contracts.codes import VisitKind, VisitStatus
from pelangi.contracts.reasons import REASON_CLASS, REASONS, ReasonClass
from services.scheduling.calendar import minute_of
from services.scheduling.case import NOT_STARTED, Case, Slot
from services.scheduling.corrections import availability_of
from services.scheduling.day import MOVED, Booking, Broken, Day, DayVisit, Out
from services.scheduling.days import equipped, gap, home_visits, out_since, to_move_to
from services.scheduling.lifecycle import changed
from services.scheduling.planner.first_fit import slot_in
from services.scheduling.planner.interface import Ask
from services.scheduling.planner.priority import urgency_of, weight
from services.scheduling.planning import ask_to_move
from services.scheduling.reference import Reference, Team
from services.scheduling.rescheduling import kit_in

PROMISED = 60
"""Minutes by which the start of an announced visit may move (SCHEDULING.md §7, level L2)."""
NOT_SOONER = 30
"""Minutes that another team needs at least, from now on, to be there today."""
REASONS_OUT = frozenset(
    reason for reason, facts in REASONS.deferral.items() if facts.auto_reschedule and REASON_CLASS[reason] != ReasonClass.RESIDENT
)
"""Why a team may be out: not for anything that the residents did."""


@dataclass(frozen=True, slots=True)
class Known:
    """What decides who is taken over first and where: of the requests in a visit. hours: of that day, when the people are there.

    availability: (ISO weekday, from, to) of one request; of several, who have hours of their own each, none.
    """

    weight: int
    kit: tuple[str, ...]
    hours: tuple[int, int]
    availability: tuple[tuple[int, int, int], ...] = ()
    deadline: date | None = None


def known_of(day: Day, visit_id: str, cases: Mapping[str, Case], now: datetime) -> Known:
    """From the cases of its members."""
    visit = day["visits"][visit_id]
    members = [cases[i] for i in visit["members"] if "details" in cases.get(i, {})]
    return Known(
        weight=max((weight(urgency_of(case, now)) for case in members), default=0),
        kit=tuple(sorted(kit_in(day, visit_id, cases))),
        hours=_hours(date.fromisoformat(day["_id"]), visit, members),
        availability=availability_of(members[0]["details"]) if len(members) == 1 else (),
        deadline=min((date.fromisoformat(d["date"]) for c in members if (d := c["details"].get("deadline"))), default=None),
    )


def affected(day: Day, team_id: str, since: int) -> list[str]:
    """The visits that the team does not get to: not started, and not over before that minute."""
    visits = day.get("visits", {}).items()
    return [i for i, v in visits if v["team_id"] == team_id and v["status"] in NOT_STARTED and v["end"] > since]


def take_out(day: Day, out: Out, known: Mapping[str, Known], reference: Reference, now: datetime) -> Day:
    """The day in which a team is out, after other teams took over what they can, who needs it most first.

    A visit of which nothing is `known` joined since and is not taken over. Reported twice, the earlier hour counts.
    """
    others = [o for o in day.get("out", []) if o["team_id"] != out["team_id"]]
    earlier: Out = {**out, "since": min(out["since"], out_since(day, out["team_id"]))}
    day = cast(Day, {**day, "out": [*others, earlier]})
    local = now.astimezone(JAKARTA)
    earliest = minute_of(local) + NOT_SOONER if day["_id"] <= local.date().isoformat() else 0
    ids = [i for i in affected(day, out["team_id"], out["since"]) if i in known]
    for visit_id in _by_need(day, ids, known):
        first, last = known[visit_id].hours
        left = replace(known[visit_id], hours=(max(first, earliest), last))
        day = _taken_over(day, visit_id, left, out["reason"], reference) or day
    return day


def send_elsewhere(day: Day, out: Out, slots: Mapping[str, Slot], now: datetime) -> Day:
    """The day after what nobody took over went to these slots of other days; what has none does not take place.

    A session that nobody is in was promised to nobody.
    """
    for visit_id in affected(day, out["team_id"], out["since"]):
        visit, to = day["visits"][visit_id], slots.get(visit_id)
        broken: Broken = {"requests": len(visit["members"]), "date": to["day"] if to else None}
        after: DayVisit = {**visit, "reason": out["reason"]}
        if visit["members"]:
            after["broken"] = broken
        if to:
            day = changed(day, visit_id, {**after, "status": MOVED, "moved_to": to_move_to(visit, to)})
        else:
            day = changed(day, visit_id, {**after, "status": VisitStatus.FAILED, "completed_at": now})
    return day


def bring_back(day: Day, team_id: str) -> Day:
    """The day in which the team can go out again. What was taken over or moved stays there."""
    return cast(Day, {**day, "out": [o for o in day.get("out", []) if o["team_id"] != team_id]})


def to_later_days(
    day: Day, visit_ids: Iterable[str], known: Mapping[str, Known], reference: Reference, choose: Callable[[Ask], Slot | None]
) -> dict[str, Slot]:
    """A slot for each of these visits, who needs it most first. `choose`: finds one and takes it."""
    slots: dict[str, Slot] = {}
    for visit_id in _by_need(day, visit_ids, known):
        mine = known[visit_id]
        ask = ask_to_move(day, visit_id, mine.kit, reference)
        if slot := choose(replace(ask, availability=mine.availability, deadline=mine.deadline)):
            slots[visit_id] = slot
    return slots


def broken_promises(day: Day | None) -> list[dict[str, Any]]:
    """Rows for staff: the visits of a day that the office could not make as promised, and the date they got."""
    visits = (day or {}).get("visits", {}).items()
    return [
        {"visit_id": i, "team_id": v["team_id"], "reason": v.get("reason"), **v["broken"]} for i, v in visits if v.get("broken")
    ]


def _by_need(day: Day, visit_ids: Iterable[str], known: Mapping[str, Known]) -> list[str]:
    """Who needs it most first; of those alike who was to be visited first."""
    return sorted(visit_ids, key=lambda i: (-known[i].weight, day["visits"][i]["start"], i))


def _taken_over(day: Day, visit_id: str, known: Known, reason: str, reference: Reference) -> Day | None:
    visit = day["visits"][visit_id]
    ask = ask_to_move(day, visit_id, known.kit, reference)
    for (first, last), team in _choices(visit, known, reference):
        slot = slot_in(ask, date.fromisoformat(day["_id"]), team, reference, (first, last))
        full = visit["visit_kind"] == VisitKind.HOME and home_visits(day, team.team_id) >= team.home_visits_per_day
        if full or not equipped(day, slot, team):
            continue
        if window := gap(day, slot, team, reference):
            after: DayVisit = {**visit, "team_id": team.team_id, "start": window[0], "end": window[1], "reason": reason}
            return changed(_rebooked(day, visit_id, team), visit_id, {**after, "handed_over": visit["version"] + 1})
    return None


def _choices(visit: DayVisit, known: Known, reference: Reference) -> Iterator[tuple[tuple[int, int], Team]]:
    """At the promised minute by any other team; then later, then earlier within the promise; within the known hours."""
    teams = [t for t in reference.serving(VisitKind(visit["visit_kind"])) if t.team_id != visit["team_id"]]
    first, last = max(visit["start"] - PROMISED, known.hours[0]), min(visit["end"] + PROMISED, known.hours[1])
    for start, end in ((visit["start"], visit["end"]), (visit["start"], last), (first, last)):
        for team in teams:
            yield (max(start, known.hours[0]), end), team


def _rebooked(day: Day, visit_id: str, team: Team) -> Day:
    """The bookings of the visit now count for that team."""
    bookings: dict[str, Booking] = {
        i: {**b, "team_id": team.team_id} if b["visit_id"] == visit_id else b for i, b in day.get("bookings", {}).items()
    }
    return cast(Day, {**day, "bookings": bookings})


def _hours(on: date, visit: DayVisit, members: Sequence[Case]) -> tuple[int, int]:
    """From when to when everybody said to be there, as far as the visit lies within."""
    first, last = 0, 24 * 60
    for weekday, start, end in (hours for case in members for hours in availability_of(case.get("details", {}))):
        if weekday == on.isoweekday() and start <= visit["start"] and visit["end"] <= end:
            first, last = max(first, start), min(last, end)
    return first, last
