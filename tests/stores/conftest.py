"""Every store test runs on both drivers, as the service's own user, in a collection of its own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from pelangi.chassis.store import Collection, Store

READS = frozenset({"find", "aggregate", "count", "distinct"})
WRITES = frozenset({"insert", "update", "delete", "findAndModify"})


@dataclass
class Seen(CommandListener):
    """Every command sent, as it went out."""

    commands: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def started(self, event: CommandStartedEvent) -> None:
        self.commands.append((event.command_name, dict(event.command)))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass

    def data(self) -> list[tuple[str, dict[str, Any]]]:
        return [(name, command) for name, command in self.commands if name in READS | WRITES]

    def assert_concerns(self) -> None:
        """Majority in both directions, journalled: else a failover can take back what an offset was committed for."""
        for name, command in self.data():
            if name in READS:
                assert command.get("readConcern", {}).get("level") == "majority", name
            else:
                concern = command.get("writeConcern", {})
                assert concern.get("w") == "majority" and concern.get("j") is True, name


@dataclass
class Rig:
    store: Store
    name: str
    cases: Collection
    seen: Seen
    admin: Any

    def raw(self, id: str = "a") -> Any:
        """The document as another client reads it."""
        return self.admin[self.name].find_one({"_id": id})


@pytest.fixture(params=["motor", "pymongo"])
async def rig(request: pytest.FixtureRequest, database: Any) -> AsyncIterator[Rig]:
    seen, name = Seen(), f"test-{uuid4().hex[:12]}"
    store = Store(database.uri("intake"), driver=request.param, listeners=[seen])
    client: Any = MongoClient(database.admin_uri, tz_aware=True)
    try:
        yield Rig(store, name, store.collection(name), seen, client["intake"])
        seen.assert_concerns()
    finally:
        client["intake"].drop_collection(name)
        client.close()
        await store.close()
