"""Nothing that DOMAIN.md §1.4 forbids can reach placement; and the traps of §10 that concern visits."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import date
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from pelangi.contracts.codes import Need, RequestStatus, ServiceKind, VisitKind, VulnerabilityCategory
from pelangi.contracts.request import Availability, Deadline, RequestPlace
from pelangi.contracts.snapshots import Planning, PlanningItem, PlanningPerson
from pelangi.contracts.topics import VISIT_SCHEDULED
from services.scheduling.planner.first_fit import FirstFit
from services.scheduling.planner.interface import Ask, Horizon
from services.scheduling.planner.priority import Urgency, order, score, urgency_of
from services.scheduling.planning import ask_for
from services.scheduling.reference import as_reference, defaults
from tests.unit.scheduling.city import NOW, OTHER_VILLAGE, TOMORROW, VILLAGE, City, closed, details, fold_facts, item_id

REFERENCE = as_reference(defaults())

ASK = {
    "request_id",
    "placement_id",
    "visit_id",
    "visit_kind",
    "village_code",
    "point",
    "at",
    "kit",
    "blanks",
    "minutes",
    "items",
    "block",
    "joins",
    "move",
    "reason",
    "visit_version",
    "refused",
    "availability",
    "deadline",
    "earliest",
    "place_keys",
}
URGENCY = {
    "life_critical",
    "disaster",
    "bedridden_or_severe",
    "blocks_aid_or_school",
    "days_to_deadline",
    "days_waiting",
    "times_deferred",
}
PLANNING: dict[type[BaseModel], set[str]] = {
    Planning: {"filled_at", "place", "persons", "items", "companion", "availability", "deadline"},
    PlanningPerson: {"ref", "categories", "needs"},
    PlanningItem: {"item_id", "person_ref", "service_kind", "withdrawn", "not_before"},
    RequestPlace: {"visit_kind", "village_code", "rt", "rw", "address", "landmark", "lat", "lon"},
    Availability: {"weekday", "start", "end"},
    Deadline: {"date", "reason"},
}
NEED_CATEGORIES = {
    VulnerabilityCategory.NATURAL_DISASTER_VICTIM,
    VulnerabilityCategory.SOCIAL_DISASTER_VICTIM,
    VulnerabilityCategory.SEVERE_ILLNESS,
}
SOCIAL = st.lists(st.sampled_from(sorted(set(VulnerabilityCategory) - NEED_CATEGORIES)), unique=True)
NOT_A_NEED_FOR_TIME = sorted({Need.WHEELCHAIR, Need.BLIND, Need.SIGN_LANGUAGE, Need.CANNOT_SIGN, Need.CONFIDENTIAL_ADDRESS})


def reachable(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The models inside a model."""
    yield model
    for hint in get_type_hints(model).values():
        for part in [hint, *get_args(hint)]:
            if get_origin(part) is None and isinstance(part, type) and issubclass(part, BaseModel):
                yield from reachable(part)


def test_the_planner_is_asked_exactly_this() -> None:
    assert {f.name for f in fields(Ask)} == ASK
    assert {f.name for f in fields(Urgency)} == URGENCY


def test_scheduling_is_told_exactly_this() -> None:
    found = {model: set(model.model_fields) for model in reachable(Planning)}
    assert found == PLANNING
    forbidden = {
        "sex",
        "religion",
        "ethnicity",
        "wealth",
        "name",
        "nik",
        "phone",
        "email",
        "requester",
        "requester_kind",
        "social",
    }
    assert not forbidden & set().union(*found.values(), ASK, URGENCY)


def alike(categories: list[VulnerabilityCategory], needs: list[str], n: int = 1, village: str = VILLAGE) -> Any:
    return fold_facts(details(n, categories=categories, needs=needs, village=village)).after


@given(SOCIAL, SOCIAL)
def test_trap_12_priority_is_not_touched_by_sex_or_social_fields(one: list[Any], other: list[Any]) -> None:
    """Sex reaches scheduling nowhere (see the lists above); of social fields only categories do, and they do not count."""
    first, second = alike(one, []), alike(other, [])
    assert score(urgency_of(first, NOW)) == score(urgency_of(second, NOW))
    assert order(first, NOW) == order(second, NOW)


@given(SOCIAL, SOCIAL, st.sampled_from([VILLAGE, OTHER_VILLAGE]), st.lists(st.sampled_from(NOT_A_NEED_FOR_TIME), unique=True))
def test_trap_12_nor_is_the_slot(one: list[Any], other: list[Any], village: str, needs: list[str]) -> None:
    """Neither by social fields nor, for a home, by the kelurahan or by needs that take no longer."""
    chosen = []
    for case in (alike(one, []), alike(other, needs, village=village)):
        horizon = Horizon([TOMORROW], {}, {TOMORROW})
        slot = FirstFit().choose(ask_for(case, REFERENCE, TOMORROW), horizon, REFERENCE)
        assert slot
        chosen.append({k: slot[k] for k in ("day", "team_id", "start", "end", "minutes", "items")})
    assert chosen[0] == chosen[1]


