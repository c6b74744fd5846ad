"""Who is told what, decided from the latest facts."""

from datetime import date, timedelta
from typing import cast

import pytest

from pelangi.contracts.codes import ReachChannel, ReachTo, RequesterKind
from pelangi.contracts.snapshots import Address
from services.notify.messages import Drop, Tell, decide
from services.notify.model import Case, expire
from services.notify.rows import Row, in_order, new_row

from .facts import (
    DATE,
    DOCUMENT_2,
    REQUEST,
    VISIT_1,
    VISIT_2,
    closed,
    completed,
    contact,
    created,
    details,
    fold,
    handed_over,
    issued,
    scheduled,
    withdrawn,
)

VISIT_3 = "01890000-0000-7000-8000-000000000003"
CHANNELS = {"EMAIL", "VIA_KELURAHAN"}
TODAY = date(2026, 11, 24)


def verdict(case: Case, purpose: str, revision: int | None = None, visit_id: str = "", today: date = TODAY) -> Tell | Drop:
    row = next(
        r
        for _, r in in_order(case["messages"])
        if r["purpose"] == purpose and r.get("revision") == revision and r.get("visit_id", "") == visit_id
    )
    return decide(case, row, today=today, channels=CHANNELS)


def of_date(case: Case, revision: int = 1, visit_id: str = VISIT_1, today: date = TODAY) -> str:
    """What is said of a revision of a visit: its template, or why nothing."""
    said = verdict(case, "SCHEDULED", revision, visit_id, today)
    return said.reason if isinstance(said, Drop) else f"{said.purpose} {said.template}"


def sent(case: Case, visit_id: str = VISIT_1, revision: int = 1) -> Case:
    """The case with one date told."""
    messages = {
        k: cast(Row, {**r, "state": "SENT"}) if (r.get("visit_id"), r.get("revision")) == (visit_id, revision) else r
        for k, r in case["messages"].items()
    }
    return cast(Case, {**case, "messages": messages})


@pytest.mark.parametrize(
    ("status", "template"), [("ACCEPTED", "accepted"), ("RECEIVED", "accepted"), ("NEEDS_INFO", "needs_info")]
)
def test_accepted_says_what_is_missing(status: str, template: str) -> None:
    said = verdict(fold([created(), details(status=status)]), "ACCEPTED")
    assert isinstance(said, Tell)
    assert said.template == template


def test_accepted_is_left_out_once_the_request_is_closed() -> None:
    assert verdict(fold([created(), details(), closed("OUT_OF_AREA")]), "ACCEPTED") == Drop("REQUEST_CLOSED")
    assert verdict(fold([created(), details(status="OUT_OF_AREA")]), "ACCEPTED") == Drop("REQUEST_CLOSED")


def test_the_first_date_is_scheduled_and_every_later_one_changed() -> None:
    case = fold([details(), scheduled()])
    assert of_date(case) == "SCHEDULED scheduled"
    case = fold([scheduled(revision=2, status="RESCHEDULED")], sent(case))
    assert of_date(case, 2) == "CHANGED changed"
    assert of_date(fold([scheduled(VISIT_2)], sent(case)), 1, VISIT_2) == "CHANGED changed"


def test_a_lower_revision_is_left_out_and_the_newest_is_the_first_that_is_told() -> None:
    case = fold([details(), scheduled(), scheduled(revision=2, status="RESCHEDULED")])
    assert of_date(case, 1) == "SUPERSEDED"
    assert of_date(case, 2) == "SCHEDULED scheduled"


def test_a_date_that_is_past_closed_or_over_is_left_out() -> None:
    case = fold([details(), scheduled()])
    assert of_date(case, today=DATE) == "SCHEDULED scheduled"
    assert of_date(case, today=DATE + timedelta(days=1)) == "PAST"
    assert of_date(fold([closed("WITHDRAWN")], case)) == "REQUEST_CLOSED"
    assert of_date(fold([completed()], case)) == "OVERTAKEN"


def test_a_cancelled_visit_is_told_only_to_who_knew_its_date() -> None:
    case = fold([details(), scheduled()])
    assert of_date(fold([scheduled(revision=2, status="CANCELLED")], case), 2) == "CANCELLED"
    known = fold([scheduled(revision=2, status="CANCELLED")], sent(case))
    assert of_date(known, 2) == "CHANGED cancelled"
    assert of_date(fold([closed("WITHDRAWN")], known), 2) == "REQUEST_CLOSED"


def cancelled(case: Case, visit_id: str = VISIT_1) -> Case:
    """The case with this visit called off."""
    return fold([scheduled(visit_id, 2, "CANCELLED")], case)


def expired(case: Case, visit_id: str = VISIT_1) -> Case:
    """The case with the cancellation of this visit left out as the pass leaves it out."""
    key = next(k for k, r in case["messages"].items() if (r.get("visit_id"), r.get("revision")) == (visit_id, 2))
    return expire(case, key, of_date(case, 2, visit_id))


def test_a_cancellation_is_left_to_the_message_on_the_visit_in_its_place() -> None:
    case = cancelled(sent(fold([details(), scheduled()])))
    replaced = fold([scheduled(VISIT_2)], case)
    assert of_date(case, 2) == "CHANGED cancelled"
    assert of_date(replaced, 2) == "REPLACED"
    assert of_date(expired(replaced), 1, VISIT_2) == "CHANGED changed"


def test_a_visit_that_is_off_over_or_not_ahead_replaces_nothing() -> None:
    replaced = fold([scheduled(VISIT_2)], cancelled(sent(fold([details(), scheduled()]))))
    assert of_date(cancelled(replaced, VISIT_2), 2) == "CHANGED cancelled"
    assert of_date(fold([completed(VISIT_2)], replaced), 2) == "CHANGED cancelled"
    assert of_date(replaced, 2, today=DATE) == "CHANGED cancelled"


