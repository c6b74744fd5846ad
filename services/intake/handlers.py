"""What each incoming fact means for a request. Pure: case, fact, now -> case; any order and repetition ends the same."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from pelangi.chassis.case import Fact, Handler
from pelangi.contracts import topics
from pelangi.contracts.events import (
    DocumentHandedOver,
    DocumentIssued,
    DocumentWithdrawn,
    ItemClosed,
    VisitCompleted,
    VisitScheduled,
)
from pelangi.contracts.snapshots import Visits
from services.intake.model import UNDER_WAY, Case, settle


def visit_scheduled(case: Case, fact: Fact[VisitScheduled], now: datetime) -> Case:
    """The request has a date, another date, or none any more."""
    visit = {"status": fact.data.status, "date": fact.data.date.isoformat(), "revision": fact.data.revision}
    return settle(_put(case, "visits", fact.data.visit_id, visit), now)


def visit_completed(case: Case, fact: Fact[VisitCompleted], now: datetime) -> Case:
    """The visit took place or failed."""
    return settle(_put(case, "visited", fact.data.visit_id, fact.data.outcome), now)


def visit_details(case: Case, fact: Fact[Visits | None], now: datetime) -> Case:
    """Which visits are under way."""
    visits = fact.data.visits if fact.data else []
    under_way = [v.visit_id for v in visits if v.status in UNDER_WAY]
    return settle(cast(Case, {**case, "under_way": under_way}), now)


def document_issued(case: Case, fact: Fact[DocumentIssued], now: datetime) -> Case:
    """A document exists."""
    return settle(_document(case, fact.data, issued=True, edition=fact.data.edition), now)


def document_handed_over(case: Case, fact: Fact[DocumentHandedOver], now: datetime) -> Case:
    """A document reached its person."""
    return settle(_document(case, fact.data, handed_over=True), now)


def document_withdrawn(case: Case, fact: Fact[DocumentWithdrawn], now: datetime) -> Case:
    """A document was superseded or revoked; this counts after closing too."""
    what = {"withdrawn": fact.data.reason, "edition": fact.data.edition, "replaced_by": fact.data.replaced_by}
    return settle(_document(case, fact.data, **what), now)


def item_closed(case: Case, fact: Fact[ItemClosed], now: datetime) -> Case:
    """One service for one person is finished; the last one closes the request."""
    return settle(_put(case, "closed_items", fact.data.item_id, fact.data.outcome), now)


def _document(case: Case, data: DocumentIssued | DocumentHandedOver | DocumentWithdrawn, **what: Any) -> Case:
    known = case.get("documents", {}).get(data.document_id, {})
    document = {**known, "item_id": data.item_id, "document_kind": data.document_kind, **what}
    return _put(case, "documents", data.document_id, document)


def _put(case: Case, field: str, key: str, value: Any) -> Case:
    facts = cast(dict[str, Any], case).get(field, {})
    return cast(Case, {**case, field: {**facts, key: value}})


HANDLERS: Mapping[str, Handler[Any]] = {
    topics.VISIT_SCHEDULED: visit_scheduled,
    topics.VISIT_COMPLETED: visit_completed,
    topics.VISIT_DETAILS: visit_details,
    topics.DOCUMENT_ISSUED: document_issued,
    topics.DOCUMENT_HANDED_OVER: document_handed_over,
    topics.DOCUMENT_WITHDRAWN: document_withdrawn,
    topics.ITEM_CLOSED: item_closed,
}
