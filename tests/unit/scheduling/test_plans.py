"""Metamorphic tests of the planner (SCHEDULING.md §8): what must not change a plan does not, what must help does not hurt.

M1, M2, M5, M6, M7 and M16 are about people and live where people are known: test_blindness.py.
"""

import random
from dataclasses import fields, replace
from datetime import date, timedelta

import pytest

from services.scheduling.planner.engine import solve
from services.scheduling.planner.jobs import Job, Level, Plan, Seat, TeamDay
from services.scheduling.planner.solving import Proposals, make_plan, without_overtaking
from services.scheduling.planner.validator import validate
from tests.unit.scheduling.jobs_at_random import BASE, KIT, MONDAY, TRAVEL, jobs, seated, team_days
from tests.unit.scheduling.problems import small

CITIES = range(8)
WEEK = timedelta(days=7)


def plan_of(everybody: list[Job], teams: list[TeamDay], per_job: int = 30) -> Plan:
    return make_plan(everybody, teams, TRAVEL, per_job=per_job, seed=7)


def served_weight(plan: Plan, everybody: list[Job]) -> int:
    return sum(job.weight for job in everybody if job.job_id in plan.seats)


def test_a_job_and_a_team_day_know_exactly_this() -> None:
    assert [f.name for f in fields(Job)] == [
        "job_id", "received", "at", "minutes", "weight", "must", "kit", "blanks", "at_home", "hours", "earliest", "backlog",
        "level", "seat", "promised",
    ]  # fmt: skip
    assert [f.name for f in fields(TeamDay)] == [
        "team_id",
        "date",
        "stretches",
        "base",
        "kit",
        "blanks",
        "home_visits",
        "way_home",
    ]
    with pytest.raises(TypeError):
        Job("a", MONDAY, BASE, 10, 1, sex="F")  # type: ignore[call-arg]


@pytest.mark.parametrize("seed", CITIES)
def test_m3_the_order_in_which_jobs_and_teams_are_told_changes_nothing(seed: int) -> None:
    everybody, teams = jobs(seed), team_days(seed)
    shuffled, other_teams = list(everybody), list(teams)
    random.Random(seed).shuffle(shuffled)
    random.Random(seed + 1).shuffle(other_teams)
    assert plan_of(everybody, teams) == plan_of(shuffled, other_teams)


@pytest.mark.parametrize("seed", CITIES)
def test_m4_other_ids_in_the_same_order_give_the_same_plan(seed: int) -> None:
    everybody, teams = jobs(seed), team_days(seed)
    new_id = {job.job_id: f"{at:04}" for at, job in enumerate(sorted(everybody, key=lambda j: j.job_id))}
    plan = plan_of(everybody, teams)
    renamed = plan_of([replace(job, job_id=new_id[job.job_id]) for job in everybody], teams)
    assert renamed.seats == {new_id[job_id]: seat for job_id, seat in plan.seats.items()}


@pytest.mark.parametrize("seed", CITIES)
def test_m4_any_other_ids_give_a_plan_as_good(seed: int) -> None:
    everybody, teams = jobs(seed), team_days(seed)
    rng = random.Random(seed)
    renamed = [replace(job, job_id=f"{rng.random():.12f}") for job in everybody]
    one, other = plan_of(everybody, teams, 300), plan_of(renamed, teams, 300)
    assert abs(served_weight(one, everybody) - served_weight(other, renamed)) <= 0.01 * served_weight(one, everybody)


def test_m8_more_weight_never_loses_a_place_beyond_the_noise() -> None:
    lost = kept = 0
    for seed in CITIES:
        everybody, teams = jobs(seed, 70), team_days(seed)
        plan = plan_of(everybody, teams, 100)
        for job in [j for j in everybody if j.job_id in plan.seats][::9]:
            heavier = [replace(j, weight=min(100, j.weight + 25)) if j is job else j for j in everybody]
            after = plan_of(heavier, teams, 100)
            kept, lost = kept + (job.job_id in after.seats), lost + (job.job_id not in after.seats)
    assert kept > 30
    assert lost <= 0.01 * (kept + lost)


