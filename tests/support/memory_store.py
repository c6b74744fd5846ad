"""A Collection (pelangi/chassis/store.py) over a dictionary: fast, no server, as strict as BSON about what it takes.

Documents go in and come out through BSON, so copies are deep, times lose their microseconds, and a `date` or a `set` fails
here as it would in the real store. Operators are those that the services use; an unknown one raises.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC
from typing import Any

import bson
from bson.codec_options import CodecOptions

from pelangi.chassis.store import UNSTORABLE, Document, Filter, Guarded, StoreError, UniqueIndexTaken
from tests.support.operators import matches, order_key, piped, updated, values_at

_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)


def _copy(document: Mapping[str, Any]) -> Document:
    return bson.decode(bson.encode(document), _OPTIONS)


class MemoryCollection:
    """One collection.

    calls: how often each method was called. before: `await before(method)` runs at the start of each call, so that a test can
    race or raise there. after_write: the same behind an applied write; raise StoreError there for "it is not known".
    """

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.calls: Counter[str] = Counter()
        self.indexes: list[tuple[Sequence[tuple[str, int]], Mapping[str, Any]]] = []
        self.before: Callable[[str], Awaitable[None]] | None = None
        self.after_write: Callable[[str], Awaitable[None]] | None = None

    async def get(self, id: str) -> Document | None:
        await self._called("get")
        found = self.documents.get(id)
        return None if found is None else _copy(found)

    async def get_many(self, ids: Sequence[str]) -> dict[str, Document]:
        await self._called("get_many")
        return {i: _copy(self.documents[i]) for i in ids if i in self.documents}

    async def find(
        self, filter: Filter, *, sort: Sequence[tuple[str, int]] = (), limit: int = 0, fields: Sequence[str] = ()
    ) -> list[Document]:
        await self._called("find")
        found = [d for d in self.documents.values() if matches(d, filter)]
        for key, direction in reversed(sort):
            found.sort(key=lambda d, k=key: order_key(values_at(d, k)[:1]), reverse=direction < 0)  # type: ignore[misc]
        found = found[:limit] if limit else found
        tops = {f.split(".")[0] for f in fields} | {"_id"}
        return [_copy({k: v for k, v in d.items() if not fields or k in tops}) for d in found]

    async def insert(self, document: Document) -> bool:
        await self._called("insert")
        applied = self._insert(document)
        await self._written("insert")
        return applied

    async def insert_many(self, documents: Sequence[Document]) -> bool:
        await self._called("insert_many")
        outcomes = [_outcome(self._insert, d) for d in documents]  # unordered: one that fails takes no other with it
        await self._written("insert_many")
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        return all(outcomes)

    async def insert_each(self, documents: Sequence[Document]) -> Sequence[bool | Exception]:
        await self._called("insert_each")
        outcomes = [_outcome(self._insert, d) for d in documents]
        await self._written("insert_each")
        return outcomes

    async def update(self, guarded: Guarded) -> bool:
        await self._called("update")
        applied = self._guarded(guarded)
        await self._written("update")
        return applied

    async def update_many_guarded(self, updates: Sequence[Guarded]) -> bool:
        await self._called("update_many_guarded")
        assert len({u.id for u in updates}) == len(updates), "one operation per _id in one call"
        applied = [self._guarded(u) for u in updates]
        await self._written("update_many_guarded")
        return all(applied)

    async def update_each(self, updates: Sequence[Guarded]) -> Sequence[bool | Exception]:
        await self._called("update_each")
        assert len({u.id for u in updates}) == len(updates), "one operation per _id in one call"
        outcomes = [_outcome(self._guarded, u) for u in updates]
        await self._written("update_each")
        if False in outcomes:  # the server says how many matched, not which
            outcomes = [outcome is not True and outcome for outcome in outcomes]
        return outcomes

    async def update_where(self, filter: Filter, update: Any) -> int:
        await self._called("update_where")
        matched = self._update_where(filter, update)
        await self._written("update_where")
        return matched

    async def update_where_each(self, updates: Sequence[tuple[Filter, Any]]) -> int:
        await self._called("update_where_each")
        matched = sum(self._update_where(where, update) for where, update in updates)
        await self._written("update_where_each")
        return matched

    async def count(self, filter: Filter) -> int:
        await self._called("count")
        return sum(matches(d, filter) for d in self.documents.values())

    async def create_index(self, keys: Sequence[tuple[str, int]], **options: Any) -> None:
        if (keys, options) not in self.indexes:
            self.indexes.append((keys, options))

    async def _called(self, method: str) -> None:
        self.calls[method] += 1
        if self.before:
            await self.before(method)

    async def _written(self, method: str) -> None:
        if self.after_write:
            await self.after_write(method)

    def _update_where(self, filter: Filter, update: Any) -> int:
        found = [d for d in self.documents.values() if matches(d, filter)]
        for document in found:
            self._store(piped(document, update) if isinstance(update, list) else updated(document, update))
        return len(found)

    def _insert(self, document: Document) -> bool:
        if document["_id"] in self.documents:
            return False
        self._store(document)
        return True

    def _guarded(self, guarded: Guarded) -> bool:
        document = self.documents.get(guarded.id)
        if document is None or document.get("version") != guarded.version:
            return False
        self._store(updated(document, guarded.update))
        return True

    def _store(self, document: Document) -> None:
        clean = _copy(document)
        for keys, options in self.indexes:
            if options.get("unique"):
                fields = [k for k, _ in keys]
                if not options.get("sparse") or any(values_at(clean, k) for k in fields):
                    self._check_unique(clean, fields, options.get("partialFilterExpression", {}))
        self.documents[clean["_id"]] = clean

    def _check_unique(self, document: Document, keys: list[str], only: Filter) -> None:
        if not matches(document, only):
            return
        for other in self.documents.values():
            if other["_id"] == document["_id"] or not matches(other, only):
                continue
            if all(values_at(other, k) == values_at(document, k) for k in keys):
                raise UniqueIndexTaken(", ".join(keys))


def _outcome(write: Callable[[Any], bool], what: Any) -> bool | Exception:
    try:
        return write(what)
    except (UniqueIndexTaken, *UNSTORABLE) as error:
        return error


class MemoryStore:
    """A Store: collections by name."""

    def __init__(self) -> None:
        self.collections: dict[str, MemoryCollection] = {}

    def collection(self, name: str) -> MemoryCollection:
        return self.collections.setdefault(name, MemoryCollection())

    async def ping(self) -> None:
        return None

    async def close(self) -> None:
        return None


def store_fault(text: str = "made up by a test") -> StoreError:
    """What a lost connection raises."""
    return StoreError(text)
