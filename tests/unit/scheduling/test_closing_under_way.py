"""A request is closed while its team is on the way or at the door."""

import pytest

from pelangi.contracts.codes import ClosingOutcome, VisitKind
from pelangi.contracts.topics import VISIT_COMPLETED
from tests.unit.scheduling.city import City, closed, details, item_id, request_id

STEPS = [["depart"], ["depart", "arrive"]]


@pytest.mark.parametrize("steps", STEPS)
async def test_nobody_else_is_in_the_visit(city: City, steps: list[str]) -> None:
    await city.fold(details())
    await city.run()
    for step in steps:
        await city.call(step)
    await city.fold(closed())
    assert await city.scheduled() == [("SCHEDULED", 1), ("CANCELLED", 2)]
    await city.run()
    visit = (await city.visit())["visit_id"]
    assert (await city.shown())["status"] == "CANCELLED"
    for call, body in (
        ("arrive", {}),
        ("complete", {"items": [{"item_id": item_id(1000), "outcome": "DONE"}]}),
        ("fail", {"reason": "UNSAFE"}),
    ):
        answer = await city.post(f"/v1/visits/{visit}/{call}", body)
        assert (answer.status_code, answer.json()["title"]) == (409, "state")
    assert VISIT_COMPLETED not in [t for t, _ in await city.events()]
    await city.run()
    assert (await city.visit())["status"] == "CANCELLED"


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("named", [True, False])
async def test_in_a_shared_visit_the_others_are_served(city: City, steps: list[str], named: bool) -> None:
    await city.fold(*(details(n, visit_kind=VisitKind.COMMUNITY_POINT) for n in (1, 2)))
    await city.run()
    for step in steps:
        await city.call(step)
    await city.fold(closed(1, ClosingOutcome.WITHDRAWN))
    await city.run()
    shown = await city.shown(2)
    assert [(m["request_id"], m["cancelled"]) for m in shown["members"]] == [(request_id(1), True), (request_id(2), False)]
    if "arrive" not in steps:
        await city.call("arrive", 2)
    items = [{"item_id": i["item_id"], "outcome": "DONE"} for i in shown["items"] if named or i["request_id"] == request_id(2)]
    assert (await city.call("complete", 2, {"items": items}))["status"] == "DONE"
    assert [(await city.visit(n))["status"] for n in (1, 2)] == ["CANCELLED", "DONE"]
    assert VISIT_COMPLETED not in [t for t, _ in await city.events(1)]
    assert [t for t, _ in await city.events(2)].count(VISIT_COMPLETED) == 1


async def test_closed_after_the_outcome_the_outcome_stays(city: City) -> None:
    await city.fold(details())
    await city.run()
    await city.complete()
    await city.fold(closed())
    await city.run()
    assert (await city.visit())["status"] == "DONE"
    assert await city.scheduled() == [("SCHEDULED", 1)]


async def test_the_others_items_cannot_be_left_out(city: City) -> None:
    await city.fold(*(details(n, visit_kind=VisitKind.COMMUNITY_POINT) for n in (1, 2)))
    await city.run()
    await city.call("depart")
    await city.call("arrive")
    await city.fold(closed(1))
    await city.run()
    visit = (await city.visit(2))["visit_id"]
    answer = await city.post(f"/v1/visits/{visit}/complete", {"items": [{"item_id": item_id(2000), "outcome": "DONE"}]})
    assert [e["code"] for e in answer.json()["errors"]] == ["missing_items"]
