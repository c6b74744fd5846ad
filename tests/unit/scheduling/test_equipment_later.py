"""Equipment and blanks are looked at whenever a visit changes, not only when it is placed: moved, corrected, with more items."""

from datetime import date
from typing import Any

import pytest

from pelangi.contracts.codes import Need, ServiceKind, VisitKind
from services.scheduling.days import blanks_in
from services.scheduling.planner.first_fit import WHOLE_DAY, FirstFit, slot_in
from services.scheduling.planner.interface import Horizon
from services.scheduling.planning import ask_for
from services.scheduling.reference import Equipment, as_reference, defaults
from services.scheduling.seating import with_more
from tests.unit.scheduling.city import TOMORROW, City, details, fold_facts, item_id

CARD, PAPER = [ServiceKind.KTP_NEW], [ServiceKind.KK_CHANGE]
NO_PRINTER = [e for e in Equipment if e != Equipment.CARD_PRINTER]
NO_WHEELCHAIR = [e for e in Equipment if e != Equipment.WHEELCHAIR_ACCESS]


async def first_team(city: City, **changed: Any) -> None:
    """The first team has these fields of the table otherwise; the second has everything."""
    teams = [dict(team) for team in defaults()["teams"]["value"]["teams"]]
    teams[0] |= changed
    city.store.collection("reference").documents["teams"] = {"_id": "teams", "version": 1, "value": {"teams": teams}}


async def team_of(city: City, n: int = 1) -> str:
    return str((await city.visit(n))["team_id"])


async def test_a_visit_that_the_office_moves_goes_to_a_team_with_what_it_needs(city: City) -> None:
    await first_team(city, equipment=NO_PRINTER)
    await city.fold(details(kinds=CARD))
    await city.run()
    assert await team_of(city) == "team-2"
    await city.call("reschedule", body={"reason": "WEATHER_OR_FLOOD"})
    await city.run()
    assert await team_of(city) == "team-2"
    assert await city.scheduled() == [("SCHEDULED", 1), ("RESCHEDULED", 2)]


async def test_blanks_of_a_visit_that_the_office_moves_are_reserved_where_it_goes(city: City) -> None:
    await city.teams(ktp_blanks=1)
    await city.fold(*(details(n, kinds=CARD) for n in (1, 2)))
    await city.run()
    for n in (1, 2):
        await city.call("reschedule", n, {"reason": "WEATHER_OR_FLOOD", "date": "2026-11-30"})
    await city.run()
    day = city.days()["2026-11-30"]
    used = [(v["team_id"], blanks_in(day, i)) for i, v in day["visits"].items() if v["status"] == "PLANNED"]
    assert sorted(used) == [("team-1", (1, 0)), ("team-2", (1, 0))]


@pytest.mark.parametrize(
    ("lacking", "more"),
    [
        (NO_PRINTER, {"kinds": [*PAPER, ServiceKind.KTP_RECORDING, *CARD], "withdrawn": [1]}),
        (NO_WHEELCHAIR, {"kinds": [*PAPER, ServiceKind.KTP_RECORDING], "needs": [Need.WHEELCHAIR]}),
    ],
)
async def test_a_correction_that_needs_what_the_team_has_not_moves_the_visit_to_one_that_has(
    city: City, lacking: list[Equipment], more: dict[str, Any]
) -> None:
    await first_team(city, equipment=lacking)
    await city.fold(details(kinds=[*PAPER, ServiceKind.KTP_RECORDING]))
    await city.run()
    assert await team_of(city) == "team-1"
    await city.fold(details(version=2, **more))
    await city.run()
    assert await team_of(city) == "team-2"
    assert await city.scheduled() == [("SCHEDULED", 1), ("RESCHEDULED", 2)]


async def test_who_was_booked_with_what_the_team_no_longer_has_stays_when_something_else_is_corrected(city: City) -> None:
    await city.fold(details(kinds=CARD))
    await city.run()
    before = await city.visit()
    await city.teams(equipment=NO_PRINTER, ktp_blanks=0)
    await city.fold(details(kinds=CARD, version=2, needs=[Need.BLIND]))
    await city.run()
    after = await city.visit()
    assert (after["date"], after["team_id"], after["items"]) == (before["date"], before["team_id"], before["items"])
    assert await city.scheduled() == [("SCHEDULED", 1)]


async def test_a_correction_takes_no_blank_that_is_given_to_others(city: City) -> None:
    await city.teams(ktp_blanks=1)
    await city.fold(details(1, kinds=CARD), details(2, kinds=CARD), details(3, kinds=[*PAPER, ServiceKind.KTP_RECORDING]))
    await city.run()
    assert {(await city.visit(n))["date"] for n in (1, 2, 3)} == {TOMORROW.isoformat()}
    await city.fold(details(3, kinds=[*PAPER, ServiceKind.KTP_RECORDING, *CARD], withdrawn=[1], version=2))
    await city.run()
    assert (await city.visit(3))["date"] > TOMORROW.isoformat()
    assert len((await city.visit(3))["items"]) == 2


async def test_at_a_point_items_for_which_there_is_no_blank_get_a_visit_after_it(city: City) -> None:
    await city.teams(ktp_blanks=1)
    point: dict[str, Any] = {"visit_kind": VisitKind.COMMUNITY_POINT}
    await city.fold(details(1, kinds=CARD, **point), details(2, kinds=PAPER, **point))
    await city.run()
    assert (await city.visit(1))["visit_id"] == (await city.visit(2))["visit_id"]
    await city.fold(details(2, kinds=[*PAPER, *CARD], version=2, **point))
    await city.run()
    assert [i["item_id"] for i in (await city.visit(2))["items"]] == [item_id(2000)]
    assert await city.scheduled(2) == [("SCHEDULED", 1)]
    assert await city.work.planner.batch() == 0


def test_what_an_earlier_date_left_out_comes_along_with_a_team_that_has_what_it_needs() -> None:
    friday = date(2026, 11, 27)
    tables = defaults()
    teams = [dict(team) for team in tables["teams"]["value"]["teams"]]
    teams[0]["equipment"] = NO_PRINTER
    reference = as_reference({**tables, "teams": {"value": {"teams": teams}}})
    case = fold_facts(details(kinds=[*PAPER, *CARD], not_before={1: friday})).after
    ask, horizon = ask_for(case, reference, TOMORROW), Horizon([friday], {}, {friday})
    slot = slot_in(ask, friday, reference.teams.teams[0], reference, WHOLE_DAY)
    more = with_more(slot, ask, case, horizon, reference, planner=FirstFit())
    assert (len(slot["items"]), len(more["items"]), more["team_id"], more.get("blanks")) == (1, 2, "team-2", [1, 0])
