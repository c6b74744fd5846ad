"""Metrics of issuance beside those of the chassis. Labels are codes: never an id, a person or a category.

Counted at the edges, where a transition is about to be written or was: one that lost a race and was folded again counts twice.
"""

from typing import cast

from prometheus_client import Counter, Gauge

from pelangi.chassis.case import BaseCase
from services.issuance.case import Case

DOCUMENTS = Counter("pelangi_document_transitions_total", "Documents that reached a status", ["kind", "status"])
ITEMS_CLOSED = Counter("pelangi_items_closed_total", "Items closed, as announced", ["outcome"])
BLANKS = Gauge("pelangi_blanks_on_hand", "Blank cards on hand, as last read", ["kind"])


def count(before: BaseCase | None, after: BaseCase) -> None:
    """Count what happened between two states of a case."""
    old, new = cast(Case, before or {}), cast(Case, after)
    if old.get("documents") is not new.get("documents"):
        known = {d["document_id"]: d for d in old.get("documents", [])}
        for document in new.get("documents", []):
            earlier = known.get(document["document_id"])
            if earlier is None or len(earlier["history"]) != len(document["history"]):
                DOCUMENTS.labels(document["document_kind"], document["status"]).inc()
    announced = old.get("closed", {})
    for item_id, outcome in new.get("closed", {}).items():
        if item_id not in announced:
            ITEMS_CLOSED.labels(outcome).inc()
