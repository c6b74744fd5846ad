"""The state of a request, folded from Pelangi's public events: the same from any order and any repetition. Pure.

What is kept of a request is the newest event of each (type, aggregate); every event replaces all earlier ones of its pair.
A cancelled visit stays cancelled, a withdrawn document withdrawn, a closed request closed, whatever arrives later.
Fields that are not known are kept and not looked at; a value that is not known shows as UNKNOWN; a type is left out.
`subscriber_node/fold.mjs` is the same in JavaScript, and `vectors/` holds histories with the state that both must reach.
"""

from typing import Any

Json = dict[str, Any]

AGGREGATE = {  # topic = event type: the field of its data that names what the event is about
    "request-created.v1": "request_id",
    "visit-scheduled.v1": "visit_id",
    "visit-completed.v1": "visit_id",
    "document-issued.v1": "document_id",
    "document-handed-over.v1": "document_id",
    "document-withdrawn.v1": "document_id",
    "item-closed.v1": "item_id",
    "request-closed.v1": "request_id",
}
KNOWN = {  # the values shown here; the schemas mark them `x-extensible`, so more may come
    "schedule": {"SCHEDULED", "RESCHEDULED", "CANCELLED"},
    "visit": {"DONE", "PARTIAL", "FAILED"},
    "item": {"DONE", "REJECTED", "WITHDRAWN"},
    "closing": {"COMPLETED", "PARTIAL", "WITHDRAWN", "REJECTED", "DUPLICATE", "OUT_OF_AREA", "OTHER"},
    "document": {
        *("BIODATA", "KK", "KTP", "KIA", "BIRTH_CERT", "DEATH_CERT", "MARRIAGE_CERT", "DIVORCE_CERT", "MOVE_OUT_LETTER"),
    },
}


def apply(known: Json, type_: str, sequence: int, data: Json) -> Json:
    """What is known of one request after one more event; the very same object where the event says nothing new."""
    if type_ not in AGGREGATE:
        return known
    aggregate = data[AGGREGATE[type_]]
    keys = [f"{type_} {aggregate}"]
    if type_ == "visit-scheduled.v1" and data["status"] == "CANCELLED":
        keys.append(f"cancelled {aggregate}")  # kept apart: a cancellation is final
    newer = {k: {"sequence": sequence, "data": data} for k in keys if k not in known or known[k]["sequence"] < sequence}
    return {**known, **newer} if newer else known


def view(known: Json) -> Json:
    """How a request stands, from what is known of it. `created` is None where that event was never seen."""
    events: dict[str, dict[str, Json]] = {}
    for key, event in known.items():
        type_, aggregate = key.split(" ")
        events.setdefault(type_, {})[aggregate] = event["data"]

    def newest(type_: str) -> dict[str, Json]:
        return events.get(f"{type_}.v1", {})

    visits = {}
    for visit, data in (newest("visit-scheduled") | newest("visit-completed")).items():
        planned = events.get("cancelled", {}).get(visit) or newest("visit-scheduled").get(visit)
        done = newest("visit-completed").get(visit)
        cancelled = visit in events.get("cancelled", {})
        status = "CANCELLED" if cancelled else shown("visit", done["outcome"]) if done else shown("schedule", data["status"])
        visits[visit] = {"status": status, "date": planned["date"] if planned else None}
    closed = next(iter(newest("request-closed").values()), None)
    documents = _documents(newest("document-issued"), newest("document-handed-over"), newest("document-withdrawn"))
    return {
        "status": f"CLOSED {shown('closing', closed['outcome'])}" if closed else "OPEN",
        "created": next(iter(newest("request-created").values()), None),
        "visits": visits,
        "documents": documents,
        "current": _current(documents),
        "items": {item: shown("item", data["outcome"]) for item, data in newest("item-closed").items()},
    }


def shown(of: str, value: str) -> str:
    """A value as this version knows it."""
    return value if value in KNOWN[of] else "UNKNOWN"


def _documents(issued: dict[str, Json], handed_over: dict[str, Json], withdrawn: dict[str, Json]) -> dict[str, Json]:
    """Every document: a later step wins. The edition is None where only the hand-over was seen."""
    documents = {}
    for status, step in (("ISSUED", issued), ("HANDED_OVER", handed_over), ("WITHDRAWN", withdrawn)):
        for document, data in step.items():
            edition = (issued.get(document) or withdrawn.get(document) or {}).get("edition")
            kind = shown("document", data["document_kind"])
            documents[document] = {"status": status, "kind": kind, "edition": edition, "item": data["item_id"]}
    return documents


def _current(documents: dict[str, Json]) -> dict[str, dict[str, str]]:
    """Per item and kind the document that counts: the newest edition that was not withdrawn."""
    current: dict[str, dict[str, str]] = {}
    for document, data in sorted(documents.items(), key=lambda pair: (pair[1]["edition"] or 0, pair[0])):
        if data["status"] != "WITHDRAWN":
            current.setdefault(data["item"], {})[data["kind"]] = document
    return current


def line(request_id: str, view: Json) -> str:
    """One request for people to read."""
    visits = " ".join(f"{v['date']}={v['status']}" for v in view["visits"].values())
    documents = " ".join(f"{d['kind']}={d['status']}" for d in view["documents"].values())
    return f"{request_id} {view['status']} visits[{visits}] documents[{documents}] items[{len(view['items'])} closed]"
