"""One example of every event, all about one made-up request. No real person; the tokens are not real ciphertext."""

from datetime import UTC, date, datetime

from pelangi.contracts import topics
from pelangi.contracts.codes import (
    Channel,
    ClosingOutcome,
    DocumentKind,
    ItemOutcome,
    ItemVisitOutcome,
    PublicRequesterKind,
    RecipientClass,
    RequestStatus,
    ScheduleStatus,
    ServiceKind,
    SubmissionOutcome,
    VisitKind,
    VisitOutcome,
    WithdrawalReason,
)
from pelangi.contracts.events import (
    Data,
    DocumentHandedOver,
    DocumentIssued,
    DocumentWithdrawn,
    ItemClosed,
    Place,
    PublicRequest,
    RequestClosed,
    RequestCreated,
    RequestDetails,
    SubmissionAnswered,
    VisitCompleted,
    VisitDetails,
    VisitedItem,
    VisitScheduled,
    Window,
)

TIME = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
REQUEST = "7b0f3c8a-2f64-5d1e-8a52-3f6a0c9d1e42"
VISIT = "019ab4d2-6f10-7c3a-9b5e-0d2f4a6c8e10"
ITEM = "019ab4d2-6f11-7a0b-8c4d-1e3f5a7b9c20"
DOCUMENT = "019ab4d2-6f12-7d5e-9f6a-2b4c6d8e0f30"
SUBMISSION = "4c1d9a52-8e0b-4f6d-9a37-5b2e7f1c3d60"
TOKEN = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..example.not-a-ciphertext.tag"  # noqa: S105 - an example
KELURAHAN = "19.71.04.1009"

_CREATED = RequestCreated(
    request_id=REQUEST,
    received_at=TIME,
    area_code=KELURAHAN,
    visit_kind=VisitKind.COMMUNITY_POINT,
    channel=Channel.KELURAHAN_FORM,
    requester_kind=PublicRequesterKind.RT_RW,
    services=[ServiceKind.KK_CHANGE],
    persons_count=1,
    items_count=1,
    due_on=date(2026, 12, 15),
)

EXAMPLES: dict[str, Data] = {
    topics.REQUEST_CREATED: _CREATED,
    topics.VISIT_SCHEDULED: VisitScheduled(
        request_id=REQUEST,
        visit_id=VISIT,
        revision=1,
        status=ScheduleStatus.SCHEDULED,
        visit_kind=VisitKind.COMMUNITY_POINT,
        area_code=KELURAHAN,
        date=date(2026, 11, 26),
        window=Window(start=datetime(2026, 11, 26, 1, tzinfo=UTC), end=datetime(2026, 11, 26, 5, tzinfo=UTC)),
        place=Place(name="Kantor Kelurahan Keramat", lat=-2.13739, lon=106.09284),
        services=[ServiceKind.KK_CHANGE],
        persons_count=1,
        reason_class=None,
    ),
    topics.VISIT_COMPLETED: VisitCompleted(
        request_id=REQUEST,
        visit_id=VISIT,
        outcome=VisitOutcome.DONE,
        completed_at=TIME,
        area_code=KELURAHAN,
        items=[VisitedItem(item_id=ITEM, service_kind=ServiceKind.KK_CHANGE, outcome=ItemVisitOutcome.DONE, reason_class=None)],
    ),
    topics.DOCUMENT_ISSUED: DocumentIssued(
        request_id=REQUEST,
        item_id=ITEM,
        service_kind=ServiceKind.KK_CHANGE,
        document_id=DOCUMENT,
        document_kind=DocumentKind.KK,
        edition=1,
        issued_at=TIME,
        area_code=KELURAHAN,
        turnaround_hours=49,
    ),
    topics.DOCUMENT_HANDED_OVER: DocumentHandedOver(
        request_id=REQUEST,
        item_id=ITEM,
        document_id=DOCUMENT,
        document_kind=DocumentKind.KK,
        handed_over_at=TIME,
        recipient_class=RecipientClass.FAMILY,
    ),
    topics.DOCUMENT_WITHDRAWN: DocumentWithdrawn(
        request_id=REQUEST,
        item_id=ITEM,
        document_id=DOCUMENT,
        document_kind=DocumentKind.KK,
        edition=1,
        withdrawn_at=TIME,
        reason=WithdrawalReason.SUPERSEDED,
        replaced_by="019ab4d2-6f13-7b6c-8d7e-3c5d7e9f1a40",
    ),
    topics.ITEM_CLOSED: ItemClosed(
        request_id=REQUEST,
        item_id=ITEM,
        service_kind=ServiceKind.KK_CHANGE,
        outcome=ItemOutcome.DONE,
        closed_at=TIME,
        reason_class=None,
    ),
    topics.REQUEST_CLOSED: RequestClosed(
        request_id=REQUEST, closed_at=TIME, outcome=ClosingOutcome.COMPLETED, turnaround_hours=52
    ),
    topics.REQUEST_DETAILS: RequestDetails(
        request=PublicRequest(**_CREATED.model_dump(), status=RequestStatus.ACCEPTED, version=7),
        planning=TOKEN,
        person=TOKEN,
        contact=TOKEN,
    ),
    topics.VISIT_DETAILS: VisitDetails(request_id=REQUEST, visits=TOKEN),
    topics.SUBMISSION_ANSWERED: SubmissionAnswered(
        submission_id=SUBMISSION, outcome=SubmissionOutcome.ACCEPTED, request_id=REQUEST, problems=[]
    ),
}
"""By event type."""
