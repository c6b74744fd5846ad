"""What intake shows of a case: to the requester, to the holder of a receipt code, to an officer."""

from typing import Any

from pelangi.contracts.codes import ScheduleStatus
from pelangi.contracts.envelope import rfc3339
from services.intake.model import Case, is_open
from services.intake.receipt import shown


def receipt(case: Case) -> dict[str, Any]:
    """What the requester is told: the 201 answer of `POST /v1/requests`."""
    return {
        "request_id": case["_id"],
        "receipt_code": shown(case["receipt_code"]),
        "status": case["status"],
        "due_on": case["due_on"],
        "items": case["items"],
        "warnings": case["warnings"],
    }


def tracking(case: Case) -> dict[str, Any]:
    """What the holder of a receipt code may see: no name, no place."""
    visited = case.get("visited", {})
    dates = [v["date"] for k, v in case.get("visits", {}).items() if v["status"] != ScheduleStatus.CANCELLED and k not in visited]
    closed_items = case.get("closed_items", {})
    return {
        "receipt_code": shown(case["receipt_code"]),
        "status": case["status"],
        "received_at": rfc3339(case["received_at"]),
        "due_on": case["due_on"],
        "visit": {"date": max(dates)} if dates and is_open(case) else None,
        "closed": {"outcome": case["closing"]["outcome"], "at": rfc3339(case["closing"]["at"])} if "closing" in case else None,
        "items": [{"service_kind": i["service_kind"], "status": closed_items.get(i["item_id"], "OPEN")} for i in case["items"]],
    }


def whole(case: Case) -> dict[str, Any]:
    """Everything an officer may see of a request: the body's fields and those of the 201 answer."""
    return {**case["body"], **receipt(case), "received_at": rfc3339(case["received_at"]), "filled_at": rfc3339(case["filled_at"])}


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
