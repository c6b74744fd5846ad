"""The planner in the service: what it decides is booked, explained and shown; what it cannot decide is for first fit."""

from collections import Counter
from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any

import pytest

from pelangi.chassis.case import Fact
from pelangi.contracts.codes import Need, ServiceKind, VisitKind
from services.scheduling import plan_input
from services.scheduling.case import Case
from services.scheduling.day import Day
from services.scheduling.days import blanks_in
from services.scheduling.metrics import MISFITS, UNPLANNED
from services.scheduling.plan_input import dates_with_room, job_of, one_of_each_place, standing_jobs, team_days
from services.scheduling.planner.interface import Ask, Horizon
from services.scheduling.planner.jobs import Level
from services.scheduling.planner.questions import Answer, BadPlan, Question
from services.scheduling.planner.table import cost
from services.scheduling.planner.worker import PlannerDied
from services.scheduling.planning import PlanBy, ask_for
from services.scheduling.reference import as_reference, defaults
from services.scheduling.work import Work
from tests.unit.scheduling.city import NOW, OTHER_VILLAGE, TOMORROW, VILLAGE, City, details, fold_facts, request_id

REFERENCE = as_reference(defaults())
CARD = [ServiceKind.KTP_NEW]


async def shown(city: City, n: int = 1) -> Any:
    return (await city.request(n))["visits"][-1]


async def test_a_visit_says_why_it_is_then_and_the_desk_sees_it(city: City) -> None:
    await city.fold(details(), details(2, visit_kind=VisitKind.OFFICE_APPOINTMENT))
    await city.run()
    first = await shown(city)
    assert (first["why"]["why"], first["why"]["text"]) == ("FIRST", "Ini hari kerja pertama yang tersedia.")
    assert city.http
    plan = (await city.http.get(f"/v1/plans/{first['date']}")).json()
    (visit,) = next(team["visits"] for team in plan["teams"] if team["team_id"] == first["team_id"])
    assert visit["why"] == first["why"]
    assert visit["travel_minutes"] == REFERENCE.travel(REFERENCE.teams.teams[0], REFERENCE.base, tuple(visit["at"]))
    assert (await shown(city, 2))["why"]["why"] == "FIRST_FREE"


async def test_the_graver_need_comes_first_and_near_places_share_a_day(city: City) -> None:
    await city.fold(*(details(n, village=OTHER_VILLAGE if n % 2 else "19.71.05.1005") for n in range(1, 21)))
    await city.fold(details(21, needs=[Need.HOSPITAL]))
    await city.run()
    assert (await city.visit(21))["date"] == TOMORROW.isoformat()
    days = Counter((v["team_id"], v["date"]) for v in [await city.visit(n) for n in range(1, 22)])
    assert max(days.values()) <= 6


async def test_who_has_no_date_has_a_reason_until_there_is_one(city: City) -> None:
    await city.teams(equipment=["POWER"])
    await city.fold(details(kinds=[ServiceKind.KTP_RECORDING]))
    await city.run()
    request = await city.request()
    assert request["why"]["why"] == "KIT"
    assert request["why"]["remedy_en"] == "Equip one team with BACKDROP_BLUE, BACKDROP_RED, BIO_KIT."
    assert city.http
    plan = (await city.http.get(f"/v1/plans/{TOMORROW}")).json()
    waits = {"request_id": request_id(1), "reason": "WAITING", "why": request["why"], "capacity_short": False}
    assert plan["not_placed"] == [waits]
    await city.teams(equipment=None)
    city.work.planner._not_before.clear()
    await city.run()
    assert (await shown(city))["why"]["why"] == "FIRST"
    assert (await city.request())["why"] is None


class Fails:
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def start(self) -> None:
        """Nothing to get ready."""

    async def plan(self, question: Question) -> Answer:
        raise self.error


@pytest.mark.parametrize("error", [BadPlan("TRAVEL"), PlannerDied(), ValueError("a fault of its own")])
async def test_without_an_answer_nobody_waits_longer_than_by_first_fit(city: City, error: Exception) -> None:
    counted = UNPLANNED.labels(type(error).__name__)
    before = counted._value.get()
    city.work.planner.solver = Fails(error)
    await city.fold(details(), details(2))
    await city.run()
    assert (await shown(city))["why"]["why"] == "FIRST_FREE"
    assert (await city.visit(2))["status"] == "PLANNED"
    assert counted._value.get() == before + 2


