"""What a team does with a visit: transitions of one visit inside its day. Pure; raise Problem where not allowed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from pelangi.chassis.commands import Ledger
from pelangi.chassis.store import Document
from pelangi.chassis.web import FieldError, Problem, invalid, not_found
from pelangi.contracts.codes import ItemVisitOutcome, VisitStatus
from pelangi.contracts.reasons import DeferralReason
from services.scheduling.case import NOT_STARTED, Slot
from services.scheduling.day import MOVED, VACATED, Day, DayVisit
from services.scheduling.days import to_move_to
from services.scheduling.model import Seen


def depart(day: Day, visit_id: str) -> Day:
    """The team is on its way."""
    visit = _visit(day, visit_id)
    _allow(visit, *NOT_STARTED)
    return changed(day, visit_id, {**visit, "status": VisitStatus.EN_ROUTE})


def arrive(day: Day, visit_id: str) -> Day:
    """The team is there."""
    visit = _visit(day, visit_id)
    _allow(visit, VisitStatus.EN_ROUTE)
    return changed(day, visit_id, {**visit, "status": VisitStatus.ON_SITE})


def complete(day: Day, visit_id: str, outcomes: Sequence[tuple[str, ItemVisitOutcome, str | None]], now: datetime) -> Day:
    """The visit took place: (item, outcome, reason) of every item of it, each once; of closed requests as the team likes.

    Raises Problem 422 with the pointers of what is wrong in the list.
    """
    visit = _visit(day, visit_id)
    _allow(visit, VisitStatus.ON_SITE)
    if errors := _errors(visit, outcomes):
        raise invalid(errors)
    all_done = all(outcome == ItemVisitOutcome.DONE for _, outcome, _ in outcomes)
    after: DayVisit = {
        **visit,
        "status": VisitStatus.DONE if all_done else VisitStatus.PARTIAL,
        "outcomes": {item: {"outcome": outcome, "reason": reason} for item, outcome, reason in outcomes},
        "completed_at": now,
        "reason": None,  # of a hand-over before
    }
    return changed(day, visit_id, after)


def fail(day: Day, visit_id: str, reason: DeferralReason, now: datetime) -> Day:
    """It did not take place: on the way, at the door, or already known at the office."""
    visit = _visit(day, visit_id)
    _allow(visit, *NOT_STARTED, VisitStatus.EN_ROUTE, VisitStatus.ON_SITE)
    return changed(day, visit_id, {**visit, "status": VisitStatus.FAILED, "reason": reason, "completed_at": now})


def may_move(day: Day, visit_id: str) -> None:
    """Raises Problem 409 where the visit can no longer be rescheduled: before a new place is looked for."""
    _allow(_visit(day, visit_id), *NOT_STARTED)


def move(day: Day, visit_id: str, to: Slot, reason: DeferralReason) -> Day:
    """It will take place in another slot; its members follow one by one, each with a booking of its own."""
    visit = _visit(day, visit_id)
    _allow(visit, *NOT_STARTED)
    return changed(day, visit_id, {**visit, "status": MOVED, "reason": reason, "moved_to": to_move_to(visit, to)})


def leave(day: Day, to: Slot, placement_id: str) -> Day:
    """The one member of a visit takes it along to a slot that is booked already. Nothing once it has started, or was left."""
    visit = day.get("visits", {}).get(to["visit_id"])
    member = visit["members"].get(to["request_id"]) if visit else None
    if visit is None or member is None or visit["status"] not in NOT_STARTED or member["placement_id"] != placement_id:
        return day
    if len(visit["members"]) > 1 or visit.get("session"):  # somebody joined since: nobody is taken along unasked
        return day
    return changed(day, to["visit_id"], {**visit, "status": MOVED, "reason": to["reason"], "moved_to": {**to, "items": []}})


def has_left(day: Day, to: Slot) -> bool:
    """Whether the visit left this day for the day of that slot, not for another one to which the office moved it meanwhile."""
    visit = day.get("visits", {}).get(to["visit_id"])
    if visit is None or visit["status"] == VisitStatus.CANCELLED:
        return True
    return visit["status"] == MOVED and visit["moved_to"]["day"] == to["day"]


def stands(day: Day, visit_id: str) -> bool:
    """Whether the visit is to take place, is under way or has ended in this day."""
    visit = day.get("visits", {}).get(visit_id)
    return visit is not None and visit["status"] not in VACATED


def spread(day: Day, visit_id: str, version: int) -> Day:
    """All members' cases have followed the visit up to this version."""
    if visit_id not in day.get("unspread", []) or day["visits"][visit_id]["version"] != version:
        return day
    left = [v for v in day["unspread"] if v != visit_id]
    if left:
        return cast(Day, {**day, "unspread": left})
    return cast(Day, {k: v for k, v in day.items() if k != "unspread"})


