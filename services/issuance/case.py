"""The case of a request in issuance: what is kept of it, and what that means.

Facts are kept as they came; what they mean is derived from all of them, so that their order does not matter.
What was decided or announced here stands: an item is closed once.
"""

from datetime import datetime
from typing import Any, NotRequired, TypedDict

from pelangi.chassis.case import BaseCase
from pelangi.contracts.codes import (
    OPEN_REQUEST_STATUSES,
    ClosingOutcome,
    ItemOutcome,
    ItemVisitOutcome,
    RequestStatus,
    ServiceKind,
)
from services.issuance.documents import FINAL, RULES, DocumentStatus, FinishedBy, ServiceRule

OPEN, ENDED = "OPEN", "ENDED"
"""Statuses of an item beside its outcomes. ENDED: its request was closed over it, and no item-closed is owed."""


class Item(TypedDict):
    """One service for one person, as the newest snapshot has it."""

    item_id: str
    person_ref: str
    service_kind: str
    withdrawn: bool


class Step(TypedDict):
    """One entry of a document's history."""

    status: str
    at: datetime
    reason: str | None


class Recipient(TypedDict):
    """Who took a document: the person, or a lawful proxy (DOMAIN.md §5.5)."""

    recipient_class: str
    name: str | None
    relation: str | None


class Document(TypedDict):
    """One edition of a document of an item. held_from: where it returns to from ON_HOLD.

    done_before: visits that had done the item when a new recording was asked; one beside them lets it go on.
    blank: the taking of the blank it was printed on. print_attempt: takings of a lower number print nothing (see `blanks`).
    enrolment_status: what the centre's operator screen said last, any code. replaces, replaced_by: the editions before and after.
    """

    document_id: str
    item_id: str
    document_kind: str
    edition: int
    status: str
    history: list[Step]
    held_from: NotRequired[str]
    siak_reference: NotRequired[str]
    issued_at: NotRequired[datetime]
    handed_over_to: NotRequired[Recipient]
    done_before: NotRequired[list[str]]
    blank: NotRequired[str]
    print_attempt: NotRequired[int]
    enrolment_status: NotRequired[str]
    replaces: NotRequired[str]
    replaced_by: NotRequired[str]


class Decision(TypedDict):
    """How an item ended by what happened at the desk."""

    outcome: str
    reason: str | None


class Received(TypedDict):
    """What public facts need of a request."""

    received_at: datetime
    area_code: str


class Details(Received):
    """What the newest snapshot says in clear beside its items."""

    status: str


class VisitedItem(TypedDict):
    """What a visit brought for one item."""

    outcome: str | None
    reason: str | None


class VisitNote(TypedDict):
    """What the desk needs of one visit; not where it was."""

    visit_id: str
    status: str
    date: str
    team_id: str
    items: dict[str, VisitedItem]


class Appointment(TypedDict):
    """The public side of a visit's date."""

    date: str
    status: str
    revision: int


class Case(BaseCase, total=False):
    """Facts: received, details, details_version, items, persons, visits (outcomes by visit and item), visited_at (by visit),
    appointments, visit_details, closing, erased. Decided here: documents, decisions and closed (outcome announced) by item.

    to_open_since: there are items whose documents are not opened yet (see `opening`).
    """

    received: Received
    details: Details
    details_version: int
    items: list[Item]
    persons: list[dict[str, Any]]
    visits: dict[str, dict[str, str]]
    visited_at: dict[str, datetime]
    appointments: dict[str, Appointment]
    visit_details: list[VisitNote]
    closing: str
    erased: bool
    documents: list[Document]
    decisions: dict[str, Decision]
    closed: dict[str, str]
    to_open_since: datetime


CLOSED_STATUSES = frozenset(RequestStatus) - OPEN_REQUEST_STATUSES
BY_ITEMS: frozenset[str] = frozenset({ClosingOutcome.COMPLETED, ClosingOutcome.PARTIAL})
"""Closed because its items were; every other closing ends the open ones without an item-closed (CONTRACTS.md §3)."""


