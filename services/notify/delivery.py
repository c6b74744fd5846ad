"""From claim to end: what a claim, a call's result and an answer of the provider make of a row. Pure.

Whoever writes here names its own random claim: a row that carries another one is somebody else's business by now.
"""

from datetime import datetime, timedelta
from typing import cast

from services.notify import rows
from services.notify.channels import Accepted, Reject, Result, Retry, Unknown
from services.notify.messages import Tell
from services.notify.model import Case, settled, with_row
from services.notify.rows import Row

SECOND_CALL = 2
"""A message that is known not to have arrived is sent once more (ARCHITECTURE.md §2, External sends)."""

MAX_TRIES = 24
"""About four hours of temporary refusals; then the kelurahan's desk is asked."""

MAX_ASKS = 100
ASK_AGAIN_S = 5.0
"""After an unknown end the provider is asked every 5 s, for about eight minutes; then nobody could be asked."""

LONGEST_PAUSE_S = 900.0
REFUSED_PAUSE_S = 60.0

_OF_THE_WAIT = frozenset({"due", "reason", "asks"})


def claim(case: Case, key: str, tell: Tell, claim_id: str, until: datetime) -> Case:
    """The row is the claim holder's to send; from `until` on others ask what became of it."""
    row = case["messages"][key]
    return _changed(
        case,
        key,
        {
            "state": rows.CLAIMED,
            "purpose": tell.purpose,
            "audience": tell.audience,
            "channel": tell.channel,
            "claim": claim_id,
            "attempts": row.get("attempts", 0) + 1,
            "due": until,
        },
    )


def holds(case: Case, key: str, claim_id: str) -> bool:
    """Whether this claim is the one that won."""
    row = case["messages"][key]
    return row["state"] == rows.CLAIMED and row.get("claim") == claim_id


def record(case: Case, key: str, claim_id: str, result: Result, wall: datetime) -> Case:
    """The row after its call; the same case where another claim took over, or it is recorded already.

    A late Accepted still counts while nobody has claimed the row again: what was sent must not be sent twice.
    """
    row = case["messages"][key]
    if row.get("claim") != claim_id or row["state"] not in rows.OPEN_STATES:
        return case
    if isinstance(result, Accepted):
        return _changed(case, key, {"state": rows.SENT, "sent_at": wall})
    if row["state"] != rows.CLAIMED:
        return case
    if isinstance(result, Unknown):
        due = wall + timedelta(seconds=ASK_AGAIN_S)
        return _changed(case, key, {"state": rows.UNKNOWN, "reason": result.reason, "due": due})
    return _not_delivered(case, key, result, wall)


def resolve(case: Case, key: str, claim_id: str, present: bool | None, wall: datetime) -> Case:
    """The row after its provider was asked; None: nobody can be asked, so it is never blindly sent again."""
    row = case["messages"][key]
    if row.get("claim") != claim_id or row["state"] not in (rows.CLAIMED, rows.UNKNOWN):
        return case
    if present:
        return _changed(case, key, {"state": rows.SENT, "sent_at": wall})
    if present is None:
        return _fall_back(case, key, "OUTCOME_UNKNOWN")
    if row["attempts"] < SECOND_CALL:
        return _changed(case, key, {"state": rows.PENDING, "due": rows.AT_ONCE})
    if _is_to_the_desk(row):
        due = wall + timedelta(seconds=pause_s(row["attempts"]))
        return _changed(case, key, {"state": rows.PENDING, "due": due})
    return _fall_back(case, key, "NOT_DELIVERED")


def no_answer(case: Case, key: str, claim_id: str, wall: datetime) -> Case:
    """The row after its provider did not answer the question: asked again, until it has to be called unknown for good."""
    row = case["messages"][key]
    if row.get("claim") != claim_id or row["state"] not in (rows.CLAIMED, rows.UNKNOWN):
        return case
    asks = row.get("asks", 0) + 1
    if asks > MAX_ASKS:
        return resolve(case, key, claim_id, None, wall)
    waiting = {"state": rows.UNKNOWN, "reason": row.get("reason", "NO_ANSWER"), "asks": asks}
    return _changed(case, key, {**waiting, "due": wall + timedelta(seconds=ASK_AGAIN_S)})


def pause_s(tries: int) -> float:
    """How long to wait after so many tries: doubling from one second to a quarter of an hour."""
    return float(min(2 ** min(tries, 10), LONGEST_PAUSE_S))


def _not_delivered(case: Case, key: str, result: Retry | Reject, wall: datetime) -> Case:
    """Certainly not sent. The desk is the last resort, so for it even a final refusal is only a longer pause."""
    row = case["messages"][key]
    tries = row.get("tries", 0) + 1
    desk = _is_to_the_desk(row)
    if not desk and (isinstance(result, Reject) or tries > MAX_TRIES):
        return _fall_back(case, key, result.reason)
    pause = max(pause_s(tries - 1), result.after_s if isinstance(result, Retry) else REFUSED_PAUSE_S)
    waiting = {"state": rows.PENDING, "reason": result.reason, "tries": tries, "attempts": row["attempts"] - 1}
    return _changed(case, key, {**waiting, "due": wall + timedelta(seconds=pause)})


def _fall_back(case: Case, key: str, reason: str) -> Case:
    """The direct way failed: the desk of the kelurahan is asked to tell them, in a row of its own."""
    row = case["messages"][key]
    failed = _changed(case, key, {"state": rows.FAILED, "reason": reason})
    if _is_to_the_desk(row):
        return failed
    purpose = rows.SCHEDULED if row["purpose"] == rows.CHANGED else row["purpose"]
    task_key, task = rows.new_row(
        case["_id"],
        purpose,
        visit_id=row.get("visit_id", ""),
        revision=row.get("revision", 0),
        fallback=True,
        also=row.get("also", ""),
    )
    return settled(cast(Case, {**failed, "messages": {task_key: task, **failed["messages"]}}))


def _is_to_the_desk(row: Row) -> bool:
    return row.get("channel") == rows.VIA_KELURAHAN


def _changed(case: Case, key: str, news: dict[str, object]) -> Case:
    kept = {k: v for k, v in case["messages"][key].items() if k not in _OF_THE_WAIT}
    return with_row(case, key, cast(Row, {**kept, **news}))
