"""One request's public facts from filing to closing, as the example subscribers are told them on real Kafka."""

import asyncio
import importlib.util
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaProducer

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

EXAMPLES_FOLDER = Path(__file__).resolve().parents[2] / "examples"


EXAMPLE = EXAMPLES_FOLDER / "subscriber_python"


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
                await producer.start()
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
        await producer.start()
        await producer.begin_transaction()
        for fact in story.facts:
            if topics.BY_NAME[fact[0]].owner == "intake":
                await (await send(producer, "intake", story.request, fact))
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()


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
