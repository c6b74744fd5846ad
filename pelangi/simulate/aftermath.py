"""After the closing: errors are found in documents that people have already; they are superseded or revoked."""

import asyncio
from collections.abc import Sequence

from pelangi.simulate.desk import Desk
from pelangi.simulate.draw import happens
from pelangi.simulate.options import Followed, Report, SimulateOptions

BY_ITEMS = frozenset({"COMPLETED", "PARTIAL"})


async def correct_some(desk: Desk, followed: Sequence[Followed], options: SimulateOptions, report: Report) -> None:
    """Supersede or revoke the few documents that chance has chosen; a new edition is brought to its person."""
    if not (options.chances.document_superseded or options.chances.document_revoked):
        return
    slots = asyncio.Semaphore(options.concurrency)

    async def one(request: Followed) -> None:
        async with slots:
            for item in await desk.documents(request.request_id):
                for document in item.get("documents", []):
                    if document["status"] == "HANDED_OVER":
                        await _correct(desk, request.request_id, document["document_id"], options, report)

    async with asyncio.TaskGroup() as group:
        for request in followed:
            if request.number is not None and request.status in BY_ITEMS:
                group.create_task(one(request))


async def _correct(desk: Desk, request_id: str, document_id: str, options: SimulateOptions, report: Report) -> None:
    chances, seed = options.chances, options.seed
    if happens(chances.document_superseded, seed, "superseded", document_id):
        if await desk.withdraw_document(document_id, {"to": "SUPERSEDED", "reason": "TYPING_ERROR"}):
            report.lives["superseded"] += 1
            items = await desk.documents(request_id)
            for document in (d for item in items for d in item.get("documents", [])):
                if document["edition"] > 1:
                    await desk.drive_document(document)
    elif happens(chances.document_revoked, seed, "revoked", document_id):
        revoked = await desk.withdraw_document(document_id, {"to": "REVOKED", "reason": "FALSE_STATEMENT"})
        report.lives["revoked"] += revoked
