"""The transitions of a case: case -> case, with the events they owe. Pure: no I/O, clock or randomness inside."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from pelangi.chassis.case import emit
from pelangi.contracts.codes import DocumentKind, ItemOutcome, RecipientClass, ServiceKind, WithdrawalReason
from pelangi.contracts.events import DocumentHandedOver, DocumentIssued, DocumentWithdrawn, ItemClosed
from pelangi.contracts.public import public_service_kind
from pelangi.contracts.reasons import REASON_CLASS, ReasonClass
from services.issuance.case import (
    ENDED,
    OPEN,
    Case,
    Decision,
    Document,
    Item,
    Recipient,
    Step,
    VisitedItem,
    VisitNote,
    document_of,
    document_status,
    documents_of,
    done_visits,
    ends_items,
    is_closed,
    item_of,
    item_status,
    rule_of,
)
from services.issuance.documents import (
    FINAL,
    ISSUED_BY,
    RECORD_AGAIN,
    WITHDRAWALS,
    WITHOUT_VISIT,
    DocumentStatus,
    Family,
    is_public,
    targets,
)


class NotAllowed(Exception):
    """The transition is not allowed now."""


class Missing(Exception):
    """The transition needs this field of its body."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class NeedsBlank(Exception):
    """All is well, but a card is printed on a blank: take one of this kind under this attempt, and ask again with it."""

    def __init__(self, kind: str, attempt: int) -> None:
        super().__init__(kind, attempt)
        self.kind = kind
        self.attempt = attempt


@dataclass(frozen=True, slots=True)
class Blank:
    """A blank that was taken from the ledger for one document."""

    take: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Move:
    """What the desk asks of a document."""

    to: DocumentStatus
    siak_reference: str | None = None
    reason: str | None = None
    handed_over_to: Recipient | None = None
    enrolment_status: str | None = None
    blank: Blank | None = None


def settle(case: Case, now: datetime) -> Case:
    """The case with everything announced and noted that follows from its facts and decisions. Ends every transition."""
    for item in case.get("items", []):
        status = item_status(case, item)
        if status in set(ItemOutcome) and item["item_id"] not in case.get("closed", {}) and not ends_items(case):
            case = _announce(case, item, ItemOutcome(status), now)
    if items_to_open(case):
        return case if "to_open_since" in case else {**case, "to_open_since": now}
    return cast(Case, {k: v for k, v in case.items() if k != "to_open_since"})


def items_to_open(case: Case) -> list[Item]:
    """Open items whose documents are not opened yet."""
    if is_closed(case) or case.get("erased"):
        return []
    opened = {d["item_id"] for d in case.get("documents", [])}
    return [
        item
        for item in case.get("items", [])
        if item["item_id"] not in opened and rule_of(item).documents and item_status(case, item) == OPEN
    ]


def open_documents(case: Case, draw: Callable[[], str], now: datetime) -> Case:
    """The case with the documents of its open items; the same object where there is nothing to open. `draw` gives the ids."""
    opened = [_new_document(item, kind, draw(), now) for item in items_to_open(case) for kind in rule_of(item).documents]
    if not opened:
        return case
    return settle({**case, "documents": [*case.get("documents", []), *opened]}, now)


def move_document(case: Case, document_id: str, move: Move, draw: Callable[[], str], now: datetime) -> Case:
    """The case after a document went where the desk says (DOMAIN.md §5.4). `draw` gives the id of a next edition.

    Raises LookupError, NotAllowed, Missing (the SIAK reference of what becomes a legal document), or NeedsBlank: a card that
    is printed for the first time.
    """
    document = document_of(case, document_id)
    item = item_of(case, document["item_id"])
    _check_allowed(case, item, document, move.to)
    after = _moved(document, move, now)
    if move.to in WITHDRAWALS:
        return settle(_withdraw(case, item, after, draw, now), now)
    if move.to is ISSUED_BY[rule_of(item).family] and "issued_at" not in document:
        if "siak_reference" not in after:
            raise Missing("siak_reference")
        if rule_of(item).family is Family.CARD:
            after["blank"] = _blank_for(document, move)
        after["issued_at"] = now
        case = _emit_issued(case, item, after, now)
    elif move.to is DocumentStatus.HANDED_OVER:
        case = _emit_handed_over(case, after, now)
    elif move.to is DocumentStatus.RETURNED and move.reason in RECORD_AGAIN and not _resumed(document):
        after["done_before"] = sorted(done_visits(case, item["item_id"]))
    return settle(_decide_by_documents(_with_document(case, after), item, move.reason), now)


