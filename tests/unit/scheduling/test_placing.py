"""From the facts to a date."""

from datetime import date, timedelta

import pytest

from pelangi.contracts.codes import RequestStatus, ServiceKind, VisitKind
from pelangi.contracts.encryption import KeyRing
from pelangi.contracts.sealing import visits_opener
from pelangi.contracts.topics import VISIT_DETAILS, VISIT_SCHEDULED
from services.scheduling import minutes
from services.scheduling.announce import render_visits
from services.scheduling.days import used_minutes
from services.scheduling.reference import service_minutes
from tests.unit.scheduling.city import (
    OTHER_VILLAGE,
    TOMORROW,
    TRACE,
    City,
    closed,
    created,
    details,
    item_closed,
    request_id,
    tombstone,
)

KEYS = KeyRing.of({"k": "A" * 43})


async def test_announced_at_once_with_nothing_personal(city: City) -> None:
    await city.fold(created(), details())
    await city.run()
    [(kind, event), (snapshot, _)] = await city.events()
    assert (kind, snapshot) == (VISIT_SCHEDULED, VISIT_DETAILS)
    assert event.model_dump(mode="json") == {
        "request_id": request_id(1),
        "visit_id": (await city.visit())["visit_id"],
        "revision": 1,
        "status": "SCHEDULED",
        "visit_kind": "HOME",
        "area_code": "19.71",
        "date": TOMORROW.isoformat(),
        "window": None,
        "place": None,
        "services": ["KK_CHANGE", "KTP_RECORDING"],
        "persons_count": 1,
        "reason_class": None,
    }
    case = await city.case()
    assert case["outbox"][0]["traceparent"] == TRACE
    assert "needs_visit_since" not in case and "wanted_since" not in case
    assert case["placement"]["wanted"] is None


async def test_a_point_is_shared_and_shown(city: City) -> None:
    await city.fold(*(details(n, visit_kind=VisitKind.COMMUNITY_POINT) for n in (1, 2)))
    await city.run()
    first, second = await city.visit(1), await city.visit(2)
    assert first["visit_id"] == second["visit_id"]
    (_, event), *_ = await city.events(2)
    assert event.area_code == "19.71.04.1009"
    assert event.place.name == "Kantor Kelurahan Keramat"
    assert event.window.start.isoformat() == "2026-11-25T08:15:00+07:00"
    assert event.window.end - event.window.start == timedelta(minutes=180)
    [day] = city.days().values()
    assert used_minutes(day, first["visit_id"]) == 40


async def test_data_collection_is_a_consultation_in_public(city: City) -> None:
    await city.fold(details(kinds=[ServiceKind.VULNERABLE_DATA_COLLECTION, ServiceKind.CONSULTATION]))
    await city.run()
    (_, event), *_ = await city.events()
    assert event.services == ["CONSULTATION"]


async def test_nobody_is_placed_who_is_not_known_open_and_complete(city: City) -> None:
    await city.fold(created(1), details(2, status=RequestStatus.NEEDS_INFO), details(3), closed(3), closed(4), details(4))
    await city.fold(details(5, status=RequestStatus.WITHDRAWN), details(6, withdrawn=[0, 1]), tombstone(7), details(7))
    await city.run()
    for n in range(1, 8):
        assert "visits" not in await city.case(n), n


async def test_closing_cancels_in_one_write_and_gives_the_place_back(city: City) -> None:
    await city.fold(details())
    await city.run()
    await city.fold(closed())
    case = await city.case()
    assert case["placement"] == {"held": None, "wanted": None}
    assert await city.scheduled() == [("SCHEDULED", 1), ("CANCELLED", 2)]
    assert [d.date for t, d in await city.events() if t == VISIT_SCHEDULED] == [TOMORROW, TOMORROW]
    await city.run()
    [day] = city.days().values()
    assert day["bookings"] == {}
    assert "releases" not in await city.case()


