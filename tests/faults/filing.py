"""What the fault tests of intake share: filing requests, and looking at what became of them in store and topics."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import httpx
from pymongo import MongoClient

from tests.support.bodies import body
from tests.support.records import Raw, read_all
from tests.support.service import ServiceProcess, wait_for


def post(service: ServiceProcess, key: str) -> dict[str, Any] | None:
    """File a request under a key; None where the service is not there (any more) or asks to be called again."""
    try:
        response = httpx.post(f"{service.url}/v1/requests", json=body(), headers={"Idempotency-Key": key}, timeout=20)
    except httpx.HTTPError:
        return None
    if response.status_code == 503:
        return None
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


def keys(count: int) -> list[str]:
    return [str(uuid4()) for _ in range(count)]


def file_all(service: ServiceProcess, wanted: Iterable[str]) -> list[dict[str, Any]]:
    """File each, again where it got no answer."""
    return [wait_for(lambda k=key: post(service, k), what="no answer to a request") for key in wanted]  # type: ignore[misc]


class Cases:
    """Intake's documents, read by the administrator."""

    def __init__(self, database: Any) -> None:
        self._client: Any = MongoClient(database.admin_uri, tz_aware=True)
        self._cases = self._client["intake"]["cases"]

    def __enter__(self) -> "Cases":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._cases.find_one({"_id": id}) or {}
        return found

    def many(self, ids: Iterable[str]) -> list[dict[str, Any]]:
        """Those of them that there are."""
        return list(self._cases.find({"_id": {"$in": list(ids)}}))

    def all_sent(self, ids: Iterable[str]) -> bool:
        """Whether nothing of these requests waits to be sent."""
        cases = [self.get(i) for i in ids]
        return all(c and not c.get("outbox") and "pending_since" not in c for c in cases)


def sent(kafka: Any, topic: str, ids: Iterable[str]) -> dict[str, list[Raw]]:
    """The committed records of a topic about these requests, by request."""
    found = defaultdict(list)
    wanted = {i.encode() for i in ids}
    for record in read_all(kafka, topic):
        if record.key in wanted:
            found[str(record.header("ce_subject"))].append(record)
    return dict(found)


def assert_once(kafka: Any, topic: str, ids: Iterable[str]) -> dict[str, list[Raw]]:
    """One event id per request, and identical bytes however often it was sent. Returns the records by request."""
    ids = list(ids)
    found = sent(kafka, topic, ids)
    assert found.keys() == set(ids), "lost"
    for request_id, records in found.items():
        assert len({r.header("ce_id") for r in records}) == 1, f"doubled: {request_id}"
        assert len({(r.value, tuple(r.headers)) for r in records}) == 1, f"the same id with other content: {request_id}"
    return found