def stop_printing(case: Case, document_id: str, attempt: int) -> Case:
    """The case in which a blank taken under this attempt prints the document no more; the same object where it is so."""
    document = document_of(case, document_id)
    if "issued_at" in document or document.get("print_attempt", 0) != attempt:
        return case
    return _with_document(case, {**document, "print_attempt": attempt + 1})


def close_item(case: Case, item_id: str, outcome: ItemOutcome, reason: str | None, now: datetime) -> Case:
    """The case after the desk rejected an item or the resident withdrew it; documents that are not issued end with it.

    Raises LookupError or NotAllowed: the item or the request is closed, or what is rejected exists in law already.
    """
    item = item_of(case, item_id)
    issued = any("issued_at" in d and d["status"] not in WITHDRAWALS for d in documents_of(case, item_id))
    finished = item_status(case, item) != OPEN or is_closed(case) or case.get("erased")
    if finished or (issued and outcome is ItemOutcome.REJECTED):
        raise NotAllowed
    for document in documents_of(case, item_id):
        if document["edition"] > 1 and "issued_at" not in document and document_status(case, document) not in FINAL:
            case = _with_document(case, _moved(document, Move(DocumentStatus.CANCELLED), now))
    return settle(_decide(case, item_id, outcome, reason), now)


def erase(case: Case) -> Case:
    """The case without anything that says who or what a person is; ids, kinds and outcomes stay (UU PDP; CONTRACTS.md §1)."""
    after: Case = {**case, "erased": True}
    after.pop("persons", None)
    after["items"] = [{**item, "person_ref": ""} for item in case.get("items", [])]
    after["documents"] = [_forget(document) for document in case.get("documents", [])]
    after["visit_details"] = [forget_visit(note) for note in case.get("visit_details", [])]
    return after


def forget_visit(note: VisitNote) -> VisitNote:
    """The visit without its reasons, which can say how a person is."""
    items = {item_id: VisitedItem(outcome=item["outcome"], reason=None) for item_id, item in note["items"].items()}
    return {**note, "items": items}


def _forget(document: Document) -> Document:
    after: Document = {**document, "history": [{**step, "reason": None} for step in document["history"]]}
    after.pop("siak_reference", None)
    after.pop("enrolment_status", None)
    if "handed_over_to" in after:
        after["handed_over_to"] = {**after["handed_over_to"], "name": None, "relation": None}
    return after


def _check_allowed(case: Case, item: Item, document: Document, to: DocumentStatus) -> None:
    status, again = document_status(case, document), document["edition"] > 1
    held_from = DocumentStatus(document["held_from"]) if "held_from" in document else None
    allowed = targets(rule_of(item), status, issued="issued_at" in document, held_from=held_from, recorded=again)
    if case.get("erased") or to not in allowed:
        raise NotAllowed
    if again or to in WITHDRAWALS:
        return  # its item may be closed, and its requirements were collected for the first edition
    if item_status(case, item) not in {OPEN, ENDED}:
        raise NotAllowed
    resumed = status is DocumentStatus.ON_HOLD and to is held_from
    if resumed or to in WITHOUT_VISIT:
        return
    if not done_visits(case, item["item_id"]) - set(document.get("done_before", [])):
        raise NotAllowed


def _resumed(document: Document) -> bool:
    """Whether it was held while it waited for a new recording, so that going back there asks for no other one."""
    return document["status"] == DocumentStatus.ON_HOLD and "done_before" in document


def _blank_for(document: Document, move: Move) -> str:
    attempt = document.get("print_attempt", 0)
    if move.blank is None or move.blank.attempt != attempt:
        raise NeedsBlank(document["document_kind"], attempt)
    return move.blank.take


def _withdraw(case: Case, item: Item, document: Document, draw: Callable[[], str], now: datetime) -> Case:
    """The case with a withdrawn document, told to everybody, and with the next edition where one is owed.

    The item stays as it is: closed once, it is never opened again.
    """
    superseded = document["status"] == DocumentStatus.SUPERSEDED
    new = None
    if superseded or item_status(case, item) == OPEN:
        new = _new_document(item, document["document_kind"], draw(), now, document["edition"] + 1)
        new["replaces"] = document["document_id"]
    if new is not None and superseded:
        document = {**document, "replaced_by": new["document_id"]}
    after = _with_document(case, document)
    if new is not None:
        after = {**after, "documents": [*after["documents"], new]}
    return _emit_withdrawn(after, document, now)


