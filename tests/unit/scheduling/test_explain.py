"""Every job that is nowhere has a binding reason; every placed one a reason for its date. Lifting the rule makes it fit."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.scheduling.planner.explain import Reason, Why, why_not, why_then
from services.scheduling.planner.jobs import Job, Level, Seat, TeamDay
from services.scheduling.planner.solving import Proposals, make_plan
from tests.unit.scheduling.jobs_at_random import BASE, MONDAY, TRAVEL, jobs, seated, team_days

DAY = TeamDay("team-1", MONDAY, ((480, 900),), BASE, frozenset({"BIO_KIT"}), (2, 0), 3)
DAYS = [DAY, replace(DAY, date=MONDAY + timedelta(days=1))]
JOB = Job("asks", MONDAY, BASE, 60, 10)


def taken(on: TeamDay, start: int, minutes: int, **more: Any) -> Job:
    seat = Seat(on.team_id, on.date, start, start + minutes)
    job = Job(f"taken-{on.date}-{start}", MONDAY, BASE, minutes, 10, at_home=False, level=Level.ANNOUNCED, seat=seat)
    return replace(job, promised=(start, start), **more)


FULL = [taken(day, 480, 420) for day in DAYS]


@pytest.mark.parametrize(
    ("why", "job", "placed"),
    [
        (Why.NOT_BEFORE, replace(JOB, earliest=MONDAY + timedelta(days=30)), []),
        (Why.KIT, replace(JOB, kit=frozenset({"CARD_PRINTER"})), []),
        (Why.TOO_LONG, replace(JOB, minutes=421), []),
        (Why.HOURS, replace(JOB, hours=((5, 480, 900),)), []),
        (Why.HOURS, replace(JOB, hours=((1, 480, 540),)), [taken(DAY, 480, 60)]),
        (Why.BLANKS, replace(JOB, blanks=(3, 0)), []),
        (Why.BLANKS, replace(JOB, blanks=(1, 0)), [taken(d, 480, 60, blanks=(2, 0)) for d in DAYS]),
        (Why.HOME_VISITS, JOB, [taken(d, 480 + 30 * n, 30, at_home=True) for d in DAYS for n in range(3)]),
        (Why.FULL, JOB, FULL),
    ],
)
def test_the_binding_reason_is_found_and_says_in_both_languages_what_would_help(why: Why, job: Job, placed: list[Job]) -> None:
    assert not Proposals(placed, job, DAYS, TRAVEL).best(1)
    reason = why_not(job, placed, DAYS, TRAVEL)
    assert reason.why == why.name
    assert reason.text.endswith(".")
    assert reason.text_en.endswith(".")
    assert bool(reason.remedy) == bool(reason.remedy_en)


def test_without_any_team_all_is_full() -> None:
    assert why_not(JOB, [], [], TRAVEL).why == "FULL"


@pytest.mark.parametrize(
    ("why", "job", "placed"),
    [
        (Why.HOURS, replace(JOB, hours=((2, 480, 900),)), []),
        (Why.FULL, JOB, FULL[:1]),
        (Why.NEARER, JOB, [taken(DAYS[1], 480, 60)]),
    ],
)
def test_a_later_date_has_a_reason(why: Why, job: Job, placed: list[Job]) -> None:
    seat = Seat("team-1", DAYS[1].date, 600, 660)
    assert why_then(job, seat, placed, DAYS, TRAVEL).why == why.name


def test_the_first_day_needs_no_other_reason() -> None:
    assert why_then(JOB, Seat("team-1", MONDAY, 480, 540), [], DAYS, TRAVEL).why == "FIRST"


@pytest.mark.parametrize("seed", range(4))
def test_everybody_in_a_random_city_has_a_reason_that_names_nothing_about_them(seed: int) -> None:
    everybody, teams = jobs(seed, 100), team_days(seed)
    plan = make_plan(everybody, teams, TRAVEL, per_job=20, seed=seed)
    placed = seated(everybody, plan, Level.PLANNED)
    reasons: list[Reason] = [why_not(job, placed, teams, TRAVEL) for job in everybody if job.job_id in plan.left_out]
    reasons += [why_then(job, job.seat, placed, teams, TRAVEL) for job in placed if job.seat][:20]
    assert {r.why for r in reasons} >= {"FULL", "FIRST"}
    ids = {job.job_id for job in everybody}
    assert not any(job_id in r.text + r.remedy for r in reasons for job_id in ids)
