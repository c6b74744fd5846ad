"""Commands over HTTP: applied exactly once, whatever is repeated, raced or lost."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pelangi.chassis.clock import SystemClock
from pelangi.chassis.commands import REMEMBERED_KEYS, Answer, Command, execute
from pelangi.chassis.store import StoreError
from pelangi.chassis.web import Problem, not_found
from tests.support.memory_store import MemoryCollection, store_fault

WALL = datetime(2026, 11, 24, tzinfo=UTC)
CLOCK = SystemClock()


@pytest.fixture
def cases() -> MemoryCollection:
    return MemoryCollection()


def adding(what: str, status: int = 200) -> Any:
    """A transition that is not idempotent by itself: it appends."""

    def transition(case: Any) -> Any:
        after = {**case, "list": [*case.get("list", []), what]}
        return after, Answer.of(status, {"list": after["list"]})

    return transition


def command(key: str = "k", digest: str = "d", **options: Any) -> Command:
    return Command(key, digest, **options)


async def run(cases: MemoryCollection, c: Command, transition: Any = None) -> Answer:
    return await execute(cases, "id", c, transition or adding(c.key), clock=CLOCK)


async def test_the_same_key_and_body_is_the_same_answer_and_no_second_effect(cases: MemoryCollection) -> None:
    first = await run(cases, command())
    assert await run(cases, command()) == first
    assert cases.documents["id"]["list"] == ["k"]
    assert first.version == cases.documents["id"]["version"] == 1


async def test_the_answer_is_bytes_with_version_and_location() -> None:
    answer = Answer.of(201, {"nama": "Siti é"}, location="/v1/x")
    response = Answer(answer.status, answer.body, 3, answer.location).response()
    assert response.body == '{"nama":"Siti é"}'.encode()
    assert (response.status_code, response.headers["etag"], response.headers["location"]) == (201, '"3"', "/v1/x")


async def test_the_same_key_with_another_body_is_422(cases: MemoryCollection) -> None:
    await run(cases, command())
    with pytest.raises(Problem) as problem:
        await run(cases, command(digest="other"))
    assert (problem.value.status, problem.value.code) == (422, "key_reused")
    assert cases.documents["id"]["list"] == ["k"]


async def test_only_a_success_binds_the_key(cases: MemoryCollection) -> None:
    def refused(_: Any) -> Any:
        raise Problem(409, "state", "no")

    with pytest.raises(Problem):
        await run(cases, command(), refused)
    assert cases.documents == {}
    assert (await run(cases, command(digest="another body"))).status == 200


async def test_a_version_that_moved_on_is_412(cases: MemoryCollection) -> None:
    await run(cases, command("a"))
    await run(cases, command("b"))
    with pytest.raises(Problem) as problem:
        await run(cases, command("c", if_match=1))
    assert problem.value.status == 412
    assert (await run(cases, command("c", if_match=2))).version == 3


async def test_the_key_is_looked_up_before_the_version(cases: MemoryCollection) -> None:
    await run(cases, command("a"))
    first = await run(cases, command("b", if_match=1))
    await run(cases, command("c"))
    assert await run(cases, command("b", if_match=1)) == first


async def test_a_transition_sees_a_stub_where_there_is_nothing(cases: MemoryCollection) -> None:
    def must_exist(case: Any) -> Any:
        assert case == {"_id": "id", "version": 0}
        raise not_found()

    with pytest.raises(Problem) as problem:
        await run(cases, command(), must_exist)
    assert problem.value.status == 404


def once(method: str, work: Any) -> Any:
    """A hook that does `work` at the first call of `method`."""
    state = {"done": False}

    async def hook(called: str) -> None:
        if called == method and not state["done"]:
            state["done"] = True
            await work()

    return hook


@pytest.mark.parametrize("method", ["insert", "update"])
async def test_the_loser_of_a_race_on_one_key_gets_the_winners_answer(cases: MemoryCollection, method: str) -> None:
    if method == "update":
        await run(cases, command("earlier"))
    winners = []

    async def win() -> None:
        winners.append(await run(cases, command()))

    cases.before = once(method, win)
    assert await run(cases, command()) == winners[0]
    assert cases.documents["id"]["list"].count("k") == 1


async def test_the_loser_of_a_race_against_another_key_is_applied_on_top(cases: MemoryCollection) -> None:
    await run(cases, command("earlier"))
    cases.before = once("update", lambda: run(cases, command("other")))
    answer = await run(cases, command())
    assert cases.documents["id"]["list"] == ["earlier", "other", "k"]
    assert answer.version == 3


async def test_the_loser_of_a_race_with_if_match_is_412_and_never_the_winners_200(cases: MemoryCollection) -> None:
    await run(cases, command("earlier"))
    cases.before = once("update", lambda: run(cases, command("other", if_match=1)))
    with pytest.raises(Problem) as problem:
        await run(cases, command(if_match=1))
    assert problem.value.status == 412
    assert cases.documents["id"]["list"] == ["earlier", "other"]


async def fail() -> None:
    raise store_fault()


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("applied", [False, True])
async def test_when_the_result_of_a_write_is_unknown_its_own_mark_decides(
    cases: MemoryCollection, known: bool, applied: bool
) -> None:
    if known:
        await run(cases, command("earlier"))
    hook = once("update" if known else "insert", fail)
    if applied:
        cases.after_write = hook
    else:
        cases.before = hook
    answer = await run(cases, command())
    assert cases.documents["id"]["list"].count("k") == 1
    assert answer.version == cases.documents["id"]["version"]


async def test_an_unknown_write_that_another_overtook_is_found_by_its_mark(cases: MemoryCollection) -> None:
    """Version or state never proves a win: ours was written, then somebody else moved the version on."""

    async def overtaken_and_lost() -> None:
        await run(cases, command("other"))
        raise store_fault()

    await run(cases, command("earlier"))
    cases.after_write = once("update", overtaken_and_lost)
    answer = await run(cases, command(if_match=1))
    assert answer.version == 2
    assert cases.documents["id"]["list"] == ["earlier", "k", "other"]


async def test_a_store_that_stays_away_is_its_error_and_the_key_can_be_sent_again(cases: MemoryCollection) -> None:
    async def away(method: str) -> None:
        if method == "insert":
            raise store_fault()

    cases.before = away
    with pytest.raises(StoreError):
        await run(cases, command())
    cases.before = None
    assert (await run(cases, command())).version == 1


async def test_the_last_32_keys_are_remembered(cases: MemoryCollection) -> None:
    answers = [await run(cases, command(f"k{at}")) for at in range(REMEMBERED_KEYS + 1)]
    for at in range(1, REMEMBERED_KEYS + 1):
        assert await run(cases, command(f"k{at}")) == answers[at]
    assert len(cases.documents["id"]["keys"]) == REMEMBERED_KEYS == 32


async def test_a_creation_is_remembered_for_ever(cases: MemoryCollection) -> None:
    first = await run(cases, command("creation", creates=True), adding("creation", 201))
    for at in range(REMEMBERED_KEYS + 5):
        await run(cases, command(f"k{at}"))
    assert await run(cases, command("creation", creates=True)) == first
    assert first.status == 201
    with pytest.raises(Problem):
        await run(cases, command("creation", digest="other", creates=True))


async def test_a_creation_costs_one_write_and_a_repeated_one_finds_its_answer(cases: MemoryCollection) -> None:
    first = await run(cases, command(creates=True))
    assert cases.calls == {"insert": 1}
    assert await run(cases, command(creates=True)) == first
    assert cases.calls == {"insert": 2, "get": 1}


async def test_a_repeated_creation_that_would_be_refused_today_has_its_old_answer(cases: MemoryCollection) -> None:
    def refused(_: Any) -> Any:
        raise Problem(422, "invalid", "no longer")

    with pytest.raises(Problem, match="invalid"):
        await run(cases, command(creates=True), refused)
    first = await run(cases, command(creates=True))
    assert await run(cases, command(creates=True), refused) == first
    with pytest.raises(Problem, match="key_reused"):
        await run(cases, command(digest="other", creates=True), refused)


async def test_a_creation_on_what_others_know_already_is_applied_on_top(cases: MemoryCollection) -> None:
    cases.documents["id"] = {"_id": "id", "version": 4, "fact": 1}
    answer = await run(cases, command(creates=True))
    assert answer.version == 5
    assert cases.documents["id"]["fact"] == 1 and cases.documents["id"]["list"] == ["k"]


async def test_the_mark_is_in_the_same_write_as_the_effect(cases: MemoryCollection) -> None:
    await run(cases, command())
    assert cases.calls == {"get": 1, "insert": 1}
    await run(cases, command("b"))
    assert cases.calls == {"get": 2, "insert": 1, "update": 1}
