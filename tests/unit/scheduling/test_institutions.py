"""Visits that serve many: several requests of one institution, and lists longer than a day."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest

from pelangi.contracts.codes import ServiceKind, VisitKind
from pelangi.contracts.request import RequestPlace
from pelangi.contracts.topics import VISIT_SCHEDULED
from services.scheduling.agenda import place_keys
from tests.unit.scheduling.city import OTHER_VILLAGE, VILLAGE, City, details, item_id, request_id
from tests.unit.scheduling.test_booking import Died, consistent, die_at

HOUSE = {"address": "Panti Karangan, Jalan Mawar"}


def at(n: int, *, village: str = VILLAGE, version: int = 1, persons: int = 2, place: Any = None, **planning: Any) -> Any:
    """A request of an institution."""
    where = RequestPlace(visit_kind="INSTITUTION", village_code=village, **(HOUSE if place is None else place))
    return details(
        n, visit_kind=VisitKind.INSTITUTION, village=village, version=version, persons=persons, place=where, **planning
    )


async def together(city: City, *ns: int) -> bool:
    return len({(await city.visit(n))["visit_id"] for n in ns}) == 1


SAME = [
    ({"address": "Panti Karangan"}, {"address": "  panti   KARANGAN "}),
    ({"landmark": "Lapas"}, {"landmark": "lapas"}),
    ({"address": "A", "lat": -2.13001, "lon": 106.1}, {"address": "B", "lat": -2.13003, "lon": 106.1}),
]
DIFFERENT = [
    ({"address": "Panti Karangan"}, {"address": "Panti Mawar"}),
    ({"address": "Panti", "landmark": "pasar"}, {"landmark": "pasar"}),
    ({"lat": -2.1300, "lon": 106.1}, {"lat": -2.1310, "lon": 106.1}),
    ({}, {}),
]


@pytest.mark.parametrize(("one", "other", "shared"), [*((a, b, True) for a, b in SAME), *((a, b, False) for a, b in DIFFERENT)])
async def test_one_institution_shares_a_visit(city: City, one: Any, other: Any, shared: bool) -> None:
    await city.fold(at(1, place=one), at(2, place=other))
    await city.run()
    assert await together(city, 1, 2) is shared
    await consistent(city)


async def test_never_across_kelurahan_or_with_a_home(city: City) -> None:
    home = RequestPlace(visit_kind="HOME", village_code=VILLAGE, **HOUSE)
    await city.fold(at(1), at(2, village=OTHER_VILLAGE), details(3, place=home))
    await city.run()
    assert len({(await city.visit(n))["visit_id"] for n in (1, 2, 3)}) == 3
    assert place_keys(home.model_dump(mode="json")) == []


async def test_the_place_is_never_public(city: City) -> None:
    await city.fold(at(1), at(2))
    await city.run()
    for n in (1, 2):
        event = next(d for t, d in await city.events(n) if t == VISIT_SCHEDULED)
        assert (event.area_code, event.window, event.place) == ("19.71", None, None)


async def test_the_team_stays_as_long_as_all_need_and_each_has_an_outcome_of_its_own(city: City) -> None:
    await city.fold(at(1), at(2))
    await city.run()
    shown = await city.shown()
    assert (shown["window"]["start"][11:16], shown["window"]["end"][11:16]) == ("08:15", "09:35")  # 4 persons, 20 minutes each
    await city.complete(1, i0="NO_UPLINK")
    assert [(await city.visit(n))["status"] for n in (1, 2)] == ["PARTIAL", "DONE"]
    assert {(await city.visit(n))["end"] for n in (1, 2)} == {9 * 60 + 35}


async def test_no_longer_than_the_next_visit_of_the_team_allows(city: City) -> None:
    await city.fold(at(1))
    await city.run()
    for n in range(2, 6):  # the same team's next visits
        await city.fold(at(n, place={"address": f"Tempat {n}"}, persons=15))
        await city.run()
    await city.fold(at(9, persons=10))
    await city.run()
    assert not await together(city, 1, 9)
    await consistent(city)


async def test_rescheduled_together(city: City) -> None:
    await city.fold(at(1), at(2))
    await city.run()
    await city.call("reschedule", body={"reason": "INSTITUTION_CLOSED"})
    await city.run()
    assert await together(city, 1, 2)
    assert [await city.scheduled(n) for n in (1, 2)] == [[("SCHEDULED", 1), ("RESCHEDULED", 2)]] * 2
    await consistent(city)


async def test_a_correction_of_one_takes_nobody_along(city: City) -> None:
    await city.fold(at(1), at(2))
    await city.run()
    await city.fold(at(1, village=OTHER_VILLAGE, version=2))
    await city.run()
    assert await city.scheduled(1) == [("SCHEDULED", 1), ("CANCELLED", 2), ("SCHEDULED", 1)]
    assert await city.scheduled(2) == [("SCHEDULED", 1)]
    assert [m["request_id"] for m in (await city.shown(2))["members"]] == [request_id(2)]
    await consistent(city)


async def test_another_house_in_the_same_kelurahan_is_another_visit(city: City) -> None:
    await city.fold(at(1), at(2))
    await city.run()
    await city.fold(at(1, version=2, place={"address": "Panti Mawar"}))
    await city.run()
    assert not await together(city, 1, 2)
    assert await city.scheduled(2) == [("SCHEDULED", 1)]


async def test_alone_it_takes_its_visit_along_unless_somebody_joined_meanwhile(city: City) -> None:
    await city.fold(at(1))
    await city.run()
    joined = (await city.visit())["visit_id"]
    await city.fold(at(1, village=OTHER_VILLAGE, version=2))
    countdown = [4]

    async def join(method: str) -> None:
        countdown[0] -= 1
        if countdown[0] == 0:
            for collection in city.store.collections.values():
                collection.before = None
            day = city.days()["2026-11-25"]
            [(visit_id, visit)] = day["visits"].items()
            member = {"placement_id": "p2", "items": []}
            city.store.collection("days").documents["2026-11-25"] = {
                **day,
                "version": day["version"] + 1,
                "visits": {visit_id: {**visit, "members": {**visit["members"], request_id(2): member}}},
            }

    for collection in city.store.collections.values():
        collection.before = join
    await city.work.planner()
    assert countdown[0] <= 0
    await city.run()
    visit = city.days()["2026-11-25"]["visits"][joined]
    assert (visit["status"], list(visit["members"])) == ("PLANNED", [request_id(2)])
    assert await city.scheduled(1) == [("SCHEDULED", 1), ("CANCELLED", 2), ("SCHEDULED", 1)]


async def served(city: City, reasons: Mapping[str, str] = MappingProxyType({}), n: int = 1) -> list[Any]:
    """Go there until nothing is left; the visits."""
    for _ in range(20):
        await city.run()
        case = await city.case(n)
        if case["visits"][-1]["status"] != "PLANNED":
            break
        here = {f"i{int(i['item_id'][-6:], 16) - 1000 * n}" for i in (await city.visit(n))["items"]}
        await city.complete(n, **{k: v for k, v in reasons.items() if k in here and not _tried(case, n, k)})
        city.clock.at = city.clock.at.replace(hour=2)
    return list((await city.case(n))["visits"])


def _tried(case: Any, n: int, key: str) -> bool:
    item = item_id(1000 * n + int(key[1:]))
    return any(i["item_id"] == item and i.get("outcome") for v in case["visits"] for i in v["items"])


@pytest.mark.parametrize(
    ("persons", "kinds", "visits"),
    [
        (40, [ServiceKind.BIRTH_CERT, ServiceKind.KIA], 3),  # an orphanage: 25 minutes each
        (100, [ServiceKind.KTP_RECORDING, ServiceKind.KK_CHANGE], 5),  # a prison: 20 minutes each
    ],
)
async def test_a_long_list_is_served_in_several_days_with_no_failed_attempt(
    city: City, persons: int, kinds: list[ServiceKind], visits: int
) -> None:
    await city.fold(at(1, persons=persons, kinds=kinds))
    gone = await served(city)
    assert [v["status"] for v in gone] == ["DONE"] * visits
    assert len({v["visit_id"] for v in gone}) == visits
    items = [i["item_id"] for v in gone for i in v["items"]]
    assert sorted(items) == [item_id(1000 + k) for k in range(persons * len(kinds))]
    for visit in gone:
        by_person: dict[str, int] = {}
        for i in visit["items"]:
            by_person[i["person_ref"]] = by_person.get(i["person_ref"], 0) + 1
        assert set(by_person.values()) == {len(kinds)}  # nobody by halves
        assert visit["end"] - visit["start"] <= 405
    shown = await city.request()
    assert (shown["failed_attempts"], shown["review"], shown["needs_visit"]) == (0, False, False)


async def test_while_one_part_is_ahead_the_request_has_one_open_visit_and_the_rest_waits(city: City) -> None:
    await city.fold(at(1, persons=40))
    await city.run()
    for _ in range(3):
        await city.run()
    shown = await city.request()
    assert [v["status"] for v in shown["visits"]] == ["PLANNED"]
    assert len(shown["visits"][0]["items"]) == 40  # 20 persons of 40
    assert await city.scheduled() == [("SCHEDULED", 1)]


async def test_a_few_absent_in_every_part_send_the_list_to_nobody_else(city: City) -> None:
    absent = {f"i{k}": "NOT_AT_HOME" for k in (0, 50, 100, 150)}
    await city.fold(at(1, persons=100))
    gone = await served(city, absent)
    assert [v["status"] for v in gone].count("PARTIAL") >= 3
    shown = await city.request()
    assert (shown["review"], shown["needs_visit"]) == (False, False)
    done = {i["item_id"] for v in gone for i in v["items"] if i["outcome"] == "DONE"}
    assert len(done) == 200


async def test_a_withdrawn_item_of_a_part_brings_no_new_date(city: City) -> None:
    await city.fold(at(1, persons=40))
    await city.run()
    await city.fold(at(1, persons=40, version=2, withdrawn=[0, 1]))
    await city.run()
    assert await city.scheduled() == [("SCHEDULED", 1)]
    assert item_id(1000) not in [i["item_id"] for i in (await city.visit())["items"]]
    gone = await served(city)
    assert len({i["item_id"] for v in gone for i in v["items"]}) == 78


@pytest.mark.parametrize("more", [{"persons": 4}, {"needs": ["BEDRIDDEN"]}])
async def test_alone_and_too_long_by_now_it_goes_to_another_day_not_into_itself(city: City, more: Any) -> None:
    await city.fold(at(1))
    await city.run()
    await city.fold(at(1, version=2, **more))
    await city.run()
    visit = await city.visit()
    assert await city.scheduled() == [("SCHEDULED", 1), ("RESCHEDULED", 2)]
    assert city.days()[visit["date"]]["visits"][visit["visit_id"]]["status"] == "PLANNED"
    assert "needs_visit_since" not in await city.case()
    await consistent(city)
    await city.complete()
    assert (await city.visit())["status"] == "DONE"


async def test_nobody_joins_a_visit_that_is_just_being_taken_along(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """The team may still set out on the old day, and one visit cannot be on two days."""
    full = [at(n, place={"address": f"Panti {n}"}, persons=15) for n in (3, 4)]
    for request in (at(1), *full):
        await city.fold(request)
        await city.run()
    await city.fold(at(1, version=2, persons=4), at(2, persons=10))
    die_at(monkeypatch, "booking.after-booked")
    with pytest.raises(Died):
        await city.work.planner()
    await city.call("depart")
    city.clock.at += timedelta(seconds=6)
    await city.run()
    assert not await together(city, 1, 2)
    await city.call("arrive", 1)
    await city.complete(2)
    assert [(await city.visit(n))["status"] for n in (1, 2)] == ["ON_SITE", "DONE"]


async def test_once_it_was_taken_along_others_join(city: City) -> None:
    await city.fold(at(1))
    await city.run()
    await city.fold(at(1, version=2, persons=4))
    await city.run()
    city.clock.at += timedelta(days=1)
    await city.fold(at(2))
    await city.run()
    assert await together(city, 1, 2)
    await consistent(city)
