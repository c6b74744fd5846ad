"""The state of a request, folded from Pelangi's public events: the same from any order and any repetition. Pure.

What is kept of a request is the newest event of each (type, aggregate); every event replaces all earlier ones of its pair.
A cancelled visit stays cancelled, a withdrawn document withdrawn, a closed request closed, whatever arrives later.
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


def apply(known: Json, type_: str, sequence: int, data: Json) -> Json:
    """What is known of one request after one more event; the very same object where the event says nothing new."""
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
        status = "CANCELLED" if cancelled else done["outcome"] if done else data["status"]
        visits[visit] = {"status": status, "date": planned["date"] if planned else None}
    steps = {"ISSUED": "document-issued", "HANDED_OVER": "document-handed-over", "WITHDRAWN": "document-withdrawn"}
    documents = {
        document: {"status": status, "kind": data["document_kind"]}
        for status, type_ in steps.items()  # a later step wins
        for document, data in newest(type_).items()
    }
    closed = next(iter(newest("request-closed").values()), None)
    return {
        "status": f"CLOSED {closed['outcome']}" if closed else "OPEN",
        "created": next(iter(newest("request-created").values()), None),
        "visits": visits,
        "documents": documents,
        "items": {item: data["outcome"] for item, data in newest("item-closed").items()},
    }


def line(request_id: str, view: Json) -> str:
    """One request for people to read."""
    visits = " ".join(f"{v['date']}={v['status']}" for v in view["visits"].values())
    documents = " ".join(f"{d['kind']}={d['status']}" for d in view["documents"].values())
    return f"{request_id} {view['status']} visits[{visits}] documents[{documents}] items[{len(view['items'])} closed]"