async def test_blanks_of_a_day_are_reserved_in_the_day(city: City) -> None:
    await city.teams(ktp_blanks=1)
    await city.fold(*(details(n, kinds=CARD) for n in range(1, 6)), details(6, kinds=[ServiceKind.KK_CHANGE]))
    await city.run()
    visits = [await city.visit(n) for n in range(1, 6)]
    assert max(Counter((v["team_id"], v["date"]) for v in visits).values()) == 1
    assert (await city.visit(6))["date"] == TOMORROW.isoformat()
    day: Day = city.days()[TOMORROW.isoformat()]
    assert sorted(blanks_in(day, visit_id) for visit_id in day["visits"]) == [(), (1, 0), (1, 0)]


async def test_requests_for_one_place_share_the_visit_that_the_planner_finds(city: City) -> None:
    await city.fold(*(details(n, visit_kind=VisitKind.COMMUNITY_POINT) for n in (1, 2, 3)))
    await city.fold(*(details(n, visit_kind=VisitKind.INSTITUTION) for n in (4, 5)))
    await city.run()
    assert len({(await city.visit(n))["visit_id"] for n in (1, 2, 3)}) == 1
    assert len({(await city.visit(n))["visit_id"] for n in (4, 5)}) == 1
    assert sorted([(await shown(city, n))["why"]["why"] for n in (1, 2, 3)]) == ["FIRST", "JOINED", "JOINED"]
    assert sorted([(await shown(city, n))["why"]["why"] for n in (4, 5)]) == ["FIRST", "JOINED"]


async def test_promised_visits_that_no_longer_fit_their_day_stay_and_hold_up_nobody(city: City) -> None:
    MISFITS.set(0)
    await city.fold(*(details(n, persons=3) for n in range(1, 13)))
    await city.run()
    before = [(await city.visit(n))["start"] for n in range(1, 13)]
    await city.calendar(open="10:00", close="12:00")
    await city.fold(details(13))
    await city.run()
    assert [(await city.visit(n))["start"] for n in range(1, 13)] == before
    assert 10 * 60 <= (await city.visit(13))["start"] < 12 * 60
    assert MISFITS._value.get() > 0


async def test_windows_are_one_a_date_the_cheapest_first_and_can_be_booked(city: City) -> None:
    await city.fold(*(details(n) for n in range(1, 9)))
    await city.run()
    await city.fold(details(9))
    assert city.http
    windows = (await city.http.get(f"/v1/requests/{request_id(9)}/windows?count=8")).json()["windows"]
    assert len({w["date"] for w in windows}) == 8
    costs = [w["cost_minutes"] for w in windows]
    assert costs == sorted(costs)
    await city.run()
    visit = await city.visit(9)
    assert {"date": visit["date"], "start": visit["start"]} in [
        {"date": w["date"], "start": int(w["window"]["start"][11:13]) * 60 + int(w["window"]["start"][14:16])} for w in windows
    ]


def ask_and_case(*facts: Fact[Any]) -> tuple[Ask, Case]:
    case = fold_facts(*facts).after
    return ask_for(case, REFERENCE, TOMORROW), case


def test_what_the_planner_is_told_of_a_request() -> None:
    ask, case = ask_and_case(details(kinds=[ServiceKind.KTP_NEW, ServiceKind.KIA], needs=[Need.BEDRIDDEN, Need.WHEELCHAIR]))
    job = job_of(ask, case, [TOMORROW], NOW)
    assert (job.job_id, job.minutes, job.blanks, job.at_home, job.level) == (request_id(1), 30, (1, 1), True, Level.OPEN)
    assert job.kit == {"POWER", "CARD_PRINTER", "WHEELCHAIR_ACCESS", "visit:HOME"}
    assert job.weight == 50 + 2 * 1
    assert not any(isinstance(getattr(job, f.name), dict) for f in fields(job))


def test_hours_are_kept_unless_a_deadline_would_be_missed() -> None:
    monday = [{"weekday": 1, "start": "10:00", "end": "12:00"}]
    dates = [TOMORROW + timedelta(days=d) for d in (0, 1, 2, 5)]
    for deadline, hours in ((None, 1), ("2026-11-27", 0), ("2026-11-30", 1)):
        part = {"availability": monday, "deadline": {"date": deadline, "reason": "AID"} if deadline else None}
        ask, case = ask_and_case(details(**part))
        assert len(job_of(ask, case, dates, NOW).hours) == hours


