"""Life as it happens: put off, recorded again, held, ended by a death or correction; and what the centre says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelangi.contracts.codes import ClosingOutcome, ItemOutcome, ItemVisitOutcome, RequestStatus, ServiceKind
from pelangi.contracts.events import DocumentIssued, ItemClosed
from pelangi.contracts.reasons import DeferralReason
from services.issuance.bodies import TOLD_BY_CENTRE
from services.issuance.enrolment import KNOWN, Meaning
from services.issuance.model import NotAllowed
from tests.unit.issuance.officer import Client
from tests.unit.issuance.scenario import (
    CARD_WAY,
    VISIT,
    VISIT_2,
    Desk,
    closed,
    completed,
    details,
    item_id,
    tombstone,
    visited_desk,
    visits,
)

DONE, DEFERRED = ItemVisitOutcome.DONE, ItemVisitOutcome.DEFERRED


def returned(reason: DeferralReason, service: ServiceKind = ServiceKind.KTP_NEW) -> Desk:
    """A card that came back from the centre."""
    return visited_desk(service).walk("BIO_CAPTURED", "AWAITING_CENTRE").move("RETURNED", reason=reason)


def refused(desk: Desk, to: str, **fields: Any) -> None:
    before = desk.case
    with pytest.raises(NotAllowed):
        desk.move(to, **fields)
    assert desk.case is before


@pytest.mark.parametrize("fact", [completed({0: DONE}, 7, VISIT_2), visits({0: DONE}, {0: DONE}, sequence=7)])
def test_a_second_recording_waits_for_the_second_visit(fact: Any) -> None:
    desk = returned(DeferralReason.BIOMETRIC_FAILED)
    refused(desk, "BIO_CAPTURED")
    desk.fold(completed({0: DONE}, 4), visits({0: DONE}, sequence=4))  # the first visit, told again
    refused(desk, "BIO_CAPTURED")
    desk.fold(completed({0: DEFERRED}, 6, VISIT_2))
    refused(desk, "BIO_CAPTURED")
    desk.fold(fact).walk(*CARD_WAY)
    assert [e.outcome for e in desk.sent(ItemClosed)] == [ItemOutcome.DONE]


def test_a_third_recording_waits_for_the_third_visit() -> None:
    desk = returned(DeferralReason.BIOMETRIC_FAILED).fold(completed({0: DONE}, 7, VISIT_2))
    desk.walk("BIO_CAPTURED", "AWAITING_CENTRE").move("RETURNED", reason=DeferralReason.BIOMETRIC_FAILED)
    assert desk.documents[0]["done_before"] == [VISIT, VISIT_2]
    refused(desk, "BIO_CAPTURED")
    desk.fold(completed({0: DONE}, 9, "01934567-0000-7000-8000-0000000000a3")).walk("BIO_CAPTURED")


def test_a_card_from_the_record_waits_too_and_holding_it_is_no_way_round() -> None:
    desk = returned(DeferralReason.BIOMETRIC_FAILED, ServiceKind.KIA)
    refused(desk, "PRINT_READY")
    desk.move("ON_HOLD", reason=DeferralReason.AWAITING_EXCEPTION_APPROVAL).move("RETURNED", reason=None)
    refused(desk, "PRINT_READY")
    assert desk.documents[0]["done_before"] == [VISIT]
    desk.move("REJECTED", reason="COURT_RULING_REQUIRED")
    assert [e.outcome for e in desk.sent(ItemClosed)] == [ItemOutcome.REJECTED]


def test_a_visit_while_it_was_held_counts_when_it_is_resumed_for_the_same_reason() -> None:
    desk = returned(DeferralReason.BIOMETRIC_FAILED).move("ON_HOLD", reason=DeferralReason.KIT_FAILURE)
    desk.fold(completed({0: DONE}, 7, VISIT_2)).move("RETURNED", reason=DeferralReason.BIOMETRIC_FAILED)
    desk.walk("BIO_CAPTURED")


@pytest.mark.parametrize("reason", sorted(set(DeferralReason) - {DeferralReason.BIOMETRIC_FAILED}))
def test_what_comes_back_for_another_reason_needs_no_visit(reason: DeferralReason) -> None:
    assert returned(reason).walk(*CARD_WAY).sent(DocumentIssued)


@pytest.mark.parametrize("reason", [DeferralReason.UNDER_17_CARD_LATER, DeferralReason.AWAITING_CENTRE])
def test_a_card_that_comes_later_keeps_its_item_open(reason: DeferralReason) -> None:
    kinds = (ServiceKind.KTP_RECORDING, ServiceKind.KTP_NEW)
    desk = Desk(details(*kinds), completed({0: DONE, 1: DEFERRED})).open().move("ON_HOLD", reason=reason)
    assert [i["status"] for i in desk.shown()["items"]] == ["DONE", "OPEN"]
    refused(desk.move("OPEN"), "BIO_CAPTURED")
    desk.fold(completed({1: DONE}, 8, VISIT_2)).walk(*CARD_WAY)
    assert [i["status"] for i in desk.shown()["items"]] == ["DONE", "DONE"]


def test_a_biometric_failure_never_holds_up_the_other_items() -> None:
    kinds = (ServiceKind.KTP_NEW, ServiceKind.KK_NEW)
    desk = Desk(details(*kinds), completed({0: DEFERRED, 1: DONE})).open()
    refused(desk, "BIO_CAPTURED")
    desk.walk("DATA_ENTERED", "VERIFIED", "SIGNED", "READY_FOR_HANDOVER", "HANDED_OVER", document=1)
    assert [(e.item_id, e.outcome) for e in desk.sent(ItemClosed)] == [(item_id(1), ItemOutcome.DONE)]


@pytest.mark.parametrize("walked", range(4))
def test_a_death_cancels_what_is_not_issued_and_leaves_what_is(walked: int) -> None:
    kinds = (ServiceKind.KIA, ServiceKind.KTP_NEW)
    desk = visited_desk(*kinds).walk("PRINT_READY", "PRINTED").walk(*CARD_WAY[:walked], document=1)
    desk.fold(details(*kinds, version=6, withdrawn=[0, 1]))
    assert [d["status"] for i in desk.shown()["items"] for d in i["documents"]] == ["PRINTED", "CANCELLED"]
    assert sorted((e.item_id, e.outcome) for e in desk.sent(ItemClosed)) == [
        (item_id(n), ItemOutcome.WITHDRAWN) for n in range(2)
    ]
    refused(desk, "READY_FOR_HANDOVER")
    if walked < 3:
        with pytest.raises(NotAllowed):
            desk.move(CARD_WAY[walked], 1)
    assert desk.shown()["items"][1]["card_promised"] is False
    desk.move("REVOKED", reason="DUPLICATE_RECORD")


@pytest.mark.parametrize("outcome", [ClosingOutcome.OTHER, ClosingOutcome.WITHDRAWN, ClosingOutcome.OUT_OF_AREA])
def test_a_visit_that_was_under_way_when_the_request_closed_still_counts(outcome: ClosingOutcome) -> None:
    kinds = (ServiceKind.KTP_RECORDING, ServiceKind.KK_NEW)
    desk = Desk(details(*kinds)).open().fold(closed(outcome), completed({0: DONE, 1: DONE}))
    assert [i["status"] for i in desk.shown()["items"]] == ["DONE", "ENDED"]
    assert desk.sent(ItemClosed) == []
    refused(desk, "DATA_ENTERED")


@given(st.permutations(["death", "completed", "again", "closed"]))
def test_a_death_a_late_visit_and_the_closing_in_any_order_end_alike(order: list[str]) -> None:
    kinds = (ServiceKind.KTP_NEW, ServiceKind.KK_NEW)
    facts = {
        "death": details(*kinds, version=6, withdrawn=[0, 1], status=RequestStatus.DECEASED),
        "completed": completed({0: DONE, 1: DONE}),
        "again": completed({0: DONE, 1: DONE}),
        "closed": closed(ClosingOutcome.OTHER),
    }
    desk = Desk(details(*kinds)).open().fold(*(facts[what] for what in order))
    statuses = [(i["status"], d["status"]) for i in desk.shown()["items"] for d in i["documents"]]
    assert statuses == [("WITHDRAWN", "CANCELLED")] * 2


async def test_trap_20_an_unknown_enrolment_status_is_kept_not_rejected(client: Client) -> None:
    [document_id] = await client.have(ServiceKind.KTP_NEW)
    told = [
        ("BIO_CAPTURED", "SENT_FOR_ENROLLMENT", "UNDER_WAY"),
        ("AWAITING_CENTRE", "QUEUED_FOR_BIOMETRIC_MATCH_9", None),
        ("PRINT_READY", "PRINT_READY_RECORD", "READY"),
    ]
    for to, status, meaning in told:
        answer = await client.move(document_id, {"to": to, "enrolment_status": status})
        assert answer.status_code == 200
        assert answer.json()["enrolment"] == {"status": status, "meaning": meaning}
    await client.move(document_id, {"to": "ON_HOLD", "reason": "NO_BLANK"})
    assert (await client.shown())["items"][0]["documents"][0]["enrolment"]["status"] == "PRINT_READY_RECORD"
    assert {to for to, _, _ in told} == TOLD_BY_CENTRE


def test_the_known_statuses_of_an_enrolment() -> None:
    assert KNOWN["DUPLICATE_RECORD"] is Meaning.BLOCKED
    assert {s for s, m in KNOWN.items() if m is Meaning.FAILED} == {
        "ENROLL_FAILURE_AT_CENTRAL",
        "SEARCH_FAILURE_AT_CENTRAL",
        "ENROLL_FAILURE_AT_REGIONAL",
    }


def test_erasure_forgets_what_the_centre_said_and_nothing_moves_any_more() -> None:
    desk = visited_desk(ServiceKind.KIA).move("PRINT_READY", enrolment_status="DUPLICATE_RECORD").walk("PRINTED")
    desk.move("SUPERSEDED", reason="TYPING_ERROR").fold(tombstone())
    assert "DUPLICATE_RECORD" not in str(desk.case)
    assert "TYPING_ERROR" not in str(desk.case)
    for document in range(2):
        for to in ("PRINT_READY", "REVOKED"):
            with pytest.raises(NotAllowed):
                desk.move(to, document, reason="FALSE_STATEMENT")
