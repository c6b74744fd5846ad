"""What the desk does to documents and items, and the events that it owes."""

from datetime import timedelta

import pytest

from pelangi.contracts.codes import ClosingOutcome, DocumentKind, ItemOutcome, ItemVisitOutcome, RecipientClass, ServiceKind
from pelangi.contracts.events import DocumentHandedOver, DocumentIssued, ItemClosed
from pelangi.contracts.reasons import DeferralReason, ReasonClass, RejectionReason
from services.issuance.case import document_status, item_of, item_status
from services.issuance.documents import RULES, Family
from services.issuance.model import Missing, NotAllowed, close_item, open_documents
from tests.unit.issuance.scenario import (
    A4_WAY,
    CARD_WAY,
    NOW,
    RECEIVED,
    Desk,
    closed,
    completed,
    details,
    item_id,
    visited_desk,
)

DONE = ItemVisitOutcome.DONE
DOCUMENT_SERVICES = [s for s, rule in RULES.items() if rule.documents]


def status_of(desk: Desk, n: int = 0) -> str:
    return item_status(desk.case, item_of(desk.case, item_id(n)))


def document_statuses(desk: Desk) -> list[str]:
    return [document_status(desk.case, d) for d in desk.documents]


def end(desk: Desk, outcome: ItemOutcome, reason: str | None, n: int = 0) -> Desk:
    return desk.take(close_item(desk.case, item_id(n), outcome, reason, NOW))


@pytest.mark.parametrize("service", DOCUMENT_SERVICES)
def test_the_whole_way_of_every_service_ends_done_with_each_event_once(service: ServiceKind) -> None:
    desk = visited_desk(service)
    desk.walk(*(A4_WAY if RULES[service].family is Family.A4 else CARD_WAY))
    assert status_of(desk) == ItemOutcome.DONE
    assert document_statuses(desk) == ["HANDED_OVER"]
    [item_closed] = desk.sent(ItemClosed)
    assert (item_closed.outcome, item_closed.reason_class) == (ItemOutcome.DONE, None)
    public = service is not ServiceKind.VULNERABLE_DATA_COLLECTION
    assert item_closed.service_kind == (service if public else ServiceKind.CONSULTATION)
    assert len(desk.sent(DocumentIssued)) == len(desk.sent(DocumentHandedOver)) == int(public)


def test_a4_is_issued_when_signed_and_not_again_when_printed() -> None:
    desk = visited_desk(ServiceKind.BIRTH_CERT).walk("DATA_ENTERED", "VERIFIED")
    assert desk.sent(DocumentIssued) == []
    desk.walk("SIGNED")
    [issued] = desk.sent(DocumentIssued)
    assert issued == DocumentIssued(
        request_id=desk.case["_id"],
        item_id=item_id(0),
        service_kind=ServiceKind.BIRTH_CERT,
        document_id=desk.documents[0]["document_id"],
        document_kind=DocumentKind.BIRTH_CERT,
        edition=1,
        issued_at=NOW,
        area_code="19.71",
        turnaround_hours=26,
    )
    desk.walk("PRINTED", "READY_FOR_HANDOVER", "HANDED_OVER")
    assert desk.sent(DocumentIssued) == [issued]


def test_a_card_is_issued_when_printed() -> None:
    desk = visited_desk(ServiceKind.KIA).walk("PRINT_READY")
    assert desk.sent(DocumentIssued) == []
    desk.walk("PRINTED")
    assert [e.document_kind for e in desk.sent(DocumentIssued)] == [DocumentKind.KIA]


def test_on_hold_and_back_does_not_issue_again_nor_ask_for_the_reference_again() -> None:
    desk = visited_desk(ServiceKind.KK_NEW).walk("DATA_ENTERED", "VERIFIED", "SIGNED")
    for _ in range(3):
        desk.move("ON_HOLD", reason=DeferralReason.NO_RIBBON)
        desk.move("SIGNED")
    assert len(desk.sent(DocumentIssued)) == 1
    with pytest.raises(NotAllowed):
        desk.move("SIGNED", siak_reference="SIAK-2")


def test_turnaround_is_never_negative() -> None:
    desk = visited_desk(ServiceKind.KK_NEW).walk("DATA_ENTERED", "VERIFIED")
    desk.move("SIGNED", now=RECEIVED - timedelta(hours=5), siak_reference="SIAK-1")
    assert desk.sent(DocumentIssued)[0].turnaround_hours == 0


