"""Facts and cases for the tests of notify: one request with two visits and two documents. Everything is made up."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, cast

from pelangi.chassis.case import Fact, apply_fact, stub
from pelangi.contracts import topics
from pelangi.contracts.codes import ReachChannel, ReachTo, RequesterKind
from pelangi.contracts.events import (
    DocumentHandedOver,
    DocumentIssued,
    DocumentWithdrawn,
    ItemClosed,
    PublicRequest,
    RequestClosed,
    RequestCreated,
    VisitCompleted,
    VisitScheduled,
)
from pelangi.contracts.sealing import Opened
from pelangi.contracts.snapshots import Address, Contact, Visits
from services.notify.handlers import HANDLERS
from services.notify.model import Case

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
REQUEST = "5b0d8f0c-0000-5000-8000-000000000001"
VISIT_1, VISIT_2 = "01890000-0000-7000-8000-000000000001", "01890000-0000-7000-8000-000000000002"
ITEM = "01890000-0000-7000-8000-0000000000a1"
DOCUMENT_1, DOCUMENT_2 = "01890000-0000-7000-8000-0000000000d1", "01890000-0000-7000-8000-0000000000d2"
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
DATE = date(2026, 12, 1)
AT = "2026-11-24T03:00:00Z"

_PUBLIC: dict[str, Any] = {
    "request_id": REQUEST,
    "received_at": AT,
    "area_code": "19.71",
    "visit_kind": "HOME",
    "channel": "KELURAHAN_FORM",
    "requester_kind": "SELF",
    "services": ["KK_CHANGE"],
    "persons_count": 1,
    "items_count": 1,
    "due_on": "2026-12-20",
}


def contact(
    *,
    kind: RequesterKind = RequesterKind.SELF,
    to: ReachTo = ReachTo.REQUESTER,
    channel: ReachChannel = ReachChannel.EMAIL,
    village_code: str = "19.71.04.1009",
    requester: Address | None = None,
) -> Contact:
    """Everybody has an address of their own, so that a test sees who was written to."""
    return Contact(
        receipt_code="ABCDEFGHJKM",
        village_code=village_code,
        requester_kind=kind,
        requester=requester or Address(name="Orang Contoh", phone="+6281200000000", email="requester@contoh.invalid"),
        persons=[Address(), Address(email="person@contoh.invalid")],
        guardians=[None, Address(email="guardian@contoh.invalid")],
        companion=Address(email="companion@contoh.invalid"),
        channel=channel,
        to=to,
    )


def fact(type_: str, data: Any, sequence: int = 1, aggregate: str = REQUEST) -> Fact[Any]:
    return Fact(type_, REQUEST, aggregate, sequence, TRACE, data)


def created() -> Fact[Any]:
    return fact(topics.REQUEST_CREATED, RequestCreated(**_PUBLIC))


def details(part: Contact | None = None, *, status: str = "ACCEPTED", version: int = 1) -> Fact[Any]:
    request = PublicRequest(**_PUBLIC, status=cast(Any, status), version=version)
    return fact(topics.REQUEST_DETAILS, Opened(request, part or contact()), version)


def erased(sequence: int = 9) -> Fact[Any]:
    return fact(topics.REQUEST_DETAILS, None, sequence)


def scheduled(
    visit_id: str = VISIT_1, revision: int = 1, status: str = "SCHEDULED", on: date = DATE, place: str | None = None
) -> Fact[Any]:
    data = VisitScheduled(
        request_id=REQUEST,
        visit_id=visit_id,
        revision=revision,
        status=cast(Any, status),
        visit_kind=cast(Any, "HOME"),
        area_code="19.71",
        date=on,
        window=None,
        place=cast(Any, place and {"name": place, "lat": -2.1, "lon": 106.1}),
        services=[],
        persons_count=1,
        reason_class=None,
    )
    return fact(topics.VISIT_SCHEDULED, data, revision, visit_id)


def completed(visit_id: str = VISIT_1, outcome: str = "DONE") -> Fact[Any]:
    data = VisitCompleted(
        request_id=REQUEST,
        visit_id=visit_id,
        outcome=cast(Any, outcome),
        completed_at=NOW,
        area_code="19.71",
        items=[],
    )
    return fact(topics.VISIT_COMPLETED, data, 1, visit_id)


def visits(visit_id: str = VISIT_1, revision: int = 1, sequence: int = 1) -> Fact[Any]:
    visit = {
        "visit_id": visit_id,
        "revision": revision,
        "status": "CONFIRMED",
        "visit_kind": "HOME",
        "date": "2026-12-01",
        "window": {"start": "2026-12-01T02:00:00Z", "end": "2026-12-01T05:00:00Z"},
        "place": {"visit_kind": "HOME", "village_code": "19.71.04.1009"},
        "team_id": "1",
        "items": [],
    }
    return fact(topics.VISIT_DETAILS, Visits.model_validate({"visits": [visit]}), sequence)


def issued(document_id: str = DOCUMENT_1, edition: int = 1) -> Fact[Any]:
    data = DocumentIssued(
        request_id=REQUEST,
        item_id=ITEM,
        service_kind=cast(Any, "KK_CHANGE"),
        document_id=document_id,
        document_kind=cast(Any, "KK"),
        edition=edition,
        issued_at=NOW,
        area_code="19.71",
        turnaround_hours=1,
    )
    return fact(topics.DOCUMENT_ISSUED, data, edition, document_id)


def handed_over(document_id: str = DOCUMENT_1) -> Fact[Any]:
    data = DocumentHandedOver(
        request_id=REQUEST,
        item_id=ITEM,
        document_id=document_id,
        document_kind=cast(Any, "KK"),
        handed_over_at=NOW,
        recipient_class=cast(Any, "PERSON"),
    )
    return fact(topics.DOCUMENT_HANDED_OVER, data, 1, document_id)


def withdrawn(document_id: str = DOCUMENT_1, edition: int = 1) -> Fact[Any]:
    data = DocumentWithdrawn(
        request_id=REQUEST,
        item_id=ITEM,
        document_id=document_id,
        document_kind=cast(Any, "KK"),
        edition=edition,
        withdrawn_at=NOW,
        reason=cast(Any, "REVOKED"),
        replaced_by=None,
    )
    return fact(topics.DOCUMENT_WITHDRAWN, data, edition, document_id)


def item_closed() -> Fact[Any]:
    data = ItemClosed(
        request_id=REQUEST,
        item_id=ITEM,
        service_kind=cast(Any, "KK_CHANGE"),
        outcome=cast(Any, "DONE"),
        closed_at=NOW,
        reason_class=None,
    )
    return fact(topics.ITEM_CLOSED, data, 1, ITEM)


def closed(outcome: str = "COMPLETED") -> Fact[Any]:
    data = RequestClosed(request_id=REQUEST, closed_at=NOW, outcome=cast(Any, outcome), turnaround_hours=1)
    return fact(topics.REQUEST_CLOSED, data)


def everything() -> list[Fact[Any]]:
    """The whole life of a request, each kind of fact at least once."""
    return [
        created(),
        details(),
        scheduled(),
        visits(),
        scheduled(revision=2, status="RESCHEDULED"),
        visits(revision=2, sequence=2),
        completed(outcome="PARTIAL"),
        scheduled(VISIT_2),
        details(contact(channel=ReachChannel.WHATSAPP), version=3),
        scheduled(VISIT_2, 2, "CANCELLED"),
        issued(),
        issued(DOCUMENT_2),
        withdrawn(DOCUMENT_2),
        handed_over(),
        item_closed(),
        closed(),
    ]


def fold(facts: Iterable[Fact[Any]], case: Case | None = None) -> Case:
    """A case after facts, as the consumer folds them, versions left out."""
    after = case if case is not None else cast(Case, stub(REQUEST))
    for one in facts:
        after = apply_fact(after, one, HANDLERS[one.type], NOW)
    return after
