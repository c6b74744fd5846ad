"""Superseded and revoked: also after closing, once, told to everybody; the next edition lives on its own."""

import asyncio
import json
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pelangi.contracts.codes import ClosingOutcome, ItemOutcome, ItemVisitOutcome, RequestStatus, ServiceKind, WithdrawalReason
from pelangi.contracts.events import DocumentHandedOver, DocumentIssued, DocumentWithdrawn, ItemClosed
from pelangi.contracts.reasons import DeferralReason, RejectionReason
from services.issuance.documents import REASONS, RULES, DocumentStatus, Family
from services.issuance.model import NotAllowed, close_item
from services.issuance.withdrawals import WITHDRAWAL_REASONS, Withdrawals
from tests.unit.issuance.officer import Client
from tests.unit.issuance.scenario import (
    A4_WAY,
    CARD_WAY,
    NOW,
    RECEIVED,
    REQUEST,
    Desk,
    closed,
    completed,
    created,
    details,
    item_id,
    scheduled,
    visited_desk,
    visits,
)

DONE = ItemVisitOutcome.DONE
LETTER = ServiceKind.VULNERABLE_DATA_COLLECTION
DOCUMENT_SERVICES = [s for s, rule in RULES.items() if rule.documents]
REASON = {"SUPERSEDED": "TYPING_ERROR", "REVOKED": "FALSE_STATEMENT"}


def way(service: ServiceKind) -> tuple[str, ...]:
    return A4_WAY if RULES[service].family is Family.A4 else CARD_WAY


def withdraw(desk: Desk, to: str, document: int = 0) -> Desk:
    return desk.move(to, document, reason=REASON[to])


def shown(desk: Desk) -> list[tuple[int, str]]:
    return [(d["edition"], d["status"]) for i in desk.shown()["items"] for d in i["documents"]]


@pytest.mark.parametrize("service", DOCUMENT_SERVICES)
def test_superseded_after_closing_the_next_edition_goes_the_whole_way_and_nothing_reopens(service: ServiceKind) -> None:
    desk = visited_desk(service).walk(*way(service)).fold(closed(ClosingOutcome.COMPLETED))
    first = desk.documents[0]["document_id"]
    withdraw(desk, "SUPERSEDED")
    assert shown(desk) == [(1, "SUPERSEDED"), (2, "OPEN")]
    desk.walk(*way(service), document=1)
    assert shown(desk) == [(1, "SUPERSEDED"), (2, "HANDED_OVER")]
    assert len(desk.sent(ItemClosed)) == 1
    assert (desk.shown()["closed"], desk.shown()["items"][0]["status"]) == (True, "DONE")
    public = service is not LETTER
    assert [e.edition for e in desk.sent(DocumentIssued)] == ([1, 2] if public else [])
    assert len(desk.sent(DocumentHandedOver)) == (2 if public else 0)
    told = [(e.document_id, e.edition, e.reason, e.replaced_by) for e in desk.sent(DocumentWithdrawn)]
    second = desk.documents[1]["document_id"]
    assert told == ([(first, 1, WithdrawalReason.SUPERSEDED, second)] if public else [])


@pytest.mark.parametrize("service", DOCUMENT_SERVICES)
def test_revoked_after_closing_nothing_takes_its_place(service: ServiceKind) -> None:
    desk = visited_desk(service).walk(*way(service)).fold(closed(ClosingOutcome.COMPLETED))
    withdraw(desk, "REVOKED")
    assert shown(desk) == [(1, "REVOKED")]
    assert [(e.reason, e.replaced_by) for e in desk.sent(DocumentWithdrawn)] == (
        [(WithdrawalReason.REVOKED, None)] if service is not LETTER else []
    )
    assert desk.shown()["items"][0]["status"] == "DONE"
    assert len(desk.sent(ItemClosed)) == 1


