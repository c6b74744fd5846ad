"""A service on the real store, in collections of its own: who asked what of it, every command sent, and how each is answered."""

import importlib
import re
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

from pymongo import MongoClient

from pelangi.chassis.clock import Clock, SystemClock
from pelangi.chassis.running import PENDING
from pelangi.chassis.service import CASES, Runtime, Service
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import Collection, Store
from tests.stores.conftest import Seen

ASKING = frozenset({"find", "count", "update_where", "update_where_each"})
"""The methods of a Collection whose filter is the caller's own; all others go by `_id`."""

INDEXED = frozenset({"IXSCAN", "EXPRESS_IXSCAN"})
"""How a plan names the use of an index; EXPRESS_IXSCAN (MongoDB 8, the Rust build) is one equality that one index answers."""

_KEY = re.compile(r'"?([\w.]+)"?: (-?\d)')


@dataclass
class Asked:
    """Who reached the store: every function on the way, and (function, method) of those that called a collection."""

    reached: set[str] = field(default_factory=set)
    callers: set[tuple[str, str]] = field(default_factory=set)

    def note(self, method: str) -> None:
        frame: Any = sys._getframe(2)
        self.callers.add((_name(frame), method))
        while frame:
            self.reached.add(_name(frame))
            frame = frame.f_back


def _name(frame: Any) -> str:
    return f"{frame.f_globals.get('__name__')}:{frame.f_code.co_qualname}"


class Watched:
    """A collection that remembers who asked."""

    def __init__(self, inner: Collection, asked: Asked) -> None:
        self._inner, self._asked = inner, asked

    def __getattr__(self, method: str) -> Any:
        inner = getattr(self._inner, method)

        def call(*arguments: Any, **named: Any) -> Any:
            self._asked.note(method)
            return inner(*arguments, **named)

        return call


class Shadow:
    """A service's store whose collections have names of this test."""

    def __init__(self, inner: Store, asked: Asked) -> None:
        self.inner, self.suffix, self._asked = inner, f"test-{uuid4().hex[:12]}", asked

    def name(self, collection: str) -> str:
        return f"{collection}-{self.suffix}"

    def collection(self, name: str) -> Any:
        return Watched(self.inner.collection(self.name(name)), self._asked)


@dataclass
class Served:
    """A service whose indexes are made; `seen` holds the commands since the last `forget`."""

    service: Service
    runtime: Runtime
    shadow: Shadow
    seen: Seen
    asked: Asked
    raw: Any

    @property
    def cases(self) -> Any:
        return self.runtime.cases

    @property
    def store(self) -> Any:
        return self.shadow

    def commands(self) -> list[str]:
        """Names of the commands since the last call, each a round trip: `getMore` is one, too."""
        names = [name for name, _ in self.seen.data() + [c for c in self.seen.commands if c[0] == "getMore"]]
        self.check()
        return names

    def check(self) -> None:
        """Concerns of the commands seen so far, and an index for each; then they are forgotten."""
        self.seen.assert_concerns()
        for query in queries(self.seen.data()):
            self.require_index(query)
        self.seen.commands.clear()

    def require_index(self, query: "Query") -> None:
        declared = {
            _short(i.keys) for i in (PENDING, *self.service.indexes) if self.shadow.name(i.collection) == query.collection
        }
        require_index(self.raw[query.collection], query, declared)


@asynccontextmanager
async def served(database: Any, name: str, driver: str, clock: Clock | None = None) -> AsyncIterator[Served]:
    """The service `name` over the run's database."""
    seen, asked = Seen(), Asked()
    service: Service = importlib.import_module(f"services.{name}.app").make()
    store = Store(database.uri(name), driver=driver, listeners=[seen])
    shadow = Shadow(store, asked)
    admin: Any = MongoClient(database.admin_uri, tz_aware=True)
    runtime = Runtime(service.settings, clock or SystemClock(), cast(Any, shadow), shadow.collection(CASES), Signal())
    here = Served(service, runtime, shadow, seen, asked, admin[name])
    try:
        for index in (PENDING, *service.indexes):
            await shadow.collection(index.collection).create_index(index.keys, **index.options)
        if service.start:
            await service.start(runtime)
        yield here
        here.check()
    finally:
        for collection in admin[name].list_collection_names():
            if collection.endswith(shadow.suffix):
                admin[name].drop_collection(collection)
        admin.close()
        await store.close()


@dataclass(frozen=True)
class Query:
    """A filter as it went to the server."""

    collection: str
    filter: Mapping[str, Any]
    sort: Sequence[tuple[str, int]] = ()
    limit: int = 0

    @property
    def shape(self) -> str:
        """Which fields are asked how, without the values."""
        asked = [(k, sorted(v) if isinstance(v, Mapping) else "=") for k, v in self.filter.items()]
        return repr((self.collection, sorted(asked), list(self.sort)))


def queries(commands: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Query]:
    """The queries of these commands, one of each shape."""
    return list({query.shape: query for name, command in commands for query in _queries(name, command)}.values())


def _queries(name: str, command: Mapping[str, Any]) -> Iterator[Query]:
    collection = command[name]
    if name == "find":
        yield Query(collection, command["filter"], list(command.get("sort", {}).items()), command.get("limit", 0))
    elif name == "aggregate":  # a count
        yield Query(collection, command["pipeline"][0]["$match"])
    elif name == "update":
        yield from (Query(collection, one["q"]) for one in command["updates"])
    else:
        assert name == "insert", name


def by_id(filter: Mapping[str, Any]) -> bool:
    """Whether the `_id` alone answers it on every server: it is given, or nothing else is asked.

    The store of the local run shows a scan as soon as anything stands beside the `_id`, and for a range of it.
    """
    wanted = filter.get("_id")
    return isinstance(wanted, str) or (isinstance(wanted, Mapping) and ("$in" in wanted or filter.keys() == {"_id"}))


def require_index(collection: Any, query: Query, declared: set[str]) -> None:
    """Fails unless the server answers the query from a declared index whose first field the query names."""
    if by_id(query.filter):
        return
    cursor = collection.find(query.filter, limit=query.limit)
    plan = (cursor.sort(list(query.sort)) if query.sort else cursor).explain()["queryPlanner"]["winningPlan"]
    used = list(scans(plan))
    assert used, (query.filter, plan)
    for stage, keys in used:
        assert stage in INDEXED, (query.filter, stage)
        assert _short(keys) in declared, (query.filter, keys)
        assert keys[0][0] in query.filter, (query.filter, keys)


def scans(plan: Any) -> Iterator[tuple[str, tuple[tuple[str, int], ...]]]:
    """How a winning plan reaches documents: (stage, keys of the index)."""
    if isinstance(plan, dict):
        if plan.get("stage") in {"COLLSCAN", *INDEXED}:
            yield plan["stage"], _keys(plan.get("keyPattern", {}))
        for child in plan.values():
            yield from scans(child)
    elif isinstance(plan, list):
        for child in plan:
            yield from scans(child)


def _keys(pattern: Mapping[str, int] | str) -> tuple[tuple[str, int], ...]:
    """Of an index as explained: a document, or its text where the plan is an express one."""
    if isinstance(pattern, str):
        return tuple((name, int(direction)) for name, direction in _KEY.findall(pattern))
    return tuple(pattern.items())


def _short(keys: Sequence[tuple[str, int]]) -> str:
    return " ".join(f"{name}:{direction}" for name, direction in keys)
