"""Requests that other systems post as events: the same rules as over HTTP, and an answer for every record (CONTRACTS.md §1).

A submission is a command, not a sequenced fact. Its place on the topic stands for the sequence: a redelivered record is known
and answers nothing new, while the same submission sent again lies at another offset and is answered again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from pelangi.chassis import web
from pelangi.chassis.case import Fact, emit
from pelangi.chassis.commands import Answer, Command, remember
from pelangi.chassis.decode import Broken, Record
from pelangi.chassis.ids import derived_id
from pelangi.chassis.web import MAX_BODY_BYTES, FieldError, NotJson, parse_json
from pelangi.contracts.codes import SubmissionOutcome
from pelangi.contracts.encryption import BrokenToken, UnknownKey
from pelangi.contracts.events import Problem, SubmissionAnswered
from pelangi.contracts.request import MAX_ITEMS, RequestBody
from pelangi.contracts.submissions import Address, SubmissionError, SubmissionKeys, read_address
from services.intake.checking import checked
from services.intake.draws import draw_for
from services.intake.metrics import REQUESTS, SUBMISSIONS
from services.intake.model import Case, Draws, submit

REFUSED = "REFUSED"
"""Status of a case of which nothing but refused submissions is known: no body, in no list."""
MAX_PROBLEMS = 100


def _names(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for value in schema.values():
            yield from _names(value)


_FIELDS = frozenset(_names(RequestBody.model_json_schema()))
"""The names that a body may have, as its schema has them."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One submission as it was opened.

    draws: fresh ones, in case it becomes a request. refusal: why its body could not be read at all, a code; the rest is unset
    then.
    """

    key: str
    refusal: str = ""
    value: Any = None
    digest: str = ""
    draws: Draws = field(default_factory=lambda: Draws("", []))


def decoder(namespace: UUID, digest_secret: str, keys: SubmissionKeys) -> Callable[[Record], Fact[Submission]]:
    """How intake reads `request-submitted.v1`.

    Raises Broken, so that the record becomes a dead letter and is not answered: no address to answer to, or not decryptable.
    """

    def decode(record: Record) -> Fact[Submission]:
        try:
            address = read_address(record.key, record.headers)
        except SubmissionError as error:
            raise Broken("envelope", type(error).__name__) from None
        request_id = derived_id(namespace, address.source, address.key)
        if record.value is None:
            raise Broken("schema", "Null", request_id)
        try:
            submission = _opened(keys, record.value, address, digest_secret)
        except BrokenToken as error:
            raise Broken("encryption", type(error).__name__, request_id) from None
        traceparent = (dict(record.headers).get("ce_traceparent") or b"").decode(errors="replace")
        return Fact(record.topic, request_id, str(record.partition), record.offset, traceparent, submission)

    return decode


def _opened(keys: SubmissionKeys, token: bytes, address: Address, digest_secret: str) -> Submission:
    """Raises BrokenToken."""
    try:
        plain = keys.open(token, key=address.key)
    except UnknownKey:  # never waited for: a client chose it
        return Submission(address.key, refusal="unknown_key")
    if len(plain) > MAX_BODY_BYTES:
        return Submission(address.key, refusal="too_large")
    try:
        body = parse_json(plain, digest_secret)
    except NotJson:
        return Submission(address.key, refusal="not_json")
    return Submission(address.key, value=body.value, digest=body.digest, draws=draw_for(_count_items(body.value)))


def _count_items(value: Any) -> int:
    """How many ids a body needs if it is accepted."""
    persons = value.get("persons") if isinstance(value, dict) else None
    lists = [p.get("services") for p in persons if isinstance(p, dict)] if isinstance(persons, list) else []
    return min(sum(len(services) for services in lists if isinstance(services, list)), MAX_ITEMS)


def request_submitted(case: Case, fact: Fact[Submission], now: datetime) -> Case:
    """A submission: filed, known already, or refused; the case with the answer on its way, in one write with what it says."""
    submission = fact.data
    if submission.refusal:
        return _refuse(case, submission, [FieldError("#", submission.refusal, "")])
    if "created" in case:  # kept for ever: also after the person was erased
        if case["created"]["digest"] != submission.digest:
            return _refuse(case, submission, [FieldError("#", "key_reused", "")])
        return _answer(case, submission, SubmissionOutcome.ACCEPTED)
    try:
        body = checked(submission.value, now)
    except web.Problem as problem:
        return _refuse(case, submission, problem.errors)
    filed = submit(case, body, submission.draws, now)
    REQUESTS.labels(body.place.visit_kind, filed["status"]).inc()
    return _answer(_bound(filed, submission), submission, SubmissionOutcome.ACCEPTED)


def _bound(case: Case, submission: Submission) -> Case:
    """The key is used up by this body, as a 201 uses it up."""
    answer = replace(Answer.of(201, {"request_id": case["_id"]}), version=case["version"] + 1)
    return cast(Case, remember(cast(Any, case), Command(submission.key, submission.digest, creates=True), answer))


def _refuse(case: Case, submission: Submission, errors: Sequence[FieldError]) -> Case:
    """Only a success binds the key: a case without a body stays free for a better one."""
    problems = [Problem(pointer=_pointer(e.pointer), code=e.code) for e in errors[:MAX_PROBLEMS]]
    refused = case if "created" in case else cast(Case, {**case, "status": REFUSED})
    return _answer(refused, submission, SubmissionOutcome.REFUSED, problems)


def _answer(case: Case, submission: Submission, outcome: SubmissionOutcome, problems: Sequence[Problem] = ()) -> Case:
    SUBMISSIONS.labels(outcome).inc()
    answered = SubmissionAnswered(
        submission_id=submission.key,
        outcome=outcome,
        request_id=case["_id"] if outcome == SubmissionOutcome.ACCEPTED else None,
        problems=list(problems),
    )
    return emit(case, answered, key=submission.key)


def _pointer(pointer: str) -> str:
    """As far as it names fields and places: a field that nobody knows can be named by what somebody typed."""
    kept = []
    for part in pointer.split("/")[1:]:
        if part not in _FIELDS and not (part.isascii() and part.isdigit() and len(part) <= 3):
            break
        kept.append(part)
    return "/".join(["#", *kept])
