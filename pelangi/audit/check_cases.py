"""Does each store hold the effect of every fact once, and does every fact of a store stand on its topic?"""

from collections.abc import Callable, Iterator

from pelangi.audit.catalogue import DOCUMENTS
from pelangi.audit.history import Finding, History, Json, RequestHistory
from pelangi.audit.sealed import SNAPSHOTS
from pelangi.audit.stored import APPLIES, slot_of
from pelangi.contracts import topics
from pelangi.contracts.codes import VisitOutcome

_PUBLIC_KINDS = frozenset(kind for kinds in DOCUMENTS.values() for kind in kinds)
_OWNED: dict[str, tuple[str, ...]] = {
    service: tuple(t.name for t in topics.TOPICS if t.public and t.owner == service) for service in topics.SERVICES
}
Told = set[tuple[str, str]]
"""Facts by (type, aggregate)."""


def check_case(request: RequestHistory) -> Iterator[Finding]:
    """Findings about what the stores hold of one request; none where they were not read."""
    if not request.stored or request.intake is None:
        return
    newest = request.newest()
    for service, case in request.stored.items():
        if case is None:
            yield request.finding("case-missing", service)
            continue
        yield from _effects(request, service, case, newest)
        yield from _facts(request, service, case, newest)
        if differing := _ANSWERS[service](request, case):
            yield request.finding("answer-differs", f"{service}: {', '.join(differing)}")
    intake = request.stored.get(topics.INTAKE)
    if intake is not None and "body" in intake and not intake.get("created", {}).get("key"):
        yield request.finding("key-missing")


def check_outboxes(history: History) -> Iterator[Finding]:
    """Findings about events that have not left their store; of every case, also of those that are no request."""
    for service, cases in history.cases.items():
        for id_, case in cases.items():
            rows, waits = case.get("outbox") or [], "pending_since" in case
            for row in rows:
                yield Finding("outbox-stranded", id_, f"{service} {row.get('type')} {row.get('sequence')}")
            if waits and case["pending_since"] is None:
                yield Finding("pending-wrong", id_, f"{service}: null")
            elif bool(rows) != waits:
                yield Finding("pending-wrong", id_, f"{service}: {len(rows)} events, {'' if waits else 'not '}pending")


def check_owners(history: History) -> Iterator[Finding]:
    """Findings about cases that belong to nobody, and about keys that belong to two."""
    intake = history.cases.get(topics.INTAKE)
    if intake is None:
        return
    for service, cases in history.cases.items():
        for id_ in cases.keys() - intake.keys():
            yield Finding("case-unknown", id_, service)
    keys: dict[str, str] = {}
    for id_, case in intake.items():
        key = case.get("created", {}).get("key")
        if key in keys:
            yield Finding("key-twice", id_, f"the same as {keys[key]}")
        if key:
            keys[key] = id_
        if "body" in case and id_ not in history.listed and id_ not in history.requests:
            yield Finding("request-unlisted", id_, "intake has it and does not list it")


def _effects(request: RequestHistory, service: str, case: Json, newest: dict[tuple[str, str], int]) -> Iterator[Finding]:
    """What a service has applied against what was sent to it."""
    applied: dict[str, int] = dict(case.get("applied", {}))
    for (type_, aggregate), sequence in newest.items():
        if type_ in APPLIES[service]:
            known = applied.pop(slot_of(type_, aggregate), None)
            if known is None or known < sequence:
                yield request.finding("effect-missing", f"{service}: {type_} {aggregate} {sequence}, applied {known}")
            elif known > sequence:
                yield request.finding("effect-unfounded", f"{service}: {type_} {aggregate} {known}, sent {sequence}")
    read = {slot_of(t, "") for t in APPLIES[service] if request.sealed is not None or t not in SNAPSHOTS}
    for slot in sorted(applied):
        if f"{slot.partition(':')[0]}:" in read:
            yield request.finding("effect-unfounded", f"{service}: {slot} {applied[slot]}, never sent")


