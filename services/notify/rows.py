"""A message as a row of its case: its key, its states, the order of sending. Pure.

The key says what is told (purpose, what about, revision, whom by default); the same facts give the same keys in any order.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Required, TypedDict
from uuid import UUID

from pelangi.contracts.envelope import uuid5_text

PENDING, CLAIMED, SENT, EXPIRED, UNKNOWN, FAILED = "PENDING", "CLAIMED", "SENT", "EXPIRED", "UNKNOWN", "FAILED"
OPEN_STATES = frozenset({PENDING, CLAIMED, UNKNOWN})
"""UNKNOWN: a call whose end nobody saw; it is asked about before anything else happens."""

ACCEPTED, SCHEDULED, CHANGED, VISIT_DONE = "ACCEPTED", "SCHEDULED", "CHANGED", "VISIT_DONE"
READY, HANDED_OVER, CLOSED = "READY", "HANDED_OVER", "CLOSED"
ABOUT_DATES = frozenset({SCHEDULED, CHANGED})
ABOUT_DOCUMENTS = frozenset({READY, HANDED_OVER})
TOLD_ALSO = ABOUT_DATES | {VISIT_DONE, CLOSED}
"""What the requester of a duplicate is told: of the visit and the end, never of documents."""

EMAIL, VIA_KELURAHAN = "EMAIL", "VIA_KELURAHAN"
REQUESTER, PERSON, KELURAHAN, ALSO = "REQUESTER", "PERSON", "KELURAHAN", "ALSO"

MESSAGE_NAMESPACE = UUID("0b0f6c1e-8d53-5c0b-9a64-1971a0de1a92")
"""Namespace of message ids: from a request's id and a row's key, never from a person."""

AT_ONCE = datetime(2000, 1, 1, tzinfo=UTC)
"""Due without waiting. Handlers are pure and know no wall clock, so "now" is a time long past."""

_RANK = {ACCEPTED: 0, SCHEDULED: 1, CHANGED: 1, VISIT_DONE: 1, READY: 2, HANDED_OVER: 3, CLOSED: 4}


class Row(TypedDict, total=False):
    """One message.

    purpose: SCHEDULED turns into CHANGED when it is claimed, if a date was told before. audience, channel: as in the key until
    claimed, then who was really chosen. claim: random, of whoever may call. attempts: calls that may have reached somebody;
    tries: calls that certainly did not; asks: questions after an UNKNOWN that got no answer. due: not before this wall time.
    fallback: the kelurahan's desk is asked instead, because the direct way failed. also: receipt code of the duplicate whose
    requester is told (see `Contact.also`).
    """

    purpose: Required[str]
    audience: Required[str]
    state: Required[str]
    message_id: Required[str]
    visit_id: str
    revision: int
    channel: str
    reason: str
    claim: str
    attempts: int
    tries: int
    asks: int
    due: datetime
    sent_at: datetime
    fallback: bool
    also: str


def new_row(
    request_id: str, purpose: str, *, visit_id: str = "", revision: int = 0, fallback: bool = False, also: str = ""
) -> tuple[str, Row]:
    """The key and the row of a message not sent yet: of one visit where given, else of the request."""
    audience = KELURAHAN if fallback else ALSO if also else PERSON if purpose in ABOUT_DOCUMENTS else REQUESTER
    key = ":".join((purpose, visit_id or request_id, str(revision), audience, *([also] if also else [])))
    row: Row = {
        "purpose": purpose,
        "audience": audience,
        "state": PENDING,
        "message_id": uuid5_text(MESSAGE_NAMESPACE, f"{request_id}|{key}"),
    }
    if visit_id:
        row["visit_id"] = visit_id
    if revision:
        row["revision"] = revision
    if fallback:
        row["fallback"] = True
    if also:
        row["also"] = also
    return key, row


def in_order(messages: Mapping[str, Row]) -> list[tuple[str, Row]]:
    """Rows as they are to be told: the request, each visit's dates and end, documents, the closing; a fallback behind its row.

    Visit ids are UUIDv7, so their order is the order of the visits.
    """
    if len(messages) < 2:  # the usual case when a fact comes, hundreds at a time
        return list(messages.items())
    return sorted(messages.items(), key=lambda item: _place(*item))


def _place(key: str, row: Row) -> tuple[int, str, bool, int, bool, str]:
    purpose = row["purpose"]
    return (
        _RANK[purpose],
        row.get("visit_id", ""),
        purpose == VISIT_DONE,
        row.get("revision", 0),
        row.get("fallback", False),
        key,
    )


def first_open(messages: Mapping[str, Row]) -> tuple[str, Row] | None:
    """The row whose turn it is: those behind it wait, so that nobody hears of a change before the thing itself.

    Each reader has a queue of their own: a mail that one of them refuses for hours keeps none of the others waiting.
    """
    turns: dict[str, tuple[str, Row]] = {}
    for key, row in in_order({key: row for key, row in messages.items() if row["state"] in OPEN_STATES}):
        turns.setdefault(row.get("also", ""), (key, row))
    return min(turns.values(), key=lambda turn: turn[1].get("due", AT_ONCE), default=None)
