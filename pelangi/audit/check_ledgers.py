"""What is counted or said once for the whole system: blanks, leases, message ids, submissions and dead letters."""

from collections import Counter
from collections.abc import Iterator

from pelangi.audit.catalogue import CARDS
from pelangi.audit.history import Finding, History, Json
from pelangi.audit.sealed import BROKEN, MISPLACED, Letters
from pelangi.audit.stored import Lease
from pelangi.contracts import topics

LEADERLESS_S = 20.0
"""A lease whose version stands still for so long is nobody's: it is renewed every second, and stolen after five."""

NOT_OURS = frozenset({"decode", "envelope", "schema", "encryption"})
"""Reasons for which a submission of another system is set aside by right: nobody could be answered, or it cannot be opened."""

_OPEN_ROWS = frozenset({"PENDING", "CLAIMED", "UNKNOWN"})


def check_ledgers(history: History) -> Iterator[Finding]:
    """Findings about blanks, leases and rows of messages; none where the stores were not read."""
    if history.shared is None:
        return
    for service, lease in history.shared.leases.items():
        yield from _lease(service, lease)
    if topics.ISSUANCE in history.cases:
        yield from _blanks(history)
    if topics.NOTIFY in history.cases:
        yield from _rows(history)


def check_letters(history: History) -> Iterator[Finding]:
    """Findings about submissions, their answers, and dead letters; none where the restricted topics were not read."""
    letters = history.letters
    if letters is None:
        return
    for letter in letters.dead.values():
        if letter.problem:
            yield Finding(letter.problem, letter.request_id, f"{letter.service}.dlq {letter.coordinates}")
        by_right = letter.source == topics.REQUEST_SUBMITTED and letter.reason in NOT_OURS
        if not letter.gone and not by_right:
            yield Finding("dead-letter", letter.request_id, f"{letter.service}: {letter.reason}, {letter.coordinates}")
    yield from _answers(letters)
    intake = history.cases.get(topics.INTAKE)
    for answer in letters.answers:
        if answer.request_id and intake is not None and not intake.get(answer.request_id, {}).get("created"):
            yield Finding("answer-unfounded", answer.request_id, answer.id)


def _answers(letters: Letters) -> Iterator[Finding]:
    """Every submission is answered once, repeats too; those that were set aside for good are not."""
    dead = {letter.coordinates for letter in letters.dead.values() if letter.service == topics.INTAKE and not letter.gone}
    asked = Counter(one.key for one in letters.submissions if one.key and one.coordinates not in dead)
    contents: dict[str, set[str]] = {}
    told: dict[str, set[str]] = {}
    for answer in letters.answers:
        if answer.problem in {BROKEN, MISPLACED}:
            yield Finding(answer.problem, "", f"{topics.SUBMISSION_ANSWERED} {answer.id}")
        contents.setdefault(answer.id, set()).add(answer.digest)
        told.setdefault(answer.key, set()).add(answer.id)
    for id_, versions in contents.items():
        if len(versions) > 1:
            yield Finding("same-id-differs", "", id_)
    for key in sorted(asked.keys() | told.keys()):
        answers = len(told.get(key, ()))
        if answers < asked[key]:
            yield Finding("submission-unanswered", "", f"{key}: {answers} answers to {asked[key]}")
        elif answers > asked[key]:
            yield Finding("submission-answered-twice", "", f"{key}: {answers} answers to {asked[key]}")


def _lease(service: str, lease: Lease) -> Iterator[Finding]:
    document = lease.document or {}
    if not isinstance(document.get("holder"), str) or not isinstance(document.get("version"), int):
        yield Finding("lease-wrong", "", service)
    elif lease.unchanged_s > LEADERLESS_S:
        yield Finding("leader-missing", "", f"{service}: {lease.unchanged_s:.0f} s")


def _blanks(history: History) -> Iterator[Finding]:
    """Every blank is on hand, used, spoiled or lost; those used are the cards that were printed, and what is being printed."""
    printed: dict[str, Counter[str]] = {str(kind): Counter() for kind in CARDS}
    for request_id, case in history.cases[topics.ISSUANCE].items():
        for document in case.get("documents", []):
            if document["document_kind"] in CARDS and ("issued_at" in document or "blank" in document):
                if not document.get("blank"):
                    yield Finding("card-without-blank", request_id, document["document_id"])
                else:
                    printed[document["document_kind"]][document["blank"]] += 1
    for stock in history.shared.blanks if history.shared else ():
        yield from _stock(stock, printed.get(stock["_id"], Counter()))


def _stock(stock: Json, printed: Counter[str]) -> Iterator[Finding]:
    kind, takings = stock["_id"], stock.get("taking", {})
    if stock["received"] != sum(stock[name] for name in ("on_hand", "used", "spoiled", "lost")) or stock["on_hand"] < 0:
        yield Finding("blanks-unbalanced", "", kind)
    for take, count in printed.items():
        if count > 1:
            yield Finding("blank-twice", "", f"{kind} {take}")
    under_way = sum(1 for taking in takings.values() if taking["take"] not in printed)
    if stock["used"] != len(printed) + under_way:
        yield Finding("blanks-differ", "", f"{kind}: {stock['used']} used, {len(printed)} printed, {under_way} under way")
    for taking in takings.values():
        yield Finding("taking-left", taking["request_id"], f"{kind} {taking['document_id']}")


def _rows(history: History) -> Iterator[Finding]:
    """A message id is one row's; a case with an open row is due, one without is not; what was sent was claimed."""
    owner: dict[str, str] = {}
    for request_id, case in history.cases[topics.NOTIFY].items():
        rows: dict[str, Json] = case.get("messages", {})
        for row in rows.values():
            if row["message_id"] in owner:
                yield Finding("message-id-twice", request_id, f"{row['purpose']} {row['message_id']}")
            owner[row["message_id"]] = request_id
            if row["state"] == "SENT" and not row.get("claim"):
                yield Finding("sent-unclaimed", request_id, f"{row['purpose']} {row['message_id']}")
        is_open = any(row["state"] in _OPEN_ROWS for row in rows.values())
        if ("due_since" in case) != is_open:
            yield Finding("due-wrong", request_id, "a message is open" if is_open else "no message is open")
