"""Was everybody told what they should be told, once, and nobody what they should not?"""

from collections import Counter
from collections.abc import Iterator

from pelangi.audit.history import Finding, History, Json, RequestHistory, bare, mail_id
from pelangi.contracts.codes import ClosingOutcome, ReachTo, RequesterKind, VisitOutcome

SENT, EXPIRED, FAILED = "SENT", "EXPIRED", "FAILED"
UNSETTLED = frozenset({"PENDING", "CLAIMED", "UNKNOWN"})
KELURAHAN = "KELURAHAN"
"""Audience of a message that goes to the kelurahan's desk because the direct way failed."""

OF_DATES = frozenset({"SCHEDULED", "CHANGED"})
OF_DOCUMENTS = frozenset({"READY", "HANDED_OVER"})
PURPOSES = frozenset({"ACCEPTED", "VISIT_DONE", "CLOSED"}) | OF_DATES | OF_DOCUMENTS


def check_messages(request: RequestHistory) -> Iterator[Finding]:
    """Findings about notify's rows of one request."""
    rows = request.messages
    yield from _states(request, rows)
    yield from _doubles(request, rows)
    yield from _missing(request, rows)
    yield from _unexpected(request, rows)
    yield from _audiences(request, rows)


def check_mails(history: History) -> Iterator[Finding]:
    """Findings about the mailbox: one mail for every row that was sent, none for any other."""
    owned: set[str] = set()
    for request in history:
        for row in request.messages:
            id_ = mail_id(row["message_id"])
            owned.add(id_)
            yield from _mail(history, request, row, id_)
    for id_ in sorted(history.mails.keys() - owned - history.other_rows):
        yield Finding("mail-unknown", "", id_)


def _mail(history: History, request: RequestHistory, row: Json, id_: str) -> Iterator[Finding]:
    mail = history.mails.get(id_)
    told = row.get("mail_message_id")
    if told and bare(told) != id_:
        yield request.finding("mail-id-wrong", row["message_id"])
    if row["state"] == SENT and mail is None:
        yield request.finding("mail-missing", f"{row['purpose']} {row['message_id']}")
    if row["state"] in {EXPIRED, FAILED} and mail is not None:
        yield request.finding("mail-of-unsent", f"{row['purpose']} {row['message_id']}")
    if mail is not None and mail.count > 1:
        yield request.finding("mail-doubled", f"{row['purpose']} {row['message_id']}")
    if mail is not None and mail.holds_number:
        yield request.finding("mail-personal", f"{row['purpose']} {row['message_id']}")


def _states(request: RequestHistory, rows: list[Json]) -> Iterator[Finding]:
    """At the end every message is sent or was overtaken; a failed one was sent to the kelurahan's desk instead."""
    fallbacks = {_occasion(row)[:4] for row in rows if row["audience"] == KELURAHAN and row["state"] == SENT}
    for row in rows:
        if row["state"] in UNSETTLED or (row["state"] == FAILED and _occasion(row)[:4] not in fallbacks):
            yield request.finding("message-unsettled", f"{row['purpose']} {row['message_id']} {row['state']}")


def _key(request: RequestHistory, row: Json) -> tuple[str, str, int, int, str]:
    """What a message is: one per purpose, subject, revision or edition, reader and audience."""
    subject = row.get("visit_id") or row.get("document_id") or request.request_id
    return row["purpose"], subject, _edition(row), _reader(row), str(row["audience"])


def _edition(row: Json) -> int:
    return int(row.get("revision") or row.get("edition") or 0)


def _reader(row: Json) -> int:
    """0 for the request's own people, 1, 2, … for the requesters of its duplicates."""
    return int(row.get("reader") or 0)


def _doubles(request: RequestHistory, rows: list[Json]) -> Iterator[Finding]:
    for key, count in Counter(_key(request, row) for row in rows).items():
        if count > 1:
            yield request.finding("message-twice", " ".join(map(str, key)))
    cancelled = {visit_id for visit_id, visit in request.state.visits.items() if visit.cancelled}
    told = Counter(_occasion(row) for row in rows if row["state"] == SENT and row.get("visit_id") not in cancelled)
    for occasion, count in told.items():
        if count > 1:
            yield request.finding("message-twice", " ".join(map(str, occasion)))


