"""The examples for strangers, in Python and Node: each folder alone, in a clean environment, on real Kafka; and the fold from any
order (`tests/unit/examples` runs both folds over the committed vectors).
"""

import asyncio
import importlib.util
import json
import random
import shutil
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from hypothesis import given
from hypothesis import strategies as st

from pelangi.contracts import topics
from pelangi.contracts.codes import (
    ClosingOutcome,
    DocumentKind,
    ItemOutcome,
    ItemVisitOutcome,
    RecipientClass,
    ScheduleStatus,
    ServiceKind,
    VisitKind,
    VisitOutcome,
    WithdrawalReason,
)
from pelangi.contracts.envelope import Envelope, event_id, to_headers
from pelangi.contracts.events import (
    Data,
    DocumentHandedOver,
    DocumentIssued,
    DocumentWithdrawn,
    ItemClosed,
    RequestClosed,
    RequestCreated,
    VisitCompleted,
    VisitedItem,
    VisitScheduled,
    aggregate_id,
    encode,
)
from pelangi.contracts.examples import EXAMPLES, TIME, TRACEPARENT
from tests.support.stranger import copied, run

EXAMPLES_FOLDER = Path(__file__).resolve().parents[2] / "examples"
EXAMPLE = EXAMPLES_FOLDER / "subscriber_python"
NODE_EXAMPLE = EXAMPLES_FOLDER / "subscriber_node"
NODE = shutil.which("node") or shutil.which("nodejs") or "node"
AREA = "19.71"


def load_fold() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_fold", EXAMPLE / "fold.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fold = load_fold()


class Story:
    """One request's facts, in the order in which they became true: each with its type and its sequence."""

    def __init__(self) -> None:
        self.request = str(uuid4())
        self.item, self.first_visit, self.second_visit = (str(uuid4()) for _ in range(3))
        self.old, self.new = (str(uuid4()) for _ in range(2))
        self.facts: list[tuple[str, int, Data]] = []
        self._tell()

    def _add(self, type_: str, data: Data) -> None:
        sequence = 1 + sum(topics.BY_NAME[t].owner == topics.BY_NAME[type_].owner for t, _, _ in self.facts)
        self.facts.append((type_, sequence, data))

    def _visit(self, visit: str, revision: int, status: ScheduleStatus, day: int) -> VisitScheduled:
        return VisitScheduled(
            request_id=self.request,
            visit_id=visit,
            revision=revision,
            status=status,
            visit_kind=VisitKind.HOME,
            area_code=AREA,
            date=date(2026, 11, day),
            window=None,
            place=None,
            services=[ServiceKind.KK_CHANGE],
            persons_count=1,
            reason_class=None,
        )

    def _issued(self, document: str, edition: int) -> DocumentIssued:
        return DocumentIssued(
            **self._document(document),
            service_kind=ServiceKind.KK_CHANGE,
            edition=edition,
            issued_at=TIME,
            area_code=AREA,
            turnaround_hours=49,
        )

    def _document(self, document: str) -> dict[str, Any]:
        return {
            "request_id": self.request,
            "item_id": self.item,
            "document_id": document,
            "document_kind": DocumentKind.KK,
        }

    def _handed_over(self, document: str) -> DocumentHandedOver:
        return DocumentHandedOver(**self._document(document), handed_over_at=TIME, recipient_class=RecipientClass.FAMILY)

    def _tell(self) -> None:
        created = EXAMPLES[topics.REQUEST_CREATED]
        assert isinstance(created, RequestCreated)
        self._add(topics.REQUEST_CREATED, created.model_copy(update={"request_id": self.request}))
        self._add(topics.VISIT_SCHEDULED, self._visit(self.first_visit, 1, ScheduleStatus.SCHEDULED, 25))
        self._add(topics.VISIT_SCHEDULED, self._visit(self.first_visit, 2, ScheduleStatus.CANCELLED, 25))
        self._add(topics.VISIT_SCHEDULED, self._visit(self.second_visit, 1, ScheduleStatus.SCHEDULED, 26))
        self._add(topics.VISIT_SCHEDULED, self._visit(self.second_visit, 2, ScheduleStatus.RESCHEDULED, 27))
        item = VisitedItem(
            item_id=self.item, service_kind=ServiceKind.KK_CHANGE, outcome=ItemVisitOutcome.DONE, reason_class=None
        )
        self._add(
            topics.VISIT_COMPLETED,
            VisitCompleted(
                request_id=self.request,
                visit_id=self.second_visit,
                outcome=VisitOutcome.DONE,
                completed_at=TIME,
                area_code=AREA,
                items=[item],
            ),
        )
        self._add(topics.DOCUMENT_ISSUED, self._issued(self.old, 1))
        self._add(topics.DOCUMENT_HANDED_OVER, self._handed_over(self.old))
        self._add(
            topics.DOCUMENT_WITHDRAWN,
            DocumentWithdrawn(
                **self._document(self.old),
                edition=1,
                withdrawn_at=TIME,
                reason=WithdrawalReason.SUPERSEDED,
                replaced_by=self.new,
            ),
        )
        self._add(topics.DOCUMENT_ISSUED, self._issued(self.new, 2))
        self._add(topics.DOCUMENT_HANDED_OVER, self._handed_over(self.new))
        self._add(
            topics.ITEM_CLOSED,
            ItemClosed(
                request_id=self.request,
                item_id=self.item,
                service_kind=ServiceKind.KK_CHANGE,
                outcome=ItemOutcome.DONE,
                closed_at=TIME,
                reason_class=None,
            ),
        )
        self._add(
            topics.REQUEST_CLOSED,
            RequestClosed(request_id=self.request, closed_at=TIME, outcome=ClosingOutcome.COMPLETED, turnaround_hours=52),
        )

    def expected(self) -> dict[str, Any]:
        """How it ends, written out by hand; `created` is checked by itself."""
        return {
            "status": "CLOSED COMPLETED",
            "visits": {
                self.first_visit: {"status": "CANCELLED", "date": "2026-11-25"},
                self.second_visit: {"status": "DONE", "date": "2026-11-27"},
            },
            "documents": {
                self.old: {"status": "WITHDRAWN", "kind": "KK", "edition": 1, "item": self.item},
                self.new: {"status": "HANDED_OVER", "kind": "KK", "edition": 2, "item": self.item},
            },
            "current": {self.item: {"KK": self.new}},
            "items": {self.item: "DONE"},
        }