@pytest.mark.parametrize("to", ["SUPERSEDED", "REVOKED"])
@pytest.mark.parametrize("steps", [("SIGNED",), ("SIGNED", "PRINTED"), ("SIGNED", "READY_FOR_HANDOVER")])
def test_an_item_that_is_still_open_gets_the_next_edition_and_closes_with_it(to: str, steps: tuple[str, ...]) -> None:
    desk = visited_desk(ServiceKind.KK_NEW).walk("DATA_ENTERED", "VERIFIED", *steps)
    withdraw(desk, to)
    assert shown(desk) == [(1, to), (2, "OPEN")]
    assert desk.sent(ItemClosed) == []
    [event] = desk.sent(DocumentWithdrawn)
    assert event.replaced_by == (desk.documents[1]["document_id"] if to == "SUPERSEDED" else None)
    desk.walk(*A4_WAY, document=1)
    assert [e.outcome for e in desk.sent(ItemClosed)] == [ItemOutcome.DONE]


@pytest.mark.parametrize("to", ["SUPERSEDED", "REVOKED"])
def test_what_is_not_issued_cannot_be_withdrawn(to: str) -> None:
    desk = visited_desk(ServiceKind.KTP_NEW)
    for step in CARD_WAY[:3]:
        with pytest.raises(NotAllowed):
            withdraw(desk, to)
        desk.walk(step)
    withdraw(desk.walk("PRINTED"), to)
    assert len(desk.sent(DocumentWithdrawn)) == 1


@pytest.mark.parametrize("to", ["SUPERSEDED", "REVOKED"])
@pytest.mark.parametrize("service", [ServiceKind.KK_NEW, ServiceKind.KTP_REISSUE])
def test_p26_a_withdrawn_document_goes_nowhere(service: ServiceKind, to: str) -> None:
    for handed_over in (False, True):
        desk = withdraw(visited_desk(service).walk(*(way(service) if handed_over else way(service)[:4])), to)
        for step in DocumentStatus:
            with pytest.raises(NotAllowed):
                desk.move(step, siak_reference="S", reason="TYPING_ERROR", handed_over_to={"recipient_class": "PERSON"})
        assert len(desk.sent(DocumentWithdrawn)) == 1


def test_a_document_on_hold_can_be_withdrawn() -> None:
    desk = visited_desk(ServiceKind.KIA).walk("PRINT_READY", "PRINTED").move("ON_HOLD", reason=DeferralReason.NO_RIBBON)
    assert shown(withdraw(desk, "REVOKED")) == [(1, "REVOKED"), (2, "OPEN")]


def test_editions_can_follow_each_other() -> None:
    desk = visited_desk(ServiceKind.BIRTH_CERT).walk(*A4_WAY).fold(closed(ClosingOutcome.PARTIAL))
    for edition in range(3):
        withdraw(desk, "SUPERSEDED", edition).walk(*A4_WAY, document=edition + 1)
    assert [e.edition for e in desk.sent(DocumentIssued)] == [1, 2, 3, 4]
    ids = [d["document_id"] for d in desk.documents]
    assert len(set(ids)) == 4
    assert [(e.document_id, e.replaced_by) for e in desk.sent(DocumentWithdrawn)] == list(pairwise(ids))
    assert len(desk.sent(ItemClosed)) == 1


def test_a_next_card_is_printed_from_the_record_that_exists() -> None:
    desk = withdraw(visited_desk(ServiceKind.KTP_NEW).walk(*CARD_WAY), "SUPERSEDED")
    desk.walk("PRINT_READY", "PRINTED", "READY_FOR_HANDOVER", "HANDED_OVER", document=1)
    blanks = [d["blank"] for d in desk.documents]
    assert len(set(blanks)) == 2


def test_turnaround_of_a_next_edition_is_never_negative() -> None:
    desk = withdraw(visited_desk(ServiceKind.KK_NEW).walk(*A4_WAY), "SUPERSEDED").walk("DATA_ENTERED", "VERIFIED", document=1)
    desk.move("SIGNED", 1, now=RECEIVED - timedelta(days=2), siak_reference="SIAK-2")
    assert [e.turnaround_hours for e in desk.sent(DocumentIssued)] == [26, 0]


