"""The transitions of scheduling's case: `case -> case`, events on the way. Pure: no I/O, clock or randomness.

Each returns its argument where it does not apply (any more), so that running it again changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from pelangi.chassis.case import emit, mark
from pelangi.contracts.codes import ItemVisitOutcome, ScheduleStatus, VisitStatus
from pelangi.contracts.public import PUBLIC_PLACE_KINDS
from pelangi.contracts.topics import VISIT_DETAILS
from services.scheduling.agenda import items_to_visit, needs_visit, plan_from, review_reason, unserved_items
from services.scheduling.announce import visit_completed, visit_scheduled
from services.scheduling.case import (
    NOT_STARTED,
    OPEN_VISIT,
    Asked,
    Case,
    CaseVisit,
    Item,
    Placement,
    Release,
    Slot,
    find_visit,
    held,
    is_over,
    must_part,
    open_visit,
    wanted,
)

ENDED = frozenset({VisitStatus.DONE, VisitStatus.PARTIAL, VisitStatus.FAILED})


@dataclass(frozen=True, slots=True)
class Seen:
    """A visit as its day shows it: what its members' cases have to follow. outcomes: (outcome, reason) by item.

    items: by request; the day knows best what the team went for. end: minute of the day, later than planned where others joined.
    team_id, start: others than planned where another team took the visit over.
    """

    visit_id: str
    day: str
    version: int
    status: str
    reason: str | None = None
    completed_at: datetime | None = None
    outcomes: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    items: Mapping[str, list[Item]] = field(default_factory=dict)
    team_id: str | None = None
    start: int | None = None
    end: int | None = None


def settle(case: Case, now: datetime) -> Case:
    """What follows from the facts and decisions: visits that cannot stay are cancelled, flags for the planner set or removed."""
    visit = open_visit(case)
    if visit and (is_over(case) or (visit["status"] in NOT_STARTED and (not _worth(case, visit) or must_part(case, visit)))):
        case = _cancel(case, visit, now, reason=None)
    want = wanted(case)
    if want and not _still_wanted(case, want):
        case = _drop(case, now, wanted_too=True, held_too=False)
    return _flags(case, now)


def want(case: Case, slot: Slot, wall: datetime) -> Case:
    """First step of a booking: the case says where it wants to be. Nothing where it wants something else already."""
    if wanted(case) or not _still_wanted(case, slot):
        return case
    if not slot["move"] and find_visit(case, slot["visit_id"]):
        return case  # a visit_id is one attempt; cancelled is final for it (ARCHITECTURE.md §2)
    return _with(case, placement=_placement(held(case), slot), wanted_since=wall)


def hold(case: Case, slot: Slot, now: datetime) -> Case:
    """Third step: what was wanted and is booked becomes held, and is announced; the old booking is to be released.

    `slot` has start and end from the day. Where the case no longer wants it nothing changes: the caller frees the booking.
    """
    want = wanted(case)
    if want is None or want["placement_id"] != slot["placement_id"]:
        return case
    before = find_visit(case, slot["visit_id"]) if slot["move"] else None
    visit = _visit(slot, (before["revision"] if before else 0) + 1)
    old = held(case)
    case = _without(_with(case, placement=_placement(slot, None)), "wanted_since")
    if old:
        case = _release(case, [old], now)
    case = _put(case, visit)
    status = ScheduleStatus.RESCHEDULED if before else ScheduleStatus.SCHEDULED
    case = mark(emit(case, visit_scheduled(case, visit, status)), VISIT_DETAILS)
    # not `settle`: what is announced is not cancelled in the same transition, and `wanted` was settled by every fact
    return _flags(case, now)


def keep(case: Case, visit_id: str, terms: dict[str, str], errands: str, now: datetime) -> Case:
    """The visit stays as it is although the request was corrected: looked at, and still feasible."""
    visit = find_visit(case, visit_id)
    if visit is None or visit["status"] not in NOT_STARTED or (visit.get("terms"), visit.get("errands")) == (terms, errands):
        return case
    return settle(_put(case, {**visit, "terms": terms, "errands": errands}), now)


def amend(case: Case, slot: Slot, now: datetime) -> Case:
    """The items of the visit where it stands are now those of `slot`; its day has them already. The date was not touched."""
    old, visit = held(case), find_visit(case, slot["visit_id"])
    if old is None or visit is None or old["placement_id"] != slot["placement_id"] or visit["status"] not in NOT_STARTED:
        return case
    if old == slot:
        return case
    visit = {**visit, "items": slot["items"], "terms": slot.get("terms"), "errands": slot.get("errands")}
    case = _with(_put(case, visit), placement=_placement(slot, wanted(case)))
    return settle(mark(case, VISIT_DETAILS), now)


def leave(case: Case, visit_id: str, now: datetime) -> Case:
    """The corrected request leaves a visit that it shares with others, or needs much later; the planner finds it another."""
    visit = find_visit(case, visit_id)
    if visit is None or visit["status"] not in NOT_STARTED or wanted(case):
        return case
    return settle(_cancel(case, visit, now, reason=None), now)


def give_up(case: Case, placement_id: str, now: datetime) -> Case:
    """The day was full: wanted is cleared, held stays."""
    want = wanted(case)
    if want is None or want["placement_id"] != placement_id:
        return case
    return settle(_without(_with(case, placement=_placement(held(case), None)), "wanted_since"), now)


def released(case: Case, placement_ids: set[str]) -> Case:
    """These bookings are out of their days."""
    left = [r for r in case.get("releases", []) if r["placement_id"] not in placement_ids]
    if len(left) == len(case.get("releases", [])):
        return case
    return _with(case, releases=left) if left else _without(case, "releases", "releases_since")


def follow(case: Case, seen: Seen, now: datetime) -> Case:
    """The case after its visit went on: keyed by (visit, version), so that once is enough and twice is the same."""
    visit = find_visit(case, seen.visit_id)
    if visit is None or visit["status"] not in OPEN_VISIT or visit["version"] >= seen.version:
        return case
    visit = {**visit, "version": seen.version, "status": seen.status, "items": seen.items.get(case["_id"], visit["items"])}
    other = (seen.team_id or visit["team_id"], seen.start or visit["start"]) != (visit["team_id"], visit["start"])
    visit["team_id"], visit["start"] = seen.team_id or visit["team_id"], seen.start or visit["start"]
    visit["end"] = seen.end or visit["end"]
    if other and seen.status not in ENDED:
        return settle(_handed_over(case, visit, seen.reason), now)
    if seen.status not in ENDED:
        return settle(mark(_put(case, visit), VISIT_DETAILS), now)
    items = [_with_outcome(i, seen) for i in visit["items"]]
    all_done = all(i["outcome"] == ItemVisitOutcome.DONE for i in items)
    if seen.status != VisitStatus.FAILED:  # a shared visit's outcome is each request's own
        visit["status"] = VisitStatus.DONE if all_done else VisitStatus.PARTIAL
    visit = {**visit, "items": items, "reason": seen.reason}
    case = _let_go(_put(case, visit), seen.day, now)
    case = mark(emit(case, visit_completed(case, visit, seen.completed_at or now)), VISIT_DETAILS)
    return settle(case, now)


def _handed_over(case: Case, visit: CaseVisit, reason: str | None) -> Case:
    """Another team comes, on the same day and perhaps at another minute: whoever was told is told that."""
    visit = {**visit, "revision": visit["revision"] + 1, "reason": reason}
    if old := held(case):
        taken: Slot = {**old, "team_id": visit["team_id"], "start": visit["start"], "end": visit["end"]}
        case = _with(case, placement=_placement(taken, wanted(case)))
    return mark(emit(_put(case, visit), visit_scheduled(case, visit, ScheduleStatus.RESCHEDULED)), VISIT_DETAILS)


def left_out(case: Case, why: dict[str, str]) -> Case:
    """No date has room: why, and what would help, for the desk to see until there is one."""
    return _with(case, left_out=why) if needs_visit(case) and case.get("left_out") != why else case


def part(case: Case, visit_id: str, version: int, reason: str | None, now: datetime) -> Case:
    """The visit was moved to a day that has no room for this request: it ends here, and the planner finds another.

    Nothing while a booking of the case is under way: whoever is at it will say.
    """
    visit = find_visit(case, visit_id)
    if visit is None or visit["status"] not in NOT_STARTED or visit["version"] >= version or wanted(case):
        return case
    return settle(_cancel(case, visit, now, reason=reason), now)


def ask_again(case: Case, item_ids: list[str], reason: str, now: datetime) -> Case:
    """The desk wants these items visited (again); it has looked, so earlier attempts no longer count."""
    ended = len(case.get("visits", [])) - (open_visit(case) is not None)
    asked: dict[str, Asked] = {i: {"reason": reason, "after": ended} for i in item_ids}
    return settle(_with(case, asked={**case.get("asked", {}), **asked}, looked=ended), now)


def erase(case: Case, now: datetime) -> Case:
    """The person was erased: nothing of them stays, the visits end, whoever has the snapshot gets a tombstone."""
    if case.get("erased"):
        return case
    case = settle(_with(case, erased=True), now)  # the last events first: they count persons
    visits = [
        {**v, "items": [{**i, "person_ref": ""} for i in v["items"]], "terms": None, "errands": None}
        for v in case.get("visits", [])
    ]
    case = _without(case, "details", "details_version", "status", "asked")
    return mark(_with(case, visits=visits), VISIT_DETAILS) if visits else case


def _worth(case: Case, visit: CaseVisit) -> bool:
    """Whether there is still something to do for the visit."""
    to_do = {i["item_id"] for i in unserved_items(case)}
    return any(i["item_id"] in to_do for i in visit["items"])


def _still_wanted(case: Case, slot: Slot) -> bool:
    """Whether a slot still answers a need of the case."""
    if is_over(case):
        return False
    visit = open_visit(case)
    if slot["move"]:
        return visit is not None and visit["visit_id"] == slot["visit_id"] and visit["status"] in NOT_STARTED
    return visit is None and needs_visit(case) and _answers(case, slot)


def _answers(case: Case, slot: Slot) -> bool:
    """Whether there is something to do in the slot, and where others are in the visit, at its place still; a walk-in is there."""
    to_do = {i["item_id"] for i in items_to_visit(case)}
    place = case["details"]["place"]
    same = (place["visit_kind"], place["village_code"]) == (slot["visit_kind"], slot["village_code"])
    solo = not {place["visit_kind"], slot["visit_kind"]} & PUBLIC_PLACE_KINDS
    return (same or solo or "walk_in" in slot) and any(i["item_id"] in to_do for i in slot["items"])


def _cancel(case: Case, visit: CaseVisit, now: datetime, *, reason: str | None) -> Case:
    visit = {**visit, "status": VisitStatus.CANCELLED, "reason": reason, "revision": visit["revision"] + 1}
    case = _drop(_put(case, visit), now, wanted_too=True, held_too=True)
    return mark(emit(case, visit_scheduled(case, visit, ScheduleStatus.CANCELLED)), VISIT_DETAILS)


def _drop(case: Case, now: datetime, *, wanted_too: bool, held_too: bool) -> Case:
    """Null what is held or wanted in this very write; the bookings are to be released."""
    old, want = held(case), wanted(case)
    gone = [s for s, too in ((old, held_too), (want, wanted_too)) if s and too]
    case = _with(case, placement=_placement(None if held_too else old, None if wanted_too else want))
    return _release(_without(case, "wanted_since") if wanted_too else case, gone, now)


def _release(case: Case, slots: list[Slot], now: datetime) -> Case:
    fresh: list[Release] = [{"placement_id": s["placement_id"], "day": s["day"]} for s in slots]
    if not fresh:
        return case
    return _with(case, releases=[*case.get("releases", []), *fresh], releases_since=case.get("releases_since", now))


def _visit(slot: Slot, revision: int) -> CaseVisit:
    visit: CaseVisit = {
        "visit_id": slot["visit_id"],
        "status": slot.get("status", VisitStatus.PLANNED),
        "revision": revision,
        "date": slot["day"],
        "start": slot["start"],
        "end": slot["end"],
        "team_id": slot["team_id"],
        "visit_kind": slot["visit_kind"],
        "village_code": slot["village_code"],
        "point": slot["point"],
        "items": slot["items"],
        "reason": slot["reason"],
        "version": slot["visit_version"],
        "asked": slot.get("asked"),
        "not_earlier": slot.get("not_earlier"),
        "terms": slot.get("terms"),
        "errands": slot.get("errands"),
        "why": slot.get("why"),
    }
    return {**visit, "walk_in": True} if "walk_in" in slot else visit


def _let_go(case: Case, day: str, now: datetime) -> Case:
    """After the visit: nothing is held. Its booking stays in its day as history; one on another day is to be released."""
    old = held(case)
    case = _with(case, placement=_placement(None, wanted(case)))
    return _release(case, [old], now) if old and old["day"] != day else case


def _with_outcome(item: Item, seen: Seen) -> Item:
    if seen.status == VisitStatus.FAILED:
        return {**item, "outcome": ItemVisitOutcome.DEFERRED, "reason": seen.reason}
    outcome, reason = seen.outcomes.get(item["item_id"], (ItemVisitOutcome.DEFERRED, None))
    return {**item, "outcome": outcome, "reason": reason}


def _put(case: Case, visit: CaseVisit) -> Case:
    """The case with the visit, in the place of the one with its id or at the end."""
    visits = case.get("visits", [])
    if any(v["visit_id"] == visit["visit_id"] for v in visits):
        return _with(case, visits=[visit if v["visit_id"] == visit["visit_id"] else v for v in visits])
    return _with(case, visits=[*visits, visit])


def _placement(held: Slot | None, wanted: Slot | None) -> Placement:
    return {"held": held, "wanted": wanted}


def _with(case: Case, **fields: Any) -> Case:
    return cast(Case, {**case, **fields})


def _without(case: Case, *names: str) -> Case:
    return cast(Case, {k: v for k, v in case.items() if k not in names})


def _flags(case: Case, now: datetime) -> Case:
    """What planner and desk are to see of the case."""
    waits = needs_visit(case)
    case = case if waits else _without(case, "left_out")
    case = _told(_flag(case, "needs_visit_since", waits, now), "plan_from", plan_from(case) if waits else None)
    why = review_reason(case)
    return _told(_flag(case, "review_since", why is not None, now), "review_reason", why)


def _told(case: Case, name: str, value: str | None) -> Case:
    if case.get(name) == value:
        return case
    return _without(case, name) if value is None else _with(case, **{name: str(value)})


def _flag(case: Case, name: str, up: bool, now: datetime) -> Case:
    """A moment that is there while something holds; the index is partial on it."""
    if up == (name in case):
        return case
    return _with(case, **{name: now}) if up else _without(case, name)
