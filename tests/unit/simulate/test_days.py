"""Many days: who asks is drawn from the seed; visits are played on their dates; the figures count every request once."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta

import pytest

from pelangi.contracts.request import RequestBody
from pelangi.simulate import days, driving
from pelangi.simulate.clock import FastClock, at
from pelangi.simulate.days import simulate_days
from pelangi.simulate.days_figures import Figures, Waits, figures
from pelangi.simulate.days_record import Asked, DaysOptions, State, standing
from pelangi.simulate.homes import BOX, CENTRE, SHARES, VULNERABLE, Home, Shares, Urgency, home, home_body, is_away
from tests.unit.simulate.fake_office import FakeOffice, JumpingClock

MONDAY = date(2026, 7, 6)
OPTIONS = DaysOptions(days=7, requests_a_day=6, teams=2, seed=3, first=MONDAY, run="test", shares=Shares(0.15, 0.15, 0.1))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(days, "LOOKS", 1)


@asynccontextmanager
async def jumping() -> AsyncIterator[JumpingClock]:
    clock = JumpingClock(at(MONDAY, -60))
    jumps = asyncio.create_task(clock.jump())
    yield clock
    jumps.cancel()


async def played(options: DaysOptions = OPTIONS, **office: object) -> tuple[FakeOffice, Figures]:
    async with jumping() as clock:
        fake = FakeOffice(clock, **office)  # type: ignore[arg-type]
        return fake, figures(await simulate_days(options, clock, transport=fake.transport))


async def test_every_request_is_accounted_for() -> None:
    _, found = await played()
    assert found.ok, found.problems
    assert found.filed == 42
    assert found.served + found.still_waiting + found.withdrawn == 42
    assert found.withdrawn > 0
    assert found.not_at_home > 0
    assert found.served > 25
    assert found.vulnerable.count + found.others.count == found.served
    assert sum(waits.count for waits in found.by_urgency.values()) == found.served
    assert found.driving_minutes_per_visit >= driving.LEAST


async def test_a_visit_is_played_on_its_date_at_its_hours() -> None:
    office, found = await played()
    assert {on for on, reads in office.plans_read.items() if reads > 2} == set()
    assert [day["on"] for day in found.days] == [(MONDAY + timedelta(days=n)).isoformat() for n in (0, 1, 2, 3, 4, 7, 8)]
    ended = [moment for step, moment in office.played if step in {"complete", "fail"}]
    windows = {v["window"]["end"] for v in office.visits.values() if v["status"] in {"DONE", "FAILED"}}
    assert {moment.isoformat() for moment in ended} == windows
    assert found.latest == 15 * 60
    assert found.late == 0


async def test_the_same_seed_plays_the_same_days() -> None:
    _, first = await played()
    _, second = await played()
    assert first == second
    _, other = await played(replace(OPTIONS, seed=4))
    assert other != first


async def test_teams_are_set_and_the_counter_stays() -> None:
    office, _ = await played(replace(OPTIONS, days=1))
    assert [team["team_id"] for team in office.teams["teams"]] == ["team-1", "team-2", "office"]
    assert {(t["travel_minutes"], t.get("home_visits_per_day")) for t in office.teams["teams"]} == {(5, 14), (0, None)}


async def test_too_few_teams_leave_people_waiting() -> None:
    _, found = await played(capacity=3)
    assert found.ok, found.problems
    assert found.still_waiting > 10
    assert found.waiting.longest > 1
    _, more = await played(capacity=8)
    assert more.served > found.served
    assert more.others.mean < found.others.mean


async def test_a_changed_promise_is_counted() -> None:
    _, found = await played(breaks=True)
    assert (found.broken, found.ok) == (1, False)


async def test_a_request_that_nobody_plans_is_lost() -> None:
    _, found = await played(forgets=True)
    assert (found.lost, found.ok) == (1, False)
    assert found.problems == {"lost: no visit": 1}


async def test_a_system_that_starts_late_begins_on_the_same_weekday() -> None:
    async with jumping() as clock:
        await clock.until(at(MONDAY, 9 * 60))
        office = FakeOffice(clock)
        run = await simulate_days(replace(OPTIONS, days=1), clock, transport=office.transport)
    assert [day.on for day in run.days] == [MONDAY + timedelta(weeks=1)]


def test_a_cancellation_without_a_withdrawal_is_a_broken_promise() -> None:
    asked = Asked(home(1, 0, 0, Shares()), "r", MONDAY)
    cancelled = {"status": "CANCELLED", "revision": 2, "date": "2026-07-07"}
    asked.close({"visits": [cancelled], "needs_visit": True, "review": False}, MONDAY)
    assert (asked.broken, asked.announced, asked.state) == (1, 2, State.WAITING)
    asked.withdrawn = True
    asked.close({"visits": [cancelled], "closed": True}, MONDAY)
    assert (asked.broken, asked.state) == (0, State.WITHDRAWN)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({}, None),
        ({"needs_visit": True}, State.WAITING),
        ({"review": True, "needs_visit": False}, State.FAILED),
        ({"visits": [{"status": "PLANNED", "date": "2026-07-08"}]}, State.WAITING),
        ({"visits": [{"status": "PLANNED", "date": "2026-07-06"}], "needs_visit": True}, None),
    ],
)
def test_where_a_request_stands(seen: dict[str, object], expected: State | None) -> None:
    assert standing(Asked(home(1, 0, 0, Shares()), "r", MONDAY), seen, MONDAY) is expected


def test_urgencies_minutes_and_places_are_as_in_the_study() -> None:
    shares = Shares()
    homes = [home(1, number, number // 36, shares) for number in range(1080)]
    bodies = [RequestBody.model_validate(json.loads(json.dumps(home_body(1, one, MONDAY, shares)))) for one in homes]
    counted = Counter(one.urgency for one in homes)
    assert all(abs(counted[urgency] / 10.8 - share) < 4 for urgency, share in SHARES.items())
    assert len({one.village_code for one in homes}) == 42
    assert all(480 <= one.minute < 900 for one in homes)
    for body in bodies:
        assert abs((body.place.lat or 0) - CENTRE[0]) <= BOX[0] + 1e-5
        assert abs((body.place.lon or 0) - CENTRE[1]) <= BOX[1] + 1e-5
    assert 0.07 < sum(bool(body.availability) for body in bodies) / len(bodies) < 0.13
    assert 0.02 < sum(one.withdrawn_after is not None for one in homes) / len(homes) < 0.06
    assert 0.06 < sum(is_away(1, one.number, 0, shares) for one in homes) / len(homes) < 0.10


@pytest.mark.parametrize("urgency", Urgency)
def test_a_body_has_its_urgency_and_no_graver_one(urgency: Urgency) -> None:
    for number in range(60):
        asked = Home(number, 0, 480, urgency, "19.71.04.1009", None)
        body = RequestBody.model_validate(json.loads(json.dumps(home_body(1, asked, MONDAY, Shares()))))
        (who,) = body.persons
        severe = "BEDRIDDEN" in who.needs or "SEVERE_ILLNESS" in who.categories
        assert ("HOSPITAL" in who.needs) == (urgency is Urgency.LIFE_CRITICAL)
        assert ("NATURAL_DISASTER_VICTIM" in who.categories) == (urgency is Urgency.DISASTER)
        assert severe == (urgency is Urgency.BEDRIDDEN_OR_SEVERE)
        assert (body.deadline is not None) == (urgency in {Urgency.DEADLINE, Urgency.AID_OR_SCHOOL})
        assert "RESTLESS" not in who.needs
    assert (urgency in VULNERABLE) == (urgency not in {Urgency.NONE, Urgency.DEADLINE, Urgency.AID_OR_SCHOOL})


def test_percentiles_are_waits_that_somebody_had() -> None:
    assert Waits.of([]) == Waits(0, 0.0, 0, 0, 0)
    assert Waits.of([3, 1, 2, 10]) == Waits(4, 4.0, 2, 10, 10)
    assert Waits.of(range(1, 101)) == Waits(100, 50.5, 50, 95, 100)


def test_a_team_drives_out_from_stop_to_stop_and_home() -> None:
    base, near, far = (-2.13, 106.11), (-2.13, 106.111), (-2.10, 106.11)
    assert driving.minutes(base, near) == driving.LEAST
    assert driving.minutes(base, far) == 14
    plan = {"base": list(base), "teams": [{"visits": [{"at": list(near)}, {"at": list(far)}]}, {"visits": []}]}
    assert driving.driven(plan) == 5 + driving.minutes(near, far) + 14


def test_the_services_clock_is_the_players() -> None:
    from pelangi.chassis.clock import parse_clock

    clock = FastClock.from_date(MONDAY, 10.0, lead_s=5.0)
    theirs = parse_clock(clock.setting)
    assert abs((theirs.now() - clock.now()).total_seconds()) < 0.1 * theirs.rate
    assert clock.now() < at(MONDAY, 0) < clock.now() + timedelta(days=0.5 + 0.1)


async def test_the_fast_clock_waits_as_long_as_it_says() -> None:
    clock = FastClock.from_date(MONDAY, 1.0, lead_s=0.0)
    await clock.until(at(MONDAY, 60))
    assert at(MONDAY, 60) <= clock.now() < at(MONDAY, 1440)
    await clock.until(at(MONDAY, 0))