def test_a_visit_called_off_before_it_was_told_tells_of_the_one_that_it_replaced() -> None:
    case = expired(fold([scheduled(VISIT_2)], cancelled(sent(fold([details(), scheduled()])))))
    off = cancelled(case, VISIT_2)
    assert of_date(off, 2, VISIT_2) == "CHANGED cancelled"
    assert of_date(fold([scheduled(VISIT_3)], off), 2, VISIT_2) == "REPLACED"
    told = cancelled(fold([scheduled(VISIT_3)], sent(off, VISIT_2, 2)), VISIT_3)
    assert of_date(told, 2, VISIT_3) == "CANCELLED", "they know already that nobody comes"


def test_the_desk_tells_of_a_cancellation_that_could_not_be_told_directly() -> None:
    case = cancelled(sent(fold([details(), scheduled()])))
    _, row = new_row(REQUEST, "SCHEDULED", visit_id=VISIT_1, revision=2, fallback=True)
    said = decide(fold([scheduled(VISIT_2)], case), row, today=TODAY, channels=CHANNELS)
    assert isinstance(said, Tell)
    assert (said.template, said.audience) == ("cancelled", "KELURAHAN")


@pytest.mark.parametrize(("outcome", "told"), [("DONE", True), ("PARTIAL", True), ("FAILED", False)])
def test_a_failed_visit_is_no_visit_done(outcome: str, told: bool) -> None:
    assert isinstance(verdict(fold([details(), completed(outcome=outcome)]), "VISIT_DONE", visit_id=VISIT_1), Tell) is told


def test_ready_only_while_something_waits() -> None:
    case = fold([details(), issued()])
    assert isinstance(verdict(case, "READY"), Tell)
    assert verdict(fold([handed_over()], case), "READY") == Drop("OVERTAKEN")
    assert verdict(fold([withdrawn()], case), "READY") == Drop("OVERTAKEN")
    assert isinstance(verdict(fold([withdrawn(), issued(edition=2)], case), "READY"), Tell)
    assert isinstance(verdict(fold([handed_over(), issued(DOCUMENT_2)], case), "READY"), Tell)
    assert verdict(fold([closed()], case), "READY") == Drop("REQUEST_CLOSED")


AUTHORISED = [
    (RequesterKind.SELF, ReachTo.REQUESTER, True),
    (RequesterKind.RT_RW, ReachTo.REQUESTER, False),
    (RequesterKind.FAMILY, ReachTo.REQUESTER, False),
    (RequesterKind.GUARDIAN, ReachTo.REQUESTER, False),
    (RequesterKind.RT_RW, ReachTo.PERSON, True),
    (RequesterKind.RT_RW, ReachTo.GUARDIAN, True),
    (RequesterKind.SELF, ReachTo.COMPANION, False),
]


@pytest.mark.parametrize(("kind", "to", "told"), AUTHORISED)
@pytest.mark.parametrize("channel", list(ReachChannel))
def test_documents_are_told_to_who_may_hear_of_them(kind: RequesterKind, to: ReachTo, told: bool, channel: ReachChannel) -> None:
    case = fold([details(contact(kind=kind, to=to, channel=channel)), issued(), handed_over(DOCUMENT_2)])
    for purpose in ("READY", "HANDED_OVER"):
        said = verdict(case, purpose)
        assert isinstance(said, Tell)
        assert said.audience == (to if told else ReachTo.PERSON)


@pytest.mark.parametrize("to", list(ReachTo))
def test_mail_goes_to_whom_the_request_names(to: ReachTo) -> None:
    said = verdict(fold([created(), details(contact(to=to))]), "ACCEPTED")
    assert said == Tell("ACCEPTED", "accepted", to, "EMAIL", f"{to.lower()}@contoh.invalid")


@pytest.mark.parametrize("channel", [c for c in ReachChannel if c != ReachChannel.EMAIL])
@pytest.mark.parametrize("to", list(ReachTo))
def test_what_cannot_be_sent_goes_to_the_kelurahan(channel: ReachChannel, to: ReachTo) -> None:
    said = verdict(fold([created(), details(contact(channel=channel, to=to))]), "ACCEPTED")
    assert said == Tell("ACCEPTED", "accepted", to, "VIA_KELURAHAN", "")


def test_mail_without_an_address_goes_to_the_kelurahan() -> None:
    said = verdict(fold([created(), details(contact(requester=Address(phone="+6281200000000")))]), "ACCEPTED")
    assert said == Tell("ACCEPTED", "accepted", "REQUESTER", "VIA_KELURAHAN", "")


@pytest.mark.parametrize(
    ("kind", "to", "channel"),
    [
        (RequesterKind.RT_RW, ReachTo.PERSON, "EMAIL"),
        (RequesterKind.RT_RW, ReachTo.COMPANION, "EMAIL"),
        (RequesterKind.SELF, ReachTo.REQUESTER, "VIA_KELURAHAN"),
    ],
)
def test_after_a_death_only_the_requester_hears_of_the_closing(kind: RequesterKind, to: ReachTo, channel: str) -> None:
    facts = [created(), details(contact(kind=kind, to=to)), scheduled(), completed(), issued(), handed_over(), closed("OTHER")]
    case = fold(facts)
    said = {r["purpose"]: decide(case, r, today=TODAY, channels=CHANNELS) for r in case["messages"].values()}
    closing = said.pop("CLOSED")
    assert set(said.values()) == {Drop("CLOSED_OTHER")}
    assert isinstance(closing, Tell)
    assert (closing.audience, closing.channel) == ("REQUESTER", channel)
    assert closing.address == ("requester@contoh.invalid" if channel == "EMAIL" else "")
