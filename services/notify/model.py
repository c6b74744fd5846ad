"""What notify knows of a request, and the rows of messages that follow from it. Pure: any order of facts ends the same."""

from datetime import date, datetime
from typing import Any, TypedDict, cast

from pelangi.chassis.case import BaseCase
from pelangi.contracts.snapshots import Contact
from services.notify import rows
from services.notify.rows import Row


class VisitDate(TypedDict):
    """The newest public word on a visit; `date` is ISO, `place` the name of an open point."""

    revision: int
    status: str
    date: str
    place: str | None


class Window(TypedDict):
    """The exact hours of a visit, and the revision they belong to."""

    revision: int
    start: datetime
    end: datetime


class Document(TypedDict, total=False):
    """The newest edition issued and withdrawn, and whether it reached the person."""

    issued: int
    withdrawn: int
    handed_over: bool


class Case(BaseCase, total=False):
    """Facts and messages of one request.

    contact: how to reach whom, until erased. details_version, status: of the newest snapshot. completed: outcome by visit.
    closed: the public outcome. due_since: when the next message may be worked on; absent while there is nothing to do.
    """

    details_version: int
    status: str
    contact: dict[str, Any]
    erased: bool
    visits: dict[str, VisitDate]
    windows: dict[str, Window]
    completed: dict[str, str]
    documents: dict[str, Document]
    closed: str
    messages: dict[str, Row]
    due_since: datetime


def received(case: Case) -> Case:
    """The request exists: one ACCEPTED."""
    return _with_rows(case, rows.new_row(case["_id"], rows.ACCEPTED))


def learn_contact(case: Case, contact: Contact, *, status: str, version: int) -> Case:
    """How to reach whom. Creates no message, but those that waited for it become due."""
    known = {**case, "contact": contact.model_dump(mode="json"), "status": status, "details_version": version}
    known.pop("erased", None)
    return settled(cast(Case, known))


def erase(case: Case, version: int) -> Case:
    """The person was erased: forget how to reach anybody, and tell nothing more."""
    kept = {k: v for k, v in case.items() if k not in ("contact", "status")}
    return settled(cast(Case, {**kept, "erased": True, "details_version": version}))


def schedule(case: Case, visit_id: str, visit: VisitDate) -> Case:
    """A visit got, changed or lost its date: one message per revision.

    A revision that was overtaken on the way gets its row too, so that the rows are the same in any order of arrival; it expires
    unsent.
    """
    known = put(case, "visits", visit_id, visit)
    revisions = range(1, visit["revision"] + 1)
    return _with_rows(known, *(rows.new_row(case["_id"], rows.SCHEDULED, visit_id=visit_id, revision=n) for n in revisions))


def complete(case: Case, visit_id: str, outcome: str) -> Case:
    """A visit ended: one VISIT_DONE, which expires if it failed."""
    known = put(case, "completed", visit_id, outcome)
    return _with_rows(known, rows.new_row(case["_id"], rows.VISIT_DONE, visit_id=visit_id))


def learn_windows(case: Case, windows: dict[str, Window]) -> Case:
    """The exact hours of the request's visits."""
    return cast(Case, {**case, "windows": windows})


def issue(case: Case, document_id: str, edition: int) -> Case:
    """A document exists: one READY per request, however many documents."""
    known = _document(case, document_id, {"issued": edition})
    return _with_rows(known, rows.new_row(case["_id"], rows.READY))


def hand_over(case: Case, document_id: str) -> Case:
    """A document was handed over: one HANDED_OVER per request."""
    known = _document(case, document_id, {"handed_over": True})
    return _with_rows(known, rows.new_row(case["_id"], rows.HANDED_OVER))


def withdraw(case: Case, document_id: str, edition: int) -> Case:
    """A document no longer holds: nobody is told that it is ready."""
    return _document(case, document_id, {"withdrawn": edition})


def close(case: Case, outcome: str) -> Case:
    """Nothing more will happen: one CLOSED."""
    return _with_rows(cast(Case, {**case, "closed": outcome}), rows.new_row(case["_id"], rows.CLOSED))


def contact_of(case: Case) -> Contact:
    """How to reach whom; only while it is known."""
    return Contact.model_validate(case["contact"])


def date_of(visit: VisitDate) -> date:
    """The date of a visit."""
    return date.fromisoformat(visit["date"])


def settled(case: Case) -> Case:
    """The case with what follows from it: rows for who asked for the same, nothing pending after erasure, and `due_since`."""
    messages = _with_also(case)
    if case.get("erased"):
        messages = {k: _expired(r, "ERASED") if r["state"] == rows.PENDING else r for k, r in messages.items()}
    after = cast(Case, {**case, "messages": messages})
    after.pop("due_since", None)
    turn = rows.first_open(messages)
    if turn and (turn[1]["state"] != rows.PENDING or "contact" in case):
        after["due_since"] = turn[1].get("due", rows.AT_ONCE)
    return after


def put_off(case: Case, until: datetime) -> Case:
    """The case left alone until then, whatever is wrong with its rows; a fact that comes earlier ends the wait."""
    return cast(Case, {**case, "due_since": until}) if "due_since" in case else case


def with_row(case: Case, key: str, row: Row) -> Case:
    """The case with this row, settled."""
    return settled(cast(Case, {**case, "messages": {**case["messages"], key: row}}))


def expire(case: Case, key: str, reason: str) -> Case:
    """The message is not sent any more, and why."""
    return with_row(case, key, _expired(case["messages"][key], reason))


def put(case: Case, field: str, key: str, value: Any) -> Case:
    """The case with one entry of one of its maps set."""
    return cast(Case, {**case, field: {**cast(dict[str, Any], case).get(field, {}), key: value}})


def _document(case: Case, document_id: str, news: Document) -> Case:
    known = case.get("documents", {}).get(document_id, {})
    return put(case, "documents", document_id, {**known, **news})


def _with_rows(case: Case, *new: tuple[str, Row]) -> Case:
    """The case with these rows where it does not have them yet."""
    return settled(cast(Case, {**case, "messages": {**dict(new), **case.get("messages", {})}}))


def _with_also(case: Case) -> dict[str, Row]:
    """The messages, and of those that the requesters of duplicates are told one more each; the same in any order of facts."""
    messages = case.get("messages", {})
    found = dict(messages)
    for also in case.get("contact", {}).get("also", []):
        for row in messages.values():
            if row["purpose"] in rows.TOLD_ALSO and not row.get("fallback") and "also" not in row:
                purpose = rows.SCHEDULED if row["purpose"] == rows.CHANGED else row["purpose"]
                key, new = rows.new_row(
                    case["_id"],
                    purpose,
                    visit_id=row.get("visit_id", ""),
                    revision=row.get("revision", 0),
                    also=also["receipt_code"],
                )
                found.setdefault(key, new)
    return found


def _expired(row: Row, reason: str) -> Row:
    kept = {k: v for k, v in row.items() if k != "due"}
    return cast(Row, {**kept, "state": rows.EXPIRED, "reason": reason})
