"""Apply pure transitions to many documents of a collection at once: one read, one guarded bulk, and again for what lost."""

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from pelangi.chassis.case import Change, stub
from pelangi.chassis.clock import Clock
from pelangi.chassis.metrics import COLLISIONS
from pelangi.chassis.store import Collection

D = TypeVar("D", bound=Mapping[str, Any])
MAX_TRIES = 40


class Contention(RuntimeError):
    """The same documents were lost again and again; the leader's next round tries anew."""


async def fold(
    collection: Collection,
    transitions: Mapping[str, Callable[[D], D]],
    *,
    clock: Clock,
    known: Mapping[str, D] | None = None,
    create: bool = False,
    trace: Callable[[D], str] = lambda _: "",
) -> dict[str, D]:
    """The documents after their transitions, as written. `known`: as read before, to spare the first read.

    A transition returns its argument where it does not apply; that is also how it finds its own mark after a write whose
    result is not known. Unknown ids are skipped, or begun with a stub where `create`.
    """
    for attempt in range(MAX_TRIES):
        if attempt:
            COLLISIONS.inc()
            await asyncio.sleep(random.uniform(0.005, 0.1))  # noqa: S311 - spreads retries
        documents = known if known is not None else await collection.get_many(list(transitions))
        known = None
        changes = _changes(cast(Mapping[str, D], documents), transitions, clock, create, trace)
        if await _write(collection, changes):
            return {key: cast(D, change.after) for key, change in changes.items()}
    raise Contention(f"{len(transitions)} documents")


def _changes(
    documents: Mapping[str, D], transitions: Mapping[str, Callable[[D], D]], clock: Clock, create: bool, trace: Callable[[D], str]
) -> dict[str, Change[Any]]:
    changes: dict[str, Change[Any]] = {}
    for key, transition in transitions.items():
        before: Any = documents.get(key)
        if before is None and not create:
            continue
        start: Any = before if before is not None else stub(key)
        change: Change[Any] = Change(before, start)
        change.advance(cast(Any, transition(start)), wall=clock.wall(), traceparent=trace(start))
        changes[key] = change
    return changes


async def _write(collection: Collection, changes: Mapping[str, Change[Any]]) -> bool:
    """Whether every change was applied; at most two commands."""
    moved = [c for c in changes.values() if c.after["version"] and c.changed]
    new = [c.document() for c in moved if c.before is None]
    updates = [c.update() for c in moved if c.before is not None]
    clean = await collection.insert_many(new) if new else True
    if updates:
        clean = await collection.update_many_guarded(updates) and clean
    return clean
