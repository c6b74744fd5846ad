"""Queries that are not "the case with this id", and the indexes that answer them."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import cast

from pelangi.chassis.service import CASES, Index
from pelangi.chassis.store import SET, Collection
from services.scheduling.agenda import AT_ONCE
from services.scheduling.case import Case
from services.scheduling.day import Day

DAYS = "days"
MOST = 1000
"""How many waiting requests one look sees: the order of priority is right among those that wait longest."""


def _present(name: str) -> Index:
    """An index of the few cases that have a field. Sparse: the local store scans the collection for a partial one on $exists."""
    return Index(CASES, ((name, 1),), {"sparse": True})


INDEXES = (
    # both fields are there together; one condition on the second: the local store scans the collection for two
    Index(CASES, (("plan_from", 1), ("needs_visit_since", 1)), {"sparse": True}),
    _present("review_since"),
    _present("review_reason"),
    _present("releases_since"),
    _present("wanted_since"),
    Index(DAYS, (("visit_ids", 1),)),
    Index(DAYS, (("unspread", 1),), {"sparse": True}),
)


async def waiting(cases: Collection, *, until: date, without: Iterable[str] = ()) -> list[Case]:
    """Requests that need a date, those that wait longest first; not those for which a visit is of use only after `until`.

    `without` these, so that they keep no place from the others.
    """
    left_out = set(without)
    order, limit = [("needs_visit_since", 1)], MOST + len(left_out)
    found = await cases.find({"plan_from": AT_ONCE, "needs_visit_since": SET}, sort=order, limit=limit)
    found += await cases.find({"plan_from": {"$gt": AT_ONCE, "$lte": until.isoformat()}}, sort=order, limit=limit)
    found.sort(key=lambda case: case["needs_visit_since"])
    return cast(list[Case], [case for case in found if case["_id"] not in left_out][:MOST])


async def in_review(cases: Collection) -> list[Case]:
    """Requests of which a human must say how they go on, with the reason."""
    here = {"review_since": SET}
    return cast(list[Case], await cases.find(here, sort=[("review_since", 1)], limit=MOST, fields=["review_reason"]))


async def count_reviews(cases: Collection, reason: str) -> int:
    """How many requests wait for a human for this reason."""
    return await cases.count({"review_reason": reason})


async def stuck_bookings(cases: Collection, before: datetime) -> list[Case]:
    """Cases that have wanted something since before that moment."""
    return cast(list[Case], await cases.find({"wanted_since": {"$lt": before}}, limit=100))


async def to_release(cases: Collection) -> list[Case]:
    """Cases with bookings to be taken out of their days."""
    return cast(list[Case], await cases.find({"releases_since": SET}, sort=[("releases_since", 1)], limit=100))


async def placements(cases: Collection, request_ids: Sequence[str]) -> dict[str, Case]:
    """Where these requests stand: their placement only."""
    found = await cases.find({"_id": {"$in": list(request_ids)}}, fields=["placement"])
    return {c["_id"]: cast(Case, c) for c in found}


async def visits_of(cases: Collection, request_ids: Sequence[str]) -> dict[str, Case]:
    """The visits of these requests, and nothing else of them."""
    found = await cases.find({"_id": {"$in": list(request_ids)}}, fields=["visits"]) if request_ids else []
    return {c["_id"]: cast(Case, c) for c in found}


async def read_days(days: Collection, dates: Sequence[date]) -> dict[date, Day]:
    """Those of the days that exist."""
    found = await days.get_many([d.isoformat() for d in dates])
    return {date.fromisoformat(on): cast(Day, day) for on, day in found.items()}


async def days_from(days: Collection, first: date, *, after: str = "", limit: int = 50) -> list[Day]:
    """Days from a date on, in order; `after`: the last one seen."""
    found = await days.find({"_id": {"$gte": first.isoformat(), "$gt": after}}, sort=[("_id", 1)], limit=limit)
    return cast(list[Day], found)


async def days_of_visit(days: Collection, visit_id: str, *, whole: bool = True) -> list[Day]:
    """The days that know a visit: one, or more once it was moved. Not `whole`: without everything about other visits."""
    fields = () if whole else ("version", f"visits.{visit_id}")
    return cast(list[Day], await days.find({"visit_ids": visit_id}, fields=fields))


async def unspread_days(days: Collection, *, after: str = "", limit: int = 50) -> list[Day]:
    """Days with visits whose members' cases have not all followed, in order; `after`: the last one seen."""
    behind = await days.find({"unspread": {"$gt": ""}}, fields=["_id"])
    ids = sorted(d["_id"] for d in behind if d["_id"] > after)[:limit]
    found = await days.get_many(ids) if ids else {}
    return [cast(Day, found[i]) for i in ids if "unspread" in found.get(i, {})]