def _occasion(row: Json) -> tuple[str, str, int, int, str]:
    """What one audience is told at most once: SCHEDULED and CHANGED of one revision are one occasion."""
    purpose = "SCHEDULED" if row["purpose"] == "CHANGED" else row["purpose"]
    subject = str(row.get("visit_id") or row.get("document_id") or "")
    return purpose, subject, _edition(row), _reader(row), str(row["audience"])


def _missing(request: RequestHistory, rows: list[Json]) -> Iterator[Finding]:
    if request.notify is None:
        return
    rows = [row for row in rows if not _reader(row)]
    told = {(row["purpose"], row.get("visit_id") or "") for row in rows if row["state"] == SENT}
    known = {(row["purpose"], row.get("visit_id") or "") for row in rows if row["state"] in {SENT, EXPIRED, FAILED}}
    known |= {("SCHEDULED", visit_id) for purpose, visit_id in known if purpose == "CHANGED"}
    for purpose, visit_id, must_be_sent in _owed(request):
        if (purpose, visit_id) not in (told if must_be_sent else known):
            yield request.finding("message-missing", f"{purpose} {visit_id}".strip())


def _owed(request: RequestHistory) -> Iterator[tuple[str, str, bool]]:
    """Every message owed: purpose, visit or "", and whether it must have been sent.

    One that was overtaken may expire unsent: ACCEPTED by the closing, a date by its visit. A closing as OTHER (a death is
    one) silences all but itself.
    """
    closed = request.state.closed
    silenced = closed is not None and closed.outcome == ClosingOutcome.OTHER
    yield "ACCEPTED", "", closed is None
    if closed is not None:
        yield "CLOSED", "", True
    for visit_id, visit in request.state.visits.items():
        if visit.completed is not None and not visit.cancelled:
            yield "SCHEDULED", visit_id, False
            yield "VISIT_DONE", visit_id, visit.completed.outcome != VisitOutcome.FAILED and not silenced
    if any(document.handed_over for document in request.state.documents.values()):
        yield "HANDED_OVER", "", not silenced


def _unexpected(request: RequestHistory, rows: list[Json]) -> Iterator[Finding]:
    """Messages about something that never happened."""
    state = request.state
    revisions = {visit_id: visit.schedule.revision for visit_id, visit in state.visits.items() if visit.schedule}
    completed = {visit_id for visit_id, visit in state.visits.items() if visit.completed}
    handed_over = any(document.handed_over for document in state.documents.values())
    for row in rows:
        purpose, visit_id = row["purpose"], row.get("visit_id")
        wrong = (
            purpose not in PURPOSES
            or (purpose == "CLOSED" and state.closed is None)
            or (purpose in OF_DATES and not 1 <= _edition(row) <= revisions.get(visit_id or "", 0))
            or (purpose == "VISIT_DONE" and visit_id not in completed)
            or (purpose == "READY" and not any(document.issued for document in state.documents.values()))
            or (purpose == "HANDED_OVER" and not handed_over)
        )
        if wrong:
            yield request.finding("message-unexpected", f"{purpose} {row['message_id']}")


def _audiences(request: RequestHistory, rows: list[Json]) -> Iterator[Finding]:
    """Nobody hears of an adult's documents but the person, the guardian, or a requester who asks for themselves."""
    for row in rows:
        if row["purpose"] in OF_DOCUMENTS and row["state"] == SENT:
            reader = _reach_to(request) if _may_hear_of_documents(request) else ReachTo.PERSON
            if row["audience"] not in {reader, KELURAHAN} or _reader(row):
                yield request.finding("message-audience", f"{row['purpose']} {row['message_id']}")


def _reach_to(request: RequestHistory) -> str:
    reach = (request.intake or {}).get("reach") or {}
    return str(reach.get("to", ReachTo.REQUESTER))


def _may_hear_of_documents(request: RequestHistory) -> bool:
    kind = (request.intake or {}).get("requester", {}).get("kind")
    to = _reach_to(request)
    return to in {ReachTo.PERSON, ReachTo.GUARDIAN} or (to == ReachTo.REQUESTER and kind == RequesterKind.SELF)
