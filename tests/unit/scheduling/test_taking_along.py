"""A corrected request takes its visit along to another day, while the team or the office is at that visit too."""

from datetime import timedelta
from typing import Any

import pytest

from pelangi.contracts.codes import VisitKind
from pelangi.contracts.topics import VISIT_SCHEDULED
from services.scheduling import model
from services.scheduling.case import held, wanted
from services.scheduling.day import VACATED
from services.scheduling.reference import read_reference
from services.scheduling.store import days_of_visit
from tests.unit.scheduling.city import OTHER_VILLAGE, VILLAGE, City, details, request_id
from tests.unit.scheduling.test_booking import Died, consistent, die_at

OLD, NEW = "2026-11-25", "2026-11-26"


async def corrected(city: City) -> str:
    """Request 1 with a visit on `OLD`, corrected since; its visit's id."""
    await city.fold(details(1))
    await city.run()
    await city.fold(details(1, version=2, village=OTHER_VILLAGE))
    return str((await city.visit(1))["visit_id"])


def standing(city: City, visit_id: str) -> list[str]:
    """The dates on which a visit is to take place, is under way or has ended; there must never be two in the end."""
    days = sorted(city.days().items())
    return [on for on, d in days if visit_id in d["visits"] and d["visits"][visit_id]["status"] not in VACATED]


async def finish(city: City) -> None:
    """The leader's rounds until a broken-off booking counts as stuck."""
    for _ in range(3):
        city.clock.at += timedelta(seconds=6)
        await city.run()