def test_a_next_edition_goes_on_though_the_item_is_withdrawn_or_its_request_closed_over_it() -> None:
    kinds = (ServiceKind.KK_NEW, ServiceKind.BIRTH_CERT)
    desk = visited_desk(*kinds)
    for n in range(2):
        withdraw(desk.walk("DATA_ENTERED", "VERIFIED", "SIGNED", document=n), "SUPERSEDED", n)
    desk.fold(details(*kinds, version=5, withdrawn=[0])).fold(closed(ClosingOutcome.OTHER))
    for n in (2, 3):
        desk.walk(*A4_WAY, document=n)
    assert [e.outcome for e in desk.sent(ItemClosed)] == [ItemOutcome.WITHDRAWN]
    assert len(desk.sent(DocumentHandedOver)) == 2


def test_who_no_longer_wants_it_ends_the_next_edition_too() -> None:
    desk = withdraw(visited_desk(ServiceKind.KK_NEW).walk("DATA_ENTERED", "VERIFIED", "SIGNED"), "SUPERSEDED")
    desk.take(close_item(desk.case, item_id(0), ItemOutcome.WITHDRAWN, None, NOW))
    assert shown(desk) == [(1, "SUPERSEDED"), (2, "CANCELLED")]


def test_a_next_edition_can_be_refused_and_an_open_item_ends_with_it() -> None:
    desk = withdraw(visited_desk(ServiceKind.KK_NEW).walk("DATA_ENTERED", "VERIFIED", "SIGNED"), "REVOKED")
    desk.move("REJECTED", 1, reason=RejectionReason.COURT_RULING_REQUIRED)
    assert [e.outcome for e in desk.sent(ItemClosed)] == [ItemOutcome.REJECTED]
    late = withdraw(visited_desk(ServiceKind.KK_NEW).walk(*A4_WAY), "SUPERSEDED")
    late.move("REJECTED", 1, reason=RejectionReason.FALSE_STATEMENT)
    assert [e.outcome for e in late.sent(ItemClosed)] == [ItemOutcome.DONE]


def test_an_item_whose_document_was_revoked_can_be_rejected() -> None:
    desk = withdraw(visited_desk(ServiceKind.KK_NEW).walk("DATA_ENTERED", "VERIFIED", "SIGNED"), "REVOKED")
    desk.take(close_item(desk.case, item_id(0), ItemOutcome.REJECTED, "FALSE_STATEMENT", NOW))
    assert shown(desk) == [(1, "REVOKED"), (2, "CANCELLED")]


def test_an_item_that_its_closing_ended_is_not_decided_by_a_revocation() -> None:
    desk = visited_desk(ServiceKind.KK_NEW).walk("DATA_ENTERED", "VERIFIED", "SIGNED").fold(closed(ClosingOutcome.DUPLICATE))
    withdraw(desk, "REVOKED")
    assert desk.shown()["items"][0]["status"] == "ENDED"
    assert shown(desk) == [(1, "REVOKED")]


def test_no_event_tells_why_it_was_withdrawn() -> None:
    desk = withdraw(visited_desk(ServiceKind.KK_NEW).walk(*A4_WAY), "REVOKED")
    assert "FALSE_STATEMENT" not in "".join(e.model_dump_json() for e in desk.events)


