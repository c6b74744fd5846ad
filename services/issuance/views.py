"""What issuance answers. No person is in it: names are for the desk page alone."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from services.issuance.blanks import BlankKind, Stock
from services.issuance.case import (
    OPEN,
    Case,
    Document,
    Item,
    document_status,
    documents_of,
    is_closed,
    item_status,
    rule_of,
    visit_outcome,
)
from services.issuance.documents import WITHDRAWALS, DocumentStatus, Family
from services.issuance.enrolment import KNOWN
from services.issuance.processing import PROCESSING, elapsed

Json = dict[str, Any]
Stocks = Mapping[BlankKind, Stock]


def request_view(case: Case, stocks: Stocks, now: datetime) -> Json:
    """All items and documents of a request. `details_version`: of the newest snapshot seen, 0 before the first."""
    return {
        "request_id": case["_id"],
        "details_version": case.get("details_version", 0),
        "closed": is_closed(case),
        "items": [item_view(case, item, stocks, now) for item in case.get("items", [])],
    }


def item_view(case: Case, item: Item, stocks: Stocks, now: datetime) -> Json:
    """One item; its documents are listed once they are opened."""
    return {
        "item_id": item["item_id"],
        "service_kind": item["service_kind"],
        "status": str(item_status(case, item)),
        "visit_outcome": visit_outcome(case, item["item_id"]),
        "card_promised": card_promised(case, item, stocks),
        "documents": [document_view(case, document, now) for document in documents_of(case, item["item_id"])],
    }


def card_promised(case: Case, item: Item, stocks: Stocks) -> bool | None:
    """Whether the person may be told that a card comes: it is printed, or there is a blank. None: the service yields no card."""
    if rule_of(item).family is not Family.CARD:
        return None
    if any("issued_at" in d and d["status"] not in WITHDRAWALS for d in documents_of(case, item["item_id"])):
        return True
    kinds = [BlankKind(kind) for kind in rule_of(item).documents]
    return item_status(case, item) == OPEN and all(kind in stocks and stocks[kind]["on_hand"] > 0 for kind in kinds)


def document_view(case: Case, document: Document, now: datetime) -> Json:
    """One document. `enrolment`: what the centre said, `meaning` null where the code is not known; null where it said nothing."""
    told = document.get("enrolment_status")
    return {
        "document_id": document["document_id"],
        "document_kind": document["document_kind"],
        "edition": document["edition"],
        "status": str(document_status(case, document)),
        "handed_over": any(step["status"] == DocumentStatus.HANDED_OVER for step in document["history"]),
        "replaced_by": document.get("replaced_by"),
        "enrolment": {"status": told, "meaning": KNOWN.get(told)} if told else None,
        "clock": clock_view(case, document, now),
    }


def clock_view(case: Case, document: Document, now: datetime) -> Json:
    """How long it has taken beside how long it may take; hours are null before the clock started."""
    passed = elapsed(case, document, now)
    limit = PROCESSING.of(document["document_kind"])
    return {
        "gross_hours": _hours(passed.gross) if passed else None,
        "net_hours": _hours(passed.net) if passed else None,
        "target_hours": PROCESSING.target_hours,
        "statutory_days": limit.days,
        "working_days": limit.working,
    }


def blanks_view(kind: BlankKind, stock: Stock) -> Json:
    """The stock of one kind. `used` counts those that are being printed now."""
    return {
        "kind": kind.value,
        "on_hand": stock["on_hand"],
        "received": stock["received"],
        "used": stock["used"],
        "spoiled": stock["spoiled"],
        "lost": stock["lost"],
        "returned": stock["returned"],
    }


def _hours(passed: timedelta) -> float:
    return round(passed / timedelta(hours=1), 1)
