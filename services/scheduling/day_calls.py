"""Calls on visits of one day go together: one read and one guarded write of the day for all that came while the last was written.

A day holds all its visits, so that each call alone would read and write them all. Whoever is next takes everybody's along; each
gets the answer of its own call, whatever became of the others.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pelangi.chassis.case import Change
from pelangi.chassis.commands import MAX_TRIES, Answer, Command, recall, remember
from pelangi.chassis.crash import crash_point
from pelangi.chassis.locks import Locks
from pelangi.chassis.store import Document, StoreError
from pelangi.chassis.web import Problem, not_found
from services.scheduling import lifecycle
from services.scheduling.day import Day
from services.scheduling.spreading import Spreader


@dataclass(slots=True)
class Call:
    """One call on a visit, and what came of it: an answer, or why not."""

    visit_id: str
    command: Command
    transition: Callable[[Day], Day]
    answer: Answer | None = None
    refusal: Exception | None = None

    @property
    def over(self) -> bool:
        """Whether somebody took it along already."""
        return self.answer is not None or self.refusal is not None


@dataclass(slots=True)
class DayCalls:
    """The calls of this process, by day."""

    spreader: Spreader
    _locks: Locks = field(default_factory=Locks)
    _waiting: dict[str, list[Call]] = field(default_factory=dict)

    async def run(self, date: str, call: Call) -> Answer:
        """The answer of a call on a visit of that day, applied exactly once; its members' cases follow before it returns.

        Raises Problem as `commands.execute` does.
        """
        self._waiting.setdefault(date, []).append(call)
        async with self._locks(date):
            if not call.over:
                others = self._waiting.pop(date, [])
                await self._together(date, [call, *(c for c in others if c is not call and not c.over)])
        if call.refusal is not None:
            raise call.refusal
        assert call.answer is not None
        return call.answer

    async def _together(self, date: str, calls: Sequence[Call]) -> None:
        day = await self._write(date, calls)
        crash_point("visit.after-day")
        if day is not None:
            await self.spreader.begin(day, list(dict.fromkeys(c.visit_id for c in calls)))

    async def _write(self, date: str, calls: Sequence[Call]) -> Day | None:
        """The day after all calls, as written or found so; None where there is none any more."""
        failure: Exception | None = None
        for attempt in range(MAX_TRIES):
            if attempt:
                await asyncio.sleep(random.uniform(0.005, 0.1))  # noqa: S311 - spreads retries
            day = cast(Day | None, await self.spreader.days.get(date))
            if day is None:
                break
            change: Change[Any] = Change(cast(Any, day), cast(Any, day))
            results = [self._apply(change, call) for call in calls]
            if change.changed and failure is not None and attempt > 2:
                raise failure
            try:
                written = not change.changed or await self.spreader.days.update(change.update())
            except StoreError as error:  # the write may or may not have happened: look for our own marks
                failure = error
                continue
            if written:
                for call, result in zip(calls, results, strict=True):
                    _settle(call, result)
                return cast(Day, change.after)
        refusal = not_found() if day is None else Problem(503, "contention", "Coba lagi sebentar. / Try again shortly.")
        for call in calls:
            call.refusal = refusal
        return None

    def _apply(self, change: Change[Any], call: Call) -> Answer | Exception:
        """Put one call into the change; its answer, given before or now, or why it is not possible."""
        ledger = lifecycle.ledger(call.visit_id)
        try:
            if (given := recall(change.after, call.command, ledger)) is not None:
                return given
            after = call.transition(change.after)
            told = Answer.of(200, lifecycle.answer(after, call.visit_id))
            answer = Answer(told.status, told.body, change.after["version"] + 1, told.location)
            noted = remember(cast(Document, after), call.command, answer, ledger)
            change.advance(noted, wall=self.spreader.clock.wall())
        except Exception as error:  # noqa: BLE001 - what is wrong with one call is raised to its caller alone
            return error
        return answer


def _settle(call: Call, result: Answer | Exception) -> None:
    if isinstance(result, Answer):
        call.answer = result
    else:
        call.refusal = result
