"""Facts that intake reads, as their owners send them."""

from typing import Any
from uuid import uuid4

from pelangi.contracts.examples import EXAMPLES
from tests.support.records import Raw, record

ITEM: Any = EXAMPLES["item-closed.v1"]
SCHEDULED: Any = EXAMPLES["visit-scheduled.v1"]


def closed(request_id: str, item_id: str, sequence: int) -> Raw:
    """Issuance finished an item."""
    return record("item-closed.v1", ITEM.model_copy(update={"request_id": request_id, "item_id": item_id}), sequence)


def scheduled(request_id: str, sequence: int = 1, visit_id: str = "", **more: Any) -> Raw:
    """Scheduling gave a date; a visit of its own each time unless one is named."""
    update = {"request_id": request_id, "visit_id": visit_id or str(uuid4()), **more}
    return record("visit-scheduled.v1", SCHEDULED.model_copy(update=update), sequence)
