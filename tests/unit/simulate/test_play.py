"""The simulated city ends every request over an unreliable network, and has every effect once."""

import asyncio
from dataclasses import replace

import pytest

from pelangi.simulate import Chances, SimulateOptions, play_all, simulate
from pelangi.simulate import api as simulate_api
from pelangi.simulate import play as simulate_play
from pelangi.simulate.filing import accepted
from pelangi.simulate.lifecycles import next_steps
from pelangi.simulate.teams import items_of
from tests.unit.simulate.fake_city import A4, CARD, FakeCity

CALM = Chances(
    duplicate=False, deceased=0, corrected=0, moved=0, moved_away=0, no_contact=0, completed=0,
    document_returned=0, document_superseded=0, document_revoked=0, blanks_out=False,
)  # fmt: skip
"""Only what the city in memory knows of; the rest of life is played against the real services (tests/system)."""

OPTIONS = SimulateOptions(requests=40, seed=7, poll_s=0.01, timeout_s=20, quiet=True, run="test", chances=CALM)
ROUGH = replace(
    CALM, visit_fails=0.3, item_deferred=0.3, item_rejected=0.15, item_withdrawn=0.1, request_withdrawn=0.2, sent_twice=0.3
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate_api, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(simulate_api, "LONGEST_PAUSE_S", 0.002)
    monkeypatch.setattr(simulate_play, "TICK_S", 0.001)


def assert_all_ended_once(city: FakeCity) -> None:
    assert all(request["status"] not in {"RECEIVED", "SCHEDULED"} for request in city.requests.values())
    assert set(city.effects.values()) == {1}


async def test_every_request_ends() -> None:
    city = FakeCity()
    report = await simulate(OPTIONS, city.transport)
    assert report.ok, (report.stuck, report.problems)
    assert len(report.accepted) == len(city.requests) == 40
    assert_all_ended_once(city)
    assert report.by_status()["COMPLETED"] > 20
    assert [a.status for a in report.accepted] == [city.requests[a.request_id]["status"] for a in report.accepted]
    assert report.filed_per_second > 0


@pytest.mark.parametrize(("lose", "fail"), [(7, 0), (0, 5), (5, 7)])
async def test_lost_answers_and_failures_have_no_second_effect(lose: int, fail: int) -> None:
    city = FakeCity(lose=lose, fail=fail)
    report = await simulate(replace(OPTIONS, chances=ROUGH), city.transport)
    assert report.ok, (report.stuck, report.problems)
    assert len(report.accepted) == len(city.requests) == 40
    assert_all_ended_once(city)
    assert report.retries > 0


async def test_things_go_wrong_as_often_as_told_but_end() -> None:
    city = FakeCity()
    report = await simulate(replace(OPTIONS, requests=120, chances=ROUGH), city.transport)
    assert report.ok, (report.stuck, report.problems)
    assert_all_ended_once(city)
    statuses = report.by_status()
    assert {"COMPLETED", "PARTIAL", "WITHDRAWN", "NEEDS_INFO", "OUT_OF_AREA"} <= statuses.keys()
    assert sum(a.withdrawn for a in report.accepted) == statuses["WITHDRAWN"]
    assert report.sent_twice > 0
    assert report.visits_failed > 0
    for request_id in city.requests:
        bad = [v for v in city._visits_of(request_id) if v["status"] in {"FAILED", "PARTIAL"}]
        assert len(bad) <= 3


async def test_a_community_point_serves_many_requests() -> None:
    city = FakeCity()
    await simulate(replace(OPTIONS, requests=60), city.transport)
    assert max(len(visit["members"]) for visit in city.visits.values()) > 3


async def test_a_repeated_run_files_nothing_new() -> None:
    city = FakeCity()
    first = await simulate(OPTIONS, city.transport)
    second = await simulate(OPTIONS, city.transport)
    assert [a.request_id for a in first.accepted] == [a.request_id for a in second.accepted]
    other = await simulate(replace(OPTIONS, run=""), city.transport)
    assert not {a.request_id for a in other.accepted} & {a.request_id for a in first.accepted}


async def test_what_does_not_end_is_named() -> None:
    city = FakeCity()
    city.stuck = True
    report = await simulate(replace(OPTIONS, requests=5, timeout_s=0.5, chances=Chances(request_withdrawn=0)), city.transport)
    assert not report.ok
    received = [id_ for id_, request in city.requests.items() if request["status"] == "RECEIVED"]
    assert sorted(stuck.request_id for stuck in report.stuck) == sorted(received)
    assert report.stuck[0].why.startswith("RECEIVED")


async def test_players_can_share_a_city() -> None:
    city = FakeCity()
    stop = asyncio.Event()
    other = asyncio.create_task(play_all(replace(OPTIONS, run="other", seed=8), stop, city.transport))
    report = await simulate(replace(OPTIONS, chances=ROUGH), city.transport)
    stop.set()
    played = await other
    assert report.ok, (report.stuck, report.problems)
    assert not played.problems
    assert_all_ended_once(city)


async def test_the_endless_player_ends_what_others_filed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate_play, "LIST_EVERY_S", 0.01)
    city = FakeCity()
    await simulate(replace(OPTIONS, timeout_s=0.0), city.transport)
    stop = asyncio.Event()
    player = asyncio.create_task(play_all(replace(OPTIONS, chances=ROUGH), stop, city.transport))
    async with asyncio.timeout(30):
        while any(request["status"] in {"RECEIVED", "SCHEDULED"} for request in city.requests.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    stop.set()
    await player
    assert not {"WITHDRAWN", "REJECTED"} & {request["status"] for request in city.requests.values()}


@pytest.mark.parametrize(("kind", "chain"), [("KK", A4), ("KTP", CARD), ("KIA", CARD)])
def test_documents_take_the_usual_way(kind: str, chain: list[str]) -> None:
    walked = ["OPEN"]
    while steps := next_steps(kind, walked[-1]):
        walked.append(steps[0])
    assert walked == chain


def test_every_item_of_a_shared_visit_is_named_once() -> None:
    members = [{"request_id": r, "items": [{"item_id": f"{r}{n}"} for n in (1, 2)]} for r in "ab"]
    assert items_of({"members": members, "items": [{"item_id": "a1"}]}) == ["a1", "a2", "b1", "b2"]
    assert items_of({"members": [], "items": [{"item_id": "a1"}]}) == ["a1"]


def test_nothing_personal_is_remembered_of_a_201() -> None:
    body = {
        "channel": "PHONE",
        "requester": {"kind": "SELF", "name": "Rahasia"},
        "persons": [{"name": "Rahasia", "services": ["KIA"]}],
        "place": {"visit_kind": "HOME", "village_code": "19.71.04.1009", "address": "Rahasia"},
    }
    answer = {"request_id": "r", "receipt_code": "c", "status": "RECEIVED", "due_on": "2026-12-14", "items": [{}]}
    assert "Rahasia" not in repr(accepted(0, body, answer))
