"""The planner in a process of its own: a long computation never holds up the service, and a crash of it is asked again."""

import asyncio
import logging
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass, field
from typing import Protocol

from services.scheduling.metrics import PLANNER_CRASHES, PLANNER_SECONDS, PLANS_REFUSED
from services.scheduling.planner import process
from services.scheduling.planner.questions import Answer, BadPlan, Question, solve

log = logging.getLogger(__name__)


class PlannerDied(RuntimeError):
    """The planner's process died of a question twice."""


class Solver(Protocol):
    """Makes plans."""

    async def start(self) -> None:
        """Get ready, so that the first question does not wait."""

    async def plan(self, question: Question) -> Answer:
        """Raises BadPlan; PlannerDied; and what the planner raises."""


class Inline:
    """A solver in the caller's own process, for tests and tools."""

    async def start(self) -> None:
        """See `Solver`."""

    async def plan(self, question: Question) -> Answer:
        """See `Solver`."""
        return solve(question)


@dataclass(slots=True)
class Worker:
    """A solver in a process of its own, which ends with this one: its standard input closes then."""

    _process: Process | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        """Start the process; returns when it has compiled, so that no question waits for that."""
        async with self._lock:
            await self._started()

    async def plan(self, question: Question) -> Answer:
        """See `Solver`."""
        async with self._lock:
            with PLANNER_SECONDS.labels("plan").time():
                try:
                    answer = await self._ask(question)
                except (EOFError, OSError):
                    PLANNER_CRASHES.inc()
                    log.warning("the planner's process died; asked again")
                    answer = await self._again(question)
        if isinstance(answer, BadPlan):
            PLANS_REFUSED.inc()
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Answer)
        return answer

    async def stop(self) -> None:
        """End the process."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._process = None

    async def _again(self, question: Question) -> object:
        try:
            return await self._ask(question)
        except (EOFError, OSError) as error:
            PLANNER_CRASHES.inc()
            raise PlannerDied from error

    async def _ask(self, question: Question) -> object:
        running = await self._started()
        try:
            assert running.stdin is not None
            running.stdin.write(process.pack(question))
            await running.stdin.drain()
            return await _answer(running)
        except BaseException:  # also where the caller is cancelled: its answer must not be taken for the next one's
            await self.stop()
            raise

    async def _started(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            argv = (sys.executable, "-m", process.__name__)
            self._process = await asyncio.create_subprocess_exec(*argv, stdin=PIPE, stdout=PIPE)
            await _answer(self._process)
        return self._process


async def _answer(running: Process) -> object:
    """The next message of the process. Raises EOFError where it died."""
    assert running.stdout is not None
    head = await running.stdout.readexactly(process.LENGTH)
    return process.unpack(await running.stdout.readexactly(int.from_bytes(head, "big")))
