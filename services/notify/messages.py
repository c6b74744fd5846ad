"""Who is told what: decided from the latest facts at the moment a message is claimed (CONTRACTS.md §4, DOMAIN.md §5.5). Pure."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date

from pelangi.contracts.codes import (
    OPEN_REQUEST_STATUSES,
    ClosingOutcome,
    ReachTo,
    RequesterKind,
    RequestStatus,
    ScheduleStatus,
    VisitOutcome,
)
from pelangi.contracts.snapshots import Address, Contact
from services.notify import rows
from services.notify.model import Case, Document, contact_of, date_of
from services.notify.rows import Row

ADDRESS_FIELD = {rows.EMAIL: "email", "WHATSAPP": "phone", "SMS": "phone"}
"""What of a person's contact each channel needs; VIA_KELURAHAN needs nothing."""


REPLACED = "REPLACED"
"""Of a cancellation that is left to the message on the visit in its place."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Say it. `template`: the text; `address`: where to, "" for the desk of the kelurahan."""

    purpose: str
    template: str
    audience: str
    channel: str
    address: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Do not say it any more, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Say:
    purpose: str
    template: str


def decide(case: Case, row: Row, *, today: date, channels: Collection[str]) -> Tell | Drop:
    """Whether and to whom this message is to be told now. `channels`: those that something can be sent by.

    After a closing as OTHER — a death is one — nothing but that closing is told, and that to the requester; nothing is told to
    who has died (DOMAIN.md §5.5).
    """
    ended = case.get("closed") == ClosingOutcome.OTHER or case["status"] == RequestStatus.DECEASED
    if ended and row["purpose"] != rows.CLOSED:
        return Drop("DECEASED" if case["status"] == RequestStatus.DECEASED else "CLOSED_OTHER")
    said = _RULES[row["purpose"]](case, row, today)
    if isinstance(said, Drop):
        return said
    contact = contact_of(case)
    if row.get("also"):
        return _to_duplicate(contact, row, said, channels, ended=ended)
    to = ReachTo.REQUESTER if ended else contact.to
    if row["purpose"] in rows.ABOUT_DOCUMENTS and not _may_hear_of_documents(contact, to):
        to = ReachTo.PERSON  # who asked for them does not hear of their documents; they do, if only through the kelurahan
    if to == ReachTo.PERSON and all(person.deceased for person in contact.persons):
        return Drop("DECEASED")
    if row.get("fallback"):
        return Tell(said.purpose, said.template, rows.KELURAHAN, rows.VIA_KELURAHAN, "")
    address = _address(contact, to, channels) if not (ended and contact.requester_kind == RequesterKind.SELF) else ""
    return Tell(said.purpose, said.template, to.value, contact.channel.value if address else rows.VIA_KELURAHAN, address)


def _to_duplicate(contact: Contact, row: Row, said: _Say, channels: Collection[str], *, ended: bool) -> Tell | Drop:
    """The same to who asked for it in a duplicate: by their own way, else, as after their own death, through the kelurahan."""
    also = next((a for a in contact.also if a.receipt_code == row["also"]), None)
    if also is None:
        return Drop("UNKNOWN_RECEIPT")
    gone = also.requester.deceased or (ended and also.requester_kind == RequesterKind.SELF)
    direct = not row.get("fallback") and not gone and also.channel in channels
    address = getattr(also.requester, ADDRESS_FIELD.get(also.channel, ""), None) if direct else None
    audience = rows.KELURAHAN if row.get("fallback") else rows.ALSO
    return Tell(said.purpose, said.template, audience, also.channel.value if address else rows.VIA_KELURAHAN, address or "")


def _may_hear_of_documents(contact: Contact, to: ReachTo) -> bool:
    """Nothing about an adult's documents to anybody but the person, the guardian, or who asks for themselves."""
    return to in (ReachTo.PERSON, ReachTo.GUARDIAN) or (to == ReachTo.REQUESTER and contact.requester_kind == RequesterKind.SELF)


def _address(contact: Contact, to: ReachTo, channels: Collection[str]) -> str:
    """Where to send by the wished channel; "" where that cannot be: then the kelurahan is asked, it is never silence."""
    if contact.channel not in channels or contact.channel not in ADDRESS_FIELD:
        return ""
    field = ADDRESS_FIELD[contact.channel]
    found = (getattr(someone, field) for someone in _people(contact, to) if someone is not None and not someone.deceased)
    return next((address for address in found if address), "")


def _people(contact: Contact, to: ReachTo) -> list[Address | None]:
    people: Mapping[ReachTo, list[Address | None]] = {
        ReachTo.REQUESTER: [contact.requester],
        ReachTo.PERSON: [*contact.persons],
        ReachTo.GUARDIAN: contact.guardians,
        ReachTo.COMPANION: [contact.companion],
    }
    return people[to]


