"""Was everybody told what they should be told, once, and nobody what they should not?"""

from collections import Counter
from collections.abc import Iterator

from pelangi.audit.history import Finding, History, Json, RequestHistory, bare, mail_id
from pelangi.contracts.codes import RequesterKind, VisitOutcome

UNSETTLED = frozenset({"PENDING", "CLAIMED", "UNKNOWN", "FAILED"})
SENT, EXPIRED = "SENT", "EXPIRED"

OF_VISIT = frozenset({"SCHEDULED", "CHANGED", "VISIT_DONE"})
OF_DOCUMENT = frozenset({"READY", "HANDED_OVER"})
PURPOSES = frozenset({"ACCEPTED", "CLOSED"}) | OF_VISIT | OF_DOCUMENT

_ALLOWED_AUDIENCES = frozenset({"PERSON", "GUARDIAN", "SELF"})


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
    if row["state"] == EXPIRED and mail is not None:
        yield request.finding("mail-of-unsent", f"{row['purpose']} {row['message_id']}")
    if mail is not None and mail.count > 1:
        yield request.finding("mail-twice", f"{row['purpose']} {row['message_id']}")
    if mail is not None and mail.holds_number:
        yield request.finding("mail-personal", f"{row['purpose']} {row['message_id']}")


def _states(request: RequestHistory, rows: list[Json]) -> Iterator[Finding]:
    for row in rows:
        if row["state"] in UNSETTLED:
            yield request.finding("message-unsettled", f"{row['purpose']} {row['message_id']} {row['state']}")


def _key(request: RequestHistory, row: Json) -> tuple[str, str, int, str]:
    """What a message is: one per purpose, subject, revision or edition, and audience."""
    subject = row.get("visit_id") or row.get("document_id") or request.request_id
    return row["purpose"], subject, _edition(row), str(row["audience"])


def _edition(row: Json) -> int:
    return int(row.get("revision") or row.get("edition") or 0)


def _doubles(request: RequestHistory, rows: list[Json]) -> Iterator[Finding]:
    for key, count in Counter(_key(request, row) for row in rows).items():
        if count > 1:
            yield request.finding("message-twice", " ".join(map(str, key)))
    cancelled = {visit_id for visit_id, visit in request.state.visits.items() if visit.cancelled}
    told = Counter(_occasion(row) for row in rows if row["state"] == SENT and row.get("visit_id") not in cancelled)
    for occasion, count in told.items():
        if count > 1:
            yield request.finding("message-twice", " ".join(map(str, occasion)))


def _occasion(row: Json) -> tuple[str, str, int, str]:
    """What one audience is told at most once: SCHEDULED and CHANGED of one revision are one occasion."""
    purpose = "SCHEDULED" if row["purpose"] == "CHANGED" else row["purpose"]
    subject = str(row.get("visit_id") or row.get("document_id") or "")
    return purpose, subject, _edition(row), str(row["audience"])


def _missing(request: RequestHistory, rows: list[Json]) -> Iterator[Finding]:
    if request.notify is None:
        return
    sent = {(row["purpose"], row.get("visit_id")) for row in rows if row["state"] == SENT}
    announced = {row.get("visit_id") for row in rows if row["purpose"] in {"SCHEDULED", "CHANGED"}}
    purposes = {purpose for purpose, _ in sent}
    if "ACCEPTED" not in purposes:
        yield request.finding("message-missing", "ACCEPTED")
    if request.state.closed is not None and "CLOSED" not in purposes:
        yield request.finding("message-missing", "CLOSED")
    for visit_id, visit in request.state.visits.items():
        if visit.completed is None or visit.cancelled:
            continue
        if visit_id not in announced:  # sent or expired: a visit already past is not announced any more
            yield request.finding("message-missing", f"SCHEDULED {visit_id}")
        if visit.completed.outcome != VisitOutcome.FAILED and ("VISIT_DONE", visit_id) not in sent:
            yield request.finding("message-missing", f"VISIT_DONE {visit_id}")


def _unexpected(request: RequestHistory, rows: list[Json]) -> Iterator[Finding]:
    """Messages about something that never happened."""
    state = request.state
    revisions = {visit_id: visit.schedule.revision for visit_id, visit in state.visits.items() if visit.schedule}
    completed = {visit_id for visit_id, visit in state.visits.items() if visit.completed}
    handed_over = {document_id for document_id, document in state.documents.items() if document.handed_over}
    for row in rows:
        purpose, visit_id = row["purpose"], row.get("visit_id")
        wrong = (
            purpose not in PURPOSES
            or (purpose == "CLOSED" and state.closed is None)
            or (purpose in {"SCHEDULED", "CHANGED"} and not 1 <= _edition(row) <= revisions.get(visit_id or "", 0))
            or (purpose == "VISIT_DONE" and visit_id not in completed)
            or (purpose == "HANDED_OVER" and row.get("document_id") and row["document_id"] not in handed_over)
        )
        if wrong:
            yield request.finding("message-unexpected", f"{purpose} {row['message_id']}")


def _audiences(request: RequestHistory, rows: list[Json]) -> Iterator[Finding]:
    """Nobody hears of an adult's documents but the person, the guardian, or a requester who asks for themselves."""
    kind = (request.intake or {}).get("requester", {}).get("kind")
    allowed = _ALLOWED_AUDIENCES | ({"REQUESTER"} if kind == RequesterKind.SELF else frozenset())
    for row in rows:
        if row["purpose"] in OF_DOCUMENT and row["audience"] not in allowed:
            yield request.finding("message-audience", f"{row['purpose']} {row['message_id']}")
