"""HTTP edge of notify: what was told about a request. No address and no text is ever answered."""

from typing import Any, cast
from uuid import UUID

from fastapi import APIRouter

from pelangi.chassis.service import Runtime
from pelangi.chassis.web import not_found
from pelangi.contracts.envelope import rfc3339
from services.notify.channels.smtp import mail_id
from services.notify.model import Case
from services.notify.rows import Row, in_order


def routes(runtime: Runtime) -> APIRouter:
    """`GET /v1/messages?request_id=`."""
    router = APIRouter()

    @router.get("/v1/messages")
    async def messages(request_id: UUID) -> dict[str, Any]:
        case = await runtime.cases.get(str(request_id))
        if case is None:
            raise not_found()
        return listed(cast(Case, case))

    return router


def listed(case: Case) -> dict[str, Any]:
    """A request's messages in the order of telling."""
    ordered = [row for _, row in in_order(case.get("messages", {}))]
    readers = {also: at for at, also in enumerate(["", *sorted({row["also"] for row in ordered if row.get("also")})])}
    return {
        "request_id": case["_id"],
        "details_version": case.get("details_version"),
        "messages": [_shown(row, readers[row.get("also", "")]) for row in ordered],
    }


def _shown(row: Row, reader: int) -> dict[str, Any]:
    """One message. READY and HANDED_OVER are of the request, so no message names a document yet.

    reader: 0 for the request's own people, 1, 2, … for the requesters of its duplicates.
    """
    return {
        "message_id": row["message_id"],
        "reader": reader,
        "purpose": row["purpose"],
        "visit_id": row.get("visit_id"),
        "revision": row.get("revision"),
        "document_id": None,
        "edition": None,
        "audience": row["audience"],
        "channel": row.get("channel"),
        "state": row["state"],
        "reason": row.get("reason"),
        "mail_message_id": f"<{mail_id(row['message_id'])}>" if "channel" in row else None,
        "sent_at": rfc3339(row["sent_at"]) if "sent_at" in row else None,
    }
