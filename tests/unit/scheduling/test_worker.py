"""The planner's process: the same answers as here, asked again when it dies, and gone with whoever started it."""

import asyncio
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import psutil
import pytest

from services.scheduling.metrics import PLANNER_CRASHES, PLANS_REFUSED
from services.scheduling.planner import questions
from services.scheduling.planner.jobs import Level, Seat
from services.scheduling.planner.questions import BadPlan, Question, check, places, solve, without_misfits
from services.scheduling.planner.worker import Inline, PlannerDied, Worker
from tests.unit.scheduling.jobs_at_random import BASE, MONDAY, jobs, team_days

HUGE = Question(jobs(1, 200), team_days(1, 8, 10), 20.0, 5, per_job=100_000)
"""Takes minutes: longer than any test."""


def question(seed: int, count: int = 25) -> Question:
    return Question(jobs(seed, count), team_days(seed), 20.0, 5, seed=seed, per_job=20)


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[Worker]:
    worker = Worker()
    await worker.start()
    yield worker
    await worker.stop()


def child(worker: Worker) -> psutil.Process:
    assert worker._process is not None
    return psutil.Process(worker._process.pid)


async def test_it_answers_as_the_planner_does_in_this_process(running: Worker) -> None:
    for seed in range(3):
        assert await running.plan(question(seed)) == await Inline().plan(question(seed))


async def test_questions_asked_at_once_each_get_their_own_answer(running: Worker) -> None:
    answers = await asyncio.gather(*(running.plan(question(seed)) for seed in range(5)))
    assert list(answers) == [solve(question(seed)) for seed in range(5)]


async def test_what_it_raises_is_raised_here_and_it_goes_on(running: Worker) -> None:
    pid = child(running).pid
    broken = Question([*jobs(1, 3), *jobs(1, 3)], team_days(1), 20.0, 5)  # the same ids twice
    with pytest.raises(ValueError, match="occurs twice"):
        await running.plan(broken)
    assert await running.plan(question(1)) == solve(question(1))
    assert child(running).pid == pid


async def test_a_refused_plan_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object) -> object:
        return BadPlan("TRAVEL")

    monkeypatch.setattr(Worker, "_ask", refused)
    before = PLANS_REFUSED._value.get()
    with pytest.raises(BadPlan, match="TRAVEL"):
        await Worker().plan(question(1))
    assert PLANS_REFUSED._value.get() == before + 1


async def test_a_process_that_dies_is_started_again_and_asked_again(running: Worker) -> None:
    before = PLANNER_CRASHES._value.get()
    child(running).kill()
    assert await running.plan(question(2)) == solve(question(2))
    assert PLANNER_CRASHES._value.get() <= before + 1  # it may have been seen dead before the question


class Mortal(Worker):
    """Its process is dead whenever a question reaches it."""

    async def _started(self) -> Process:
        running = await Worker._started(self)
        running.kill()
        return running


async def test_a_question_that_kills_it_is_asked_twice_and_no_more() -> None:
    before = PLANNER_CRASHES._value.get()
    with pytest.raises(PlannerDied):
        await Mortal().plan(question(2))
    assert PLANNER_CRASHES._value.get() == before + 2


async def test_after_that_it_answers_again(running: Worker) -> None:
    assert await running.plan(question(2)) == solve(question(2))


async def test_an_answer_nobody_waits_for_any_more_is_not_taken_for_the_next_one(running: Worker) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await running.plan(HUGE)
    assert await running.plan(question(3)) == solve(question(3))


def test_it_ends_when_whoever_started_it_is_killed() -> None:
    program = (
        "import asyncio, os\nfrom services.scheduling.planner.worker import Worker\n"
        "async def main():\n  worker = Worker()\n  await worker.start()\n"
        "  print(worker._process.pid, flush=True)\n  await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        orphan = psutil.Process(pid)
        parent.kill()
    orphan.wait(timeout=10)


def test_a_plan_that_breaks_a_rule_never_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    good = solve(question(4)).plan
    moved = {job_id: type(seat)(seat.team_id, seat.date, seat.start - 400, seat.end - 400) for job_id, seat in good.seats.items()}
    monkeypatch.setattr(questions, "make_plan", lambda *_, **__: type(good)(moved, good.left_out))
    with pytest.raises(BadPlan, match="WORKING_TIME"):
        solve(question(4))
    with pytest.raises(BadPlan):
        check(type(good)(moved, good.left_out), question(4))


def test_team_days_that_are_as_planned_stay_in_the_question() -> None:
    assert without_misfits(question(5)) == (question(5), ())
    assert len(places(question(5), jobs(77, 1)[0], 3)) <= 3


@pytest.mark.parametrize("start", [500, 640, 810])
def test_a_locked_visit_of_a_day_with_a_break_may_start_at_its_minute_and_at_no_other(start: int) -> None:
    """Its minute once counted from the other stretch too, so that the plan had it at a wrong hour and was refused as a whole."""
    friday = MONDAY + timedelta(days=4)
    locked = replace(jobs(3, 1)[0], minutes=20, hours=(), earliest=None, kit=frozenset(), level=Level.LOCKED)
    locked = replace(locked, at=BASE, seat=Seat("team-1", friday, start, start + 20))
    teams = [t for t in team_days(3) if t.date == friday]
    asked = Question([locked, *jobs(4, 6, MONDAY)], teams, 20.0, 5, per_job=20)
    good, misfits = without_misfits(asked)
    assert (good, misfits) == (asked, ())
    assert solve(asked).plan.seats[locked.job_id] == locked.seat


def test_a_locked_visit_that_reaches_into_a_break_is_a_misfit_and_no_bad_plan() -> None:
    friday = MONDAY + timedelta(days=4)
    locked = replace(jobs(3, 1)[0], minutes=40, hours=(), earliest=None, kit=frozenset(), level=Level.LOCKED)
    locked = replace(locked, at=BASE, seat=Seat("team-1", friday, 660, 700))
    asked = Question([locked, *jobs(4, 6, MONDAY)], team_days(3), 20.0, 5, per_job=20)
    assert [(t.team_id, t.date) for t in solve(asked).misfits] == [("team-1", friday)]
