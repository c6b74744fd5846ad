"""What each incoming fact means for a request's messages. Pure: case, fact, now -> case."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pelangi.chassis.case import Fact, Handler
from pelangi.contracts import topics
from pelangi.contracts.events import (
    DocumentHandedOver,
    DocumentIssued,
    DocumentWithdrawn,
    ItemClosed,
    RequestClosed,
    RequestCreated,
    VisitCompleted,
    VisitScheduled,
)
from pelangi.contracts.sealing import Opened
from pelangi.contracts.snapshots import Contact, Visits
from services.notify import model
from services.notify.model import Case, VisitDate, Window


def request_created(case: Case, _fact: Fact[RequestCreated], _now: datetime) -> Case:
    """A request was received."""
    return model.received(case)


def request_details(case: Case, fact: Fact[Opened[Contact] | None], _now: datetime) -> Case:
    """How to reach whom, or nothing any more: the person was erased."""
    if fact.data is None:
        return model.erase(case, fact.sequence)
    request = fact.data.request
    return model.learn_contact(case, fact.data.part, status=str(request.status), version=request.version)


def visit_scheduled(case: Case, fact: Fact[VisitScheduled], _now: datetime) -> Case:
    """A visit got, changed or lost its date."""
    data = fact.data
    visit: VisitDate = {
        "revision": data.revision,
        "status": str(data.status),
        "date": data.date.isoformat(),
        "place": data.place.name if data.place else None,
    }
    return model.schedule(case, data.visit_id, visit)


def visit_completed(case: Case, fact: Fact[VisitCompleted], _now: datetime) -> Case:
    """A visit took place or failed."""
    return model.complete(case, fact.data.visit_id, str(fact.data.outcome))


def visit_details(case: Case, fact: Fact[Visits | None], _now: datetime) -> Case:
    """The exact hours of the visits; of the rest of that snapshot nothing is kept."""
    visits = fact.data.visits if fact.data else []
    windows: dict[str, Window] = {
        v.visit_id: {"revision": v.revision, "start": v.window.start, "end": v.window.end} for v in visits
    }
    return model.learn_windows(case, windows)


def document_issued(case: Case, fact: Fact[DocumentIssued], _now: datetime) -> Case:
    """A document exists."""
    return model.issue(case, fact.data.document_id, fact.data.edition)


def document_handed_over(case: Case, fact: Fact[DocumentHandedOver], _now: datetime) -> Case:
    """A document reached the person or a proxy."""
    return model.hand_over(case, fact.data.document_id)


def document_withdrawn(case: Case, fact: Fact[DocumentWithdrawn], _now: datetime) -> Case:
    """A document was superseded or revoked."""
    return model.withdraw(case, fact.data.document_id, fact.data.edition)


def item_closed(case: Case, _fact: Fact[ItemClosed], _now: datetime) -> Case:
    """Nobody is told of one item: documents and the closing have their own messages (CONTRACTS.md §4)."""
    return case


def request_closed(case: Case, fact: Fact[RequestClosed], _now: datetime) -> Case:
    """Nothing more will happen to the request."""
    return model.close(case, str(fact.data.outcome))


HANDLERS: Mapping[str, Handler[Any]] = {
    topics.REQUEST_CREATED: request_created,
    topics.REQUEST_DETAILS: request_details,
    topics.VISIT_SCHEDULED: visit_scheduled,
    topics.VISIT_COMPLETED: visit_completed,
    topics.VISIT_DETAILS: visit_details,
    topics.DOCUMENT_ISSUED: document_issued,
    topics.DOCUMENT_HANDED_OVER: document_handed_over,
    topics.DOCUMENT_WITHDRAWN: document_withdrawn,
    topics.ITEM_CLOSED: item_closed,
    topics.REQUEST_CLOSED: request_closed,
}