def test_m8_who_must_be_served_is_served_whatever_the_others_weigh() -> None:
    for seed in CITIES:
        everybody = [replace(job, must=at == 5, weight=1 if at == 5 else 100) for at, job in enumerate(jobs(seed, 90))]
        alone = plan_of([everybody[5]], team_days(seed))
        if alone.seats:
            assert everybody[5].job_id in plan_of(everybody, team_days(seed)).seats


@pytest.mark.parametrize("seed", CITIES)
def test_m9_an_older_twin_is_never_later_than_a_younger_one(seed: int) -> None:
    everybody = jobs(seed, 50)
    rng = random.Random(seed)
    for job in everybody[:15]:
        age = rng.randint(1, 15)
        older = replace(
            job, job_id=f"twin-{rng.random()}", received=job.received - timedelta(days=age), weight=min(100, job.weight + 3 * age)
        )
        everybody.append(older)
    plan = plan_of(everybody, team_days(seed))
    assert not validate(plan, everybody, team_days(seed), TRAVEL)
    for younger, older in zip(everybody[:15], everybody[50:], strict=True):
        if younger.job_id in plan.seats:
            mine, theirs = plan.seats[younger.job_id], plan.seats[older.job_id]
            assert (theirs.date, theirs.start) <= (mine.date, mine.start)


def test_m9_twins_change_seats_only_among_those_who_were_told_nothing() -> None:
    first, second = Seat("team-1", MONDAY, 480, 510), Seat("team-1", MONDAY + timedelta(days=1), 480, 510)
    old, young = Job("old", MONDAY - WEEK, BASE, 30, 40), Job("young", MONDAY, BASE, 30, 19)
    assert without_overtaking([young, old], {"young": first, "old": second}) == {"old": first, "young": second}
    assert without_overtaking([young, old], {"young": first}) == {"old": first}
    told = replace(young, level=Level.ANNOUNCED, seat=first)
    assert without_overtaking([told, old], {"young": first, "old": second}) == {"young": first, "old": second}


@pytest.mark.parametrize("seed", CITIES)
def test_m10_a_city_elsewhere_on_earth_and_a_week_later_has_the_same_plan(seed: int) -> None:
    everybody, teams = jobs(seed), team_days(seed)
    east = 0.5

    def moved(point: tuple[float, float]) -> tuple[float, float]:
        return point[0], point[1] + east

    def later(on: date | None) -> date | None:
        return on + WEEK if on else None

    there = [replace(j, at=moved(j.at), received=j.received + WEEK, earliest=later(j.earliest)) for j in everybody]
    there_teams = [replace(t, base=moved(t.base), date=t.date + WEEK) for t in teams]
    plan, other = plan_of(everybody, teams), plan_of(there, there_teams)
    assert other.seats == {i: replace(seat, date=seat.date + WEEK) for i, seat in plan.seats.items()}


@pytest.mark.parametrize("seed", CITIES)
def test_m11_minutes_twice_as_long_give_the_same_routes(seed: int) -> None:
    given = small(seed, 40)
    timed = ("travel", "service", "penalty", "cost", "opens", "closes")
    windows = [2 * m if m >= 0 else m for m in given.windows]
    double = given._replace(**{name: [2 * m for m in getattr(given, name)] for name in timed}, windows=windows)
    one = solve(given, iterations=2000, seed=seed)
    two = solve(double, iterations=2000, seed=seed, hot=200.0, cold=2.0)
    assert two.routes == one.routes
    assert two.cost == 2 * one.cost


