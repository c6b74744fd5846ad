"""A request closed as the duplicate of another: two documents change, one after the other, and nothing is lost in between.

The duplicate closes in a write of its own. Then its original learns of the second requester: begun by the caller, finished by the
leader from the index of `to_join_since`, once per duplicate.

Two officers may close two requests as duplicates of each other at the same moment; both persons would wait for ever. So each
call first writes where it is heading, then looks at the other, and closes only if it found the other standing still and is itself
still the one who is heading. Of any circle of calls, one sees another's heading and takes it away: that one has to begin again,
and then finds a duplicate.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

from pelangi.chassis.case import Change
from pelangi.chassis.clock import Clock
from pelangi.chassis.crash import crash_point
from pelangi.chassis.ids import random_claim
from pelangi.chassis.metrics import COLLISIONS
from pelangi.chassis.service import Runtime
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import Collection
from pelangi.chassis.web import FieldError, Problem, invalid
from pelangi.contracts.request import RequestBody
from services.intake import life, rules, store
from services.intake.model import Case, is_open

MAX_TRIES = 20
MAX_HOPS = 10
R = TypeVar("R")


class Overtaken(Exception):
    """Somebody took our heading away: look at the other request again."""


async def change(cases: Collection, request_id: str, transition: Callable[[Case], Case], clock: Clock) -> Case | None:
    """The request after a pure transition, which returns its argument where it does not apply; None where there is none."""
    for attempt in range(MAX_TRIES):
        if attempt:
            COLLISIONS.inc()
            await _pause()
        known = await cases.get(request_id)
        if known is None:
            return None
        case = cast(Case, known)
        changed: Change[Case] = Change(case, case)
        changed.advance(transition(case), wall=clock.wall())
        if not changed.changed or await cases.update(changed.update()):
            return changed.after
    raise Problem(503, "contention", "Coba lagi sebentar. / Try again shortly.")


async def _pause() -> None:
    await asyncio.sleep(random.uniform(0.005, 0.1))  # noqa: S311 - spreads retries


def head(case: Case, to: str, claim: str) -> Case:
    """It is about to be closed as a duplicate."""
    return cast(Case, {**case, "heading": {"to": to, "claim": claim}}) if is_open(case) else case


def stand_still(case: Case) -> Case:
    """It goes nowhere for now: whoever was about to close it as a duplicate has to look again."""
    return cast(Case, {k: v for k, v in case.items() if k != "heading"}) if "heading" in case else case


def require_heading(case: Case, claim: str) -> None:
    """Raises Overtaken where our heading was taken away or another's is written over it."""
    if case.get("heading", {}).get("claim") != claim:
        raise Overtaken


def require_original(case: Case, other: Case | None) -> None:
    """Raises Problem 422 where a request cannot be closed as a duplicate of the other."""
    if other is None or "body" not in other:
        raise _refused("unknown_request", "Permohonan itu tidak ada. / There is no such request.")
    if other["_id"] == case["_id"]:
        raise _refused("same_request", "Itu permohonan ini juga. / It is this request itself.")
    if "duplicate_of" in other:
        raise _refused("is_duplicate", "Permohonan itu sudah digabung ke yang lain. / That request is a duplicate itself.")


def _refused(code: str, detail: str) -> Problem:
    return invalid([FieldError("#/request_id", code, detail)])


@dataclass(frozen=True, slots=True)
class Joiner:
    """Makes originals learn of their duplicates."""

    cases: Collection
    clock: Clock
    written: Signal

    @classmethod
    def of(cls, runtime: Runtime) -> "Joiner":
        return cls(runtime.cases, runtime.clock, runtime.written)

    async def face(self, case: Case, other_id: str) -> tuple[str, Case | None]:
        """Head for the other request: our claim, and the other as it stood still after that."""
        claim = random_claim()
        if other_id == case["_id"] or not is_open(case):
            return claim, case
        await change(self.cases, case["_id"], partial(head, to=other_id, claim=claim), self.clock)
        crash_point("duplicate.after-heading")
        return claim, await change(self.cases, other_id, stand_still, self.clock)

    async def join(self, duplicate: Case) -> None:
        """The original learns; then the duplicate knows that it did. Twice is as once."""
        learn = partial(life.learn, others=life.passed_on(duplicate), now=self.clock.now())
        await change(self.cases, duplicate["duplicate_of"], learn, self.clock)
        crash_point("duplicate.after-learning")
        await change(self.cases, duplicate["_id"], partial(life.joined, seen=duplicate["version"]), self.clock)
        self.written.set()

    async def all(self) -> None:
        """Finish what callers and dead processes left."""
        for duplicate in await store.to_join(self.cases):
            await self.join(cast(Case, duplicate))


async def original(cases: Collection, case: Case) -> Case:
    """The request that goes on in the place of this one; itself where it is no duplicate, or the other is confidential."""
    for _ in range(MAX_HOPS):
        if "duplicate_of" not in case:
            break
        other = cast(Any, await cases.get(case["duplicate_of"]))
        if other is None or "body" not in other or rules.is_confidential(RequestBody.model_validate(other["body"])):
            break
        case = other
    return case


async def overtaking(call: Callable[[], Awaitable[R]]) -> R:
    """The result of a call that begins again where it was overtaken. Raises Problem 503 where that happens too often."""
    for attempt in range(MAX_TRIES):
        if attempt:
            await _pause()
        try:
            return await call()
        except Overtaken:
            COLLISIONS.inc()
    raise Problem(503, "contention", "Coba lagi sebentar. / Try again shortly.")
