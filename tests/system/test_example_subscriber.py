"""The examples for strangers, in Python and Node: each folder alone, in a clean environment, on real Kafka; and the fold from any
order (`tests/unit/examples` runs both folds over the committed vectors).
"""

import asyncio
import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelangi.contracts import topics
from pelangi.contracts.events import (
    Data,
    aggregate_id,
    encode,
)
from tests.support.public_story import (
    EXAMPLE,
    EXAMPLES_FOLDER,
    STORY,
    Story,
    check_view,
    fold,
    folded,
    publish,
    publish_in_transaction,
)
from tests.support.stranger import copied, run

NODE_EXAMPLE = EXAMPLES_FOLDER / "subscriber_node"


NODE = shutil.which("node") or shutil.which("nodejs") or "node"


def test_example_reads_every_public_topic() -> None:
    assert {t.name: t.aggregate for t in topics.TOPICS if t.public} == fold.AGGREGATE
    assert {type_ for type_, _, _ in STORY.facts} == set(fold.AGGREGATE)


def test_fold_tells_the_story() -> None:
    check_view(folded(STORY.facts), STORY)


@given(st.permutations(STORY.facts), st.lists(st.sampled_from(STORY.facts), max_size=20), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_end_in_the_same_state(
    facts: list[tuple[str, int, Data]], again: list[tuple[str, int, Data]], rng: random.Random
) -> None:
    mixed = facts + again
    rng.shuffle(mixed)
    known = folded(mixed)
    assert known == folded(STORY.facts)
    check_view(known, STORY)


@given(st.lists(st.sampled_from(STORY.facts)))
def test_any_part_of_the_story_can_be_shown(facts: list[tuple[str, int, Data]]) -> None:
    assert fold.line(STORY.request, fold.view(folded(facts))).startswith(STORY.request)


def test_cancelled_withdrawn_and_closed_win_whatever_arrives_later() -> None:
    known = folded(STORY.facts)
    for type_, visit_or_document in (
        (topics.VISIT_SCHEDULED, STORY.first_visit),
        (topics.DOCUMENT_ISSUED, STORY.old),
        (topics.DOCUMENT_HANDED_OVER, STORY.old),
    ):
        facts = [f for f in STORY.facts if f[0] == type_ and aggregate_id(type_, f[2]) == visit_or_document]
        known = fold.apply(known, type_, 999, json.loads(encode(type_, facts[0][2])))
    check_view(known, STORY)


def test_an_older_or_repeated_event_changes_nothing() -> None:
    known = folded(STORY.facts)
    for type_, sequence, data in STORY.facts:
        assert fold.apply(known, type_, sequence, json.loads(encode(type_, data))) is known


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copied folder with an environment that holds its requirements and nothing of ours."""
    return copied(EXAMPLE, tmp_path_factory.mktemp("stranger") / "copy")


def subscribe_once(folder: Path, kafka: Any, state: str) -> tuple[str, dict[str, Any]]:
    """The command of the README, to the present end."""
    output = run(
        folder,
        ".venv/bin/python",
        "subscriber.py",
        *("--bootstrap", kafka.bootstrap, "--user", "city.demo", "--password", "city.demo-dev"),
        *("--state", state, "--once"),
    )
    return output, json.loads((folder / state).read_text())


async def test_stranger_follows_every_public_event_on_real_kafka(kafka: Any, stranger: Path) -> None:
    story, later = Story(), Story()
    rng = random.Random(7)
    facts = story.facts * 2
    rng.shuffle(facts)
    await publish(kafka, facts, story.request)
    first_half = later.facts[:6]
    await publish(kafka, first_half, later.request)

    output, state = await asyncio.to_thread(subscribe_once, stranger, kafka, "state.json")
    assert state[story.request] == folded(story.facts)
    check_view(state[story.request], story)
    assert state[later.request] == folded(first_half)
    lines = [line for line in output.splitlines() if line.startswith(story.request)]
    assert "CLOSED COMPLETED" in lines[-1]
    assert "2026-11-27=DONE" in lines[-1]
    assert "KK=HANDED_OVER" in lines[-1]

    # the second run goes on from what was committed, and shows only what changed
    await publish(kafka, [*reversed(later.facts[6:]), *first_half], later.request)
    output, state = await asyncio.to_thread(subscribe_once, stranger, kafka, "state.json")
    check_view(state[later.request], later)
    assert state[story.request] == folded(story.facts)
    assert story.request not in output

    # without the file it reads everything anew, although the group has committed
    _, anew = await asyncio.to_thread(subscribe_once, stranger, kafka, "anew.json")
    assert {key: anew[key] for key in (story.request, later.request)} == {
        key: state[key] for key in (story.request, later.request)
    }


async def test_stranger_with_a_wrong_password_is_refused(kafka: Any, stranger: Path) -> None:
    command = [
        ".venv/bin/python",
        "subscriber.py",
        "--bootstrap",
        kafka.bootstrap,
        "--password",
        "wrong",
        "--state",
        "x.json",
        "--once",
    ]
    done = await asyncio.to_thread(subprocess.run, command, cwd=stranger, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert not (stranger / "x.json").exists()


@pytest.fixture(scope="session")
def node_stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copied folder with what its package.json names, from npm (kept in npm's own cache)."""
    folder = tmp_path_factory.mktemp("node-stranger") / "copy"
    shutil.copytree(NODE_EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules", "*.new", "state*.json"))
    npm = shutil.which("npm")
    assert npm, "npm is needed: `make tools` installs it"
    run(folder, npm, "install", "--prefer-offline", "--no-audit", "--no-fund", "--silent")
    assert sorted(path.name for path in (folder / "node_modules").iterdir() if not path.name.startswith(".")) == ["kafkajs"]
    assert not (folder / "package-lock.json").exists()
    return folder


def node_once(folder: Path, kafka: Any, state: str, *more: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The command of its README: the views that it prints, and the state that it keeps."""
    login = ("--bootstrap", kafka.bootstrap, "--user", "city.demo", "--password", "city.demo-dev")
    output = run(folder, NODE, "subscriber.mjs", *login, "--state", state, "--once", *more)
    kept = json.loads((folder / state).read_text())
    return json.loads(output), kept


async def test_node_stranger_follows_every_public_event_on_real_kafka(kafka: Any, node_stranger: Path) -> None:
    story, later = Story(), Story()
    facts = story.facts * 2
    random.Random(8).shuffle(facts)
    await publish(kafka, facts, story.request)
    await publish(kafka, later.facts[:6], later.request)

    views, kept = await asyncio.to_thread(node_once, node_stranger, kafka, "state.json")
    assert kept["requests"][story.request] == folded(story.facts)
    assert views[story.request].pop("created")["request_id"] == story.request
    assert views[story.request] == story.expected()
    assert kept["requests"][later.request] == folded(later.facts[:6])

    # the second run goes on from where the file says
    await publish(kafka, [*reversed(later.facts[6:]), *later.facts[:6]], later.request)
    read_before = kept["read"]
    views, kept = await asyncio.to_thread(node_once, node_stranger, kafka, "state.json")
    check_view(kept["requests"][later.request], later)
    assert kept["requests"][story.request] == folded(story.facts)
    assert all(kept["read"][at] >= offset for at, offset in read_before.items())
    assert sum(kept["read"].values()) == sum(read_before.values()) + len(later.facts[6:]) + 6

    # without the file it reads everything anew
    anew, _ = await asyncio.to_thread(node_once, node_stranger, kafka, "anew.json")
    assert anew == views


async def test_both_read_what_was_committed_and_nothing_else(kafka: Any, stranger: Path, node_stranger: Path) -> None:
    committed, aborted = Story(), Story()
    await publish_in_transaction(kafka, committed, commit=True)
    await publish_in_transaction(kafka, aborted, commit=False)
    _, state = await asyncio.to_thread(subscribe_once, stranger, kafka, "committed.json")
    views, kept = await asyncio.to_thread(node_once, node_stranger, kafka, "committed.json")
    assert views[committed.request]["status"] == fold.view(state[committed.request])["status"] == "CLOSED COMPLETED"
    assert aborted.request not in state
    assert aborted.request not in kept["requests"]
    assert {key: fold.view(known) for key, known in state.items()} == views


async def test_node_stranger_is_refused_with_a_wrong_password_or_a_group_that_is_not_its_own(
    kafka: Any, node_stranger: Path
) -> None:
    for wrong in (("--password", "wrong"), ("--password", "city.demo-dev", "--group", "notify")):
        command = [NODE, "subscriber.mjs", "--bootstrap", kafka.bootstrap, *wrong, "--state", "x.json", "--once"]
        done = await asyncio.to_thread(subprocess.run, command, cwd=node_stranger, capture_output=True, text=True, timeout=60)
        assert done.returncode != 0, wrong
        assert not (node_stranger / "x.json").exists()
