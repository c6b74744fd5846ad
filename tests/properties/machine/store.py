"""A process's view of a service's database: every call takes a while, can be cut off on both ways, and can fail on both sides."""

from collections.abc import Callable
from typing import Any

from pelangi.chassis.store import StoreError
from tests.properties.machine.tally import TALLY
from tests.support.memory_store import MemoryCollection, MemoryStore

WRITES = frozenset({"insert", "insert_many", "insert_each", "update", "update_many_guarded", "update_each", "update_where"})
BULKS = frozenset({"insert_many", "insert_each", "update_many_guarded", "update_each"})


class StoreView:
    """A Store."""

    def __init__(self, inner: MemoryStore, process: Any) -> None:
        self._inner, self._process = inner, process

    def collection(self, name: str) -> Any:
        return CollectionView(self._inner.collection(name), self._process)

    async def ping(self) -> None:
        await self._process.io()

    async def close(self) -> None:
        return None


class CollectionView:
    """A Collection. What fails may have been done, not done, or — of an unordered bulk — done in part."""

    def __init__(self, inner: MemoryCollection, process: Any) -> None:
        self._inner, self._process = inner, process

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)

        async def work(*args: Any, **options: Any) -> Any:
            await self._process.io()
            if not self._process.world.fails():
                answer = await call(*args, **options)
                if name in WRITES and (answer is False or (name.endswith("_each") and False in answer)):
                    TALLY["lost race"] += 1
                await self._process.io()
                return answer
            if name in WRITES:
                TALLY["unknown outcome"] += 1
                await self._partly(name, call, *args, **options)
            await self._process.io()
            raise StoreError("cut off")

        return work

    async def _partly(self, name: str, call: Callable[..., Any], *args: Any, **options: Any) -> None:
        """Some of what was asked for, before the answer was lost."""
        rng = self._process.rng
        if name in BULKS:
            args = ([one for one in args[0] if rng.random() < 0.5], *args[1:])
        elif rng.random() < 0.5:
            return
        await call(*args, **options)
