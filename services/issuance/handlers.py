"""What each incoming fact means for a case. Pure: case, fact, now -> case; any order and any repetition ends alike."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from pelangi.chassis.case import Fact, Handler
from pelangi.contracts import topics
from pelangi.contracts.events import RequestClosed, RequestCreated, VisitCompleted, VisitScheduled
from pelangi.contracts.sealing import Opened
from pelangi.contracts.snapshots import Identity, Visit, Visits
from services.issuance.case import Appointment, Case, Details, Item, Received, VisitedItem, VisitNote
from services.issuance.model import erase, forget_visit, settle


def request_created(case: Case, fact: Fact[RequestCreated], now: datetime) -> Case:
    """A request exists; its items come with its snapshot."""
    received = Received(received_at=fact.data.received_at, area_code=fact.data.area_code)
    return settle({**case, "received": received}, now)


def request_details(case: Case, fact: Fact[Opened[Identity] | None], now: datetime) -> Case:
    """The newest snapshot replaces all earlier ones; a tombstone means the persons were erased, for good."""
    if fact.data is None:
        return settle(erase(case), now)
    request, identity = fact.data.request, fact.data.part
    details = Details(received_at=request.received_at, area_code=request.area_code, status=str(request.status))
    after: Case = {**case, "details": details, "details_version": request.version, "items": _items(identity)}
    if case.get("erased"):
        return settle(erase(after), now)
    return settle({**after, "persons": [p.model_dump(mode="json") for p in identity.persons]}, now)


def _items(identity: Identity) -> list[Item]:
    return [
        Item(item_id=i.item_id, person_ref=i.person_ref, service_kind=i.service_kind.value, withdrawn=i.withdrawn)
        for i in identity.items
    ]


def visit_scheduled(case: Case, fact: Fact[VisitScheduled], now: datetime) -> Case:
    """A visit got, changed or lost its date: shown at the desk, it moves nothing."""
    appointment = Appointment(date=fact.data.date.isoformat(), status=str(fact.data.status), revision=fact.data.revision)
    return settle({**case, "appointments": {**case.get("appointments", {}), fact.data.visit_id: appointment}}, now)


def visit_completed(case: Case, fact: Fact[VisitCompleted], now: datetime) -> Case:
    """The outcome of each item at one visit: finishes what a visit finishes, and lets documents proceed."""
    visit_id, outcomes = fact.data.visit_id, {item.item_id: str(item.outcome) for item in fact.data.items}
    visited_at = {**case.get("visited_at", {}), visit_id: fact.data.completed_at}
    return settle({**case, "visits": {**case.get("visits", {}), visit_id: outcomes}, "visited_at": visited_at}, now)


def visit_details(case: Case, fact: Fact[Visits | None], now: datetime) -> Case:
    """The newest snapshot of the visits: outcomes again, for when `visit-completed` is older than its topic, and reasons."""
    if fact.data is None:
        return settle(cast(Case, {k: v for k, v in case.items() if k != "visit_details"}), now)
    notes = [_note(visit) for visit in fact.data.visits]
    if case.get("erased"):
        notes = [forget_visit(note) for note in notes]
    return settle({**case, "visit_details": notes}, now)


def _note(visit: Visit) -> VisitNote:
    return VisitNote(
        visit_id=visit.visit_id,
        status=visit.status.value,
        date=visit.date.isoformat(),
        team_id=visit.team_id,
        items={
            i.item_id: VisitedItem(outcome=i.outcome and i.outcome.value, reason=i.reason and i.reason.value) for i in visit.items
        },
    )


def request_closed(case: Case, fact: Fact[RequestClosed], now: datetime) -> Case:
    """Nothing more will happen to the request; its open items end with it unless they closed it."""
    return settle({**case, "closing": str(fact.data.outcome)}, now)


HANDLERS: Mapping[str, Handler[Any]] = {
    topics.REQUEST_CREATED: request_created,
    topics.REQUEST_DETAILS: request_details,
    topics.VISIT_SCHEDULED: visit_scheduled,
    topics.VISIT_COMPLETED: visit_completed,
    topics.VISIT_DETAILS: visit_details,
    topics.REQUEST_CLOSED: request_closed,
}
