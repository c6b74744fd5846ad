"""The queries of notify that are not "the case with this id"."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from pelangi.chassis.service import CASES, Index
from pelangi.chassis.store import SET, Collection
from services.notify.model import Case

DUE = Index(
    CASES,
    (("due_since", 1), ("changed_at", 1)),
    # not $exists: the local database uses a partial index only for a range that its filter repeats
    {"partialFilterExpression": {"due_since": SET}},
)


async def due_cases(cases: Collection, wall: datetime, limit: int) -> Sequence[Case]:
    """Cases with a message to work on now, the longest due first; what is due at once comes in the order it became so.

    The second part of the order is the index's own: naming it would cost a sort of everything that is due.
    """
    found = await cases.find({"due_since": {**SET, "$lte": wall}}, sort=[("due_since", 1)], limit=limit)
    return cast(Sequence[Case], found)
