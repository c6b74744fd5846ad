"""Records of the restricted topics as evidence: opened once, then only a digest and what the checks compare is kept."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ValidationError

from pelangi.audit.history import Record
from pelangi.contracts import topics
from pelangi.contracts.encryption import BrokenToken, KeyRing, UnknownKey
from pelangi.contracts.envelope import EnvelopeError
from pelangi.contracts.events import RequestDetails, SubmissionAnswered, VisitDetails
from pelangi.contracts.snapshots import Contact, Identity, Planning, Visits
from pelangi.contracts.submissions import SubmissionError, read_address

SNAPSHOTS = (topics.REQUEST_DETAILS, topics.VISIT_DETAILS)
DEAD_LETTERS = tuple(f"{service}.dlq" for service in topics.SERVICES)
RESTRICTED_TOPICS: tuple[str, ...] = (*SNAPSHOTS, topics.REQUEST_SUBMITTED, topics.SUBMISSION_ANSWERED, *DEAD_LETTERS)

UNDECRYPTABLE, BROKEN, MISPLACED = "undecryptable", "schema-broken", "wrong-key"
"""What can be wrong with one record beside its envelope; finding codes."""


@dataclass(frozen=True)
class AuditKeys:
    """The key rings of everything that is encrypted on our own topics. dead_letters: by service."""

    planning: KeyRing
    person: KeyRing
    contact: KeyRing
    visits: KeyRing
    dead_letters: Mapping[str, KeyRing]


@dataclass(frozen=True, slots=True)
class Sealed:
    """One snapshot. `record` has no value any more; `digest` is of the decrypted content, "" for a tombstone.

    said: what is compared with the store: of a request version, status and items; of visits each visit. No personal data.
    """

    record: Record
    digest: str
    problem: str = ""
    said: Any = None

    @property
    def sequence(self) -> int | None:
        """Its sequence, None where the envelope is broken: that is a finding of its own."""
        try:
            return self.record.attributes().sequence
        except EnvelopeError:
            return None

    @property
    def tombstone(self) -> bool:
        """Whether it says that the person was erased."""
        return not self.digest and not self.problem


@dataclass(frozen=True, slots=True)
class Submission:
    """One request as another system posted it: where it lies, and the key that is answered; "" where nobody can be."""

    coordinates: str
    key: str


@dataclass(frozen=True, slots=True)
class SubmissionAnswer:
    """One answer to a submission."""

    id: str
    key: str
    digest: str
    problem: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record set aside. `coordinates`: its key. gone: a tombstone followed a retry or an erasure."""

    service: str
    coordinates: str
    reason: str
    source: str
    request_id: str
    problem: str = ""
    gone: bool = False


@dataclass(frozen=True)
class Letters:
    """What is not about one request: submissions with their answers, and the newest state of each dead letter."""

    submissions: tuple[Submission, ...] = ()
    answers: tuple[SubmissionAnswer, ...] = ()
    dead: Mapping[tuple[str, str], DeadLetter] = field(default_factory=dict)


Opened = Sealed | Submission | SubmissionAnswer | DeadLetter


def open_record(record: Record, tombstone: bool, keys: AuditKeys) -> Opened:
    """The record as evidence. Never raises for what a record holds."""
    if record.topic in SNAPSHOTS:
        return _snapshot(record, tombstone, keys)
    if record.topic == topics.REQUEST_SUBMITTED:
        return _submission(record)
    if record.topic == topics.SUBMISSION_ANSWERED:
        return _answer(record)
    return _dead_letter(record, tombstone, keys)


def _snapshot(record: Record, tombstone: bool, keys: AuditKeys) -> Sealed:
    kept = replace(record, value=b"")
    if tombstone:
        return Sealed(kept, "")
    try:
        plain, said = (_details if record.topic == topics.REQUEST_DETAILS else _visits)(record, keys)
    except (BrokenToken, UnknownKey):
        return Sealed(kept, "", UNDECRYPTABLE)
    except ValidationError:
        return Sealed(kept, "", BROKEN)
    except _Misplaced:
        return Sealed(kept, "", MISPLACED)
    return Sealed(kept, _digest(plain), said=said)


class _Misplaced(Exception):
    """The record is about another request than its key."""


def _details(record: Record, keys: AuditKeys) -> tuple[Any, Any]:
    details = RequestDetails.model_validate_json(record.value)
    if details.request.request_id != record.request_id:
        raise _Misplaced
    parts: list[tuple[str, KeyRing, type[BaseModel]]] = [
        (details.planning, keys.planning, Planning),
        (details.person, keys.person, Identity),
        (details.contact, keys.contact, Contact),
    ]
    plain = [ring.decrypt(token, topic=record.topic, key=record.request_id) for token, ring, _ in parts]
    planning = Planning.model_validate_json(plain[0])
    for (_, _, model), raw in zip(parts[1:], plain[1:], strict=True):
        model.model_validate_json(raw)
    items = {item.item_id: item.withdrawn for item in planning.items}
    said = {"version": details.request.version, "status": str(details.request.status), "items": items}
    return [details.request.model_dump(mode="json"), *(json.loads(raw) for raw in plain)], said


def _visits(record: Record, keys: AuditKeys) -> tuple[Any, Any]:
    details = VisitDetails.model_validate_json(record.value)
    if details.request_id != record.request_id:
        raise _Misplaced
    raw = keys.visits.decrypt(details.visits, topic=record.topic, key=record.request_id)
    said = {
        visit.visit_id: {
            "revision": visit.revision,
            "status": str(visit.status),
            "date": visit.date.isoformat(),
            "team_id": visit.team_id,
            "start": visit.window.start.hour * 60 + visit.window.start.minute,
            "end": visit.window.end.hour * 60 + visit.window.end.minute,
            "items": {item.item_id: item.outcome and str(item.outcome) for item in visit.items},
        }
        for visit in Visits.model_validate_json(raw).visits
    }
    return json.loads(raw), said


def _submission(record: Record) -> Submission:
    try:
        key = read_address(record.key, record.headers).key
    except SubmissionError:
        key = ""
    return Submission(_coordinates(record), key)


def _coordinates(record: Record) -> str:
    return f"{record.topic}-{record.partition}-{record.offset}"


def _answer(record: Record) -> SubmissionAnswer:
    id_ = dict(record.headers).get("ce_id", b"").decode(errors="replace")
    digest = sha256(repr((record.key, record.headers, record.value)).encode()).hexdigest()
    try:
        data = SubmissionAnswered.model_validate_json(record.value)
    except ValidationError:
        return SubmissionAnswer(id_, record.request_id, digest, BROKEN)
    problem = "" if data.submission_id == record.request_id else MISPLACED
    return SubmissionAnswer(id_, record.request_id, digest, problem, data.request_id or "")


def _dead_letter(record: Record, tombstone: bool, keys: AuditKeys) -> DeadLetter:
    service = record.topic.removesuffix(".dlq")
    said = {name: value.decode(errors="replace") for name, value in record.headers}
    problem = ""
    if not tombstone:
        try:
            keys.dead_letters[service].decrypt(record.value.decode(), topic=record.topic, key=record.request_id)
        except (BrokenToken, UnknownKey, UnicodeDecodeError):
            problem = UNDECRYPTABLE
    return DeadLetter(
        service=service,
        coordinates=record.request_id,
        reason=said.get("reason", ""),
        source=said.get("source_topic", ""),
        request_id=said.get("request_id", ""),
        problem=problem,
        gone=tombstone,
    )


def _digest(plain: Any) -> str:
    """Of the content, whatever the order of its members."""
    return sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
