"""Was each item finished once, by what finishes its service, and does issuance's own answer say the same?"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from pelangi.audit.catalogue import BY_ITEMS, CARDS, DOCUMENTS, ISSUED_STATUSES, NOT_YET_ISSUED, VISIT_DONE
from pelangi.audit.fold import DocumentState
from pelangi.audit.history import Finding, Json, RequestHistory
from pelangi.contracts import topics
from pelangi.contracts.codes import ItemOutcome, ItemVisitOutcome, ServiceKind, WithdrawalReason
from pelangi.contracts.public import public_service_kind

WITHDRAWN_AS = {"SUPERSEDED": WithdrawalReason.SUPERSEDED, "REVOKED": WithdrawalReason.REVOKED}
_DOCUMENT_TOPICS = (topics.DOCUMENT_ISSUED, topics.DOCUMENT_HANDED_OVER, topics.DOCUMENT_WITHDRAWN)


def check_items(request: RequestHistory) -> Iterator[Finding]:
    """Findings about the items and documents of a request."""
    if request.intake is None:
        return
    documents: dict[str, list[DocumentState]] = defaultdict(list)
    for document in request.state.documents.values():
        documents[document.item_id].append(document)
    closings = Counter(fact.aggregate for fact in request.of_type(topics.ITEM_CLOSED))
    for item_id, kind in request.items.items():
        if closings[item_id] > 1:
            yield request.finding("item-closed-twice", item_id)
        if not closings[item_id] and request.status in BY_ITEMS:
            yield request.finding("item-not-closed", item_id)
        yield from _item(request, item_id, ServiceKind(kind), documents[item_id])
    yield from _strangers(request)
    yield from _document_facts(request)
    yield from _withdrawals(request)
    yield from _answer(request)


def _item(request: RequestHistory, item_id: str, kind: ServiceKind, documents: list[DocumentState]) -> Iterator[Finding]:
    yield from _documents(request, item_id, kind, documents)
    closed = request.state.items.get(item_id)
    if closed is None:
        return
    if closed.service_kind != public_service_kind(kind):
        yield request.finding("service-kind-wrong", f"{topics.ITEM_CLOSED} {item_id}")
    if (closed.outcome == ItemOutcome.DONE) == (closed.reason_class is not None):
        yield request.finding("reason-class-wrong", f"{topics.ITEM_CLOSED} {item_id}")
    if closed.outcome == ItemOutcome.DONE:
        yield from _done(request, item_id, kind, documents)
    elif any(document.handed_over for document in documents):
        yield request.finding("document-of-unfinished-item", item_id)


def _done(request: RequestHistory, item_id: str, kind: ServiceKind, documents: list[DocumentState]) -> Iterator[Finding]:
    """What a finished item owes to the public topics."""
    if kind in VISIT_DONE and item_id not in _visited(request):
        yield request.finding("done-without-visit", item_id)
    if kind in DOCUMENTS:
        if not any(document.issued and document.issued.edition == 1 for document in documents):
            yield request.finding("document-missing", item_id)
        if not any(document.handed_over for document in documents):
            yield request.finding("item-not-handed-over", item_id)


def _documents(request: RequestHistory, item_id: str, kind: ServiceKind, documents: list[DocumentState]) -> Iterator[Finding]:
    """Which documents an item may have in public, whatever became of it."""
    allowed = DOCUMENTS.get(kind)
    if allowed is None:
        if documents:
            yield request.finding("document-not-public", f"{item_id} {kind}")
        return
    if sum(1 for document in documents if document.issued and document.issued.edition == 1) > 1:
        yield request.finding("document-twice", item_id)
    for document in documents:
        yield from _document(request, item_id, document, kind)


def _document(request: RequestHistory, item_id: str, document: DocumentState, kind: ServiceKind) -> Iterator[Finding]:
    events_of_it = [event for event in (document.issued, document.handed_over, document.withdrawn) if event is not None]
    kinds = {event.document_kind for event in events_of_it}
    if not kinds <= DOCUMENTS[kind] or len(kinds) > 1:
        yield request.finding("document-kind-wrong", f"{item_id} {', '.join(sorted(kinds))}")
    if document.issued is None:
        yield request.finding("handover-without-issue", item_id)
        return
    if document.issued.service_kind != public_service_kind(kind):
        yield request.finding("service-kind-wrong", f"{topics.DOCUMENT_ISSUED} {item_id}")
    if document.handed_over is not None and document.handed_over.handed_over_at < document.issued.issued_at:
        yield request.finding("handover-before-issue", item_id)


def _visited(request: RequestHistory) -> set[str]:
    """Items that were done at some visit."""
    visits = (visit.completed for visit in request.state.visits.values() if visit.completed is not None)
    return {item.item_id for visit in visits for item in visit.items if item.outcome == ItemVisitOutcome.DONE}


def _strangers(request: RequestHistory) -> Iterator[Finding]:
    """Items and documents of items that intake does not know."""
    known = request.items.keys()
    for item_id in sorted(request.state.items.keys() - known):
        yield request.finding("item-unknown", f"{topics.ITEM_CLOSED} {item_id}")
    for document_id, document in request.state.documents.items():
        if document.item_id not in known:
            yield request.finding("item-unknown", f"document {document_id}")


def _document_facts(request: RequestHistory) -> Iterator[Finding]:
    """A document is issued once, handed over once, withdrawn once."""
    for type_ in _DOCUMENT_TOPICS:
        counts = Counter(fact.aggregate for fact in request.of_type(type_))
        for document_id, count in counts.items():
            if count > 1:
                yield request.finding("document-fact-twice", f"{type_} {document_id}")


def _withdrawals(request: RequestHistory) -> Iterator[Finding]:
    """What is superseded or revoked was issued before, and what supersedes it is the next edition of the same item."""
    documents = request.state.documents
    for document_id, document in documents.items():
        withdrawn = document.withdrawn
        if withdrawn is None:
            continue
        if document.issued is None:
            yield request.finding("withdrawal-without-issue", document_id)
        if (withdrawn.reason == WithdrawalReason.SUPERSEDED) != (withdrawn.replaced_by is not None):
            yield request.finding("replacement-wrong", document_id)
        new = documents.get(withdrawn.replaced_by or "")
        if new is not None and new.issued is not None:
            same = (new.issued.item_id, new.issued.document_kind) == (withdrawn.item_id, withdrawn.document_kind)
            if not same or new.issued.edition != withdrawn.edition + 1:
                yield request.finding("replacement-wrong", document_id)


def _answer(request: RequestHistory) -> Iterator[Finding]:
    """Issuance's HTTP answer equals what its events say."""
    if request.issuance is None:
        return
    answered: dict[str, Json] = {item["item_id"]: item for item in request.issuance.get("items", [])}
    in_http = {d["document_id"]: d for item in answered.values() for d in item.get("documents", [])}
    for item_id, closed in request.state.items.items():
        status = answered.get(item_id, {}).get("status", "")
        if item_id not in answered or (status in {*ItemOutcome, "OPEN"} and status != closed.outcome):
            yield request.finding("item-differs", f"{item_id}: {closed.outcome}, but issuance says {status or 'nothing'}")
    folded = request.state.documents
    for document_id in sorted(folded.keys() - in_http.keys()):
        yield request.finding("document-differs", f"{document_id} is only on topics")
    public_items = {item_id for item_id, kind in request.items.items() if kind in DOCUMENTS}
    for item_id in sorted(answered.keys() & public_items):
        for document in answered[item_id].get("documents", []):
            if problem := _difference(document, folded.get(document["document_id"])):
                yield request.finding("document-differs", f"{document['document_id']}: {problem}")


