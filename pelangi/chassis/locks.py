"""Locks by name inside one process: spare writers of the same document the guarded writes they would lose to each other.

Only for speed. Correctness is the guard's, which other processes are held to as well.
"""

import asyncio
from weakref import WeakValueDictionary


class Locks:
    """`async with locks("2026-11-26"):` one at a time per name; a name nobody holds costs nothing."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def __call__(self, name: str) -> asyncio.Lock:
        """The lock of this name."""
        return self._locks.setdefault(name, asyncio.Lock())
