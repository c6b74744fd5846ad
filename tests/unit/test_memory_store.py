"""The collection in memory behaves as the server's where a fault test depends on it."""

import asyncio

import pytest

from pelangi.chassis.store import UniqueIndexTaken
from tests.support.memory_store import MemoryCollection


def test_an_unordered_bulk_goes_on_behind_a_taken_index() -> None:
    async def run() -> MemoryCollection:
        collection = MemoryCollection()
        await collection.create_index([("code", 1)], unique=True)
        await collection.insert({"_id": "a", "code": 1})
        with pytest.raises(UniqueIndexTaken):
            await collection.insert_many([{"_id": "b", "code": 1}, {"_id": "c", "code": 2}])
        return collection

    assert set(asyncio.run(run()).documents) == {"a", "c"}


def test_an_index_made_twice_is_there_once() -> None:
    async def run() -> MemoryCollection:
        collection = MemoryCollection()
        for options in ({"unique": True}, {"unique": True}, {"unique": True, "sparse": True}):
            await collection.create_index([("code", 1)], **options)
        return collection

    assert len(asyncio.run(run()).indexes) == 2
