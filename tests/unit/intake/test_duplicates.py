"""One request closed as the duplicate of another: both are told of each other, nothing is lost between the two writes."""

import asyncio
import itertools
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest

from pelangi.contracts.sealing import contact_opener
from services.intake import life
from services.intake.snapshot import render_details
from tests.support.bodies import KERAMAT, body
from tests.support.memory_store import store_fault
from tests.unit.intake.rig import Intake, problem
from tests.unit.intake.test_routes_life import filed
from tests.unit.intake.test_snapshot import KEYS, RING

TKSK = {"kind": "TKSK", "name": "Pak Contoh", "phone": "+6281300000000"}


async def close(intake: Intake, one: Any, other: Any) -> Any:
    return await intake.call(one, "duplicate-of", {"request_id": other["request_id"]})


async def tracked(intake: Intake, one: Any) -> Any:
    return (await intake.http.get(f"/v1/tracking/{one['receipt_code']}")).json()


async def test_the_duplicate_closes_and_the_original_knows_who_else_asked(intake: Intake) -> None:
    original, duplicate = await filed(intake), await filed(intake, requester=TKSK, reach={"channel": "WHATSAPP"})
    done = await close(intake, duplicate, original)
    assert done.json() == {
        "request_id": duplicate["request_id"],
        "status": "DUPLICATE",
        "duplicate_of": original["request_id"],
    }
    case = intake.case(duplicate)
    assert case["closing"]["outcome"] == "DUPLICATE"
    assert "to_join_since" not in case and "heading" not in case
    assert intake.sent(duplicate).count("request-closed.v1") == 1
    assert intake.case(original)["also"] == {
        duplicate["request_id"]: {
            "receipt_code": duplicate["receipt_code"].replace("-", ""),
            "requester_kind": "TKSK",
            "requester": {"name": "Pak Contoh", "phone": "+6281300000000", "email": None},
            "channel": "WHATSAPP",
        }
    }
    assert intake.sent(original) == ["request-created.v1", "request-details.v1", "request-details.v1"], "a fresh snapshot"
    assert (await intake.get(original))["status"] == "ACCEPTED"
    assert (await intake.get(original))["duplicates"] == [duplicate["request_id"]]
    assert (await intake.get(duplicate))["duplicate_of"] == original["request_id"]


async def test_the_receipt_of_the_duplicate_tracks_the_original(intake: Intake) -> None:
    first, second, third = [await filed(intake) for _ in range(3)]
    await close(intake, third, second)
    await close(intake, second, first)
    assert [await tracked(intake, one) for one in (second, third)] == [
        {**await tracked(intake, first), "receipt_code": one["receipt_code"]} for one in (second, third)
    ]
    assert (await tracked(intake, third))["status"] == "ACCEPTED"
    await intake.call(first, "deceased", {"person_ref": "1"})
    assert (await tracked(intake, third))["closed"]["outcome"] == "OTHER"
    assert set(intake.case(first)["also"]) == {second["request_id"], third["request_id"]}, "passed on"


async def test_what_cannot_be_the_original(intake: Intake) -> None:
    one, other, third = [await filed(intake) for _ in range(3)]
    assert problem(await intake.call(one, "duplicate-of", {}), 422) == [("#/request_id", "missing")]
    assert problem(await intake.call(one, "duplicate-of", {"request_id": "x"}), 422) == [("#/request_id", "uuid_parsing")]
    assert problem(await close(intake, one, {"request_id": str(uuid4())}), 422) == [("#/request_id", "unknown_request")]
    assert problem(await close(intake, one, one), 422) == [("#/request_id", "same_request")]
    await close(intake, other, third)
    assert problem(await close(intake, one, other), 422) == [("#/request_id", "is_duplicate")]
    problem(await close(intake, other, one), 409, "state")
    assert (await intake.get(one))["status"] == "ACCEPTED"


async def test_a_stub_or_a_refused_one_is_no_original(intake: Intake) -> None:
    one, stub = await filed(intake), str(uuid4())
    intake.cases.documents[stub] = {"_id": stub, "version": 1, "status": "REFUSED"}
    assert problem(await close(intake, one, {"request_id": stub}), 422) == [("#/request_id", "unknown_request")]


