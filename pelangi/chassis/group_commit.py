"""Calls that come at the same time share one command: a round trip to the database costs more than what it carries.

One group of a kind is in flight at a time; whoever comes meanwhile goes with the next one, so nobody waits for company. Each
caller gets the outcome of its own operation, whatever became of its neighbours'.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from copy import deepcopy
from typing import Any, Generic, TypeVar

from pelangi.chassis.store import Collection, Document, Guarded

MAX_GROUP = 500

A = TypeVar("A")
R = TypeVar("R")


class Groups(Generic[A, R]):
    """One kind of call. together: the outcomes of a group, in its order; an exception among them is for that caller only.

    What `together` raises is raised to every caller of the group. apart: two calls of equal `apart` never share a group.
    """

    def __init__(
        self, together: Callable[[Sequence[A]], Awaitable[Sequence[R | Exception]]], apart: Callable[[A], Hashable] | None = None
    ) -> None:
        self._together, self._apart = together, apart
        self._waiting: list[tuple[A, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None

    async def call(self, argument: A) -> R:
        """The outcome of this call. A caller that is cancelled leaves its group as it is."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[R] = loop.create_future()
        self._waiting.append((argument, outcome))
        if self._task is None:
            self._task = loop.create_task(self._work())
        return await outcome

    async def _work(self) -> None:
        try:
            while group := self._next():
                await self._settle(group)
        finally:
            self._task = None

    def _next(self) -> list[tuple[A, asyncio.Future[R]]]:
        """Who goes now. Who has given up before it was asked for is left out."""
        waiting = [(argument, outcome) for argument, outcome in self._waiting if not outcome.done()]
        group: list[tuple[A, asyncio.Future[R]]] = []
        rest: list[tuple[A, asyncio.Future[R]]] = []
        seen: set[Hashable] = set()
        for argument, outcome in waiting:
            mark = self._apart(argument) if self._apart else None
            if len(group) == MAX_GROUP or (mark is not None and mark in seen):
                rest.append((argument, outcome))
            else:
                seen.add(mark)
                group.append((argument, outcome))
        self._waiting = rest
        return group

    async def _settle(self, group: Sequence[tuple[A, asyncio.Future[R]]]) -> None:
        try:
            outcomes: Sequence[R | Exception] = await self._together([argument for argument, _ in group])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is every caller's
            outcomes = [error] * len(group)
        except BaseException:  # the loop ends
            for _, future in (*group, *self._waiting):
                future.cancel()
            raise
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if future.done():  # its caller was cancelled
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


class GroupCommit:
    """A Collection whose concurrent `get`, `insert` and `update` share commands; everything else goes through as it is.

    For `commands.execute`, which looks for its own mark: here a False of `update` means "not known to be applied".
    """

    def __init__(self, inner: Collection) -> None:
        self._inner = inner
        self._gets: Groups[str, Document | None] = Groups(self._get_together)
        self._inserts: Groups[Document, bool] = Groups(inner.insert_each)
        self._updates: Groups[Guarded, bool] = Groups(inner.update_each, apart=lambda guarded: guarded.id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def get(self, id: str) -> Document | None:
        """As `Collection.get`; read after this was called."""
        return await self._gets.call(id)

    async def insert(self, document: Document) -> bool:
        """As `Collection.insert`."""
        return await self._inserts.call(document)

    async def update(self, guarded: Guarded) -> bool:
        """Whether it is known to be applied. After a False the caller reads again and looks for its own mark."""
        return await self._updates.call(guarded)

    async def _get_together(self, ids: Sequence[str]) -> Sequence[Document | None]:
        """Each id is asked for once; each caller has a document of its own."""
        found = await self._inner.get_many(list(dict.fromkeys(ids)))
        given: list[Document | None] = []
        seen: set[str] = set()
        for one in ids:
            given.append(deepcopy(found.get(one)) if one in seen else found.get(one))
            seen.add(one)
        return given
