"""What a correction means for a visit that has not started (ARCHITECTURE.md §2, "Corrections"; docs/adr/0010). Pure.

Still feasible: it stays, with the items that fit. Not feasible: it moves, or where others are in it, the request leaves it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto
from functools import partial
from typing import Any

from pelangi.contracts.public import PUBLIC_PLACE_KINDS
from services.scheduling.agenda import items_ahead, place_keys, terms_of, usable
from services.scheduling.case import NOT_STARTED, Case, CaseVisit, Item, Slot, held, open_visit, stands_elsewhere
from services.scheduling.day import Day
from services.scheduling.days import can_also, in_time, used_minutes, where
from services.scheduling.equipment import blanks_of, kit_of, needed_for, with_blanks
from services.scheduling.minutes import first_that_fit, minutes_for, most_minutes
from services.scheduling.reference import Reference
from services.scheduling.travel import Coordinates


class Act(Enum):
    """STAY: with the items of the verdict. MOVE: it must. PREFER: it moves where another hour suits better."""

    STAY = auto()
    MOVE = auto()
    PREFER = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the visit. shared: not theirs alone, so that moving means leaving it. at: where it is, as known now."""

    act: Act
    items: Sequence[Item]
    minutes: int
    shared: bool
    at: Coordinates


def judge(case: Case, day: Day, on: date, reference: Reference) -> Verdict | None:
    """What a correction means for the open visit; `on`: the first date on which a visit may be.

    None where it cannot be said now: the visit is just being moved, or has started in its day.
    """
    visit, slot = open_visit(case), held(case)
    in_day = day.get("visits", {}).get(visit["visit_id"]) if visit else None
    if visit is None or slot is None or in_day is None or in_day["status"] not in NOT_STARTED:
        return None
    if slot["placement_id"] not in day["bookings"]:
        return None
    shared = len(in_day["members"]) > 1 or bool(in_day.get("session") or visit.get("walk_in"))
    room = (
        in_day["end"] - in_day["start"] - used_minutes(day, visit["visit_id"]) + day["bookings"][slot["placement_id"]]["minutes"]
    )
    has = partial(_has, day, slot, case["details"], reference)
    items, minutes, fits = _fitting(case, visit, room, has, on=on, reference=reference)
    parted = (
        shared and bool(in_day.get("place_keys")) and not set(in_day["place_keys"]) & set(place_keys(case["details"]["place"]))
    )
    at = where(in_day, reference)
    if not shared and visit["visit_kind"] not in PUBLIC_PLACE_KINDS:
        at = reference.where(case["details"]["place"])
    if stands_elsewhere(case, visit) or parted or not fits or not in_time(day, visit["visit_id"], at, reference):
        return Verdict(Act.MOVE, items, minutes, shared, at)
    return Verdict(Act.PREFER if _hours_contradict(case, visit) else Act.STAY, items, minutes, shared, at)


def suits(details: dict[str, Any], day: str, start: int, end: int) -> bool:
    """Whether the people said that they are there then."""
    hours = [h for h in availability_of(details) if h[0] == date.fromisoformat(day).isoweekday()]
    return not details.get("availability") or any(a <= start and end <= b for _, a, b in hours)


def availability_of(details: dict[str, Any]) -> tuple[tuple[int, int, int], ...]:
    """(ISO weekday, from, to) in minutes of the day."""
    return tuple((a["weekday"], _minute(a["start"]), _minute(a["end"])) for a in details.get("availability", []))


def _has(day: Day, slot: Slot, details: dict[str, Any], reference: Reference, items: Sequence[Item]) -> bool:
    """Whether the team has what these items and people need beside what it was booked for."""
    needed = needed_for(items, details)
    fresh = set(kit_of(needed)).difference(slot.get("kit", ()))
    return can_also(day, slot["placement_id"], fresh, blanks_of(needed), reference)


def _fitting(
    case: Case, visit: CaseVisit, room: int, has: Callable[[Sequence[Item]], bool], *, on: date, reference: Reference
) -> tuple[list[Item], int, bool]:
    """The items that the visit is for from now on, their minutes, and whether it is right for them. has: see `_has`."""
    details = case["details"]
    candidates, mine = items_ahead(case), {i["item_id"] for i in visit["items"]}
    now = usable(candidates, on.isoformat())
    own = [i for i in usable(candidates, visit["date"]) if i["item_id"] in mine]
    more = [i for i in usable(candidates, visit["date"]) if i["item_id"] not in mine]
    possible = with_blanks(own + more, visit["visit_kind"], reference)
    more = [i for i in more if i in possible]
    everything = own + more
    needed = minutes_for(everything, details)
    most = most_minutes(visit["visit_kind"], reference.where(details["place"]), reference, date.fromisoformat(visit["date"]))
    waits_for_a_birthday = bool(own) and all(i.get("not_before", "") > on.isoformat() for i in own)
    if not own or (now and waits_for_a_birthday):
        return everything, needed, False
    if needed <= room and has(everything):
        return everything, needed, True
    least = minutes_for(own, details)
    if not has(own):
        return own, least, False
    if least > room:  # what needs more than a day has a whole one
        return own, min(least, room), room >= most
    also: list[Item] = []
    for item in more:
        also += [item] if has([*own, *also, item]) else []
    some = own + first_that_fit(also, details, room - least)  # the others get a visit after this one
    return some, minutes_for(some, details), needed > most or visit["visit_kind"] in PUBLIC_PLACE_KINDS


def _hours_contradict(case: Case, visit: CaseVisit) -> bool:
    """Whether the people's hours were corrected, and are others now than the visit's."""
    before = visit.get("terms")
    changed = before is not None and before["hours"] != terms_of(case)["hours"]
    return changed and not suits(case["details"], visit["date"], visit["start"], visit["end"])


def _minute(text: str) -> int:
    hour, minute = text.split(":")[:2]
    return int(hour) * 60 + int(minute)
