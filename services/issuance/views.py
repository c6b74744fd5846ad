"""What issuance answers. No person is in it: names are for the desk page alone."""

from typing import Any

from services.issuance.case import Case, Document, Item, document_status, documents_of, is_closed, item_status, visit_outcome

Json = dict[str, Any]


def request_view(case: Case) -> Json:
    """All items and documents of a request. `details_version`: of the newest snapshot seen, 0 before the first."""
    return {
        "request_id": case["_id"],
        "details_version": case.get("details_version", 0),
        "closed": is_closed(case),
        "items": [item_view(case, item) for item in case.get("items", [])],
    }


def item_view(case: Case, item: Item) -> Json:
    """One item; its documents are listed once they are opened."""
    return {
        "item_id": item["item_id"],
        "service_kind": item["service_kind"],
        "status": str(item_status(case, item)),
        "visit_outcome": visit_outcome(case, item["item_id"]),
        "documents": [document_view(case, document) for document in documents_of(case, item["item_id"])],
    }


def document_view(case: Case, document: Document) -> Json:
    """One document."""
    return {
        "document_id": document["document_id"],
        "document_kind": document["document_kind"],
        "edition": document["edition"],
        "status": str(document_status(case, document)),
    }