@pytest.mark.parametrize("writes", range(1, 5))
async def test_whichever_write_is_the_last_one_the_leader_finishes(intake: Intake, writes: int) -> None:
    """The process dies after so many writes; the same call again and the timer, in either order, end the same."""
    original, duplicate = await filed(intake), await filed(intake, requester=TKSK)
    done: list[str] = []

    async def die(method: str) -> None:
        done.append(method)
        if len(done) >= writes:
            raise asyncio.CancelledError

    key, value = str(uuid4()), {"request_id": original["request_id"]}
    intake.cases.after_write = die
    with suppress(asyncio.CancelledError):
        await intake.call(duplicate, "duplicate-of", value, 1, key)
    intake.cases.after_write = None
    assert len(done) == writes
    await intake.joiner.all()
    again = await intake.call(duplicate, "duplicate-of", value, 1, key)
    assert again.json()["status"] == "DUPLICATE"
    for _ in range(2):
        await intake.joiner.all()
    assert set(intake.case(original)["also"]) == {duplicate["request_id"]}
    assert "to_join_since" not in intake.case(duplicate)
    assert intake.sent(original) == ["request-created.v1", "request-details.v1", "request-details.v1"]
    assert intake.sent(duplicate).count("request-closed.v1") == 1


async def test_an_answer_that_was_lost_is_given_again(intake: Intake) -> None:
    original, duplicate = await filed(intake), await filed(intake)

    async def lost(_: str) -> None:
        raise store_fault()

    intake.cases.after_write = lost
    key, value = str(uuid4()), {"request_id": original["request_id"]}
    problem(await intake.call(duplicate, "duplicate-of", value, 1, key), 503)
    intake.cases.after_write = None
    assert (await intake.call(duplicate, "duplicate-of", value, 1, key)).status_code == 200
    assert set(intake.case(original)["also"]) == {duplicate["request_id"]}


async def test_learning_twice_is_as_once_and_late_news_are_passed_on(intake: Intake) -> None:
    first, second, third = [await filed(intake) for _ in range(3)]
    await close(intake, second, first)
    late = life.passed_on(intake.case(third))
    after = life.learn(intake.case(second), late, intake.case(second)["changed_at"])
    assert "to_join_since" in after, "a duplicate that learns of one is to pass it on"
    assert life.learn(after, late, after["changed_at"]) is after
    assert life.joined(after, after["version"] - 1) is after, "it has learnt more since"


@pytest.mark.parametrize("circle", [2, 3])
@pytest.mark.parametrize("seed", range(8))
async def test_no_circle_whoever_is_faster(intake: Intake, circle: int, seed: int) -> None:
    """Officers who close each other's request at the same moment: one of them is told so, one request goes on."""
    requests = [await filed(intake) for _ in range(circle)]
    waits = itertools.cycle([(seed * 7 + at * at * 5) % 4 for at in range(11)])

    async def slow(_: str) -> None:
        for _ in range(next(waits)):
            await asyncio.sleep(0)

    intake.cases.before = slow
    answers = await asyncio.gather(*(close(intake, one, requests[(at + 1) % circle]) for at, one in enumerate(requests)))
    intake.cases.before = None
    await intake.joiner.all()
    codes = [answer.status_code for answer in answers]
    assert set(codes) <= {200, 409, 412, 422}
    assert 200 in codes
    going_on = [one for one in requests if intake.case(one)["status"] == "ACCEPTED"]
    assert len(going_on) == circle - codes.count(200) >= 1
    for one in requests:
        assert (await tracked(intake, one))["status"] == "ACCEPTED"


async def test_a_correction_while_it_is_being_closed_is_not_lost(intake: Intake) -> None:
    original, duplicate = await filed(intake), await filed(intake)
    corrected, done = await asyncio.gather(
        intake.call(duplicate, "details", body(notes="lain"), 1), close(intake, duplicate, original)
    )
    assert sorted([corrected.status_code, done.status_code]) in ([200, 412], [200, 409])


async def test_the_duplicate_of_a_request_elsewhere_keeps_its_own_place(intake: Intake) -> None:
    original = await filed(intake)
    duplicate = await filed(intake, place={"visit_kind": "COMMUNITY_POINT", "village_code": KERAMAT, "address": "x"})
    await close(intake, duplicate, original)
    assert (await intake.get(original))["place"]["visit_kind"] == "HOME", "never merged"
    assert [i["person_ref"] for i in (await intake.get(original))["items"]] == ["1", "1"]


@pytest.mark.parametrize(
    "hidden", [{"needs": ["CONFIDENTIAL_ADDRESS"]}, {"categories": ["VIOLENCE_OR_TRAFFICKING_VICTIM"]}], ids=["address", "victim"]
)
async def test_whoever_asked_for_a_hidden_person_learns_nothing_of_the_visit(intake: Intake, hidden: Any) -> None:
    """A relative may be the danger: neither messages nor the receipt lead to the other request (DOMAIN.md §1.3)."""
    person = {"name": "Orang Contoh", "services": ["KTP_RECORDING"], **hidden}
    original, duplicate = await filed(intake, persons=[person]), await filed(intake, requester=TKSK)
    assert (await close(intake, duplicate, original)).status_code == 200
    assert (await tracked(intake, duplicate))["status"] == "DUPLICATE"
    details = render_details(intake.case(original), KEYS)
    assert details is not None
    assert contact_opener(RING)(details).part.also == []
