"""Is every snapshot readable by its readers, one content per id, and the last one what its owner has stored?"""

from collections import defaultdict
from collections.abc import Iterator

from pelangi.audit.check_records import check_envelope
from pelangi.audit.history import Finding, Json, RequestHistory
from pelangi.audit.sealed import Sealed
from pelangi.contracts import topics
from pelangi.contracts.envelope import EnvelopeError, event_id


def check_sealed(request: RequestHistory) -> Iterator[Finding]:
    """Findings about the snapshots of a request; none where they were not read."""
    if request.sealed is None:
        return
    for sealed in request.sealed:
        yield from check_envelope(request, sealed.record)
        yield from _content(request, sealed)
    yield from _repetitions(request, request.sealed)
    yield from _sequences(request, request.sealed)
    if topics.INTAKE in request.stored:
        yield from _details(request, request.stored[topics.INTAKE])
    if topics.SCHEDULING in request.stored:
        yield from _visits(request, request.stored[topics.SCHEDULING])


def _content(request: RequestHistory, sealed: Sealed) -> Iterator[Finding]:
    if sealed.problem:
        yield request.finding(sealed.problem, sealed.record.where)
    try:
        attributes = sealed.record.attributes()
    except EnvelopeError:
        return
    if attributes.id != event_id(sealed.record.topic, attributes.request_id, attributes.request_id, attributes.sequence):
        yield request.finding("wrong-id", sealed.record.where)


def _repetitions(request: RequestHistory, found: tuple[Sealed, ...]) -> Iterator[Finding]:
    """A repeated id must repeat the headers and, once decrypted, the content."""
    contents: dict[str, set[object]] = defaultdict(set)
    for sealed in found:
        id_ = dict(sealed.record.headers).get("ce_id", b"").decode(errors="replace")
        contents[id_].add((sealed.record.headers, sealed.digest, sealed.problem))
    for id_, versions in contents.items():
        if id_ and len(versions) > 1:
            yield request.finding("same-id-differs", id_)


def _sequences(request: RequestHistory, found: tuple[Sealed, ...]) -> Iterator[Finding]:
    """A snapshot that is seen first is newer than all before it: compaction keeps the last one."""
    newest: dict[str, int] = {}
    for sealed in found:
        sequence, topic = sealed.sequence, sealed.record.topic
        if sequence is not None:
            if sequence < newest.get(topic, 0):
                yield request.finding("sequence-back", f"{topic} {sequence} after {newest[topic]}")
            newest[topic] = max(sequence, newest.get(topic, 0))


def _details(request: RequestHistory, case: Json | None) -> Iterator[Finding]:
    """The last snapshot of a request against intake's case."""
    last = request.newest_sealed.get(topics.REQUEST_DETAILS)
    has_body = case is not None and "body" in case
    if last is None:
        if has_body:
            yield request.finding("snapshot-missing", topics.REQUEST_DETAILS)
        return
    if last.tombstone or not has_body:
        if last.tombstone == has_body:
            yield request.finding("tombstone-wrong", topics.REQUEST_DETAILS)
        return
    if last.problem or case is None:
        return
    items = {item["item_id"]: bool(item.get("withdrawn")) for item in case.get("items", [])}
    stored = {"version": case.get("content_version"), "status": case.get("status"), "items": items}
    yield from _difference(request, topics.REQUEST_DETAILS, stored, last.said)


def _visits(request: RequestHistory, case: Json | None) -> Iterator[Finding]:
    """The last snapshot of a request's visits against scheduling's case."""
    last = request.newest_sealed.get(topics.VISIT_DETAILS)
    visits = (case or {}).get("visits", [])
    if last is None:
        if visits:
            yield request.finding("snapshot-missing", topics.VISIT_DETAILS)
        return
    erased = bool((case or {}).get("erased"))
    if last.tombstone or erased:
        if last.tombstone != erased:
            yield request.finding("tombstone-wrong", topics.VISIT_DETAILS)
        return
    if not last.problem:
        yield from _difference(request, topics.VISIT_DETAILS, {visit["visit_id"]: _visit(visit) for visit in visits}, last.said)


def _visit(visit: Json) -> Json:
    known = {name: visit.get(name) for name in ("revision", "status", "date", "team_id", "start", "end")}
    return {**known, "items": {item["item_id"]: item.get("outcome") for item in visit.get("items", [])}}


def _difference(request: RequestHistory, topic: str, stored: Json, said: Json) -> Iterator[Finding]:
    differing = sorted(name for name in stored.keys() | said.keys() if stored.get(name) != said.get(name))
    if differing:
        yield request.finding("snapshot-stale", f"{topic}: {', '.join(differing)}")
