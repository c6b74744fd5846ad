"""The validator finds every kind of broken rule, and none in what the planner makes."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from services.scheduling.planner.jobs import Job, Level, Plan, Seat
from services.scheduling.planner.solving import make_plan
from services.scheduling.planner.validator import Rule, Violation, validate
from tests.unit.scheduling.jobs_at_random import BASE, MONDAY, TRAVEL, jobs, team_days

FRIDAY = MONDAY.replace(day=4, month=12)
TEAMS = [replace(t, kit=frozenset({"BIO_KIT"})) for t in team_days(1)]
HERE = Job("here", MONDAY, BASE, 30, 10)
THERE = Job("there", MONDAY, (BASE[0] + 0.05, BASE[1]), 30, 10)


def seat(start: int, job: Job = HERE, on: object = MONDAY, team: str = "team-1") -> Seat:
    return Seat(team, on, start, start + job.minutes)  # type: ignore[arg-type]


def broken(seats: Mapping[str, Seat], *all_jobs: Job) -> list[Violation]:
    left_out = frozenset(job.job_id for job in all_jobs if job.job_id not in seats)
    return validate(Plan(seats, left_out), all_jobs, TEAMS, TRAVEL)


def test_a_plan_by_hand_keeps_the_rules() -> None:
    way = TRAVEL(HERE.at, THERE.at)
    assert way > 15
    assert not broken({"here": seat(480), "there": seat(510 + way)}, HERE, THERE)


@pytest.mark.parametrize(
    ("rule", "where", "job", "place"),
    [
        (Rule.NO_SUCH_TEAM_DAY, "here", HERE, seat(480, team="team-9")),
        (Rule.NO_SUCH_TEAM_DAY, "here", HERE, seat(480, on=MONDAY.replace(day=29))),
        (Rule.LENGTH, "here", HERE, Seat("team-1", MONDAY, 480, 500)),
        (Rule.WORKING_TIME, "here", HERE, seat(470)),
        (Rule.WORKING_TIME, "here", HERE, seat(880)),
        (Rule.WORKING_TIME, "here", HERE, seat(680, on=FRIDAY)),
        (Rule.TRAVEL, "there", THERE, seat(485, THERE)),
        (Rule.TRAVEL, "team-1", THERE, seat(865, THERE)),
        (Rule.TRAVEL, "team-1", replace(THERE, minutes=80), seat(815, replace(THERE, minutes=80), on=FRIDAY)),
        (Rule.KIT, "here", replace(HERE, kit=frozenset({"CARD_PRINTER"})), seat(480)),
        (Rule.BLANKS, "team-1", replace(HERE, blanks=(13, 0)), seat(480)),
        (Rule.BLANKS, "here", replace(HERE, blanks=(0, 0, 1)), seat(480)),
        (Rule.HOURS, "here", replace(HERE, hours=((2, 480, 900),)), seat(480)),
        (Rule.HOURS, "here", replace(HERE, hours=((1, 500, 900),)), seat(480)),
        (Rule.HOURS, "here", replace(HERE, hours=((1, 480, 500),)), seat(480)),
        (Rule.TOO_EARLY, "here", replace(HERE, earliest=MONDAY.replace(month=12, day=1)), seat(480)),
    ],
)
def test_each_broken_rule_is_found_and_named(rule: Rule, where: str, job: Job, place: Seat) -> None:
    assert broken({job.job_id: place}, job) == [Violation(rule, where)]


def test_two_visits_at_once_and_too_many_home_visits_are_found() -> None:
    twin = replace(HERE, job_id="twin")
    assert broken({"here": seat(480), "twin": seat(500)}, HERE, twin) == [Violation(Rule.OVERLAP, "twin")]
    many = [replace(HERE, job_id=f"job-{n}") for n in range(9)]
    seats = {job.job_id: seat(480 + 30 * at) for at, job in enumerate(many)}
    assert broken(seats, *many) == [Violation(Rule.HOME_VISITS, "team-1")]
    assert not broken(seats, *(replace(job, at_home=False) for job in many))


def test_nobody_is_forgotten_invented_or_both_in_and_out() -> None:
    found = validate(Plan({"ghost": seat(480)}, frozenset()), [HERE], TEAMS, TRAVEL)
    assert found == [Violation(Rule.UNKNOWN, "ghost"), Violation(Rule.MISSING, "here")]
    both = Plan({"here": seat(480)}, frozenset({"here"}))
    assert validate(both, [HERE], TEAMS, TRAVEL) == [Violation(Rule.MISSING, "here")]


@pytest.mark.parametrize(
    ("now", "kept"),
    [
        (seat(480), True),
        (seat(540), True),
        (seat(480, team="team-2"), True),
        (seat(541), False),
        (seat(480, on=MONDAY.replace(month=12, day=1)), False),
        (None, False),
    ],
)
def test_an_announced_visit_keeps_its_day_and_its_window(now: Seat | None, kept: bool) -> None:
    told = replace(HERE, level=Level.ANNOUNCED, seat=seat(510), promised=(480, 540))
    found = broken({"here": now} if now else {}, told)
    assert found == ([] if kept else [Violation(Rule.BROKEN_PROMISE, "here")])


def test_a_locked_visit_keeps_its_team_and_minute_too() -> None:
    locked = replace(HERE, level=Level.LOCKED, seat=seat(510), promised=(480, 540))
    assert not broken({"here": seat(510)}, locked)
    for other in (seat(515), seat(510, team="team-2")):
        assert broken({"here": other}, locked) == [Violation(Rule.BROKEN_PROMISE, "here")]


@pytest.mark.parametrize("seed", range(30))
def test_plans_for_random_cities_break_no_rule(seed: int) -> None:
    everybody, teams = jobs(seed), team_days(seed)
    plan = make_plan(everybody, teams, TRAVEL, per_job=20, seed=seed)
    assert not validate(plan, everybody, teams, TRAVEL)
    assert len(plan.seats) > 20
