"""The rolling plan: planned at once, told in the evening before the last, and never moved after that."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from pelangi.contracts.codes import Need, VisitKind, VulnerabilityCategory
from pelangi.contracts.topics import VISIT_SCHEDULED
from services.scheduling import rolling
from services.scheduling.metrics import CAPACITY_SHORT, TOLD
from services.scheduling.planner.questions import Answer, Question
from services.scheduling.rolling import CURRENT, PLANS, Announce, evening_of
from services.scheduling.work import Work
from tests.unit.scheduling.city import NOW, TOMORROW, City, closed, created, details, request_id

DAY_AFTER = TOMORROW + timedelta(days=1)
EVENING = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
"""17:00 in Pangkalpinang."""


@pytest.fixture
async def rolled(city: City) -> AsyncIterator[City]:
    city.work = Work.of(city.runtime, announce=Announce.EVENING)
    yield city


async def told(city: City, count: int) -> dict[int, str]:
    """The date of each request that was told one."""
    cases = {n: await city.case(n) for n in range(1, count + 1)}
    return {n: case["visits"][-1]["date"] for n, case in cases.items() if case.get("visits")}


def plan(city: City) -> dict[str, Any]:
    return city.store.collection(PLANS).documents[CURRENT]


@pytest.mark.parametrize(
    ("hour", "evening"), [(9, date(2026, 11, 23)), (10, date(2026, 11, 24)), (16, date(2026, 11, 24)), (18, date(2026, 11, 24))]
)
def test_the_evening_begins_at_five_in_pangkalpinang(hour: int, evening: date) -> None:
    assert evening_of(datetime(2026, 11, 24, hour, 0, tzinfo=UTC)) == evening


async def test_who_can_wait_is_planned_and_told_nothing(rolled: City) -> None:
    await rolled.fold(*(details(n) for n in range(1, 6)))
    await rolled.run()
    assert await told(rolled, 5) == {}
    assert set(plan(rolled)["seats"]) == {request_id(n) for n in range(1, 6)}
    assert not rolled.days()


async def test_in_the_evening_the_next_two_working_days_are_told_and_each_evening_the_next(rolled: City) -> None:
    ill = [VulnerabilityCategory.SEVERE_ILLNESS]
    await rolled.fold(*(details(n, persons=2, categories=ill) for n in range(1, 41)))
    await rolled.run()
    rolled.clock.at = EVENING
    before = TOLD.labels(1)._value.get()
    await rolled.run()
    first = await told(rolled, 40)
    assert set(first.values()) == {TOMORROW.isoformat(), DAY_AFTER.isoformat()}
    assert 20 <= len(first) <= 24
    assert TOLD.labels(1)._value.get() - before == list(first.values()).count(TOMORROW.isoformat())
    assert set(plan(rolled)["seats"]).isdisjoint({request_id(n) for n in first})
    await rolled.run()
    assert await told(rolled, 40) == first
    rolled.clock.at = EVENING + timedelta(days=1)
    await rolled.run()
    second = await told(rolled, 40)
    assert {n: second[n] for n in first} == first
    assert set(second.values()) == {"2026-11-25", "2026-11-26", "2026-11-27"}
    for n in second:
        assert [t for t, _ in await rolled.events(n)].count(VISIT_SCHEDULED) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"needs": [Need.HOSPITAL, Need.BEDRIDDEN], "filled_at": NOW - timedelta(days=8)},
        {"deadline": {"date": "2026-11-26", "reason": "OTHER"}},
        {"visit_kind": VisitKind.OFFICE_APPOINTMENT},
    ],
)
async def test_the_urgent_the_due_and_appointments_are_told_at_once(rolled: City, more: dict[str, Any]) -> None:
    await rolled.fold(details(1), details(2, **more))
    await rolled.run()
    assert set(await told(rolled, 2)) == {2}


async def test_who_withdraws_before_the_evening_leaves_no_trace_in_the_plan(rolled: City) -> None:
    await rolled.fold(created(), details(), details(2))
    await rolled.run()
    await rolled.fold(closed())
    rolled.clock.at = EVENING
    await rolled.run()
    assert set(await told(rolled, 2)) == {2}
    assert plan(rolled)["seats"] == {}


async def test_a_plan_is_made_again_after_ten_changes_or_a_minute_and_keeps_its_days(
    rolled: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rolled.fold(*(details(n) for n in range(1, 16)))
    await rolled.run()
    number, seats = plan(rolled)["number"], plan(rolled)["seats"]
    await rolled.fold(details(16))
    await rolled.run()
    assert plan(rolled)["number"] == number
    monkeypatch.setattr(rolling, "PAUSE_S", 0.0)
    await rolled.run()
    assert plan(rolled)["number"] == number + 1
    assert {i: plan(rolled)["seats"][i]["date"] for i in seats} == {i: s["date"] for i, s in seats.items()}
    monkeypatch.setattr(rolling, "PAUSE_S", 60.0)
    await rolled.fold(*(details(n) for n in range(17, 28)))
    await rolled.run()
    assert plan(rolled)["number"] == number + 2


async def test_a_leader_that_dies_in_the_evening_is_followed_by_one_that_tells_nobody_twice(rolled: City) -> None:
    await rolled.fold(*(details(n) for n in range(1, 20)))
    await rolled.run()
    rolled.clock.at = EVENING
    kept = plan(rolled)
    await rolled.run()
    first = await told(rolled, 19)
    rolled.store.collection(PLANS).documents[CURRENT] = kept  # it died before it kept the plan
    rolled.work = Work.of(rolled.runtime, announce=Announce.EVENING)
    await rolled.run()
    second = await told(rolled, 19)
    assert {n: second[n] for n in first} == first
    for n in second:
        assert [t for t, _ in await rolled.events(n)].count(VISIT_SCHEDULED) == 1


async def test_all_who_go_to_one_place_are_told_together(rolled: City) -> None:
    await rolled.fold(*(details(n, visit_kind=VisitKind.COMMUNITY_POINT) for n in (1, 2, 3)))
    await rolled.run()
    rolled.clock.at = EVENING
    await rolled.run()
    cases = [await rolled.case(n) for n in (1, 2, 3)]
    assert len({case["visits"][0]["visit_id"] for case in cases}) == 1


async def test_who_gets_no_date_before_it_is_due_is_counted(city: City) -> None:
    before = CAPACITY_SHORT._value.get()
    await city.fold(*(details(n, persons=7, visit_kind=VisitKind.INSTITUTION, address=f"Jalan {n}") for n in range(1, 20)))
    await city.run()
    assert CAPACITY_SHORT._value.get() == before
    await city.fold(details(20, deadline={"date": "2026-11-25", "reason": "AID"}))
    await city.run()
    assert CAPACITY_SHORT._value.get() == before + ((await city.visit(20))["date"] > "2026-11-25")


async def test_of_a_full_plan_only_the_graver_needs_hear_two_evenings_ahead(rolled: City) -> None:
    grave = {n: [Need.BEDRIDDEN] for n in range(1, 31, 3)}
    await rolled.fold(*(details(n, persons=1 if n in grave else 2, needs=grave.get(n, [])) for n in range(1, 41)))
    rolled.clock.at = EVENING - timedelta(hours=1)
    await rolled.run()
    rolled.clock.at = EVENING
    await rolled.run()
    first = await told(rolled, 40)
    later = {n for n, on in first.items() if on == DAY_AFTER.isoformat()}
    assert later <= grave.keys() and set(first) - later
    kept = {i: seat for i, seat in plan(rolled)["seats"].items() if seat["date"] == DAY_AFTER.isoformat()}
    assert kept, "nobody of the others sits there, so that this shows nothing"
    rolled.clock.at = EVENING + timedelta(days=1)
    await rolled.run()
    assert {request_id(n) for n, on in (await told(rolled, 40)).items() if on == DAY_AFTER.isoformat()} >= kept.keys()


async def test_what_is_planned_and_not_told_is_shown_with_its_reason_and_the_plans_number(rolled: City) -> None:
    await rolled.fold(details(1), details(2))
    await rolled.run()
    assert rolled.http
    seat = plan(rolled)["seats"][request_id(1)]
    shown = (await rolled.http.get(f"/v1/plans/{seat['date']}")).json()
    mine = next(t for t in shown["tentative"] if t["request_id"] == request_id(1))
    assert (mine["team_id"], mine["why"]["why"]) == (seat["team_id"], "FIRST")
    assert shown["plan"] == {"number": 1, "input_hash": plan(rolled)["input_hash"]}
    assert (await rolled.request())["tentative"] == {k: v for k, v in mine.items() if k != "request_id"}
    assert (await rolled.request())["visits"] == []


HOME = "where somebody lives"


class Silent:
    """A planner with a fault of its own; `asked` counts."""

    def __init__(self) -> None:
        self.asked = 0

    async def start(self) -> None:
        """Nothing to get ready."""

    async def plan(self, _: Question) -> Answer:
        self.asked += 1
        raise ValueError(HOME)


async def test_on_an_evening_without_a_plan_first_fit_tells_a_date_to_everybody(
    city: City, caplog: pytest.LogCaptureFixture
) -> None:
    solver = Silent()
    city.work = Work.of(city.runtime, solver, announce=Announce.EVENING)
    await city.fold(*(details(n) for n in range(1, 6)))
    city.clock.at = EVENING - timedelta(hours=1)
    await city.run()
    assert await told(city, 5) == {}
    city.store.collection(PLANS).documents[CURRENT] = {"_id": CURRENT, "version": 1, "evening": "2026-11-23", "seats": {}}
    city.clock.at = EVENING
    await city.run()
    assert set(await told(city, 5)) == {1, 2, 3, 4, 5}
    assert solver.asked <= 4
    assert HOME not in caplog.text


async def test_a_team_that_is_out_is_left_out_of_the_plan_at_once(rolled: City) -> None:
    await rolled.fold(*(details(n) for n in range(1, 5)))
    await rolled.run()
    seats = plan(rolled)["seats"]
    team, on = next((s["team_id"], s["date"]) for s in seats.values())
    assert (await rolled.post(f"/v1/plans/{on}/outages", {"team_id": team, "reason": "KIT_FAILURE"})).status_code == 200
    await rolled.run()
    assert not [s for s in plan(rolled)["seats"].values() if (s["team_id"], s["date"]) == (team, on)]