def seen(day: Day, visit_id: str) -> Seen:
    """The visit as its members' cases have to follow it."""
    visit = day["visits"][visit_id]
    return Seen(
        visit_id=visit_id,
        day=day["_id"],
        version=visit["version"],
        status=visit["status"],
        reason=visit.get("reason"),
        completed_at=visit.get("completed_at"),
        outcomes={item: (o["outcome"], o["reason"]) for item, o in visit.get("outcomes", {}).items()},
        items={request_id: m["items"] for request_id, m in visit["members"].items()},
        team_id=visit["team_id"],
        start=visit["start"],
        end=visit["end"],
    )


def ledger(visit_id: str) -> Ledger:
    """Where the idempotency records of a visit's calls are kept: in the visit."""

    def read(day: Document) -> list[Document]:
        visit = day.get("visits", {}).get(visit_id)
        return list(visit["keys"]) if visit else []

    def write(day: Document, records: list[Document]) -> Document:
        visits = day["visits"]
        return {**day, "visits": {**visits, visit_id: {**visits[visit_id], "keys": records}}}

    return Ledger(read, write)


def current(days: Sequence[Day], visit_id: str) -> Day | None:
    """Of the days that know a visit, the one where it stands now.

    In two while a request takes it along: in the old day until that is left, so that no team sets out for the new one before.
    """
    known = sorted((d for d in days if visit_id in d.get("visits", {})), key=lambda d: d["visits"][visit_id]["version"])
    if standing := [d for d in known if stands(d, visit_id)]:
        return standing[0]
    found = [d for d in known if d["visits"][visit_id]["members"]] or known
    return found[-1] if found else None


def _visit(day: Day, visit_id: str) -> DayVisit:
    visit = day.get("visits", {}).get(visit_id)
    if visit is None:
        raise not_found()
    return visit


def _allow(visit: DayVisit, *statuses: str) -> None:
    if visit["status"] == VisitStatus.CANCELLED:
        raise Problem(409, "state", "Kunjungan ini dibatalkan. / This visit was cancelled.")
    if visit["status"] not in statuses:
        raise Problem(409, "state", "Tidak dapat sekarang. / Not possible in the visit's present state.")


def changed(day: Day, visit_id: str, visit: DayVisit) -> Day:
    """The day with the visit in its next version, which its members' cases are to follow."""
    after: DayVisit = {**visit, "version": visit["version"] + 1}
    unspread = [*(v for v in day.get("unspread", []) if v != visit_id), visit_id]
    return cast(Day, {**day, "visits": {**day["visits"], visit_id: after}, "unspread": unspread})


def _errors(visit: DayVisit, outcomes: Sequence[tuple[str, ItemVisitOutcome, str | None]]) -> list[FieldError]:
    items = {i["item_id"] for m in visit["members"].values() for i in m["items"]}
    due = {i["item_id"] for m in visit["members"].values() if not m.get("gone") for i in m["items"]}
    errors: list[FieldError] = []
    given: set[str] = set()
    for at, (item, outcome, reason) in enumerate(outcomes):
        where = f"#/items/{at}"
        if item not in items:
            errors.append(
                FieldError(f"{where}/item_id", "unknown_item", "Bukan bagian kunjungan ini. / Not an item of this visit.")
            )
        elif item in given:
            errors.append(FieldError(f"{where}/item_id", "repeated_item", "Disebut dua kali. / Named twice."))
        if (outcome == ItemVisitOutcome.DEFERRED) != (reason is not None):
            errors.append(
                FieldError(f"{where}/reason", "reason", "Alasan hanya untuk, dan wajib pada, DEFERRED. / With DEFERRED only.")
            )
        given.add(item)
    if missing := len(due - given):
        detail = f"{missing} belum disebut. / {missing} items of the visit are not named."
        errors.append(FieldError("#/items", "missing_items", detail))
    return errors


def answer(day: Day, visit_id: str) -> dict[str, Any]:
    """What a call on a visit answers; the same on every repetition."""
    visit = day["visits"][visit_id]
    moved = visit["status"] == MOVED
    return {
        "visit_id": visit_id,
        "status": VisitStatus.PLANNED if moved else visit["status"],
        "version": visit["version"],
        "date": visit["moved_to"]["day"] if moved else day["_id"],
    }
