"""What intake shows of a case: to the requester, to the holder of a receipt code, to an officer."""

from typing import Any

from pelangi.contracts.codes import ItemOutcome, ScheduleStatus
from pelangi.contracts.envelope import rfc3339
from services.intake.model import Case, Item, is_open
from services.intake.receipt import shown


def receipt(case: Case) -> dict[str, Any]:
    """What the requester is told: the 201 answer of `POST /v1/requests`."""
    return {
        "request_id": case["_id"],
        "receipt_code": shown(case["receipt_code"]),
        "status": case["status"],
        "due_on": case["due_on"],
        "items": [_shown_item(item) for item in case["items"]],
        "warnings": case["warnings"],
    }


def _shown_item(item: Item) -> dict[str, Any]:
    """`withdrawn` is shown only where it is so: the 201 knows none."""
    return {k: v for k, v in item.items() if k != "withdrawn" or v}


def tracking(case: Case, receipt_code: str = "") -> dict[str, Any]:
    """What the holder of a receipt code may see: no name, no place. `receipt_code`: of the duplicate that leads here."""
    visited = case.get("visited", {})
    dates = [v["date"] for k, v in case.get("visits", {}).items() if v["status"] != ScheduleStatus.CANCELLED and k not in visited]
    return {
        "receipt_code": shown(receipt_code or case["receipt_code"]),
        "status": case["status"],
        "received_at": rfc3339(case["received_at"]),
        "due_on": case["due_on"],
        "visit": {"date": max(dates)} if dates and is_open(case) else None,
        "closed": {"outcome": case["closing"]["outcome"], "at": rfc3339(case["closing"]["at"])} if "closing" in case else None,
        "items": [{"service_kind": i["service_kind"], "status": _item_status(case, i)} for i in case["items"]],
    }


def _item_status(case: Case, item: Item) -> str:
    """Its outcome, OPEN, or ENDED: the request was closed over it."""
    if outcome := case.get("closed_items", {}).get(item["item_id"]):
        return outcome
    if item.get("withdrawn"):
        return ItemOutcome.WITHDRAWN
    return "OPEN" if is_open(case) else "ENDED"


def whole(case: Case) -> dict[str, Any]:
    """Everything an officer may see of a request: the body's fields, those of the 201 answer, and what became known since."""
    return {
        **case["body"],
        **receipt(case),
        "received_at": rfc3339(case["received_at"]),
        "filled_at": rfc3339(case["filled_at"]),
        "documents": documents(case),
        "deceased": [{"person_ref": ref, "date": on} for ref, on in sorted(case.get("deceased", {}).items())],
        "duplicate_of": case.get("duplicate_of"),
        "duplicates": sorted(case.get("also", {})),
    }


def documents(case: Case) -> list[dict[str, Any]]:
    """The documents made for the request, as their events say, also those of after its closing; the newest first."""
    return [
        {
            "document_id": document_id,
            "item_id": known["item_id"],
            "document_kind": known["document_kind"],
            "edition": known.get("edition"),
            "status": _document_status(known),
            "replaced_by": known.get("replaced_by"),
        }
        for document_id, known in sorted(case.get("documents", {}).items(), reverse=True)
    ]


def _document_status(known: dict[str, Any]) -> str:
    if "withdrawn" in known:
        return str(known["withdrawn"])
    return "HANDED_OVER" if known.get("handed_over") else "ISSUED"


def alike(case: Case, why: list[str]) -> dict[str, Any]:
    """A request that may be about the same person: nothing of the person."""
    return {
        "request_id": case["_id"],
        "receipt_code": shown(case["receipt_code"]),
        "status": case["status"],
        "received_at": rfc3339(case["received_at"]),
        "why": why,
    }


def row(case: Case) -> dict[str, Any]:
    """A line of the list."""
    return {
        "request_id": case["_id"],
        "receipt_code": shown(case["receipt_code"]),
        "status": case["status"],
        "village_code": case["village_code"],
        "received_at": rfc3339(case["received_at"]),
        "due_on": case["due_on"],
        "items_count": len(case["items"]),
    }