def test_teams_drive_on_working_days_with_what_they_have() -> None:
    friday, saturday = date(2026, 11, 27), date(2026, 11, 28)
    found = team_days([friday, saturday], REFERENCE)
    assert [(t.team_id, t.date) for t in found] == [("team-1", friday), ("team-2", friday)]
    assert found[0].stretches == ((480, 690), (810, 900))
    assert {"BIO_KIT", "visit:HOME"} <= found[0].kit
    assert "visit:OFFICE_APPOINTMENT" not in found[0].kit


async def test_visits_that_stand_are_driven_around_and_those_given_up_are_not(city: City) -> None:
    await city.fold(details(), details(2))
    await city.run()
    day = city.days()[TOMORROW.isoformat()]
    first = (await city.visit())["visit_id"]
    assert {j.job_id for j in standing_jobs([day], REFERENCE)} == {first, (await city.visit(2))["visit_id"]}
    given_up = {**day, "visits": {**day["visits"], first: {**day["visits"][first], "status": "CANCELLED"}}}
    jobs = standing_jobs([given_up], REFERENCE)
    assert [j.level for j in jobs] == [Level.LOCKED]


def test_dates_without_room_are_passed_over() -> None:
    dates = [TOMORROW + timedelta(days=d) for d in range(3)]
    full = {
        f"v{team}": {"team_id": f"team-{team}", "start": 480, "end": 900, "status": "PLANNED", "visit_kind": "INSTITUTION"}
        for team in (1, 2)
    }
    days = {TOMORROW: {"_id": TOMORROW.isoformat(), "version": 1, "visits": full}}
    assert dates_with_room(dates, days, 60, REFERENCE, 1) == [dates[1]]
    assert dates_with_room(dates, days, 600, REFERENCE, 1) == dates[1:]
    assert dates_with_room(dates, {}, 60, REFERENCE, 2) == dates[:2]


async def test_of_those_who_share_a_place_the_planner_is_asked_for_one(city: City) -> None:
    point, home = VisitKind.COMMUNITY_POINT, VisitKind.HOME
    asks = [ask_and_case(details(n, visit_kind=kind))[0] for n, kind in enumerate((point, point, home, home), 1)]
    horizon = plan_input.Horizon([TOMORROW])
    assert [a.request_id for a in one_of_each_place(asks, horizon, REFERENCE)] == [request_id(n) for n in (1, 3, 4)]
    await city.fold(details(9, visit_kind=point))
    await city.run()
    horizon.days[TOMORROW] = city.days()[TOMORROW.isoformat()]
    assert [a.request_id for a in one_of_each_place(asks, horizon, REFERENCE)] == [request_id(n) for n in (3, 4)]


async def test_by_first_come_the_order_of_arrival_decides_and_nothing_else(city: City) -> None:
    city.work = Work.of(city.runtime, plan_by=PlanBy.FIRST_COME)
    await city.fold(*(details(n, filled_at=NOW - timedelta(days=2)) for n in range(1, 13)))
    await city.fold(details(13, needs=[Need.HOSPITAL]))
    await city.run()
    assert {(await city.visit(n))["date"] for n in range(1, 13)} == {TOMORROW.isoformat()}
    assert (await city.visit(13))["date"] > TOMORROW.isoformat()


def test_a_kelurahan_that_waits_longer_is_not_put_off_further_where_the_office_wants_that() -> None:
    waited = {1: 9, 2: 9, 3: 1, 4: 1, 5: 1}
    villages = {1: OTHER_VILLAGE, 2: OTHER_VILLAGE, 3: VILLAGE, 4: VILLAGE, 5: "19.71.05.1005"}
    found = [details(n, village=villages[n], filled_at=NOW - timedelta(days=days)) for n, days in waited.items()]
    cases = {request_id(n): fold_facts(fact).after for n, fact in zip(waited, found, strict=True)}
    asks = [ask_for(case, REFERENCE, TOMORROW) for case in cases.values()]
    assert plan_input.backlogs(asks, cases, NOW) == {OTHER_VILLAGE: 8.0, VILLAGE: 0.0, "19.71.05.1005": 0.0}
    horizon = Horizon([TOMORROW], {}, {TOMORROW})
    for fairness in (0, 3):
        question = plan_input.question(asks, cases, horizon, REFERENCE, NOW, fairness=fairness)
        assert question is not None
        assert [job.backlog for job in question.jobs] == [8 * fairness, 8 * fairness, 0, 0, 0]
    job = question.jobs[0]
    assert cost(job, TOMORROW, 2) - cost(replace(job, backlog=0), TOMORROW, 2) == 2 * 24
