"""The queries that are not "the request with this id"."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pelangi.chassis.service import CASES, Index
from pelangi.chassis.store import SET, Collection, Document
from pelangi.chassis.web import FieldError, invalid

PAGE = 50
MAX_ALIKE = 100
MAX_TO_JOIN = 100
WINDOWS = (timedelta(days=1), timedelta(days=10), timedelta(days=100))
"""How far back a page is looked for, before it is looked for among all."""
BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)
"""Requests only: a stub has not been received."""

INDEXES = (
    # sparse: two stubs without a code must not collide
    Index(CASES, (("receipt_code", 1),), {"unique": True, "sparse": True}),
    Index(CASES, (("received_at", -1), ("_id", -1))),
    Index(CASES, (("status", 1), ("received_at", -1), ("_id", -1))),
    Index(CASES, (("village_code", 1), ("received_at", -1), ("_id", -1))),
    Index(CASES, (("village_code", 1), ("status", 1), ("received_at", -1), ("_id", -1))),
    Index(CASES, (("match_keys", 1),), {"sparse": True}),
    Index(CASES, (("to_join_since", 1),), {"sparse": True}),
)


async def by_receipt_code(cases: Collection, code: str) -> Document | None:
    """The request with this receipt code (without hyphens), or None."""
    found = await cases.find({"receipt_code": code}, limit=1)
    return found[0] if found else None


async def alike(cases: Collection, match_keys: Sequence[str]) -> list[Document]:
    """Requests that share one of these digests, the one that asks among them; at most 100."""
    if not match_keys:
        return []
    return await cases.find({"match_keys": {"$in": list(match_keys)}}, limit=MAX_ALIKE)


async def to_join(cases: Collection) -> list[Document]:
    """Duplicates whose original is still to learn of them, oldest first."""
    return await cases.find({"to_join_since": SET}, sort=[("to_join_since", 1)], limit=MAX_TO_JOIN)


async def page(
    cases: Collection, *, status: str | None, village_code: str | None, cursor: str | None, now: datetime
) -> tuple[list[Document], str | None]:
    """Up to 50 requests, newest first, and the cursor of the next page if there is one. Raises Problem 422 for a bad cursor.

    Looked for further and further back: not every server stops at a limit before it has gone through the whole range.
    """
    wanted: dict[str, Any] = {}
    if status:
        wanted["status"] = status
    if village_code:
        wanted["village_code"] = village_code
    ranges = [{**wanted, "received_at": moments} for moments in _windows(now)]
    if cursor:
        received_at, request_id = _read_cursor(cursor)
        # two ranges of one index, which not every server finds in an "or": the rest of that moment, then what is older
        rest = {**wanted, "received_at": received_at, "_id": {"$lt": request_id}}
        ranges = [rest, *({**wanted, "received_at": moments} for moments in _windows(received_at, before=received_at))]
    found: list[Document] = []
    for part in ranges:
        if len(found) <= PAGE:
            found += await cases.find(part, sort=[("received_at", -1), ("_id", -1)], limit=PAGE + 1 - len(found))
    rows, more = found[:PAGE], len(found) > PAGE
    return rows, _cursor(rows[-1]) if more else None


def _windows(newest: datetime, *, before: datetime | None = None) -> Iterator[dict[str, datetime]]:
    """Stretches of time, one behind the other, back to the first request; without `before` the first is open to the future."""
    upper = {"$lt": before} if before else {}
    for back in WINDOWS:
        if newest - BEFORE_ALL > back:
            yield {"$gt": newest - back, **upper}
            upper = {"$lte": newest - back}
    yield {"$gt": BEFORE_ALL, **upper}


def _cursor(row: Document) -> str:
    return urlsafe_b64encode(f"{row['received_at'].isoformat()}|{row['_id']}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        moment, _, request_id = urlsafe_b64decode(cursor.encode()).decode().partition("|")
        return datetime.fromisoformat(moment).astimezone(UTC), request_id
    except (ValueError, OverflowError):
        raise invalid([FieldError("#/cursor", "cursor", "Kursor tidak dikenal. / Unknown cursor.")]) from None