@given(st.data())
def test_facts_repeated_around_a_withdrawal_change_nothing(data: st.DataObject) -> None:
    """The same steps among any repetition and order of the same facts: each event once, the same case."""
    kinds = (ServiceKind.KK_NEW, ServiceKind.KTP_NEW)
    both = {0: DONE, 1: DONE}
    facts = [created(), details(*kinds), scheduled(), completed(both), visits(both)]
    end = [closed(ClosingOutcome.COMPLETED), details(*kinds, version=8, status=RequestStatus.COMPLETED)]
    steps: list[tuple[int, tuple[str, ...]]] = [(0, A4_WAY), (1, CARD_WAY), (0, ("SUPERSEDED",)), (1, ("SUPERSEDED",))]
    steps += [(2, A4_WAY), (3, CARD_WAY), (2, ("REVOKED",))]
    desk = Desk(*data.draw(st.permutations(facts))).open()
    for document, walked in steps:
        known = facts if document == 0 else facts + end
        for step in walked:
            desk.fold(*data.draw(st.lists(st.sampled_from(known), max_size=2))).open()
            _ = withdraw(desk, step, document) if step in REASON else desk.walk(step, document=document)
    desk.fold(*end, *facts).open()
    assert Counter(type(e).__name__ for e in desk.events) == {
        "DocumentIssued": 4,
        "DocumentHandedOver": 4,
        "DocumentWithdrawn": 3,
        "ItemClosed": 2,
    }
    assert shown(desk) == [(1, "SUPERSEDED"), (2, "REVOKED"), (1, "SUPERSEDED"), (2, "HANDED_OVER")]


async def test_200_at_once_supersede_once(client: Client) -> None:
    [document_id] = await client.have(ServiceKind.KK_NEW)
    for step in ("DATA_ENTERED", "VERIFIED"):
        await client.move(document_id, {"to": step})
    sign = {"to": "SIGNED", "siak_reference": "SIAK-1"}
    signed = await asyncio.gather(*(client.move(document_id, sign) for _ in range(200)))
    assert Counter(a.status_code for a in signed) == {200: 1, 409: 199}
    body = {"to": "SUPERSEDED", "reason": "TYPING_ERROR"}
    answers = await asyncio.gather(*(client.move(document_id, body) for _ in range(200)))
    assert Counter(a.status_code for a in answers) == {200: 1, 409: 199}
    assert await client.sent() == ["document-issued.v1", "document-withdrawn.v1"]
    documents = (await client.shown())["items"][0]["documents"]
    assert [(d["edition"], d["status"]) for d in documents] == [(1, "SUPERSEDED"), (2, "OPEN")]
    assert documents[0]["replaced_by"] == documents[1]["document_id"]


async def test_a_repeated_call_opens_one_edition_and_answers_alike(client: Client) -> None:
    [document_id] = await client.have(ServiceKind.KK_NEW)
    for body in ({"to": "DATA_ENTERED"}, {"to": "VERIFIED"}, {"to": "SIGNED", "siak_reference": "S"}):
        await client.move(document_id, body)
    key = "3f0c9f2e-0000-4000-8000-000000000001"
    withdrawn: dict[str, Any] = {"to": "SUPERSEDED", "reason": "DATA_CHANGED"}
    answers = await asyncio.gather(*(client.move(document_id, withdrawn, key) for _ in range(20)))
    assert len({a.content for a in answers}) == 1
    assert len((await client.case())["documents"]) == 2
    [event] = [json.loads(e["data"]) for e in (await client.case())["outbox"] if e["type"] == "document-withdrawn.v1"]
    assert (event["request_id"], event["replaced_by"]) == (REQUEST, answers[0].json()["replaced_by"])


def test_the_table_of_reasons() -> None:
    assert {to: REASONS[DocumentStatus(to)] for to in REASON} == {
        "SUPERSEDED": {"TYPING_ERROR", "DATA_CHANGED", "NAME_CHANGED", "COURT_RULING"},
        "REVOKED": {"COURT_RULING", "CONTRARIUS_ACTUS", "FALSE_STATEMENT", "DUPLICATE_RECORD"},
    }
    assert set(WITHDRAWAL_REASONS.root) == WITHDRAWAL_REASONS.of("SUPERSEDED") | WITHDRAWAL_REASONS.of("REVOKED")
    for wrong in (
        {"to": [], "law": "x"},
        {"to": ["LOST"], "law": "x"},
        {"to": ["REVOKED"]},
        {"to": ["REVOKED"], "law": "x", "y": 1},
    ):
        with pytest.raises(ValidationError):
            Withdrawals.model_validate({"A_REASON": wrong})
