"""Reads the stores of the services: what changed since the last look, and of each case only what is compared."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from pelangi.audit.http_reader import Unreadable
from pelangi.audit.stored import BLANKS, CASE_FIELDS, CASES, DAYS, LEADER, LEASE, REFERENCE, Json, Lease, Shared
from pelangi.contracts.topics import ISSUANCE, SCHEDULING

BY_ID = 500
"""How many cases one command asks for."""

_VISIT_KEYS = {"keys"}


class Stores(Protocol):
    """Whoever gives what the services have stored."""

    async def cases(self, doubtful: Iterable[str]) -> Mapping[str, Mapping[str, Json | None]]:
        """By service the cases that changed since the last call, and the doubtful ones; None where a case is gone."""
        ...

    async def shared(self) -> Shared: ...


class StoreReader:
    """Reads with one client per service, each of which may see its own database only. Raises Unreadable."""

    def __init__(self, uris: Mapping[str, str]) -> None:
        self._clients: dict[str, AsyncMongoClient[Json]] = {
            service: AsyncMongoClient(
                uri, tz_aware=True, retryWrites=False, uuidRepresentation="standard", serverSelectionTimeoutMS=5000
            )
            for service, uri in uris.items()
        }
        self._versions: dict[str, dict[str, int]] = {service: {} for service in uris}
        self._beats: dict[str, tuple[Any, float]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for client in self._clients.values():
            await client.close()

    async def cases(self, doubtful: Iterable[str]) -> Mapping[str, Mapping[str, Json | None]]:
        """By service the cases that changed since the last call, and the doubtful ones; None where a case is gone."""
        asked = set(doubtful)
        read = await asyncio.gather(*(self._changed_cases(service, asked) for service in self._clients))
        found = dict(zip(self._clients, read, strict=True))
        for service, cases in found.items():  # only now: where one store is away, nothing that was read counts as seen
            for id_, case in cases.items():
                if case is None:
                    self._versions[service].pop(id_, None)
                else:
                    self._versions[service][id_] = case.get("version", 0)
        return found

    async def ping(self) -> None:
        """Raises Unreadable unless every store lets itself be read."""
        for service in self._clients:
            [_ async for _ in self._find(service, LEASE, {}, ("version",))]

    async def shared(self) -> Shared:
        """Days, teams, blanks and leases as of now."""
        days = [day async for day in self._find(SCHEDULING, DAYS, {}, None)]
        tables = [table async for table in self._find(SCHEDULING, REFERENCE, {"_id": "teams"}, None)]
        blanks = [stock async for stock in self._find(ISSUANCE, BLANKS, {}, None)]
        teams = {team["team_id"]: team for table in tables for team in table["value"]["teams"]}
        return Shared(
            days=tuple(_without_keys(day) for day in days),
            teams=teams,
            blanks=tuple({k: v for k, v in stock.items() if k not in _VISIT_KEYS} for stock in blanks),
            leases={service: await self._lease(service) for service in self._clients},
        )

    async def _changed_cases(self, service: str, asked: set[str]) -> dict[str, Json | None]:
        """The first time all of them at once, later by id: most have not moved."""
        known = self._versions[service]
        if not known:
            found: dict[str, Json | None] = {c["_id"]: c async for c in self._find(service, CASES, {}, CASE_FIELDS[service])}
        else:
            versions = {c["_id"]: c.get("version", 0) async for c in self._find(service, CASES, {}, ("version",))}
            ids = [id_ for id_, version in versions.items() if known.get(id_) != version or id_ in asked]
            found = dict.fromkeys((known.keys() - versions.keys()) | (asked - versions.keys()))
            for start in range(0, len(ids), BY_ID):
                wanted = {"_id": {"$in": ids[start : start + BY_ID]}}
                found |= {c["_id"]: c async for c in self._find(service, CASES, wanted, CASE_FIELDS[service])}
        return found

    async def _lease(self, service: str) -> Lease:
        document = next(iter([lease async for lease in self._find(service, LEASE, {"_id": LEADER}, None)]), None)
        beat, now = (document or {}).get("version"), time.monotonic()
        seen = self._beats.get(service)
        if seen is None or seen[0] != beat:
            self._beats[service] = seen = (beat, now)
        return Lease(document, now - seen[1])

    async def _find(self, service: str, collection: str, wanted: Json, fields: Sequence[str] | None) -> AsyncIterator[Json]:
        client = self._clients[service]
        try:
            source = client.get_default_database()[collection].with_options(read_concern=ReadConcern("majority"))
            async for document in source.find(wanted, dict.fromkeys(fields, 1) if fields else None).batch_size(1000):
                yield _lean(document)
        except PyMongoError as error:
            raise Unreadable(f"store of {service} ({type(error).__name__})") from None


def _lean(value: Any) -> Any:
    """The same with one string for each field name, not one per document."""
    if isinstance(value, dict):
        return {sys.intern(name): _lean(one) for name, one in value.items()}
    return [_lean(one) for one in value] if isinstance(value, list) else value


def _without_keys(day: Json) -> Json:
    """The day without the idempotency records of its calls."""
    visits = {
        visit_id: {k: v for k, v in visit.items() if k not in _VISIT_KEYS} for visit_id, visit in day.get("visits", {}).items()
    }
    return {**day, "visits": visits}
