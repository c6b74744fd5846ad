"""One case per request: how a pure transition becomes one guarded write with its events in it.

A transition is `case -> case`; it returns its argument when nothing changes. Events ride along (`emit`, `mark`) and are
stamped here, one version per transition, because the version is the sequence that readers drop repeats by.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, NamedTuple, Required, TypedDict, TypeVar, cast

from pelangi.chassis.ids import is_traceparent, new_traceparent
from pelangi.chassis.sabotage import sabotaged
from pelangi.chassis.store import Document, Guarded
from pelangi.contracts.envelope import event_id
from pelangi.contracts.events import TYPE_OF, Data, aggregate_id, encode


class BaseCase(TypedDict, total=False):
    """What every case holds beside what its service adds.

    version: grows by one per transition; guards every write. applied: newest sequence by "type:aggregate".
    outbox, pending_since: events not sent yet. created, keys: idempotency records (see `commands`).
    trace: the request's W3C trace context. emits: events of the transition in hand; never stored.
    """

    _id: Required[str]
    version: Required[int]
    changed_at: datetime
    applied: dict[str, int]
    outbox: list[Document]
    pending_since: datetime
    created: Document
    keys: list[Document]
    trace: str
    emits: list["Emission"]


C = TypeVar("C", bound=BaseCase)
P_co = TypeVar("P_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Emission:
    """An event of a transition; `raw` is None for a snapshot, which is rendered when it is sent.

    key: record key and subject, where that is not the case's id (the answer to somebody who does not know it yet).
    """

    type: str
    aggregate: str
    raw: bytes | None
    key: str = ""


class Fact(NamedTuple, Generic[P_co]):
    """One incoming event. `data` is None for a tombstone: the person was erased."""

    type: str
    request_id: str
    aggregate: str
    sequence: int
    traceparent: str
    data: P_co

    @property
    def slot(self) -> str:
        """Where a case remembers the newest sequence of this (type, aggregate); no dots, they nest in MongoDB."""
        return f"{self.type.replace('.', '_')}:{self.aggregate}"


Handler = Callable[[C, Fact[Any], datetime], C]


def emit(case: C, event: Data, *, key: str = "") -> C:
    """The case with an event on its way. The event is encoded and checked here, so that a bad one fails its transition.

    key: the record key and subject, when it is not the id of the case.
    """
    type_ = TYPE_OF[type(event)]
    return _with(case, Emission(type_, aggregate_id(type_, event), encode(type_, event), key))


def mark(case: C, snapshot_type: str) -> C:
    """The case with a fresh snapshot of itself on its way; marking twice in one transition is one snapshot."""
    if any(e.type == snapshot_type for e in _emits(case)):
        return case
    return _with(case, Emission(snapshot_type, case["_id"], None))


def _emits(case: BaseCase) -> list[Emission]:
    return case.get("emits", [])


def _with(case: C, emission: Emission) -> C:
    emits = _emits(case)
    assert all((e.type, e.aggregate) != (emission.type, emission.aggregate) for e in emits), "two events of one aggregate"
    return cast(C, {**case, "emits": [*emits, emission]})


def apply_fact(case: C, fact: Fact[Any], handler: Handler[C], now: datetime) -> C:
    """The case after the fact; the same object where the fact, or a later one of its kind, is applied already."""
    applied, slot = cast(BaseCase, case).get("applied", {}), fact.slot
    if applied.get(slot, -1) >= fact.sequence:
        return case
    after = handler(case, fact, now)
    return cast(C, {**after, "applied": {**applied, slot: fact.sequence}})


@dataclass(slots=True)
class Change(Generic[C]):
    """Transitions folded on one case, to be written at once. `before` is None for a case that is not stored yet."""

    before: C | None
    after: C
    envelopes: list[Document] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return self.before is None or self.after["version"] != self.before["version"]

    def advance(self, after: C, *, wall: datetime, traceparent: str = "") -> None:
        """Take the result of a transition: nothing if it is the same object, else one more version and its events."""
        if after is self.after:
            return
        version = self.after["version"] + 1
        stamped = cast(dict[str, Any], {**after, "version": version, "changed_at": wall})
        trace = _trace(stamped, traceparent)
        for emission in stamped.pop("emits", ()):
            if sabotaged("lose-event", emission.type):
                continue
            self.envelopes.append(_envelope(after["_id"], emission, version, wall, trace))
        self.after = cast(C, stamped)

    def document(self) -> Document:
        """The whole document, for an insert."""
        if not self.envelopes:
            return {**self.after}
        return {**self.after, "outbox": self.envelopes, "pending_since": self.envelopes[0]["time"]}

    def update(self) -> Guarded:
        """The guarded update of what changed; the relay owns the rest of the outbox, so events are only pushed."""
        assert self.before is not None
        update = difference(self.before, self.after)
        if self.envelopes:
            update["$push"] = {"outbox": {"$each": self.envelopes}}
            # $min, not "set if absent": the relay may clear between our read and our write and would strand the event
            update["$min"] = {"pending_since": self.envelopes[0]["time"]}
        return Guarded(self.before["_id"], self.before["version"], update)


def stub(request_id: str) -> Document:
    """A case of which nothing is known yet."""
    return {"_id": request_id, "version": 0}


def _trace(case: dict[str, Any], traceparent: str) -> str:
    """The one trace of a request: the first that was given, kept in the case, so that it covers form to message.

    A caller's header is used only if it is a trace context: whatever else it holds must not travel on a public topic.
    """
    given = traceparent if is_traceparent(traceparent) else ""
    trace = case.get("trace") or given
    if not trace and case.get("emits"):
        trace = new_traceparent()
    if trace:
        case["trace"] = trace
    return str(trace)


_NOT_OURS = frozenset({"_id", "outbox", "pending_since", "emits"})


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The update document that turns the fields of `before` into those of `after`, top-level field by field."""
    update: dict[str, Any] = {}
    changed = {
        k: v for k, v in after.items() if k not in _NOT_OURS and (k not in before or (before[k] is not v and before[k] != v))
    }
    gone = {k: "" for k in before if k not in after and k not in _NOT_OURS}
    if changed:
        update["$set"] = changed
    if gone:
        update["$unset"] = gone
    return update


def _envelope(case_id: str, emission: Emission, version: int, wall: datetime, traceparent: str) -> Document:
    envelope = {
        "type": emission.type,
        "id": event_id(emission.type, emission.key or case_id, emission.aggregate, version),
        "aggregate": emission.aggregate,
        "time": wall,
        "sequence": version,
        "traceparent": traceparent,
    }
    if emission.key:
        envelope["key"] = emission.key
    return envelope | ({"marker": True} if emission.raw is None else {"data": emission.raw})