def _closings(case: Case) -> set[str]:
    """What `request-closed` and the newest snapshot say; after a replay the fact may be older than its topic."""
    told = {case["details"]["status"]} if "details" in case else set()
    return (told & CLOSED_STATUSES) | ({case["closing"]} if "closing" in case else set())


def is_closed(case: Case) -> bool:
    """Whether the request is closed."""
    return bool(_closings(case))


def ends_items(case: Case) -> bool:
    """Whether the request was closed over its open items: by withdrawal, death, duplicate or area."""
    closings = _closings(case)
    return bool(closings) and not closings & BY_ITEMS


def visit_outcome(case: Case, item_id: str) -> str | None:
    """DONE if the item was done at any visit, DEFERRED if it was only put off, None if no visit had it."""
    outcomes = _outcomes(case, item_id).values()
    return next((o for o in (ItemVisitOutcome.DONE, ItemVisitOutcome.DEFERRED) if any(o in told for told in outcomes)), None)


def done_visits(case: Case, item_id: str) -> set[str]:
    """The visits at which the item was done."""
    return {visit_id for visit_id, told in _outcomes(case, item_id).items() if ItemVisitOutcome.DONE in told}


def _outcomes(case: Case, item_id: str) -> dict[str, set[str]]:
    """What `visit-completed` and the newest snapshot say of the item, by visit."""
    told: dict[str, set[str]] = {}
    for visit_id, visited in case.get("visits", {}).items():
        if item_id in visited:
            told.setdefault(visit_id, set()).add(visited[item_id])
    for note in case.get("visit_details", []):
        if item_id in note["items"]:
            told.setdefault(note["visit_id"], set()).add(note["items"][item_id]["outcome"] or "")
    return told


def rule_of(item: Item) -> ServiceRule:
    """What the item's service yields and what finishes it."""
    return RULES[ServiceKind(item["service_kind"])]


def item_status(case: Case, item: Item) -> str:
    """OPEN, an ItemOutcome, or ENDED. What was announced stands; else withdrawn wins over done, and done over ended."""
    item_id = item["item_id"]
    if item_id in case.get("closed", {}):
        return case["closed"][item_id]
    if item_id in case.get("decisions", {}):
        return case["decisions"][item_id]["outcome"]
    if item["withdrawn"]:
        return ItemOutcome.WITHDRAWN
    if rule_of(item).finished_by is FinishedBy.VISIT_DONE and visit_outcome(case, item_id) == ItemVisitOutcome.DONE:
        return ItemOutcome.DONE
    return ENDED if ends_items(case) else OPEN


def documents_of(case: Case, item_id: str) -> list[Document]:
    """The documents of an item, in the order they were opened."""
    return [d for d in case.get("documents", []) if d["item_id"] == item_id]


def document_status(case: Case, document: Document) -> DocumentStatus:
    """Where the document stands: one that is not issued ends with its item.

    Not so a next edition: the one before it was law, and the office owes what takes its place whatever becomes of the item.
    """
    stored = DocumentStatus(document["status"])
    if stored in FINAL or "issued_at" in document or document["edition"] > 1:
        return stored
    status = item_status(case, item_of(case, document["item_id"]))
    if status == OPEN:
        return stored
    return DocumentStatus.REJECTED if status == ItemOutcome.REJECTED else DocumentStatus.CANCELLED


def item_of(case: Case, item_id: str) -> Item:
    """The item. Raises LookupError."""
    for item in case.get("items", []):
        if item["item_id"] == item_id:
            return item
    raise LookupError("no such item")


def document_of(case: Case, document_id: str) -> Document:
    """The document. Raises LookupError."""
    for document in case.get("documents", []):
        if document["document_id"] == document_id:
            return document
    raise LookupError("no such document")