@pytest.mark.parametrize(
    ("service", "before", "to"),
    [
        (ServiceKind.KK_NEW, ("DATA_ENTERED", "VERIFIED"), "SIGNED"),
        (ServiceKind.KTP_NEW, ("BIO_CAPTURED", "AWAITING_CENTRE", "PRINT_READY"), "PRINTED"),
    ],
)
def test_what_becomes_a_legal_document_needs_a_siak_reference(service: ServiceKind, before: tuple[str, ...], to: str) -> None:
    desk = visited_desk(service).walk(*before)
    with pytest.raises(Missing) as missing:
        desk.move(to)
    assert missing.value.field == "siak_reference"
    assert desk.sent(DocumentIssued) == []


def test_a_reference_typed_in_earlier_counts() -> None:
    desk = visited_desk(ServiceKind.KK_NEW)
    desk.move("DATA_ENTERED", siak_reference="SIAK-7").walk("VERIFIED").move("SIGNED")
    assert desk.documents[0]["siak_reference"] == "SIAK-7"


def test_no_event_shows_the_reference_or_who_took_the_document() -> None:
    desk = visited_desk(ServiceKind.KK_NEW).walk(*A4_WAY)
    text = "".join(e.model_dump_json() for e in desk.events)
    assert "SIAK-1" not in text
    assert "Budi" not in text
    assert desk.sent(DocumentHandedOver)[0].recipient_class == RecipientClass.FAMILY


def test_hand_over_closes_the_item_in_the_same_transition() -> None:
    desk = visited_desk(ServiceKind.KK_NEW).walk(*A4_WAY[:-1])
    version, before = desk.case["version"], len(desk.events)
    desk.walk("HANDED_OVER")
    assert desk.case["version"] == version + 1
    assert [type(e).__name__ for e in desk.events[before:]] == ["DocumentHandedOver", "ItemClosed"]


@pytest.mark.parametrize("outcome", [None, ItemVisitOutcome.DEFERRED])
def test_a_document_waits_for_the_visit(outcome: ItemVisitOutcome | None) -> None:
    desk = Desk(details(ServiceKind.KK_NEW), *([completed({0: outcome})] if outcome else [])).open()
    with pytest.raises(NotAllowed):
        desk.move("DATA_ENTERED")
    desk.move("ON_HOLD", reason=DeferralReason.SIAK_DOWN).move("OPEN")
    desk.fold(completed({0: DONE}, sequence=7, visit_id="01934567-0000-7000-8000-0000000000a2")).move("DATA_ENTERED")
    assert document_statuses(desk) == ["DATA_ENTERED"]


def test_a_returned_document_goes_round_again() -> None:
    desk = visited_desk(ServiceKind.KK_NEW, ServiceKind.KTP_NEW).walk("DATA_ENTERED", "VERIFIED")
    desk.move("RETURNED", reason=DeferralReason.INCOMPLETE_REQUIREMENTS).walk("REQUIREMENTS_PENDING", *A4_WAY)
    desk.walk("BIO_CAPTURED", "AWAITING_CENTRE", document=1)
    desk.move("RETURNED", 1, reason=DeferralReason.DUPLICATE_RECORD).walk(*CARD_WAY, document=1)
    assert len(desk.sent(DocumentIssued)) == len(desk.sent(ItemClosed)) == 2


def test_rejecting_its_only_document_closes_the_item() -> None:
    desk = Desk(details(ServiceKind.KK_NEW)).open()
    desk.move("REJECTED", reason=RejectionReason.COURT_RULING_REQUIRED)
    [event] = desk.sent(ItemClosed)
    assert (event.outcome, event.reason_class) == (ItemOutcome.REJECTED, ReasonClass.THIRD_PARTY)
    assert status_of(desk) == "REJECTED"
    with pytest.raises(NotAllowed):
        desk.move("DATA_ENTERED")


def test_what_exists_in_law_cannot_be_rejected() -> None:
    desk = visited_desk(ServiceKind.KK_NEW).walk("DATA_ENTERED", "VERIFIED", "SIGNED")
    with pytest.raises(NotAllowed):
        desk.move("REJECTED", reason=RejectionReason.FALSE_STATEMENT)
    with pytest.raises(NotAllowed):
        end(desk, ItemOutcome.REJECTED, RejectionReason.FALSE_STATEMENT)