async def test_items_that_ended_need_no_visit(city: City) -> None:
    await city.fold(details())
    await city.run()
    await city.fold(item_closed(at=0))
    assert (await city.visit())["status"] == "PLANNED"
    await city.fold(details(version=2, withdrawn=[1]))
    assert await city.scheduled() == [("SCHEDULED", 1), ("CANCELLED", 2)]


async def test_a_correction_of_the_place_moves_the_visit(city: City) -> None:
    await city.fold(details())
    await city.run()
    before = await city.visit()
    await city.fold(details(version=2, village=OTHER_VILLAGE))
    await city.run()
    after = await city.visit()
    assert after["visit_id"] == before["visit_id"]
    assert (after["village_code"], after["revision"]) == (OTHER_VILLAGE, 2)
    assert await city.scheduled() == [("SCHEDULED", 1), ("RESCHEDULED", 2)]
    assert sum(len(d["bookings"]) for d in city.days().values()) == 1


async def test_a_correction_parts_from_a_shared_visit(city: City) -> None:
    await city.fold(*(details(n, visit_kind=VisitKind.COMMUNITY_POINT) for n in (1, 2)))
    await city.run()
    await city.fold(details(1, version=2, visit_kind=VisitKind.HOME))
    await city.run()
    assert await city.scheduled(1) == [("SCHEDULED", 1), ("CANCELLED", 2), ("SCHEDULED", 1)]
    assert await city.scheduled(2) == [("SCHEDULED", 1)]
    assert [m["request_id"] for m in (await city.shown(2))["members"]] == [request_id(2)]


async def test_erasure_ends_in_a_tombstone(city: City) -> None:
    await city.fold(details())
    await city.run()
    opened = visits_opener(KEYS)(render_visits(await city.case(), KEYS))  # type: ignore[arg-type]
    assert opened.visits[0].place.address == "Jalan Karangan 1"
    await city.fold(tombstone())
    case = await city.case()
    assert render_visits(case, KEYS) is None
    assert "details" not in case
    assert await city.scheduled() == [("SCHEDULED", 1), ("CANCELLED", 2)]
    await city.fold(details(version=100))
    await city.run()
    assert "details" not in await city.case()


async def test_one_item_longer_than_a_day_gets_a_whole_one(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    table = service_minutes()
    longer = table.model_copy(update={"minutes": {**table.minutes, ServiceKind.BIRTH_CERT: 240}})
    monkeypatch.setattr(minutes, "service_minutes", lambda: longer)
    await city.fold(details(kinds=[ServiceKind.BIRTH_CERT, ServiceKind.KIA], needs=["BEDRIDDEN"]))
    await city.run()
    visit = await city.visit()
    assert (visit["start"], visit["end"], len(visit["items"])) == (8 * 60 + 15, 15 * 60, 1)


async def test_availability_is_kept_where_it_costs_little(city: City) -> None:
    monday = [{"weekday": 1, "start": "10:00", "end": "12:00"}]
    await city.fold(
        details(availability=monday), details(2, availability=monday, deadline={"date": "2026-11-27", "reason": "AID"})
    )
    await city.run()
    first, second = await city.visit(1), await city.visit(2)
    assert (first["date"], first["start"]) == ("2026-11-30", 600)
    assert date.fromisoformat(second["date"]) == TOMORROW


async def test_five_hundred_in_few_commands(city: City) -> None:
    kinds = [VisitKind.HOME, VisitKind.COMMUNITY_POINT, VisitKind.OFFICE_APPOINTMENT, VisitKind.INSTITUTION]
    await city.fold(*(details(n, visit_kind=kinds[n % 4], persons=1 + n % 3) for n in range(1, 501)))
    for collection in city.store.collections.values():
        collection.calls.clear()
    await city.work.planner()
    calls = sum(sum(c.calls.values()) for c in city.store.collections.values())
    assert calls <= 60
    assert [len((await city.case(n))["visits"]) for n in range(1, 501)] == [1] * 500