def _difference(answered: Json, folded: DocumentState | None) -> str:
    """How a document in HTTP differs from its events, "" where it does not."""
    status = answered["status"]
    issued = folded is not None and folded.issued is not None
    handed_over = folded is not None and folded.handed_over is not None
    exists = status in ISSUED_STATUSES and not (status == "SIGNED" and answered["document_kind"] in CARDS)
    if exists and not issued:
        return f"{status}, but never issued"
    if status in NOT_YET_ISSUED and issued:
        return f"issued, but {status}"
    if (status == "HANDED_OVER") and not handed_over:
        return "HANDED_OVER, but no event says so"
    if handed_over and status in ISSUED_STATUSES - {"HANDED_OVER"}:
        return f"handed over, but {status}"
    if folded is not None and folded.issued is not None and answered["edition"] != folded.issued.edition:
        return "another edition"
    return _withdrawn_difference(answered, folded, handed_over=handed_over)


def _withdrawn_difference(answered: Json, folded: DocumentState | None, *, handed_over: bool) -> str:
    """Superseded and revoked in both, or in neither; and the paper that somebody holds was handed over in both."""
    status = answered["status"]
    withdrawn = folded.withdrawn if folded is not None else None
    if WITHDRAWN_AS.get(status) != (withdrawn.reason if withdrawn else None):
        return f"{withdrawn.reason if withdrawn else 'not withdrawn'}, but {status}"
    if status in WITHDRAWN_AS and bool(answered.get("handed_over")) != handed_over:
        return f"{status}, and only one says that it was handed over"
    return ""
