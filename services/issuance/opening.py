"""Opens the documents of new items. The leader does it: an id must be random (UUIDv7), and a fact's handler draws nothing."""

from collections.abc import Callable

from pelangi.chassis.case import Change
from pelangi.chassis.ids import random_id
from pelangi.chassis.service import Runtime, Timer
from services.issuance.case import Case
from services.issuance.metrics import count
from services.issuance.model import open_documents
from services.issuance.store import to_open

CASES_PER_RUN = 500
EVERY_S = 1.0
"""How often cases written by another replica are looked for; our own writes wake the timer at once."""


def opening(runtime: Runtime) -> Timer:
    """The timer that opens documents."""

    async def work() -> None:
        while await open_once(runtime, random_id) == CASES_PER_RUN:
            pass

    return Timer("open-documents", EVERY_S, work)


async def open_once(runtime: Runtime, draw: Callable[[], str]) -> int:
    """Open the documents of what waits now, in one bulk; how many cases that were.

    A case that moved on meanwhile is left to the next run: it still waits. Raises StoreError.
    """
    changes = []
    now, wall = runtime.clock.now(), runtime.clock.wall()
    for case in await to_open(runtime.cases, CASES_PER_RUN):
        change: Change[Case] = Change(case, case)
        change.advance(open_documents(case, draw, now), wall=wall)
        if change.changed:
            changes.append(change)
    if not changes or not await runtime.cases.update_many_guarded([c.update() for c in changes]):
        return 0
    for change in changes:
        count(change.before, change.after)
    return len(changes)
