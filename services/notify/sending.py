"""Claim, call, record: how each message reaches its provider once (ARCHITECTURE.md §2, External sends).

One pass: find what is due, decide and claim in one bulk of guarded writes, call the providers, record in another bulk. Only
the holder of the claim that is stored calls, and looks at its time limit just before. What is claimed and never recorded is
asked about; it is never sent again blindly.

Every pass moves on every case that it found: one that a bug of ours stands in the way of is put off. So no case holds up those
behind it, and what became of one call is recorded whatever the others end in.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeGuard

from pelangi.chassis.case import Change
from pelangi.chassis.clock import Clock, local_date
from pelangi.chassis.crash import crash_point
from pelangi.chassis.ids import random_claim
from pelangi.chassis.sabotage import sabotaged
from pelangi.chassis.store import Collection, StoreError
from services.notify import delivery, rows
from services.notify.channels import Accepted, CannotAskNow, Channel, Message, Result, Retry, Unknown
from services.notify.messages import Drop, Tell, decide
from services.notify.metrics import PUT_OFF, SEND_SECONDS, count_changes, observe_due
from services.notify.model import Case, expire, put_off
from services.notify.store import due_cases
from services.notify.texts import Writer

log = logging.getLogger(__name__)

Edit = Callable[[Case], Case]
"""A pure change of a case that may be tried again on a newer one; the same object where there is nothing (left) to do."""

MAX_WRITES = 20
PUT_OFF_S = 60.0
"""Pause of a case that cannot be worked on; a release with the bug out of it is not waited for longer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one pass may do.

    start_s: a call begins at most so long after its claim. claim_s: from then on others ask what became of a claim; longer
    than start_s and the longest call together, with room for a process that was stopped in between.
    """

    start_s: float = 5.0
    claim_s: float = 30.0
    cases: int = 100
    at_once: int = 20


@dataclass(frozen=True, slots=True)
class Step:
    """What to do about a case now: `after` its expiries and perhaps a claim; then `tell` it, or ask about it, or nothing."""

    before: Case
    after: Case
    key: str = ""
    claim: str = ""
    tell: Tell | None = None


@dataclass(slots=True)
class Sender:
    """The leader's work on messages. `channels`: the adapter of each way of telling; VIA_KELURAHAN must be among them."""

    cases: Collection
    clock: Clock
    channels: Mapping[str, Channel]
    writer: Writer
    limits: Limits = Limits()
    _gate: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._gate = asyncio.Semaphore(self.limits.at_once)

    async def work(self) -> None:
        """Tell everything that is due."""
        while await self.once():
            pass

    async def once(self) -> bool:
        """One pass over at most `limits.cases` cases; whether anything was done. One find and two bulks when nothing collides."""
        wall, started = self.clock.wall(), time.monotonic()
        found = list(await due_cases(self.cases, wall, self.limits.cases))
        observe_due(found, wall)
        steps = [self._guarded_step(case, wall) for case in found]
        claimed = await self._claim(steps)
        if any(step.tell for step in claimed):
            crash_point("send.after-claim")
        calls = (self._end(step, started + self.limits.start_s) for step in claimed)
        ends = await asyncio.gather(*calls, return_exceptions=True)
        results = zip(claimed, ends, strict=True)
        await self._record({step.after["_id"]: (step.after, self._edit(end)) for step, end in results})
        for end in ends:
            if _ends_the_process(end):
                raise end
        return any(step.key or step.after is not step.before for step in steps)

    def _guarded_step(self, case: Case, wall: datetime) -> Step:
        """A bug of ours about one case must not stop the others, nor fill the pages that are found after this one."""
        try:
            step = self._step(case, wall)
        except Exception as error:  # noqa: BLE001 - see above
            return Step(case, self._put_off(case, "no decision", error))
        return step if step.key or step.after is not case else Step(case, self._put_off(case, "nothing to decide"))

    def _put_off(self, case: Case, what: str, error: BaseException | None = None) -> Case:
        """Leave a case alone for a while; it shows in the log and in its own metric."""
        log.error(what, extra={"request_id": case["_id"], "error": type(error).__name__ if error else ""})
        PUT_OFF.inc()
        return put_off(case, self.clock.wall() + timedelta(seconds=PUT_OFF_S))

    def _step(self, case: Case, wall: datetime) -> Step:
        """Expire what is not to be told any more, up to the first message to tell or to ask about."""
        today, after = local_date(self.clock.now()), case
        while turn := rows.first_open(after["messages"]):
            key, row = turn
            if after.get("due_since", wall + timedelta(1)) > wall:
                break
            if row["state"] != rows.PENDING:
                return Step(case, after, key, row["claim"])
            verdict = decide(after, row, today=today, channels=self.channels.keys())
            if isinstance(verdict, Tell):
                claim = random_claim()
                until = wall + timedelta(seconds=self.limits.claim_s)
                return Step(case, delivery.claim(after, key, verdict, claim, until), key, claim, verdict)
            assert isinstance(verdict, Drop)
            after = expire(after, key, verdict.reason)
        return Step(case, after)

    async def _claim(self, steps: Sequence[Step]) -> list[Step]:
        """The steps that are ours to go on with. A short count says nothing about one: re-read and look for our own claims."""
        wall = self.clock.wall()
        changes = {s.before["_id"]: _change(s.before, s.after, wall) for s in steps if s.after is not s.before}
        known: Mapping[str, Case] = {id_: change.after for id_, change in changes.items()}
        if changes and not await self._written(list(changes.values())):
            known = await self.cases.get_many(list(changes))  # type: ignore[assignment]  # documents of this collection are cases
        return [
            replace(step, after=known.get(step.before["_id"], step.after))
            for step in steps
            if step.key and (step.before["_id"] not in changes or _went_through(known, step))
        ]

    async def _written(self, changes: Sequence[Change[Case]]) -> bool:
        """Whether all are surely written; False where one lost or nobody knows."""
        try:
            if not await self.cases.update_many_guarded([change.update() for change in changes]):
                return False
        except StoreError as error:
            log.warning("write of messages in doubt", extra={"error": type(error).__name__})
            return False
        for change in changes:
            assert change.before is not None
            count_changes(change.before, change.after)
        return True

    async def _end(self, step: Step, not_after: float) -> Edit:
        """Do what the step says; what it means for the row."""
        key, claim = step.key, step.claim
        async with self._gate:
            if step.tell is None:
                return await self._ask(step)
            result = await self._call(step, step.tell, not_after)
        wall = self.clock.wall()
        return lambda case: delivery.record(case, key, claim, result, wall)

    def _edit(self, end: Edit | BaseException) -> Edit:
        """What a call came back with; where it broke, its claim stays to be asked about, but not at once."""
        if not isinstance(end, BaseException):
            return end
        if _ends_the_process(end):
            return lambda case: case
        return lambda case: self._put_off(case, "call broke", end)

    async def _call(self, step: Step, tell: Tell, not_after: float) -> Result:
        row = step.after["messages"][step.key]
        started = time.monotonic()
        if started > not_after:
            return Retry(0, "LATE")
        try:
            mail = self.writer.write(step.after, row, tell)
            message = Message(mail.address, mail.subject, mail.text, not_after)
            result = await self.channels[tell.channel].send(message, row["message_id"])
            if isinstance(result, Accepted) and sabotaged("double-message"):
                await self.channels[tell.channel].send(message, row["message_id"])
        except Exception as error:  # noqa: BLE001 - a bug of ours in one message must not lose what became of the others
            log.error("call failed", extra={"request_id": step.after["_id"], "error": type(error).__name__})
            result = Unknown("BUG")
        SEND_SECONDS.labels(tell.channel, type(result).__name__.lower()).observe(time.monotonic() - started)
        if isinstance(result, Accepted):
            crash_point("send.after-accepted")
        else:
            log.warning("not sent", extra={"message_id": row["message_id"], "reason": result.reason})
        return result

    async def _ask(self, step: Step) -> Edit:
        """A claim whose end nobody recorded: ask the provider."""
        key, claim = step.key, step.claim
        row = step.after["messages"][key]
        try:
            present = await self.channels[row["channel"]].find(row["message_id"])
        except Exception as error:  # noqa: BLE001 - a bug of ours in one question must not lose what became of the others
            if not isinstance(error, CannotAskNow):
                log.error("question failed", extra={"request_id": step.after["_id"], "error": type(error).__name__})
            wall = self.clock.wall()
            return lambda case: delivery.no_answer(case, key, claim, wall)
        wall = self.clock.wall()
        log.info("asked", extra={"message_id": row["message_id"], "present": present})
        return lambda case: delivery.resolve(case, key, claim, present, wall)

    async def _record(self, ends: Mapping[str, tuple[Case, Edit]]) -> None:
        """Write what became of the calls; what lost a race is read and edited again until nothing is left to write."""
        known = {id_: case for id_, (case, _) in ends.items()}
        for attempt in range(MAX_WRITES):
            wall = self.clock.wall()
            edited = [(case, self._edited(case, ends[id_][1])) for id_, case in known.items()]
            changes = [_change(before, after, wall) for before, after in edited if after is not before]
            if not changes or await self._written(changes):
                return
            await asyncio.sleep(random.uniform(0.005, 0.1) * min(attempt + 1, 10))  # noqa: S311 - spreads retries
            known = await self._read(known)
        log.error("results not recorded; they will be asked for", extra={"cases": len(known)})

    def _edited(self, case: Case, edit: Edit) -> Case:
        """A bug of ours about one result must not lose the others."""
        try:
            return edit(case)
        except Exception as error:  # noqa: BLE001 - see above
            return self._put_off(case, "result not understood", error)

    async def _read(self, known: Mapping[str, Case]) -> dict[str, Case]:
        try:
            return await self.cases.get_many(list(known))  # type: ignore[return-value]  # documents of this collection are cases
        except StoreError:
            return dict(known)


def _ends_the_process(end: object) -> TypeGuard[BaseException]:
    """Whether it is to be passed on. A cancelled call is not: when the pass itself is cancelled, it never gets here."""
    return isinstance(end, BaseException) and not isinstance(end, Exception | asyncio.CancelledError)


def _change(before: Case, after: Case, wall: datetime) -> Change[Case]:
    change = Change(before, before)
    change.advance(after, wall=wall)
    return change


def _went_through(known: Mapping[str, Case], step: Step) -> bool:
    """Whether our own mark is on the row. A step that only asks changes nothing of its row, so it needs no mark."""
    case = known.get(step.before["_id"])
    return case is not None and (step.tell is None or delivery.holds(case, step.key, step.claim))
