"""The store: a narrow view of a MongoDB collection. The only module that knows a driver (motor, or PyMongo's own asyncio).

Every write is acknowledged by a majority and journalled, every read is of majority-committed data: without both, a reader
can take an unreplicated write as done, commit its offset, and a failover rolls the write back.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import bson
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient, UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError, DocumentTooLarge, DuplicateKeyError, OperationFailure, PyMongoError
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from pelangi.chassis.metrics import DATABASE_COMMANDS

Document = dict[str, Any]
Filter = Mapping[str, Any]
StoreError = PyMongoError
"""Anything that went wrong between us and the database: infrastructure, to be retried."""

UNSTORABLE = (BSONError, OverflowError, UnicodeError)
"""What a driver raises for a document that no database takes; sending it again would not help."""

DUPLICATE_KEY = 11000
TOO_LARGE = frozenset({10334, 17419, 17420})
MAX_DOCUMENT_BYTES = 15 * 1024 * 1024
"""The database's 16 MiB less some room for the events in it."""


class UniqueIndexTaken(Exception):
    """A unique index other than `_id` refused a write. Names the fields only: the server's text echoes values."""


OPTIONS: CodecOptions[Any] = CodecOptions(tz_aware=True, uuid_representation=UuidRepresentation.STANDARD)


def require_storable(document: Mapping[str, Any]) -> bytes:
    """The document as BSON. Raises one of `UNSTORABLE` for one that the database would refuse."""
    encoded = bson.encode(document, codec_options=OPTIONS)
    if len(encoded) > MAX_DOCUMENT_BYTES:
        raise DocumentTooLarge("over the limit")
    return encoded


