"""The planner in a process of its own: a long computation never holds up the service, and a crash of it is a retry.

The process is started again where it died. Its work is pure, so that a question asked twice gets one answer.
"""

import asyncio
import logging
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from services.scheduling.metrics import PLANNER_CRASHES, PLANNER_SECONDS, PLANS_REFUSED
from services.scheduling.planner.engine import warmup
from services.scheduling.planner.explain import Reason, why_not, why_then
from services.scheduling.planner.jobs import Job, Plan, TeamDay
from services.scheduling.planner.solving import Proposal, Proposals, make_plan
from services.scheduling.planner.validator import Violation, validate
from services.scheduling.travel import by_air

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be planned. speed, least: of the travel, see `travel.by_air`. seed: of the engine. per_job: its effort."""

    jobs: Sequence[Job]
    team_days: Sequence[TeamDay]
    speed: float
    least: int
    seed: int = 1
    per_job: int = 50


@dataclass(frozen=True, slots=True)
class Answer:
    """plan: validated. reasons: by job_id of every job that is not locked, why it is nowhere, or on its date and not earlier."""

    plan: Plan
    reasons: dict[str, Reason]


class BadPlan(Exception):
    """The validator refused a plan: it is never published."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(", ".join(sorted({v.rule for v in violations})))


class Solver(Protocol):
    """Answers questions."""

    async def plan(self, question: Question) -> Answer: ...

    async def propose(self, question: Question, job: Job, count: int) -> list[Proposal]: ...


@dataclass(slots=True)
class Worker:
    """A solver in one process of its own; see `Solver`."""

    _pool: Executor | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        """Start the process and compile, so that the first question does not wait for it."""
        await self._run(warmup)

    def stop(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    async def plan(self, question: Question) -> Answer:
        """Raises BadPlan, and BrokenProcessPool where the process died twice."""
        with PLANNER_SECONDS.labels("plan").time():
            answer: Answer = await self._run(solve, question)
        return answer

    async def propose(self, question: Question, job: Job, count: int) -> list[Proposal]:
        """Raises BrokenProcessPool where the process died twice."""
        with PLANNER_SECONDS.labels("propose").time():
            return await self._run(places, question, job, count)

    async def _run(self, function: Callable[..., T], *arguments: object) -> T:
        try:
            return await self._try(function, *arguments)
        except BrokenProcessPool:
            PLANNER_CRASHES.inc()
            log.warning("the planner's process died; asked again")
            self.stop()
            return await self._try(function, *arguments)

    async def _try(self, function: Callable[..., T], *arguments: object) -> T:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)


class Inline:
    """A solver in the caller's own process, for tests and tools; see `Solver`."""

    async def plan(self, question: Question) -> Answer:
        """See `Worker.plan`."""
        return solve(question)

    async def propose(self, question: Question, job: Job, count: int) -> list[Proposal]:
        """See `Worker.propose`."""
        return places(question, job, count)


def solve(question: Question) -> Answer:
    """The plan, looked at again by the validator, with a reason for everybody who may still move. Raises BadPlan."""
    travel = by_air(question.speed, least=question.least)
    plan = make_plan(question.jobs, question.team_days, travel, per_job=question.per_job, seed=question.seed)
    if violations := validate(plan, question.jobs, question.team_days, travel):
        PLANS_REFUSED.inc()
        raise BadPlan(violations)
    return Answer(plan, {})


def places(question: Question, job: Job, count: int) -> list[Proposal]:
    """The cheapest places for one more job."""
    travel = by_air(question.speed, least=question.least)
    return Proposals(question.jobs, job, question.team_days, travel).best(count)


_ = (why_not, why_then, time)
