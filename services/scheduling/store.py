"""Queries that are not "the case with this id", and the indexes that answer them."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import cast

from pelangi.chassis.service import CASES, Index
from pelangi.chassis.store import Collection
from services.scheduling.case import Case
from services.scheduling.days import Day

DAYS = "days"
MOST = 1000
"""How many waiting requests one look sees: the order of priority is right among those that wait longest."""


def _present(name: str) -> Index:
    """An index of the few cases that have a field. Sparse: the local store scans the collection for a partial one on $exists."""
    return Index(CASES, ((name, 1),), {"sparse": True})


INDEXES = (
    _present("needs_visit_since"),
    _present("review_since"),
    _present("releases_since"),
    _present("wanted_since"),
    Index(DAYS, (("visit_ids", 1),)),
    Index(DAYS, (("unspread", 1),), {"sparse": True}),
)


async def waiting(cases: Collection, *, until: date, without: Iterable[str] = ()) -> list[Case]:
    """Requests that need a date, those that wait longest first; not those for which a visit is of use only after `until`.

    `without` these, so that they keep no place from the others.
    """
    others = {"_id": {"$nin": ids}} if (ids := sorted(without)) else {}
    due = {"needs_visit_since": {"$exists": True}, "plan_from": {"$lte": until.isoformat()}}
    found = await cases.find({**due, **others}, sort=[("needs_visit_since", 1)], limit=MOST)
    return cast(list[Case], found)


async def in_review(cases: Collection) -> list[Case]:
    """Requests of which a human must say how they go on, with the reason."""
    here = {"review_since": {"$exists": True}}
    return cast(list[Case], await cases.find(here, sort=[("review_since", 1)], limit=MOST, fields=["review_reason"]))


async def count_reviews(cases: Collection, reason: str) -> int:
    """How many requests wait for a human for this reason."""
    return await cases.count({"review_since": {"$exists": True}, "review_reason": reason})


async def stuck_bookings(cases: Collection, before: datetime) -> list[Case]:
    """Cases that have wanted something since before that moment."""
    return cast(list[Case], await cases.find({"wanted_since": {"$exists": True, "$lt": before}}, limit=100))


async def to_release(cases: Collection) -> list[Case]:
    """Cases with bookings to be taken out of their days."""
    return cast(list[Case], await cases.find({"releases_since": {"$exists": True}}, sort=[("releases_since", 1)], limit=100))


async def placements(cases: Collection, request_ids: Sequence[str]) -> dict[str, Case]:
    """Where these requests stand: their placement only."""
    found = await cases.find({"_id": {"$in": list(request_ids)}}, fields=["placement"])
    return {c["_id"]: cast(Case, c) for c in found}


async def read_days(days: Collection, dates: Sequence[date]) -> dict[date, Day]:
    """Those of the days that exist."""
    found = await days.get_many([d.isoformat() for d in dates])
    return {date.fromisoformat(on): cast(Day, day) for on, day in found.items()}


async def days_from(days: Collection, first: date, *, after: str = "", limit: int = 50) -> list[Day]:
    """Days from a date on, in order; `after`: the last one seen."""
    found = await days.find({"_id": {"$gte": first.isoformat(), "$gt": after}}, sort=[("_id", 1)], limit=limit)
    return cast(list[Day], found)


async def days_of_visit(days: Collection, visit_id: str) -> list[Day]:
    """The days that know a visit: one, or more once it was moved."""
    return cast(list[Day], await days.find({"visit_ids": visit_id}))


async def unspread_days(days: Collection, *, after: str = "", limit: int = 50) -> list[Day]:
    """Days with visits whose members' cases have not all followed, in order; `after`: the last one seen."""
    behind = {"unspread": {"$exists": True}, "_id": {"$gt": after}}
    return cast(list[Day], await days.find(behind, sort=[("_id", 1)], limit=limit))