Outcome = bool | Exception
"""What became of one of several operations: as the single call would have returned or raised."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """An update of the document `id` that applies only while its version is `version`."""

    id: str
    version: int
    update: Mapping[str, Any]


class Collection(Protocol):
    """What the rest of the system may ask of a collection."""

    async def get(self, id: str) -> Document | None: ...

    async def get_many(self, ids: Sequence[str]) -> dict[str, Document]: ...

    async def find(
        self, filter: Filter, *, sort: Sequence[tuple[str, int]] = (), limit: int = 0, fields: Sequence[str] = ()
    ) -> list[Document]: ...

    async def insert(self, document: Document) -> bool: ...

    async def insert_many(self, documents: Sequence[Document]) -> bool: ...

    async def insert_each(self, documents: Sequence[Document]) -> Sequence[Outcome]: ...

    async def update(self, guarded: Guarded) -> bool: ...

    async def update_many_guarded(self, updates: Sequence[Guarded]) -> bool: ...

    async def update_each(self, updates: Sequence[Guarded]) -> Sequence[Outcome]: ...

    async def update_where(self, filter: Filter, update: Any) -> int: ...

    async def update_where_each(self, updates: Sequence[tuple[Filter, Any]]) -> int: ...

    async def count(self, filter: Filter) -> int: ...

    async def create_index(self, keys: Sequence[tuple[str, int]], **options: Any) -> None: ...


SET: Filter = {"$gt": datetime(1970, 1, 1, tzinfo=UTC)}
"""Of a field that holds a moment: it is there. Not `$exists`: for that the local store goes through all of a sparse index."""


class _Commands(CommandListener):
    """Counts every command by name and result."""

    def started(self, event: CommandStartedEvent) -> None:
        pass

    def succeeded(self, event: CommandSucceededEvent) -> None:
        DATABASE_COMMANDS.labels(event.command_name, "ok").inc()

    def failed(self, event: CommandFailedEvent) -> None:
        DATABASE_COMMANDS.labels(event.command_name, "failed").inc()


class DriverCollection:
    """A Collection over motor or PyMongo's asyncio client, which answer to the same names."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner.with_options(read_concern=ReadConcern("majority"), write_concern=WriteConcern("majority", j=True))

    async def get(self, id: str) -> Document | None:
        """The document, or None."""
        found: Document | None = await self._inner.find_one({"_id": id})
        return found

    async def get_many(self, ids: Sequence[str]) -> dict[str, Document]:
        """Those of the documents that exist, by id; one command."""
        # one more than there are: with its usual 101, or exactly as many, the server waits to be asked for the rest
        cursor = self._inner.find({"_id": {"$in": list(ids)}}).batch_size(len(ids) + 1)
        return {d["_id"]: d for d in await cursor.to_list(None)}

    async def find(
        self, filter: Filter, *, sort: Sequence[tuple[str, int]] = (), limit: int = 0, fields: Sequence[str] = ()
    ) -> list[Document]:
        """Matching documents, whole or only `fields`."""
        cursor = self._inner.find(filter, list(fields) or None)
        if sort:
            cursor = cursor.sort(list(sort))
        if limit:
            cursor = cursor.limit(limit).batch_size(limit)
        found: list[Document] = await cursor.to_list(None)
        return found

    async def insert(self, document: Document) -> bool:
        """Whether it was inserted; False where its `_id` exists. Raises UniqueIndexTaken for another unique index."""
        try:
            await self._inner.insert_one(document)
        except DuplicateKeyError as error:
            _only_on_id(error.details or {})
            return False
        return True

    async def insert_many(self, documents: Sequence[Document]) -> bool:
        """Whether all were inserted; False where an `_id` existed. The others are inserted all the same."""
        try:
            await self._inner.insert_many(list(documents), ordered=False)
        except BulkWriteError as error:
            for _, outcome in _failures(error, range(len(documents))):
                if isinstance(outcome, Exception):
                    raise outcome from None
            return False
        return True

    async def insert_each(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        """What became of each, in order; one that fails takes no other with it. Raises StoreError: known of none."""
        outcomes: list[Outcome] = [True] * len(documents)
        sent: dict[int, RawBSONDocument] = {}
        for at, document in enumerate(documents):
            try:
                sent[at] = RawBSONDocument(require_storable(document))
            except UNSTORABLE as error:
                outcomes[at] = error
        if sent:
            try:
                await self._inner.insert_many(list(sent.values()), ordered=False)
            except BulkWriteError as error:
                for at, failure in _failures(error, list(sent)):
                    outcomes[at] = failure
        return outcomes

    async def update(self, guarded: Guarded) -> bool:
        """Whether the document still had that version, so that the update was applied."""
        try:
            result = await self._inner.update_one({"_id": guarded.id, "version": guarded.version}, guarded.update)
        except DuplicateKeyError as error:
            _only_on_id(error.details or {})
            return False
        return bool(result.matched_count)

    async def update_many_guarded(self, updates: Sequence[Guarded]) -> bool:
        """Whether all were applied; one unordered bulk. A False says nothing about a single one: re-read."""
        operations = [_operation(update) for update in updates]
        try:
            result = await self._inner.bulk_write(operations, ordered=False)
        except BulkWriteError as error:
            for write_error in error.details["writeErrors"]:
                _not_too_large(write_error)
            raise
        return bool(result.matched_count == len(operations))

    async def update_each(self, updates: Sequence[Guarded]) -> Sequence[Outcome]:
        """What is known of each, in order; at most one per `_id`. Raises StoreError: nothing is known of any.

        The server says how many matched, not which: one that did not makes all False, so look for your own mark after a False.
        """
        outcomes: list[Outcome] = [True] * len(updates)
        sent: dict[int, UpdateOne] = {}
        for at, update in enumerate(updates):
            try:
                require_storable(update.update)
                sent[at] = _operation(update)
            except UNSTORABLE as error:
                outcomes[at] = error
        matched, wanted = 0, len(sent)
        if sent:
            try:
                matched = (await self._inner.bulk_write(list(sent.values()), ordered=False)).matched_count
            except BulkWriteError as error:
                for at, failure in _failures(error, list(sent)):
                    outcomes[at] = failure
                    wanted -= 1
                matched = error.details["nMatched"]
        return outcomes if matched == wanted else [False if outcome is True else outcome for outcome in outcomes]

    async def update_where(self, filter: Filter, update: Any) -> int:
        """How many documents matched and were updated by `update`, an update document or a pipeline."""
        result = await self._inner.update_many(filter, update)
        return int(result.matched_count)

    async def update_where_each(self, updates: Sequence[tuple[Filter, Any]]) -> int:
        """The same for several filters, each with its own update, in one command; no document may match two of them."""
        result = await self._inner.bulk_write([UpdateMany(where, update) for where, update in updates], ordered=False)
        return int(result.matched_count)

    async def count(self, filter: Filter) -> int:
        """How many documents match."""
        return int(await self._inner.count_documents(filter))

    async def create_index(self, keys: Sequence[tuple[str, int]], **options: Any) -> None:
        """Make an index if it is not there."""
        await self._inner.create_index(list(keys), **options)


class Store:
    """One service's database."""

    def __init__(self, uri: str, *, driver: str = "motor", listeners: Sequence[CommandListener] = ()) -> None:
        options: dict[str, Any] = {
            "tz_aware": OPTIONS.tz_aware,
            "retryWrites": False,
            "uuidRepresentation": "standard",
            "serverSelectionTimeoutMS": 5000,
            "connectTimeoutMS": 5000,
            "socketTimeoutMS": 30000,
            "event_listeners": [_Commands(), *listeners],
        }
        client: Any = AsyncIOMotorClient(uri, **options) if driver == "motor" else AsyncMongoClient(uri, **options)
        self._client = client
        self._database = client.get_default_database()

    def collection(self, name: str) -> Collection:
        """The collection `name` of this service's database."""
        return DriverCollection(self._database[name])

    async def ping(self) -> None:
        """Raises StoreError unless the database answers and takes writes."""
        hello = await self._database.command("hello")
        if not hello.get("isWritablePrimary"):
            raise StoreError("not a writable primary")

    async def close(self) -> None:
        """Close all connections."""
        closing = self._client.close()
        if closing is not None:
            await closing


def _operation(u: Guarded) -> UpdateOne:
    return UpdateOne({"_id": u.id, "version": u.version}, u.update)


def _failures(error: BulkWriteError, places: Sequence[int]) -> Iterator[tuple[int, Outcome]]:
    """The operations that an unordered bulk refused, each by its own place; all others were done.

    Raises the error itself where a majority did not answer: then it is not known of any.
    """
    if error.details.get("writeConcernErrors"):
        raise error
    for write_error in error.details["writeErrors"]:
        yield places[write_error["index"]], _failure(write_error)


def _failure(error: Mapping[str, Any]) -> Outcome:
    """What the single call would have returned or raised. The server's own text can echo values: it stays here."""
    try:
        _not_too_large(error)
        if error["code"] != DUPLICATE_KEY:
            return OperationFailure("a write was refused", error["code"])
        _only_on_id(error)
    except (DocumentTooLarge, UniqueIndexTaken) as failure:
        return failure
    return False


def _not_too_large(error: Mapping[str, Any]) -> None:
    """Some servers, and updates that grow, say so only in their answer."""
    if error["code"] in TOO_LARGE:
        raise DocumentTooLarge("over the limit") from None


def _only_on_id(error: Mapping[str, Any]) -> None:
    """A duplicate key means "already there" only on `_id`; on another index it would hand out somebody else's answer."""
    fields = list(error.get("keyPattern") or {})
    if fields != ["_id"]:
        raise UniqueIndexTaken(", ".join(fields) or "unknown index") from None


__all__ = ["UNSTORABLE", "Collection", "Document", "Guarded", "Store", "StoreError", "UniqueIndexTaken", "require_storable"]