@pytest.mark.parametrize(
    ("outcome", "reason", "reason_class", "document"),
    [
        (ItemOutcome.REJECTED, "SERVICE_NOT_MOBILE", ReasonClass.OFFICE, "REJECTED"),
        (ItemOutcome.REJECTED, "NOT_ELIGIBLE_AGE", ReasonClass.RESIDENT, "REJECTED"),
        (ItemOutcome.WITHDRAWN, None, ReasonClass.RESIDENT, "CANCELLED"),
        (ItemOutcome.WITHDRAWN, "CHANGED_MIND", ReasonClass.RESIDENT, "CANCELLED"),
    ],
)
def test_ending_an_item_ends_its_documents(
    outcome: ItemOutcome, reason: str | None, reason_class: ReasonClass, document: str
) -> None:
    desk = visited_desk(ServiceKind.KK_NEW, ServiceKind.KIA).walk("DATA_ENTERED")
    end(desk, outcome, reason)
    [event] = desk.sent(ItemClosed)
    assert (event.item_id, event.outcome, event.reason_class) == (item_id(0), outcome, reason_class)
    assert document_statuses(desk) == [document, "OPEN"]
    assert status_of(desk, 1) == "OPEN"
    with pytest.raises(NotAllowed):
        end(desk, ItemOutcome.WITHDRAWN, None)
    with pytest.raises(NotAllowed):
        desk.move("VERIFIED")


def test_an_item_without_documents_can_be_ended_too() -> None:
    desk = end(Desk(details(ServiceKind.KTP_RECORDING)), ItemOutcome.REJECTED, "NOT_ELIGIBLE_AGE")
    desk.fold(completed({0: DONE}))
    assert [e.outcome for e in desk.sent(ItemClosed)] == [ItemOutcome.REJECTED]


def test_withdrawing_an_item_whose_document_exists_stops_it_there() -> None:
    desk = visited_desk(ServiceKind.KK_NEW).walk("DATA_ENTERED", "VERIFIED", "SIGNED")
    end(desk, ItemOutcome.WITHDRAWN, None)
    assert document_statuses(desk) == ["SIGNED"]
    with pytest.raises(NotAllowed):
        desk.move("READY_FOR_HANDOVER")


@pytest.mark.parametrize("outcome", [ClosingOutcome.WITHDRAWN, ClosingOutcome.DUPLICATE, ClosingOutcome.OTHER])
def test_closing_over_open_items_ends_them_in_silence(outcome: ClosingOutcome) -> None:
    desk = visited_desk(ServiceKind.KK_NEW, ServiceKind.BIRTH_CERT).walk("DATA_ENTERED", "VERIFIED", "SIGNED", document=1)
    desk.fold(closed(outcome))
    assert (status_of(desk, 0), status_of(desk, 1)) == ("ENDED", "ENDED")
    assert document_statuses(desk) == ["CANCELLED", "SIGNED"]
    assert desk.sent(ItemClosed) == []
    with pytest.raises(NotAllowed):
        desk.move("DATA_ENTERED")
    with pytest.raises(NotAllowed):
        end(desk, ItemOutcome.WITHDRAWN, None)
    desk.walk("READY_FOR_HANDOVER", "HANDED_OVER", document=1)
    assert len(desk.sent(DocumentHandedOver)) == 1
    assert desk.sent(ItemClosed) == []


@pytest.mark.parametrize("outcome", [ClosingOutcome.COMPLETED, ClosingOutcome.PARTIAL])
def test_after_a_closing_by_its_items_later_document_facts_count(outcome: ClosingOutcome) -> None:
    desk = visited_desk(ServiceKind.KK_NEW).fold(closed(outcome)).walk(*A4_WAY)
    assert (len(desk.sent(DocumentIssued)), len(desk.sent(ItemClosed))) == (1, 1)


def test_documents_are_opened_once_and_for_open_items_only() -> None:
    kinds = (ServiceKind.KK_NEW, ServiceKind.KTP_RECORDING, ServiceKind.KIA)
    desk = Desk(details(*kinds, withdrawn=[2]))
    assert "to_open_since" in desk.case
    desk.open()
    assert [(d["item_id"], d["document_kind"], d["edition"]) for d in desk.documents] == [(item_id(0), "KK", 1)]
    assert "to_open_since" not in desk.case
    assert open_documents(desk.case, lambda: "never", NOW) is desk.case
    desk.fold(details(*kinds, ServiceKind.BIRTH_CERT, version=4, withdrawn=[2])).open().open()
    assert [d["document_kind"] for d in desk.documents] == ["KK", "BIRTH_CERT"]


def test_nothing_is_opened_for_a_closed_request() -> None:
    desk = Desk(closed(ClosingOutcome.OUT_OF_AREA), details(ServiceKind.KK_NEW)).open()
    assert desk.documents == []
    assert "to_open_since" not in desk.case


def test_unknown_items_and_documents_are_not_found() -> None:
    desk = visited_desk(ServiceKind.KK_NEW)
    with pytest.raises(LookupError):
        close_item(desk.case, item_id(7), ItemOutcome.WITHDRAWN, None, NOW)
