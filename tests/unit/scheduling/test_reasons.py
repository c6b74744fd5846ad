"""Another visit by itself, or a human first: by the reason of each item."""

from datetime import timedelta

import pytest

from pelangi.contracts.codes import CompanionKind, ItemOutcome
from pelangi.contracts.reasons import REASONS, DeferralReason
from pelangi.contracts.request import RequestPlace
from services.scheduling.metrics import IN_REVIEW
from tests.unit.scheduling.city import VILLAGE, City, closed, details, item_closed, item_id, request_id

BY_ITSELF = [r for r, row in REASONS.deferral.items() if row.auto_reschedule and r is not DeferralReason.UNDER_17_CARD_LATER]
A_HUMAN_FIRST = [r for r, row in REASONS.deferral.items() if not row.auto_reschedule]


async def failed(city: City, reason: str, n: int = 1) -> None:
    await city.run()
    await city.call("fail", n, {"reason": reason})
    await city.run()


@pytest.mark.parametrize("reason", BY_ITSELF)
async def test_planned_again_by_itself(city: City, reason: DeferralReason) -> None:
    await city.fold(details())
    await failed(city, reason)
    assert [v["status"] for v in (await city.case())["visits"]] == ["FAILED", "PLANNED"]
    shown = await city.request()
    assert (shown["review"], shown["review_reason"], shown["visits"][0]["reason"]) == (False, None, reason)


@pytest.mark.parametrize("reason", [*A_HUMAN_FIRST, DeferralReason.UNDER_17_CARD_LATER])
async def test_a_human_first(city: City, reason: DeferralReason) -> None:
    await city.fold(details())
    await failed(city, reason)
    shown = await city.request()
    assert (shown["review"], shown["review_reason"], shown["needs_visit"], len(shown["visits"])) == (True, "NEEDS_DESK", False, 1)
    assert shown["review_items"] == [item_id(1000), item_id(1001)]
    assert city.http
    plan = (await city.http.get("/v1/plans/2026-11-26")).json()
    assert plan["not_placed"] == [{"request_id": request_id(1), "reason": "REVIEW", "review_reason": "NEEDS_DESK"}]
    assert (await city.ask([0, 1], "INCOMPLETE_REQUIREMENTS")).json()["needs_visit"] is True
    await city.run()
    shown = await city.request()
    assert (shown["review"], shown["visits"][-1]["status"], shown["visits"][-1]["reason"]) == (
        False,
        "PLANNED",
        "INCOMPLETE_REQUIREMENTS",
    )


async def test_what_the_desk_allowed_once_needs_its_word_again_after_the_next_failure(city: City) -> None:
    await city.fold(details())
    await failed(city, "UNSAFE")
    await city.ask([0, 1], "UNSAFE")
    await failed(city, "UNSAFE")
    shown = await city.request()
    assert (shown["review_reason"], len(shown["visits"]), shown["needs_visit"]) == ("NEEDS_DESK", 2, False)


async def test_mixed_reasons_at_one_visit_are_items_of_their_own(city: City) -> None:
    await city.fold(details())
    await city.run()
    await city.complete(i0="DUPLICATE_RECORD", i1="BIOMETRIC_FAILED")
    await city.run()
    shown = await city.request()
    assert [i["item_id"] for i in shown["visits"][-1]["items"]] == [item_id(1001)]
    assert (shown["review"], shown["review_items"], shown["needs_visit"]) == (True, [item_id(1000)], False)
    first, again = shown["visits"][0]["visit_id"], shown["visits"][1]["visit_id"]
    assert first != again
    await city.complete()
    await city.run()
    shown = await city.request()
    assert (shown["review"], len(shown["visits"])) == (True, 2)
    await city.fold(item_closed(at=0, outcome=ItemOutcome.REJECTED))
    assert (await city.request())["review"] is False


@pytest.mark.parametrize(
    "correction",
    [
        {"place": RequestPlace(visit_kind="HOME", village_code=VILLAGE, address="Jalan Karangan 2")},
        {"companion": CompanionKind.TKSK},
        {"availability": [{"weekday": 1, "start": "10:00", "end": "12:00"}]},
        {"needs": ["RESTLESS"]},
    ],
)
@pytest.mark.parametrize("times", [1, 3])
async def test_a_correction_ends_the_review(city: City, correction: dict[str, object], times: int) -> None:
    await city.fold(details())
    for _ in range(times):
        await failed(city, "UNSAFE" if times == 1 else "NOT_AT_HOME")
    assert (await city.request())["review_reason"] == ("NEEDS_DESK" if times == 1 else "THIRD_FAILURE")
    await city.fold(details(version=2))
    assert (await city.request())["review"] is True  # the same again is no correction
    await city.fold(details(version=3, **correction))  # type: ignore[arg-type]
    shown = await city.request()
    assert (shown["review"], shown["needs_visit"]) == (False, True)
    await city.run()
    assert (await city.visit())["status"] == "PLANNED"
    await failed(city, "UNSAFE" if times == 1 else "NOT_AT_HOME")
    assert (await city.request())["review"] is True


