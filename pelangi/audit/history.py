"""The evidence: what topics, HTTP and the mailbox said. The checks read this and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from pelangi.audit.fold import Fact, PublicState, fold
from pelangi.contracts import events, topics
from pelangi.contracts.envelope import Attributes, EnvelopeError, from_headers

if TYPE_CHECKING:
    from pelangi.audit.sealed import Letters, Sealed
    from pelangi.audit.stored import Shared

Json = dict[str, Any]

PUBLIC_TOPICS: tuple[str, ...] = tuple(topic.name for topic in topics.TOPICS if topic.public)


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise: a stable code, the request it is about ("" if none), and ids or codes that say where."""

    code: str
    request_id: str
    detail: str


class AcceptedRequest(Protocol):
    """What whoever filed a request remembers of its 201. `withdrawn`: the withdrawal was answered with success."""

    @property
    def request_id(self) -> str: ...
    @property
    def status_at_201(self) -> str: ...
    @property
    def withdrawn(self) -> bool: ...
    @property
    def visit_kind(self) -> str: ...
    @property
    def village_code(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def requester_kind(self) -> str: ...
    @property
    def services(self) -> Sequence[str]: ...
    @property
    def persons_count(self) -> int: ...
    @property
    def items_count(self) -> int: ...
    @property
    def due_on(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a topic."""

    topic: str
    partition: int
    offset: int
    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes

    @property
    def where(self) -> str:
        """Topic, partition and offset, for people."""
        return f"{self.topic}/{self.partition}@{self.offset}"

    @property
    def request_id(self) -> str:
        """The key as text; what is not UTF-8 is replaced, the envelope check names it."""
        return self.key.decode(errors="replace")

    def attributes(self) -> Attributes:
        """The attributes; raises EnvelopeError."""
        return from_headers(self.topic, self.key, self.headers)

    def fact(self) -> Fact | None:
        """The record as a reader takes it, or None where a reader would refuse it."""
        try:
            attributes = self.attributes()
            data = events.decode(self.topic, self.value)
        except (EnvelopeError, ValidationError):
            return None
        return Fact(self.topic, attributes.request_id, events.aggregate_id(self.topic, data), attributes.sequence, data)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail of the mailbox: its Message-ID without brackets, how often it came, whether it holds 16 digits in a row."""

    message_id: str
    count: int = 1
    holds_number: bool = False


@dataclass(frozen=True)
class RequestHistory:
    """Everything known about one request. An answer is None where the service does not know the request (404).

    sealed: its snapshots in log order, None where the restricted topics were not read. stored: its case by service, None where
    a store has none; a store that was not read is not in it.
    """

    request_id: str
    records: tuple[Record, ...] = ()
    intake: Json | None = None
    intake_version: int | None = None
    scheduling: Json | None = None
    issuance: Json | None = None
    notify: Json | None = None
    accepted: AcceptedRequest | None = None
    sealed: "tuple[Sealed, ...] | None" = None
    stored: Mapping[str, Json | None] = field(default_factory=dict)

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """The readable records, in log order of each topic."""
        return tuple(fact for record in self.records if (fact := record.fact()) is not None)

    @cached_property
    def state(self) -> PublicState:
        """What its public events lead to."""
        return fold(self.facts)

    @property
    def newest_sealed(self) -> "dict[str, Sealed]":
        """The newest snapshot of each type whose envelope can be read."""
        found: dict[str, tuple[int, Sealed]] = {}
        for sealed in self.sealed or ():
            sequence = sealed.sequence
            if sequence is not None and sequence >= found.get(sealed.record.topic, (0, sealed))[0]:
                found[sealed.record.topic] = (sequence, sealed)
        return {topic: sealed for topic, (_, sealed) in found.items()}

    def newest(self) -> dict[tuple[str, str], int]:
        """The newest sequence of everything that was sent about it, by (type, aggregate)."""
        found: dict[tuple[str, str], int] = {}
        for fact in self.facts:
            key = (fact.type, fact.aggregate)
            found[key] = max(fact.sequence, found.get(key, 0))
        sealed = {(topic, self.request_id): one.sequence or 0 for topic, one in self.newest_sealed.items()}
        return found | sealed

    def let_go(self) -> None:
        """Forget what can be derived again: a decoded record takes more room than its bytes."""
        for name in ("facts", "state"):
            self.__dict__.pop(name, None)

    def of_type(self, type_: str) -> tuple[Fact, ...]:
        """Its facts of one type, repetitions of the same fact left out."""
        seen: dict[tuple[str, int], Fact] = {}
        for fact in self.facts:
            if fact.type == type_:
                seen.setdefault((fact.aggregate, fact.sequence), fact)
        return tuple(seen.values())

    @property
    def status(self) -> str:
        """Its status as intake says it, "" where intake does not know it."""
        return str((self.intake or {}).get("status", ""))

    @property
    def items(self) -> dict[str, str]:
        """Its items as intake knows them: id to the real service kind."""
        return {item["item_id"]: item["service_kind"] for item in (self.intake or {}).get("items", [])}

    @property
    def visit_kind(self) -> str:
        """How it was to be visited."""
        if self.accepted is not None:
            return self.accepted.visit_kind
        return str((self.intake or {}).get("place", {}).get("visit_kind", ""))

    @property
    def village_code(self) -> str:
        """Where it is; never in public as such, but the checker must know what may be said."""
        if self.accepted is not None:
            return self.accepted.village_code
        return str((self.intake or {}).get("place", {}).get("village_code", ""))

    @property
    def village_codes(self) -> frozenset[str]:
        """Everywhere it has been: as filed, as corrected, and as its first public event said where that names a kelurahan.

        Who audits without having filed knows nothing of places in between: one correction is told apart, two are not.
        """
        created = self.state.created
        known = {self.village_code, str((self.intake or {}).get("place", {}).get("village_code", ""))}
        return frozenset(known | ({created.area_code} if created is not None and self.accepted is None else set())) - {""}

    def walked_in_at(self, visit_id: str | None) -> frozenset[str]:
        """The kelurahan of a visit that they came to without a date: any that has a session, wherever the request is for."""
        visits = (self.scheduling or {}).get("visits", [])
        return frozenset(v["walked_in_at"] for v in visits if v["visit_id"] == visit_id and v.get("walked_in_at"))

    @property
    def messages(self) -> list[Json]:
        """Notify's rows."""
        return list((self.notify or {}).get("messages", []))

    def finding(self, code: str, detail: str = "") -> Finding:
        """A finding about this request."""
        return Finding(code, self.request_id, detail)


@dataclass(frozen=True)
class History:
    """The whole evidence.

    strangers: ids that have events though intake does not know them. other_rows: Message-IDs that belong to messages of
    requests that are not audited now. missing: sources that could not be read.
    cases: by service every case of a store that was read, also of what is not audited. listed: what intake lists.
    shared, letters: see there; None where stores or restricted topics were not read.
    """

    requests: Mapping[str, RequestHistory] = field(default_factory=dict)
    mails: Mapping[str, Mail] = field(default_factory=dict)
    strangers: frozenset[str] = frozenset()
    other_rows: frozenset[str] = frozenset()
    missing: tuple[str, ...] = ()
    cases: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()
    shared: "Shared | None" = None
    letters: "Letters | None" = None

    def __iter__(self) -> Iterator[RequestHistory]:
        return iter(self.requests.values())

    def changed(self, request: RequestHistory) -> "History":
        """The same with one request's history replaced."""
        return replace(self, requests={**self.requests, request.request_id: request})


def mail_id(message_id: str) -> str:
    """The Message-ID of a message's row, without brackets."""
    return f"{message_id}@pelangi.invalid"


def bare(message_id: str) -> str:
    """A Message-ID without its angle brackets."""
    return message_id.strip().removeprefix("<").removesuffix(">")