@pytest.mark.parametrize("point", ["booking.after-wanted", "booking.after-booked"])
async def test_a_team_that_sets_out_first_keeps_the_visit(city: City, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    visit = await corrected(city)
    die_at(monkeypatch, point)
    with pytest.raises(Died):
        await city.work.planner()
    slot = wanted(await city.case())
    assert slot and slot["day"] == NEW

    async def book_before_the_case_follows(method: str) -> None:
        cases.before = None
        city.clock.at += timedelta(seconds=6)
        await city.work.booker.resume(await read_reference(city.work.reference))

    cases = city.store.collection("cases")
    cases.before = book_before_the_case_follows
    assert (await city.post(f"/v1/visits/{visit}/depart")).json()["date"] == OLD
    await finish(city)
    assert standing(city, visit) == [OLD]
    case = await city.case()
    place = held(case)
    assert place and place["day"] == OLD and wanted(case) is None
    assert city.days()[NEW]["bookings"] == {}
    assert await city.scheduled() == [("SCHEDULED", 1)]
    await city.call("arrive")
    assert (await city.visit())["status"] == "ON_SITE"


@pytest.mark.parametrize("point", ["booking.after-booked", "booking.after-left", "booking.after-held"])
async def test_broken_off_it_is_finished(city: City, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    visit = await corrected(city)
    die_at(monkeypatch, point)
    with pytest.raises(Died):
        await city.work.planner()
    assert (await city.shown())["status"] == "PLANNED"
    await finish(city)
    assert standing(city, visit) == [NEW]
    assert await city.scheduled() == [("SCHEDULED", 1), ("RESCHEDULED", 2)]
    assert all("unspread" not in d for d in city.days().values())
    await consistent(city)
    await city.complete()
    assert (await city.visit())["status"] == "DONE"


async def test_who_left_but_lost_the_new_booking_finds_another(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow booker leaves the old day after another one has given the move up."""
    await corrected(city)
    die_at(monkeypatch, "booking.after-left")
    with pytest.raises(Died):
        await city.work.planner()
    slot = wanted(await city.case())
    assert slot
    cases: dict[str, Any] = city.store.collection("cases").documents
    cases[request_id(1)] = model.give_up(cases[request_id(1)], slot["placement_id"], city.clock.now())
    await finish(city)
    await city.work.sweeper.sweep()
    await consistent(city)
    assert [v["status"] for v in (await city.case())["visits"]] == ["CANCELLED", "PLANNED"]
    assert (await city.visit())["village_code"] == OTHER_VILLAGE


async def test_versions_grow_there_and_back(city: City) -> None:
    visit = await corrected(city)
    await city.run()
    for version, on, village in ((3, OLD, VILLAGE), (4, NEW, OTHER_VILLAGE)):
        await city.fold(details(1, version=version, village=village))
        await city.run()
        assert standing(city, visit) == [on]
        days = await days_of_visit(city.work.days, visit)
        versions = {d["_id"]: d["visits"][visit]["version"] for d in days}
        assert max(versions, key=lambda day: versions[day]) == on
        assert len(set(versions.values())) == len(versions)
        assert (await city.visit())["version"] == versions[on]
    await city.complete()
    assert (await city.visit())["status"] == "DONE"


async def test_a_member_that_is_late_does_not_reopen_a_day_that_the_visit_left(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    await city.fold(*(details(n, visit_kind=VisitKind.COMMUNITY_POINT) for n in (1, 2)))
    await city.run()
    visit = (await city.visit())["visit_id"]
    die_at(monkeypatch, "visit.after-first-member")
    with pytest.raises(Died):
        await city.post(f"/v1/visits/{visit}/reschedule", {"reason": "UNSAFE", "date": NEW})
    assert sorted([(await city.visit(n))["date"] for n in (1, 2)]) == [OLD, NEW]
    response = await city.post(f"/v1/visits/{visit}/reschedule", {"reason": "UNSAFE", "date": "2026-11-30"})
    assert response.status_code == 200
    await finish(city)
    assert standing(city, visit) == ["2026-11-30"]
    days = await days_of_visit(city.work.days, visit)
    assert len({d["visits"][visit]["version"] for d in days}) == len(days)
    assert all(d["visits"][visit]["status"] in VACATED for d in days if d["_id"] != "2026-11-30")
    assert [v["status"] for n in (1, 2) for v in (await city.case(n))["visits"] if v["visit_id"] != visit] == ["PLANNED"]
    await consistent(city)


async def test_a_day_that_was_given_up_is_reopened_under_a_later_version(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    visit = await corrected(city)
    die_at(monkeypatch, "booking.after-booked")
    with pytest.raises(Died):
        await city.work.planner()
    slot = wanted(await city.case())
    assert slot
    cases: dict[str, Any] = city.store.collection("cases").documents
    cases[request_id(1)] = model.give_up(cases[request_id(1)], slot["placement_id"], city.clock.now())
    await city.work.sweeper.sweep()
    given_up = city.days()[NEW]["visits"][visit]
    assert given_up["status"] == "CANCELLED"
    await city.run()
    again = city.days()[NEW]["visits"][visit]
    assert given_up["version"] < again["version"] == (await city.visit())["version"]
    assert standing(city, visit) == [NEW]


CALLS: list[tuple[str, Any]] = [
    ("depart", {}),
    ("fail", {"reason": "NOT_AT_HOME"}),
    ("reschedule", {"reason": "UNSAFE"}),
]


@pytest.mark.parametrize(("what", "body"), CALLS)
@pytest.mark.parametrize("at", range(12))
async def test_calls_that_come_between_the_steps(city: City, what: str, body: Any, at: int) -> None:
    visit = await corrected(city)
    countdown = [at]
    statuses: list[int] = []

    async def interrupt(method: str) -> None:
        countdown[0] -= 1
        if countdown[0] == -1:
            for collection in city.store.collections.values():
                collection.before = None
            statuses.append((await city.post(f"/v1/visits/{visit}/{what}", body)).status_code)

    for collection in city.store.collections.values():
        collection.before = interrupt
    await city.work.planner()
    for collection in city.store.collections.values():
        collection.before = None
    await finish(city)
    await city.work.sweeper.sweep()
    [day] = standing(city, visit)
    in_day = city.days()[day]["visits"][visit]
    mine = next(v for v in (await city.case())["visits"] if v["visit_id"] == visit)
    assert (mine["date"], mine["status"], mine["version"]) == (day, in_day["status"], in_day["version"])
    if statuses == [200] and what != "reschedule":
        assert mine["status"] == ("EN_ROUTE" if what == "depart" else "FAILED")
    else:
        assert mine["status"] == "PLANNED"
    assert all("unspread" not in d for d in city.days().values())
    if mine["status"] == "EN_ROUTE":
        await city.call("arrive")


@pytest.mark.parametrize("point", ["booking.after-wanted", "booking.after-booked", "booking.after-left"])
async def test_the_office_moves_it_in_the_middle_of_a_correction(city: City, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """It ends on the office's day, or the next one with room for what was corrected; not on the one that the correction chose."""
    visit = await corrected(city)
    die_at(monkeypatch, point)
    with pytest.raises(Died):
        await city.work.planner()
    body = {"reason": "WEATHER_OR_FLOOD", "date": "2026-12-02"}
    assert (await city.post(f"/v1/visits/{visit}/reschedule", body)).status_code == 200
    await finish(city)
    await city.work.sweeper.sweep()
    told = [(d.status, d.date.isoformat(), d.reason_class) for t, d in await city.events() if t == VISIT_SCHEDULED]
    assert ("RESCHEDULED", "2026-12-02", "THIRD_PARTY") in told
    assert (await city.visit())["village_code"] == OTHER_VILLAGE
    assert standing(city, visit) == [(await city.visit())["date"]]
    assert all("unspread" not in d for d in city.days().values())
    await consistent(city)
    assert (await city.visit())["date"] in {"2026-12-02", "2026-12-03"}


@pytest.mark.parametrize("point", ["booking.after-wanted", "booking.after-booked", "booking.after-left"])
@pytest.mark.parametrize("both_out", [True, False])
async def test_an_outage_in_the_new_day_leaves_no_visit_standing_twice(
    city: City, monkeypatch: pytest.MonkeyPatch, point: str, both_out: bool
) -> None:
    visit = await corrected(city)
    with monkeypatch.context() as patched:
        die_at(patched, point)
        with pytest.raises(Died):
            await city.work.planner()
    slot = wanted(await city.case())
    assert slot is not None
    for team in ("team-1", "team-2") if both_out else (slot["team_id"],):
        body = {"team_id": team, "reason": "VEHICLE_FAILURE"}
        assert (await city.post(f"/v1/plans/{NEW}/outages", body)).status_code == 200
    stands = [d for d in city.days().values() if visit in d.get("visits", {}) and d["visits"][visit]["status"] not in VACATED]
    assert len([d for d in stands if not d["visits"][visit].get("arriving")]) <= 1
    await finish(city)
    await consistent(city)
