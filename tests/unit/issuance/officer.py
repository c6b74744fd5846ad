"""A desk officer at the HTTP edge, and the store behind."""

from typing import Any, cast
from uuid import uuid4

import httpx

from pelangi.chassis.ids import random_id
from pelangi.chassis.service import Runtime
from pelangi.contracts.codes import ItemVisitOutcome, ServiceKind
from services.issuance.opening import open_once
from tests.support.memory_store import MemoryCollection
from tests.unit.issuance.scenario import REQUEST, Desk, completed, details


class Client:
    """A desk officer, and the store behind."""

    def __init__(self, runtime: Runtime, http: httpx.AsyncClient) -> None:
        self.runtime, self.http = runtime, http
        self.cases = cast(MemoryCollection, runtime.cases)

    async def have(self, *kinds: ServiceKind, visited: bool = True) -> list[str]:
        """A request with these items and their documents opened; the ids of the documents."""
        outcomes = dict.fromkeys(range(len(kinds)), ItemVisitOutcome.DONE)
        desk = Desk(details(*kinds), *([completed(outcomes)] if visited else []))
        await self.cases.insert(cast(dict[str, Any], {**desk.case}))
        await open_once(self.runtime, random_id)
        return [d["document_id"] for d in (await self.case()).get("documents", [])]

    async def case(self) -> dict[str, Any]:
        found = await self.cases.get(REQUEST)
        assert found is not None
        return found

    async def post(self, path: str, body: Any, key: str | None = None) -> httpx.Response:
        return await self.http.post(path, json=body, headers={"Idempotency-Key": key or str(uuid4())})

    async def move(self, document_id: str, body: Any, key: str | None = None) -> httpx.Response:
        return await self.post(f"/v1/documents/{document_id}/transitions", body, key)

    async def shown(self) -> dict[str, Any]:
        response = await self.http.get(f"/v1/requests/{REQUEST}/documents")
        return cast(dict[str, Any], response.json())

    async def sent(self) -> list[str]:
        return [e["type"] for e in (await self.case()).get("outbox", [])]
