"""The queries that are not "the case with this id"."""

from typing import cast

from pelangi.chassis.service import CASES, Index
from pelangi.chassis.store import SET, Collection
from services.issuance.case import Case

INDEXES = (
    Index(CASES, (("items.item_id", 1),)),
    Index(CASES, (("documents.document_id", 1),)),
    # sparse, not partial: the store of the local run scans the collection for a partial index on $exists (seen in explain)
    Index(CASES, (("to_open_since", 1),), {"sparse": True}),
)


async def case_of_item(cases: Collection, item_id: str) -> Case | None:
    """The request that has this item, or None."""
    return await _case_with(cases, "items.item_id", item_id)


async def case_of_document(cases: Collection, document_id: str) -> Case | None:
    """The request that has this document, or None."""
    return await _case_with(cases, "documents.document_id", document_id)


async def to_open(cases: Collection, limit: int) -> list[Case]:
    """Cases with items whose documents are not opened yet, longest waiting first."""
    found = await cases.find({"to_open_since": SET}, sort=[("to_open_since", 1)], limit=limit)
    return cast(list[Case], found)


async def _case_with(cases: Collection, field: str, id: str) -> Case | None:
    found = await cases.find({field: id}, limit=1)
    return cast(Case, found[0]) if found else None