def test_m12_one_more_team_or_one_job_less_never_serves_less_beyond_the_noise() -> None:
    for seed in CITIES:
        everybody = jobs(seed, 80)
        with_two, with_three = team_days(seed, 2), team_days(seed, 3)
        kits = {t.team_id: t.kit for t in with_two}
        with_three = [replace(t, kit=kits.get(t.team_id, frozenset(KIT))) for t in with_three]
        two = served_weight(plan_of(everybody, with_two, 150), everybody)
        assert served_weight(plan_of(everybody, with_three, 150), everybody) >= 0.99 * two
        fewer = everybody[1:]
        assert served_weight(plan_of(fewer, with_two, 150), fewer) + everybody[0].weight >= 0.99 * two


@pytest.mark.parametrize("seed", CITIES)
def test_m13_whoever_was_told_a_date_keeps_day_and_window_through_any_change_of_the_others(seed: int) -> None:
    rng, teams = random.Random(seed), team_days(seed)
    everybody = jobs(seed, 50)
    told = seated(everybody, plan_of(everybody, teams), Level.ANNOUNCED)
    for _ in range(4):
        told = [job for job in told if rng.random() > 0.1]
        told += [replace(job, must=rng.random() < 0.5) for job in jobs(rng.randrange(10**6), 12)]
        plan = plan_of(told, teams, 20)
        assert not validate(plan, told, teams, TRAVEL)
        told = [
            replace(job, seat=plan.seats[job.job_id]) if job.level == Level.ANNOUNCED else seated([job], plan, Level.ANNOUNCED)[0]
            for job in told
        ]


def test_m14_a_plan_made_again_from_an_unchanged_state_moves_nobody_to_another_day_for_less_than_it_costs() -> None:
    moved = planned = 0
    for seed in CITIES:
        everybody, teams = jobs(seed, 40), team_days(seed)
        plan = plan_of(everybody, teams, 300)
        again = plan_of(seated(everybody, plan, Level.PLANNED), teams, 100)
        planned += len(plan.seats)
        moved += sum(again.seats[i].date != seat.date for i, seat in plan.seats.items() if i in again.seats)
        assert again == plan_of(seated(everybody, plan, Level.PLANNED), teams, 100)
    assert moved <= 0.03 * planned


def test_a_team_that_is_out_gives_its_promises_to_others_in_the_same_window() -> None:
    everybody, teams = jobs(3, 20), [replace(t, kit=frozenset(KIT)) for t in team_days(3, teams=3)]
    told = seated(everybody, plan_of(everybody, teams), Level.ANNOUNCED)
    out = [t for t in teams if (t.team_id, t.date) != ("team-1", MONDAY)]
    assert any(job.seat and (job.seat.team_id, job.seat.date) == ("team-1", MONDAY) for job in told)
    plan = plan_of(told, out)
    broken = {v.where for v in validate(plan, told, out, TRAVEL)}
    assert broken <= plan.left_out
    assert len(broken) <= 1


def test_proposals_are_places_that_the_validator_accepts_cheapest_first() -> None:
    everybody, teams = jobs(4, 30), team_days(4)
    placed = seated(everybody, plan_of(everybody, teams), Level.ANNOUNCED)
    new = replace(jobs(99, 1)[0], kit=frozenset(), hours=(), earliest=None)
    found = Proposals(placed, new, teams, TRAVEL).best(3)
    assert len(found) == 3
    assert [p.cost for p in found] == sorted(p.cost for p in found)
    standing = {job.job_id: job.seat for job in placed if job.seat}
    left_out = frozenset(job.job_id for job in placed if not job.seat)
    for proposal in found:
        assert proposal.seats[new.job_id] == proposal.seat
        plan = Plan({**standing, **proposal.seats}, left_out)
        assert not validate(plan, [*placed, new], teams, TRAVEL)


def test_nobody_is_proposed_a_place_where_there_is_none() -> None:
    whole_days = [replace(j, at=BASE, minutes=390, hours=(), kit=frozenset(), earliest=None) for j in jobs(5, 20)]
    teams = team_days(5, days=4)
    placed = seated(whole_days, plan_of(whole_days, teams), Level.ANNOUNCED)
    assert not Proposals(placed, replace(jobs(98, 1)[0], minutes=120), teams, TRAVEL).best(3)