def _accepted(case: Case, _row: Row, _today: date) -> _Say | Drop:
    """Received, or received and something is missing; a request that is closed by now is told only that."""
    if "closed" in case or case["status"] not in {*OPEN_REQUEST_STATUSES, "UNKNOWN"}:
        return Drop("REQUEST_CLOSED")
    return _Say(rows.ACCEPTED, "needs_info" if case["status"] == RequestStatus.NEEDS_INFO else "accepted")


def _date(case: Case, row: Row, today: date) -> _Say | Drop:
    """A visit's date: the newest revision only, SCHEDULED the first time a date is told, CHANGED ever after."""
    visit_id = row["visit_id"]
    visit = case["visits"][visit_id]
    if row["revision"] < visit["revision"]:
        return Drop("SUPERSEDED")
    if "closed" in case:
        return Drop("REQUEST_CLOSED")
    if visit_id in case.get("completed", {}):
        return Drop("OVERTAKEN")
    if visit["status"] == ScheduleStatus.CANCELLED:
        return _cancelled(case, row, today)
    if date_of(visit) < today:
        return Drop("PAST")
    return _Say(rows.CHANGED, "changed") if _visits_told(case, row) else _Say(rows.SCHEDULED, "scheduled")


def _cancelled(case: Case, row: Row, today: date) -> _Say | Drop:
    """Told only to who expects a visit, and left out where the message on the visit in its place says so by itself.

    A fallback is never left out: its direct message failed.
    """
    if row["visit_id"] not in _visits_told(case, row) and not _owes_cancellation(case, row):
        return Drop("CANCELLED")
    if not row.get("fallback") and any(_comes(case, visit_id, today) for visit_id in case["visits"]):
        return Drop(REPLACED)
    return _Say(rows.CHANGED, "cancelled")


def _comes(case: Case, visit_id: str, today: date) -> bool:
    """Whether the visit is still ahead. Not today's: its message could be late, and then it would say nothing."""
    visit = case["visits"][visit_id]
    over = visit["status"] == ScheduleStatus.CANCELLED or visit_id in case.get("completed", {})
    return not over and date_of(visit) > today


def _owes_cancellation(case: Case, row: Row) -> bool:
    """Whether the last word on dates was left to a message that has not been sent: they still expect a visit that is off."""
    dates = [r for _, r in rows.in_order(case["messages"]) if r["purpose"] in rows.ABOUT_DATES and _same_reader(r, row)]
    said = [r for r in dates if r["state"] == rows.SENT or r.get("reason") == REPLACED]
    return bool(said) and said[-1]["state"] != rows.SENT


def _visits_told(case: Case, row: Row) -> set[str]:
    """Visits of which this reader was told some date. Rows before this one are over: messages of a case go in order."""
    told = (r for r in case["messages"].values() if r["state"] == rows.SENT and _same_reader(r, row))
    return {r["visit_id"] for r in told if r["purpose"] in rows.ABOUT_DATES}


def _same_reader(one: Row, other: Row) -> bool:
    """Whether two messages are for the same: the request's own people, or the requester of the same duplicate."""
    return one.get("also") == other.get("also")


def _visit_done(case: Case, row: Row, _today: date) -> _Say | Drop:
    if case["completed"][row["visit_id"]] in (VisitOutcome.DONE, VisitOutcome.PARTIAL):
        return _Say(rows.VISIT_DONE, "visit_done")
    return Drop("VISIT_FAILED")


def _ready(case: Case, _row: Row, _today: date) -> _Say | Drop:
    """Something waits for the person."""
    if "closed" in case:
        return Drop("REQUEST_CLOSED")
    waiting = any(_waits(document) for document in case["documents"].values())
    return _Say(rows.READY, "ready") if waiting else Drop("OVERTAKEN")


def _waits(document: Document) -> bool:
    issued = document.get("issued", 0)
    return issued > document.get("withdrawn", 0) and not document.get("handed_over", False)


def _handed_over(_case: Case, _row: Row, _today: date) -> _Say | Drop:
    return _Say(rows.HANDED_OVER, "handed_over")


def _closed(_case: Case, _row: Row, _today: date) -> _Say | Drop:
    return _Say(rows.CLOSED, "closed")


_RULES: Mapping[str, Callable[[Case, Row, date], _Say | Drop]] = {
    rows.ACCEPTED: _accepted,
    rows.SCHEDULED: _date,
    rows.CHANGED: _date,
    rows.VISIT_DONE: _visit_done,
    rows.READY: _ready,
    rows.HANDED_OVER: _handed_over,
    rows.CLOSED: _closed,
}
