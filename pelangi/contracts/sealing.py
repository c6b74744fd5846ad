"""Closing and opening the encrypted parts of the two snapshots: one key ring per reader (CONTRACTS.md §1)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pelangi.contracts.encryption import KeyRing
from pelangi.contracts.events import PublicRequest, RequestDetails, VisitDetails
from pelangi.contracts.snapshots import Contact, Identity, Part, Planning, Visits
from pelangi.contracts.topics import REQUEST_DETAILS, VISIT_DETAILS

P = TypeVar("P", bound=Part)


@dataclass(frozen=True, slots=True)
class Opened(Generic[P]):
    """A request's snapshot as one reader sees it: the public fields, and its own part."""

    request: PublicRequest
    part: P


@dataclass(frozen=True, slots=True)
class DetailsKeys:
    """The three key rings of `request-details.v1`, one per reader; only intake holds them all."""

    planning: KeyRing
    person: KeyRing
    contact: KeyRing


def seal_details(
    request: PublicRequest, planning: Planning, person: Identity, contact: Contact, keys: DetailsKeys
) -> RequestDetails:
    """The snapshot of a request, each part readable by its reader only."""
    record = request.request_id

    def close(part: Part, ring: KeyRing) -> str:
        return ring.encrypt(part.model_dump_json().encode(), topic=REQUEST_DETAILS, key=record)

    return RequestDetails(
        request=request,
        planning=close(planning, keys.planning),
        person=close(person, keys.person),
        contact=close(contact, keys.contact),
    )


def _details_opener(field: str, model: type[P], keys: KeyRing) -> Callable[[RequestDetails], Opened[P]]:
    def open_(details: RequestDetails) -> Opened[P]:
        raw = keys.decrypt(getattr(details, field), topic=REQUEST_DETAILS, key=details.request.request_id)
        return Opened(details.request, model.model_validate_json(raw))

    return open_


def planning_opener(keys: KeyRing) -> Callable[[RequestDetails], Opened[Planning]]:
    """How scheduling opens a request's snapshot."""
    return _details_opener("planning", Planning, keys)


def identity_opener(keys: KeyRing) -> Callable[[RequestDetails], Opened[Identity]]:
    """How issuance opens a request's snapshot."""
    return _details_opener("person", Identity, keys)


def contact_opener(keys: KeyRing) -> Callable[[RequestDetails], Opened[Contact]]:
    """How notify opens a request's snapshot."""
    return _details_opener("contact", Contact, keys)


def seal_visits(request_id: str, visits: Visits, keys: KeyRing) -> VisitDetails:
    """The snapshot of a request's visits."""
    token = keys.encrypt(visits.model_dump_json().encode(), topic=VISIT_DETAILS, key=request_id)
    return VisitDetails(request_id=request_id, visits=token)


def visits_opener(keys: KeyRing) -> Callable[[VisitDetails], Visits]:
    """How issuance, notify and intake open a visits snapshot."""

    def open_(details: VisitDetails) -> Visits:
        return Visits.model_validate_json(keys.decrypt(details.visits, topic=VISIT_DETAILS, key=details.request_id))

    return open_
