"""Is every record what the envelope and the schema promise? One record, one id, one content; nothing personal in it."""

import re
from collections import defaultdict
from collections.abc import Iterator

from pydantic import ValidationError

from pelangi.audit.history import Finding, Record, RequestHistory
from pelangi.contracts import events, topics
from pelangi.contracts.codes import VisitKind
from pelangi.contracts.envelope import JSON, SCHEMA_BASE, EnvelopeError, event_id, holds_sixteen_digits
from pelangi.contracts.public import PUBLIC_PLACE_KINDS, public_area_code

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SEQUENCE = re.compile(r"[0-9]{10}")


def check_records(request: RequestHistory) -> Iterator[Finding]:
    """Findings about single records and about their order in the log."""
    for record in request.records:
        yield from check_envelope(request, record)
        yield from _data(request, record)
    yield from _repetitions(request)
    yield from _sequences(request)
    yield from _partition(request)


def check_envelope(request: RequestHistory, record: Record) -> Iterator[Finding]:
    """Findings about the headers of one event."""
    try:
        attributes = record.attributes()
    except EnvelopeError as error:
        yield request.finding("envelope-broken", f"{record.where}: {error}")
        return
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    wanted = {
        "ce_specversion": "1.0",
        "ce_source": f"/services/{topics.BY_NAME[record.topic].owner}",
        "ce_partitionkey": attributes.request_id,
        "ce_dataschema": f"{SCHEMA_BASE}/{record.topic}.json",
        "content-type": JSON,
    }
    wrong = [name for name, value in wanted.items() if headers.get(name) != value]
    wrong += ["ce_time"] if attributes.time is None or attributes.time.tzinfo is None else []
    wrong += [] if _TRACEPARENT.fullmatch(headers.get("ce_traceparent", "")) else ["ce_traceparent"]
    wrong += [] if _SEQUENCE.fullmatch(headers["ce_sequence"]) else ["ce_sequence"]
    if wrong:
        yield request.finding("header-wrong", f"{record.where}: {', '.join(wrong)}")


def _data(request: RequestHistory, record: Record) -> Iterator[Finding]:
    if holds_sixteen_digits(record.value) or holds_sixteen_digits(record.key):
        yield request.finding("sixteen-digits", record.where)
    try:
        data = events.MODELS[record.topic].model_validate_json(record.value)
    except ValidationError as error:
        places = sorted({".".join(str(part) for part in e["loc"]) for e in error.errors(include_input=False)})
        yield request.finding("schema-broken", f"{record.where}: {', '.join(places)}")
        return
    if getattr(data, "request_id", None) != record.request_id:
        yield request.finding("wrong-key", record.where)
    yield from _id(request, record, data)
    yield from _place(request, record, data)


def _id(request: RequestHistory, record: Record, data: events.Data) -> Iterator[Finding]:
    try:
        attributes = record.attributes()
    except EnvelopeError:
        return
    aggregate = events.aggregate_id(record.topic, data)
    if attributes.id != event_id(record.topic, attributes.request_id, aggregate, attributes.sequence):
        yield request.finding("wrong-id", record.where)


def _place(request: RequestHistory, record: Record, data: events.Data) -> Iterator[Finding]:
    """The kelurahan, the window and the place are public only where the place is open to everyone."""
    try:
        kind = VisitKind(_visit_kind(request, data))
    except ValueError:  # intake does not know the request: a finding of its own
        return
    area_code = getattr(data, "area_code", None)
    known = request.village_codes | request.walked_in_at(getattr(data, "visit_id", None))
    if area_code is not None and area_code not in {public_area_code(kind, code) for code in known}:
        yield request.finding("wrong-area", record.where)
    shown = getattr(data, "window", None) or getattr(data, "place", None)
    if shown is not None and kind not in PUBLIC_PLACE_KINDS:
        yield request.finding("place-exposed", record.where)


def _visit_kind(request: RequestHistory, data: events.Data) -> str:
    """The kind of the visit an event is about; of the request where it is about no visit."""
    if isinstance(data, events.VisitScheduled):
        return data.visit_kind
    if isinstance(data, events.VisitCompleted):
        visit = request.state.visits.get(data.visit_id)
        if visit is not None and visit.schedule is not None:
            return visit.schedule.visit_kind
    return request.visit_kind


def _repetitions(request: RequestHistory) -> Iterator[Finding]:
    """A repeated id must repeat bytes and headers."""
    contents: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    for record in request.records:
        id_ = dict(record.headers).get("ce_id", b"").decode(errors="replace")
        contents[id_].add((record.topic, record.key, record.headers, record.value))
    for id_, versions in contents.items():
        if id_ and len(versions) > 1:
            yield request.finding("same-id-differs", id_)


def _sequences(request: RequestHistory) -> Iterator[Finding]:
    """In the log of a topic a fact that is seen first is newer than all before it of its aggregate."""
    seen: dict[tuple[str, str], set[int]] = defaultdict(set)
    for fact in request.facts:
        known = seen[(fact.type, fact.aggregate)]
        if known and fact.sequence not in known and fact.sequence < max(known):
            yield request.finding("sequence-back", f"{fact.type} {fact.aggregate} {fact.sequence} after {max(known)}")
        known.add(fact.sequence)


def _partition(request: RequestHistory) -> Iterator[Finding]:
    """One key lies on one partition number in every topic; elsewhere its order is lost."""
    partitions = {record.partition for record in request.records} | {one.record.partition for one in request.sealed or ()}
    if len(partitions) > 1:
        yield request.finding("partition-differs", ", ".join(map(str, sorted(partitions))))
