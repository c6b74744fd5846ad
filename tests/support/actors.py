"""Everybody of a story, playing through HTTP and topics of a running system: kelurahan, team, desk, a subscriber."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from confluent_kafka import Consumer

from pelangi.contracts.topics import TOPICS
from pelangi.local.private import PrivateStack
from pelangi.simulate.desk import transition_bodies
from pelangi.simulate.lifecycles import LAST_VISIT_STATUSES, next_steps

T = TypeVar("T")
Json = dict[str, Any]
PATIENCE_S = 40.0


def eventually(look: Callable[[], T], what: str, timeout: float = PATIENCE_S) -> T:
    """The first truthy thing that `look` gives."""
    deadline = time.monotonic() + timeout
    while not (found := look()):
        assert time.monotonic() < deadline, f"still waiting for: {what}"
        time.sleep(0.1)
    return found


@dataclass
class Filed:
    """A 201: the request's id and the whole answer."""

    request_id: str
    answer: Json


class Actors:
    """The people around one system. `world`: all public events so far."""

    def __init__(self, stack: PrivateStack) -> None:
        self.stack = stack
        self._client = httpx.Client(timeout=30, trust_env=False)
        self._events: list[tuple[str, str, Json]] = []
        self._consumer = Consumer(
            {
                "bootstrap.servers": stack.bootstrap,
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": "city.demo",
                "sasl.password": "city.demo-dev",
                "group.id": f"city.demo.{uuid4()}",
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
            }
        )
        self._consumer.subscribe([t.name for t in TOPICS if t.public])

    def close(self) -> None:
        self._consumer.close()
        self._client.close()

    def get(self, program: str, path: str) -> httpx.Response:
        return self._client.get(self.stack.url(program) + path)

    def post(self, program: str, path: str, body: Any, *, version: int | None = None) -> httpx.Response:
        headers = {"Idempotency-Key": str(uuid4())} | ({"If-Match": f'"{version}"'} if version is not None else {})
        return self._client.post(self.stack.url(program) + path, json=body, headers=headers)

    # the kelurahan

    def file(self, body: Json) -> Filed:
        answer = self.post("intake", "/v1/requests", body)
        assert answer.status_code == 201, answer.text
        return Filed(answer.json()["request_id"], answer.json())

    def request(self, request_id: str) -> Json:
        answer = self.get("intake", f"/v1/requests/{request_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def say(self, request_id: str, what: str, body: Json) -> Json:
        """A call on a request with its current version: `withdrawal`, `deceased`, `details`, …"""
        for _ in range(10):
            version = int(self.get("intake", f"/v1/requests/{request_id}").headers["ETag"].strip('"'))
            answer = self.post("intake", f"/v1/requests/{request_id}/{what}", body, version=version)
            if answer.status_code != 412:
                break
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def status(self, request_id: str, *wanted: str) -> Json:
        """The request, once it has one of these statuses."""

        def look() -> Json | None:
            found = self.request(request_id)
            return found if found["status"] in wanted else None

        return eventually(look, f"{' or '.join(wanted)}, not {self.request(request_id)['status']}")

    # the team

    def planned(self, request_id: str) -> Json:
        answer = self.get("scheduling", f"/v1/requests/{request_id}")
        return dict(answer.json()) if answer.status_code == 200 else {"visits": []}

    def visit(self, request_id: str) -> Json:
        """The visit that is ahead, once there is one."""

        def look() -> Json | None:
            ahead = [v for v in self.planned(request_id)["visits"] if v["status"] not in LAST_VISIT_STATUSES]
            return ahead[0] if ahead else None

        return eventually(look, f"a visit of {request_id}")

    def go(self, request_id: str, put_off: Mapping[str, str] | None = None, *, fails: str = "") -> Json:
        """Drive to the visit that is ahead and do it: all items but those `put_off` (reason by item id); or it fails."""
        visit = self.visit(request_id)
        path = f"/v1/visits/{visit['visit_id']}"
        for step in ("depart", "arrive"):
            answer = self.post("scheduling", f"{path}/{step}", {})
            assert answer.status_code == 200, answer.text
        if fails:
            answer = self.post("scheduling", f"{path}/fail", {"reason": fails})
        else:
            items = [i["item_id"] for i in self.get("scheduling", path).json()["items"]]
            outcomes = [_outcome(item, (put_off or {}).get(item)) for item in items]
            answer = self.post("scheduling", f"{path}/complete", {"items": outcomes})
        assert answer.status_code == 200, answer.text
        return visit

    def review(self, request_id: str) -> Json:
        """The request as scheduling sees it, once it waits for a human."""

        def look() -> Json | None:
            found = self.planned(request_id)
            return found if found.get("review") else None

        return eventually(look, f"review of {request_id}")

    # the desk

    def items(self, request_id: str) -> list[Json]:
        answer = self.get("issuance", f"/v1/requests/{request_id}/documents")
        return list(answer.json()["items"]) if answer.status_code == 200 else []

    def documents(self, request_id: str) -> list[Json]:
        return [d for item in self.items(request_id) for d in item["documents"]]

    def move(self, document: Json, to: str, **more: Any) -> httpx.Response:
        body = transition_bodies(document["document_id"], document["document_kind"], to)[-1] | more
        return self.post("issuance", f"/v1/documents/{document['document_id']}/transitions", body)

    def drive(self, document: Json, until: str = "HANDED_OVER") -> Json:
        """Take a document step by step to a status; the document then."""
        status = document["status"]

        def step() -> str | None:
            for to in next_steps(document["document_kind"], status):
                if self.move(document, to).is_success:
                    return to
            return None

        while status != until:
            status = eventually(step, f"a step of {document['document_kind']} from {status}")
        return {**document, "status": status}

    def serve(self, request_id: str) -> None:
        """Bring every document of what was visited to its person."""

        def served() -> bool:
            return all(i["visit_outcome"] == "DONE" or i["status"] != "OPEN" for i in self.items(request_id))

        eventually(served, f"issuance to know what was visited of {request_id}")
        eventually(lambda: all(i["documents"] or i["status"] != "OPEN" for i in self.items(request_id)), "documents")
        for item in self.items(request_id):
            for document in item["documents"]:
                if item["status"] == "OPEN" and document["status"] not in ("HANDED_OVER", "CANCELLED", "SUPERSEDED"):
                    self.drive(document)

    # a subscriber, and those who are told

    def events(self, request_id: str, type_: str) -> list[Json]:
        """The public events of one type about a request so far."""
        while (record := self._consumer.poll(0.2)) is not None:
            if record.error() is None:
                self._events.append((record.topic(), record.key().decode(), json.loads(record.value())))
        return [data for topic, key, data in self._events if (topic, key) == (type_, request_id)]

    def event(self, request_id: str, type_: str, **wanted: Any) -> Json:
        """The first public event of that type with these fields, once it is there."""

        def look() -> Json | None:
            found = self.events(request_id, type_)
            return next((e for e in found if all(e[k] == v for k, v in wanted.items())), None)

        return eventually(look, f"{type_} {wanted} of {request_id}")

    def messages(self, request_id: str) -> list[Json]:
        answer = self.get("notify", f"/v1/messages?request_id={request_id}")
        return list(answer.json()["messages"]) if answer.status_code == 200 else []

    def told(self, request_id: str, purpose: str, **wanted: Any) -> Json:
        """The message of that purpose, once it was sent."""

        def look() -> Json | None:
            sent = [m for m in self.messages(request_id) if (m["purpose"], m["state"]) == (purpose, "SENT")]
            return next((m for m in sent if all(m[k] == v for k, v in wanted.items())), None)

        return eventually(look, f"{purpose} {wanted} told about {request_id}")


def _outcome(item_id: str, reason: str | None) -> Json:
    return {"item_id": item_id, "outcome": "DEFERRED", "reason": reason} if reason else {"item_id": item_id, "outcome": "DONE"}
