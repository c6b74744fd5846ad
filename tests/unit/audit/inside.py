"""What stores and restricted topics hold of the healthy histories: written from the same stories as their public side."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from pelangi.audit.history import History, Record, RequestHistory
from pelangi.audit.sealed import DeadLetter, Letters, Sealed, Submission, SubmissionAnswer
from pelangi.audit.stored import APPLIES, Json, Lease, Shared, slot_of
from pelangi.contracts import topics
from pelangi.contracts.envelope import Envelope, event_id, to_headers
from tests.unit.audit import stories

SERVICES = topics.SERVICES
NEIGHBOUR = stories.uid("a request that still waits for its visit")
BLANK = stories.uid("the blank of the card")
KEY = stories.uid("a submission")


@cache
def whole() -> History:
    """All stories as every source has them, a neighbour whose visit is still ahead, a submission, a dead letter by right."""
    history = stories.healthy()
    requests = {request.request_id: _sealed(request) for request in history}
    cases: dict[str, dict[str, Json]] = {service: {} for service in SERVICES}
    shared = Shared(
        days=tuple(_days(requests)),
        teams={"A": {"team_id": "A", "home_visits_per_day": 6}},
        blanks=(_stock("KTP", 1), _stock("KIA", 0)),
        leases={service: Lease({"_id": "leader", "holder": "x", "version": 9}) for service in SERVICES},
    )
    for id_, request in requests.items():
        for service in SERVICES:
            cases[service][id_] = _case(service, request, shared)
        requests[id_] = replace(request, stored={service: cases[service][id_] for service in SERVICES})
    for service, case in _neighbour().items():
        cases[service][NEIGHBOUR] = case
    listed = frozenset({*requests, NEIGHBOUR})
    return replace(history, requests=requests, cases=cases, listed=listed, shared=shared, letters=_letters())


def _letters() -> Letters:
    answered = SubmissionAnswer(stories.uid("answer"), KEY, "digest", request_id=stories.uid("home"))
    lost = DeadLetter("intake", "request-submitted.v1-0-7", "encryption", topics.REQUEST_SUBMITTED, "")
    retried = replace(
        lost, service="notify", coordinates="item-closed.v1-0-3", reason="handler", source="item-closed.v1", gone=True
    )
    submissions = (Submission("request-submitted.v1-3-0", KEY), Submission("request-submitted.v1-0-7", stories.uid("odd")))
    return Letters(submissions, (answered,), {(one.service, one.coordinates): one for one in (lost, retried)})


def _sealed(request: RequestHistory) -> RequestHistory:
    """The request with one snapshot of itself, and one of its visits where it has some."""
    answered: Any = request.intake
    items = {item["item_id"]: False for item in answered["items"]}
    details = {"version": request.intake_version, "status": answered["status"], "items": items}
    found = [snapshot(request, topics.REQUEST_DETAILS, request.intake_version or 0, details)]
    if visits := (request.scheduling or {})["visits"]:
        said = {v["visit_id"]: _told(v) for v in visits}
        found.append(snapshot(request, topics.VISIT_DETAILS, 20, said))
    return replace(request, sealed=tuple(found))


def snapshot(request: RequestHistory, topic: str, sequence: int, said: Any, digest: str = "d") -> Sealed:
    owner, id_ = topics.BY_NAME[topic].owner, request.request_id
    envelope = Envelope(
        topic, event_id(topic, id_, id_, sequence), f"/services/{owner}", id_, id_, stories.START, sequence, stories.TRACE, b""
    )
    return Sealed(
        Record(topic, int(id_[0], 16) % 12, sequence, id_.encode(), tuple(to_headers(envelope)), b""), digest, said=said
    )


def _told(visit: Json) -> Json:
    known = {name: visit[name] for name in ("revision", "status", "date", "team_id")}
    return {**known, "start": 540, "end": 660, "items": {i["item_id"]: i["outcome"] for i in visit["items"]}}


def _case(service: str, request: RequestHistory, shared: Shared) -> Json:
    newest = request.newest()
    applied = {slot_of(*key): sequence for key, sequence in newest.items() if key[0] in APPLIES[service]}
    case = {"_id": request.request_id, "version": 20, "applied": applied, "outbox": []}
    return case | _OWN[service](request) | {"details_version": request.intake_version}


def _of_intake(request: RequestHistory) -> Json:
    answered: Any = request.intake
    closing = {"closing": {"status": answered["status"]}} if request.state.closed else {}
    return {
        "created": {"key": stories.uid(request.request_id, "key")},
        "body": {"channel": "KELURAHAN_FORM"},
        "status": answered["status"],
        "content_version": request.intake_version,
        "items": [{"item_id": item["item_id"]} for item in answered["items"]],
        **closing,
    }


def _of_scheduling(request: RequestHistory) -> Json:
    visits = (request.scheduling or {})["visits"]
    return {"placement": {}, "visits": [{**visit, "start": 540, "end": 660, "version": 4} for visit in visits]}


def _of_issuance(request: RequestHistory) -> Json:
    documents = []
    for item in (request.issuance or {})["items"]:
        for document in item["documents"]:
            steps = ["SIGNED"] + (["HANDED_OVER"] if document.get("handed_over") else [])
            card = {"blank": BLANK} if document["document_kind"] == "KTP" else {}
            known = {name: document[name] for name in ("document_id", "document_kind", "status")}
            history = [{"status": status} for status in steps]
            documents.append({**known, "item_id": item["item_id"], "issued_at": stories.START, "history": history, **card})
    return {"documents": documents, "closed": {item_id: closed.outcome for item_id, closed in request.state.items.items()}}


def _of_notify(request: RequestHistory) -> Json:
    claims = {"SENT": {"claim": "c"}}
    return {"messages": {row["message_id"]: {**row, **claims.get(row["state"], {})} for row in request.messages}}


_OWN: dict[str, Callable[[RequestHistory], Json]] = {
    topics.INTAKE: _of_intake,
    topics.SCHEDULING: _of_scheduling,
    topics.ISSUANCE: _of_issuance,
    topics.NOTIFY: _of_notify,
}


def _days(requests: dict[str, RequestHistory]) -> list[Json]:
    """Every visit that ended stands in its day, and the neighbour's that is ahead."""
    days: dict[str, Json] = {}
    at: Counter[str] = Counter()
    for request in requests.values():
        for visit in (request.scheduling or {})["visits"]:
            if visit["status"] != "CANCELLED":
                at[visit["date"]] += 1
                _put(days, request.request_id, visit, 400 + 60 * at[visit["date"]], request.visit_kind)
    ahead = {
        "visit_id": stories.uid("ahead"),
        "date": "2026-12-10",
        "status": "PLANNED",
        "items": [{"item_id": stories.uid("i")}],
    }
    _put(days, NEIGHBOUR, ahead, 480, "HOME")
    return list(days.values())