def _facts(request: RequestHistory, service: str, case: Json, newest: dict[tuple[str, str], int]) -> Iterator[Finding]:
    """What a service has decided against what it told; nothing is told before it is stored."""
    told = {key for key in newest if key[0] in _OWNED[service]}
    owed = _OWES[service](request, case)
    for type_, aggregate in sorted(owed - told):
        yield request.finding("fact-missing", f"{type_} {aggregate}")
    for type_, aggregate in sorted(told - owed):
        yield request.finding("fact-unfounded", f"{type_} {aggregate}")
    for (type_, aggregate), sequence in newest.items():
        if topics.BY_NAME[type_].owner == service and sequence > case["version"]:
            yield request.finding("fact-ahead", f"{type_} {aggregate} {sequence}, stored {case['version']}")


def _intake_owes(request: RequestHistory, case: Json) -> Told:
    id_ = request.request_id
    created = {(topics.REQUEST_CREATED, id_)} if "body" in case or "created" in case else set()
    return created | ({(topics.REQUEST_CLOSED, id_)} if "closing" in case else set())


def _scheduling_owes(_: RequestHistory, case: Json) -> Told:
    visits = case.get("visits", [])
    ended = {v["visit_id"] for v in visits if v["status"] in list(VisitOutcome)}
    return {(topics.VISIT_SCHEDULED, v["visit_id"]) for v in visits} | {(topics.VISIT_COMPLETED, v) for v in ended}


def _issuance_owes(_: RequestHistory, case: Json) -> Told:
    owed: Told = {(topics.ITEM_CLOSED, item_id) for item_id in case.get("closed", {})}
    for document in case.get("documents", []):
        if "issued_at" in document and document["document_kind"] in _PUBLIC_KINDS:
            id_ = document["document_id"]
            owed.add((topics.DOCUMENT_ISSUED, id_))
            if any(step["status"] == "HANDED_OVER" for step in document.get("history", [])):
                owed.add((topics.DOCUMENT_HANDED_OVER, id_))
            if document["status"] in {"SUPERSEDED", "REVOKED"}:
                owed.add((topics.DOCUMENT_WITHDRAWN, id_))
    return owed


_OWES: dict[str, Callable[[RequestHistory, Json], Told]] = {
    topics.INTAKE: _intake_owes,
    topics.SCHEDULING: _scheduling_owes,
    topics.ISSUANCE: _issuance_owes,
    topics.NOTIFY: lambda _request, _case: set(),
}


def _of_intake(request: RequestHistory, case: Json) -> list[str]:
    answered = request.intake or {}
    differing = [] if answered.get("status") == case.get("status") else ["status"]
    differing += [] if request.intake_version == case.get("content_version") else ["version"]
    return differing + ([] if request.items.keys() == {i["item_id"] for i in case.get("items", [])} else ["items"])


def _of_scheduling(request: RequestHistory, case: Json) -> list[str]:
    names = ("visit_id", "status", "revision", "date")
    answered = [tuple(v.get(n) for n in names) for v in (request.scheduling or {}).get("visits", [])]
    stored = [tuple(v.get(n) for n in names) for v in case.get("visits", [])]
    return _version(request.scheduling, case) + ([] if sorted(answered) == sorted(stored) else ["visits"])


def _of_issuance(request: RequestHistory, case: Json) -> list[str]:
    items = (request.issuance or {}).get("items", [])
    answered = {d["document_id"] for item in items for d in item.get("documents", [])}
    stored = {d["document_id"] for d in case.get("documents", [])}
    return _version(request.issuance, case) + ([] if answered == stored else ["documents"])


def _of_notify(request: RequestHistory, case: Json) -> list[str]:
    answered = sorted((row["message_id"], row["state"]) for row in request.messages)
    stored = sorted((row["message_id"], row["state"]) for row in case.get("messages", {}).values())
    return _version(request.notify, case) + ([] if answered == stored else ["messages"])


def _version(answered: Json | None, case: Json) -> list[str]:
    return [] if ((answered or {}).get("details_version") or 0) == (case.get("details_version") or 0) else ["version"]


_ANSWERS: dict[str, Callable[[RequestHistory, Json], list[str]]] = {
    topics.INTAKE: _of_intake,
    topics.SCHEDULING: _of_scheduling,
    topics.ISSUANCE: _of_issuance,
    topics.NOTIFY: _of_notify,
}