STORY = Story()


def folded(facts: Iterable[tuple[str, int, Data]]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for type_, sequence, data in facts:
        known = fold.apply(known, type_, sequence, json.loads(encode(type_, data)))
    return known


def check_view(known: dict[str, Any], story: Story) -> None:
    view = fold.view(known)
    assert view.pop("created")["request_id"] == story.request
    assert view == story.expected()


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


async def publish(kafka: Any, facts: list[tuple[str, int, Data]], request: str) -> None:
    """Each fact by the service that owns its topic."""
    for service in topics.SERVICES:
        own = [fact for fact in facts if topics.BY_NAME[fact[0]].owner == service]
        if own:
            producer = AIOKafkaProducer(
                bootstrap_servers=kafka.bootstrap,
                security_protocol="SASL_PLAINTEXT",
                sasl_mechanism="SCRAM-SHA-512",
                sasl_plain_username=service,
                sasl_plain_password=f"{service}-dev",
            )
            try:
                await start(producer)
                await asyncio.gather(*[await send(producer, service, request, fact) for fact in own])
            finally:
                await producer.stop()


async def publish_in_transaction(kafka: Any, story: Story, *, commit: bool) -> None:
    """As a relay does it: the ends of transactions lie on the topics, and what was aborted lies there too."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username="intake",
        sasl_plain_password="intake-dev",
        transactional_id="relay-intake",
        transaction_timeout_ms=20_000,
    )
    try:
        await start(producer)
        await producer.begin_transaction()
        for fact in story.facts:
            if topics.BY_NAME[fact[0]].owner == "intake":
                await (await send(producer, "intake", story.request, fact))
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()


async def start(producer: AIOKafkaProducer) -> None:
    """A broker that has just been told of a user may refuse it for a moment."""
    for _ in range(50):
        with suppress(KafkaConnectionError):
            await producer.start()
            return
        await asyncio.sleep(0.2)
    await producer.start()


async def send(producer: AIOKafkaProducer, service: str, request: str, fact: tuple[str, int, Data]) -> Any:
    type_, sequence, data = fact
    aggregate = aggregate_id(type_, data)
    envelope = Envelope(
        type=type_,
        id=event_id(type_, request, aggregate, sequence),
        source=f"/services/{service}",
        request_id=request,
        aggregate=aggregate,
        time=datetime.now(UTC),
        sequence=sequence,
        traceparent=TRACEPARENT,
        data=encode(type_, data),
    )
    return await producer.send(type_, value=envelope.data, key=request.encode(), headers=to_headers(envelope))


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