def _put(days: dict[str, Json], request_id: str, visit: Json, start: int, kind: str) -> None:
    day = days.setdefault(visit["date"], {"_id": visit["date"], "version": 3, "bookings": {}, "visits": {}})
    visit_id, placement_id = visit["visit_id"], stories.uid("placement", visit["visit_id"])
    day["bookings"][placement_id] = {"request_id": request_id, "visit_id": visit_id, "team_id": "A", "minutes": 50}
    items = [{"item_id": i["item_id"]} for i in visit["items"]]
    day["visits"][visit_id] = {
        "team_id": "A", "visit_kind": kind, "start": start, "end": start + 60, "status": visit["status"], "version": 4,
        "members": {request_id: {"placement_id": placement_id, "items": items}},
    }  # fmt: skip


def _neighbour() -> dict[str, Json]:
    known = {"_id": NEIGHBOUR, "version": 2, "applied": {}, "outbox": []}
    visit_id = stories.uid("ahead")
    held = {"placement_id": stories.uid("placement", visit_id), "visit_id": visit_id, "day": "2026-12-10", "team_id": "A"}
    visit = {"visit_id": visit_id, "status": "PLANNED", "date": "2026-12-10", "items": [{"item_id": stories.uid("i")}]}
    return {
        topics.INTAKE: {
            **known,
            "created": {"key": stories.uid("its key")},
            "body": {"channel": "LETTER"},
            "status": "SCHEDULED",
        },
        topics.SCHEDULING: {**known, "placement": {"held": held}, "visits": [visit]},
        topics.ISSUANCE: known,
        topics.NOTIFY: {**known, "messages": {}},
    }


def _stock(kind: str, used: int) -> Json:
    return {
        "_id": kind, "version": 5, "on_hand": 10 - used, "received": 12, "used": used, "spoiled": 1, "lost": 1, "returned": 0,
        "taking": {},
    }  # fmt: skip