def _with_document(case: Case, document: Document) -> Case:
    """The case with this document in the place of its former self."""
    documents = [document if d["document_id"] == document["document_id"] else d for d in case["documents"]]
    return {**case, "documents": documents}


def _moved(document: Document, move: Move, now: datetime) -> Document:
    step = Step(status=move.to, at=now, reason=move.reason)
    after: Document = {**document, "status": move.to.value, "history": [*document["history"], step]}
    after.pop("held_from", None)
    if move.to is DocumentStatus.ON_HOLD:
        after["held_from"] = document["status"]
    if move.siak_reference:
        after["siak_reference"] = move.siak_reference
    if move.handed_over_to:
        after["handed_over_to"] = move.handed_over_to
    if move.enrolment_status:
        after["enrolment_status"] = move.enrolment_status
    return after


def _new_document(item: Item, kind: str, document_id: str, now: datetime, edition: int = 1) -> Document:
    step = Step(status=DocumentStatus.OPEN.value, at=now, reason=None)
    return Document(
        document_id=document_id,
        item_id=item["item_id"],
        document_kind=str(kind),
        edition=edition,
        status=DocumentStatus.OPEN.value,
        history=[step],
    )


def _decide_by_documents(case: Case, item: Item, reason: str | None) -> Case:
    """The item ends with the last of its documents: DONE if one was handed over, else REJECTED."""
    item_id = item["item_id"]
    statuses = {document_status(case, d) for d in documents_of(case, item_id)}
    if item_status(case, item) not in {OPEN, ENDED} or not statuses <= FINAL:
        return case
    if DocumentStatus.HANDED_OVER in statuses:
        return _decide(case, item_id, ItemOutcome.DONE, None)
    return _decide(case, item_id, ItemOutcome.REJECTED, reason)


def _decide(case: Case, item_id: str, outcome: ItemOutcome, reason: str | None) -> Case:
    decision = Decision(outcome=outcome.value, reason=reason)
    return {**case, "decisions": {**case.get("decisions", {}), item_id: decision}}


def _announce(case: Case, item: Item, outcome: ItemOutcome, now: datetime) -> Case:
    reason = case["decisions"][item["item_id"]]["reason"] if item["item_id"] in case.get("decisions", {}) else None
    event = ItemClosed(
        request_id=case["_id"],
        item_id=item["item_id"],
        service_kind=public_service_kind(ServiceKind(item["service_kind"])),
        outcome=outcome,
        closed_at=now,
        reason_class=None if outcome is ItemOutcome.DONE else REASON_CLASS.get(reason or "", ReasonClass.RESIDENT),
    )
    announced: Case = {**case, "closed": {**case.get("closed", {}), item["item_id"]: outcome.value}}
    return emit(announced, event)


def _emit_issued(case: Case, item: Item, document: Document, now: datetime) -> Case:
    """`document-issued.v1`, except of the letters that only vulnerable residents get."""
    if not is_public(document["document_kind"]):
        return case
    event = DocumentIssued(
        request_id=case["_id"],
        item_id=item["item_id"],
        service_kind=public_service_kind(ServiceKind(item["service_kind"])),
        document_id=document["document_id"],
        document_kind=DocumentKind(document["document_kind"]),
        edition=document["edition"],
        issued_at=now,
        area_code=case["details"]["area_code"],
        turnaround_hours=_whole_hours(now - case["details"]["received_at"]),
    )
    return emit(case, event)


def _emit_handed_over(case: Case, document: Document, now: datetime) -> Case:
    if not is_public(document["document_kind"]):
        return case
    event = DocumentHandedOver(
        request_id=case["_id"],
        item_id=document["item_id"],
        document_id=document["document_id"],
        document_kind=DocumentKind(document["document_kind"]),
        handed_over_at=now,
        recipient_class=RecipientClass(document["handed_over_to"]["recipient_class"]),
    )
    return emit(case, event)


def _emit_withdrawn(case: Case, document: Document, now: datetime) -> Case:
    if not is_public(document["document_kind"]):
        return case
    event = DocumentWithdrawn(
        request_id=case["_id"],
        item_id=document["item_id"],
        document_id=document["document_id"],
        document_kind=DocumentKind(document["document_kind"]),
        edition=document["edition"],
        withdrawn_at=now,
        reason=WithdrawalReason(document["status"]),
        replaced_by=document.get("replaced_by"),
    )
    return emit(case, event)


def _whole_hours(passed: timedelta) -> int:
    """Never negative: clocks of two services can differ (CONTRACTS.md §3)."""
    return max(passed // timedelta(hours=1), 0)