@settings(max_examples=25)
@given(st.lists(SOCIAL, min_size=6, max_size=6), st.permutations(range(1, 7)))
async def test_trap_12_nor_the_order_in_which_slots_are_given(categories: list[list[Any]], ages: list[int]) -> None:
    """Six requests of different age and social fields: the same dates and hours as without any social field."""
    plans = []
    nothing: list[list[Any]] = [[] for _ in categories]
    for given_ in (categories, nothing):
        city = City()
        for n, (found, age) in enumerate(zip(given_, ages, strict=True), start=1):
            await city.fold(details(n, categories=found, filled_at=NOW.replace(day=20 - age), persons=12))
        await city.run()
        plans.append([((await city.visit(n))["date"], (await city.visit(n))["start"]) for n in range(1, 7)])
    assert plans[0] == plans[1]


async def test_trap_11_a_home_visit_shows_no_hour_kecamatan_kelurahan_or_place(city: City) -> None:
    await city.fold(details(visit_kind=VisitKind.HOME))
    await city.run()
    await city.call("reschedule", body={"reason": "WEATHER_OR_FLOOD"})
    await city.fold(closed())
    told = [d for t, d in await city.events() if t == VISIT_SCHEDULED]
    assert [d.status for d in told] == ["SCHEDULED", "RESCHEDULED", "CANCELLED"]
    for event in told:
        assert (event.window, event.place, event.area_code) == (None, None, "19.71")
        text = event.model_dump_json()
        assert VILLAGE not in text and "19.71.04" not in text and "Karangan" not in text and "T0" not in text


async def test_trap_14_a_death_cancels_future_visits(city: City) -> None:
    await city.fold(details())
    await city.run()
    await city.fold(details(version=2, status=RequestStatus.DECEASED, withdrawn=[0, 1]))
    assert await city.scheduled() == [("SCHEDULED", 1), ("CANCELLED", 2)]
    await city.run()
    assert all(not d["bookings"] for d in city.days().values())
    assert len((await city.case())["visits"]) == 1


async def test_trap_14_of_one_of_two_persons_the_visit_goes_on_for_the_other(city: City) -> None:
    await city.fold(details(persons=2))
    await city.run()
    await city.fold(details(persons=2, version=2, withdrawn=[0, 1]))
    await city.run()
    assert await city.scheduled() == [("SCHEDULED", 1)]
    assert [i["item_id"] for i in (await city.shown())["items"]] == [item_id(1002), item_id(1003)]


async def test_trap_16_a_visit_on_cuti_bersama_is_refused_by_default(city: City) -> None:
    await city.fold(details())
    await city.run()
    visit = (await city.visit())["visit_id"]
    answer = await city.post(f"/v1/visits/{visit}/reschedule", {"reason": "UNSAFE", "date": "2026-12-24"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "not_working_day")
    assert date(2026, 12, 24) not in list(REFERENCE.calendar.upcoming(NOW))
    assert REFERENCE.calendar.after(date(2026, 12, 23)) == date(2026, 12, 28)


async def test_trap_17_without_blanks_the_recording_is_still_planned(city: City) -> None:
    """A card put off for want of blanks waits for the desk, a recording does not."""
    assert not any("blank" in name or "stock" in name for name in URGENCY | set().union(*PLANNING.values()))
    await city.fold(details(kinds=[ServiceKind.KTP_NEW, ServiceKind.KTP_RECORDING]))
    await city.run()
    await city.complete(i0="NO_BLANK", i1="NO_UPLINK")
    await city.run()
    visit = await city.visit()
    assert (visit["status"], [i["service_kind"] for i in visit["items"]]) == ("PLANNED", ["KTP_RECORDING"])
    assert (await city.request())["review_reason"] == "NEEDS_DESK"


async def test_trap_17_where_no_team_has_blanks_the_recording_is_planned_without_the_card(city: City) -> None:
    await city.teams(ktp_blanks=0)
    await city.fold(details(kinds=[ServiceKind.KTP_NEW, ServiceKind.KTP_RECORDING]))
    await city.run()
    assert [i["service_kind"] for i in (await city.visit())["items"]] == ["KTP_RECORDING"]
    await city.teams(ktp_blanks=1)
    await city.complete()
    await city.run()
    assert [i["service_kind"] for i in (await city.visit())["items"]] == ["KTP_NEW"]


@pytest.mark.parametrize("category", sorted(NEED_CATEGORIES))
def test_the_categories_that_are_a_need_do_count(category: VulnerabilityCategory) -> None:
    assert score(urgency_of(alike([category], []), NOW)) > score(urgency_of(alike([], []), NOW))