async def test_somebody_without_needs_who_is_added_is_no_correction_of_the_others(city: City) -> None:
    await city.fold(details())
    await failed(city, "PERSON_REFUSED")
    await city.fold(details(version=2, persons=2))
    shown = await city.request()
    assert (shown["review_items"], shown["needs_visit"]) == ([item_id(1000), item_id(1001)], True)
    await city.run()
    assert [i["item_id"] for i in (await city.visit())["items"]] == [item_id(1002), item_id(1003)]


async def test_trap_13_the_third_failure_is_a_review_and_never_a_rejection(city: City) -> None:
    await city.fold(details())
    for _ in range(3):
        await failed(city, "NOT_AT_HOME")
    case, shown = await city.case(), await city.request()
    assert (shown["review"], shown["review_reason"], shown["closed"], len(shown["visits"])) == (True, "THIRD_FAILURE", False, 3)
    assert {t for t, _ in await city.events()} == {"visit-scheduled.v1", "visit-completed.v1", "visit-details.v1"}
    assert "closed" not in case and "needs_visit_since" not in case
    city.clock.at += timedelta(days=60)
    await city.run()
    assert len((await city.case())["visits"]) == 3
    await city.ask([0], "NOT_AT_HOME")
    await city.run()
    visit = await city.visit()
    assert (visit["status"], len(visit["items"])) == ("PLANNED", 2)


async def test_each_item_has_three_attempts_of_its_own(city: City) -> None:
    """Visits of a list that each leave somebody else out are no third failure of anybody."""
    await city.fold(details(persons=2))
    await city.run()
    await city.complete(i0="NOT_AT_HOME", i2="NOT_AT_HOME")
    await city.run()
    await city.complete(i0="NOT_AT_HOME")
    await city.run()
    await city.complete(i0="NOT_AT_HOME")
    await city.run()
    shown = await city.request()
    assert (shown["review_reason"], shown["review_items"], shown["failed_attempts"]) == ("THIRD_FAILURE", [item_id(1000)], 3)


async def test_the_reason_of_another_visit_is_kept_and_shown(city: City) -> None:
    await city.fold(details())
    await city.run()
    await city.complete()
    assert (await city.ask([1], "AWAITING_CENTRE")).status_code == 202
    await city.run()
    event = [d for t, d in await city.events() if t == "visit-scheduled.v1"][-1]
    assert (event.status, event.revision, event.reason_class) == ("SCHEDULED", 1, "CENTRE")
    shown = await city.request()
    assert [i["item_id"] for i in shown["visits"][-1]["items"]] == [item_id(1001)]
    assert (shown["visits"][-1]["reason"], shown["visits"][-1]["asked"]) == ("AWAITING_CENTRE", "AWAITING_CENTRE")
    assert (await city.shown())["members"][0]["reason"] == "AWAITING_CENTRE"
    await city.call("reschedule", body={"reason": "WEATHER_OR_FLOOD"})
    assert ((await city.visit())["reason"], (await city.visit())["asked"]) == ("WEATHER_OR_FLOOD", "AWAITING_CENTRE")
    await city.complete()
    assert ((await city.visit())["status"], (await city.visit())["asked"]) == ("DONE", "AWAITING_CENTRE")
    await city.run()
    assert len((await city.case())["visits"]) == 2


async def test_another_visit_is_refused_when_closed_and_for_what_is_not_there(city: City) -> None:
    await city.fold(details())
    await city.run()
    assert (await city.ask([0], "UNSAFE")).status_code == 409  # planned already
    await city.complete()
    unknown = await city.ask([0, 7], "UNSAFE")
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "#/items/1")
    await city.fold(closed())
    assert (await city.ask([0], "UNSAFE")).status_code == 409


async def test_reviews_are_counted_by_reason(city: City) -> None:
    await city.fold(details(1), details(2), details(3))
    for n in (1, 2, 3):
        await failed(city, "UNSAFE", n)
    await city.fold(closed(3))
    await city.work.reviews()
    counted = {reason: IN_REVIEW.labels(reason)._value.get() for reason in ("NEEDS_DESK", "THIRD_FAILURE")}
    assert counted == {"NEEDS_DESK": 2.0, "THIRD_FAILURE": 0.0}
