"""Facts of one made-up request, and what folding them makes."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any, cast

from pelangi.chassis.case import Change, Fact, apply_fact, stub
from pelangi.contracts import topics
from pelangi.contracts.codes import (
    BirthDatePrecision,
    Channel,
    ClosingOutcome,
    ItemVisitOutcome,
    PublicRequesterKind,
    RequestStatus,
    ScheduleStatus,
    ServiceKind,
    Sex,
    VisitKind,
    VisitOutcome,
    VisitStatus,
)
from pelangi.contracts.events import (
    MODELS,
    TYPE_OF,
    Data,
    PublicRequest,
    RequestClosed,
    RequestCreated,
    VisitCompleted,
    VisitedItem,
    VisitScheduled,
    Window,
    aggregate_id,
)
from pelangi.contracts.reasons import DeferralReason, ReasonClass
from pelangi.contracts.request import RequestPlace
from pelangi.contracts.sealing import Opened
from pelangi.contracts.snapshots import Identity, IdentityPerson, PlanningItem, Visit, VisitItem, Visits
from services.issuance.blanks import BlankKind, Stock, opened
from services.issuance.case import Case, Document
from services.issuance.documents import DocumentStatus
from services.issuance.handlers import HANDLERS
from services.issuance.model import Blank, Move, move_document, open_documents
from services.issuance.views import request_view

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
REQUEST = "8d7c4a52-6a3e-5b19-8a6c-000000000001"
VISIT, VISIT_2 = "01934567-0000-7000-8000-0000000000a1", "01934567-0000-7000-8000-0000000000a2"
RECEIVED = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
DAY = date(2026, 11, 24)
STOCKS = {kind: opened(kind) for kind in BlankKind}
NAME, NIK = "Aminah binti Made Up", "1971045507519001"


def item_id(n: int) -> str:
    return f"01934567-0000-7000-8000-{n:012x}"


def created() -> Fact[Any]:
    return fact(RequestCreated.model_validate(_public([ServiceKind.KK_CHANGE])), 1)


def details(
    *kinds: ServiceKind, version: int = 1, withdrawn: Iterable[int] = (), status: RequestStatus = RequestStatus.ACCEPTED
) -> Fact[Any]:
    """The snapshot of a request with one item per kind, numbered from 0."""
    request = PublicRequest.model_validate(_public(kinds) | {"status": status, "version": version})
    items = [
        PlanningItem(item_id=item_id(n), person_ref="1", service_kind=kind, withdrawn=n in set(withdrawn))
        for n, kind in enumerate(kinds)
    ]
    opened = Opened(request, Identity(persons=[_person()], items=items))
    return Fact(topics.REQUEST_DETAILS, REQUEST, REQUEST, version, TRACE, opened)


def tombstone(sequence: int = 99) -> Fact[Any]:
    return Fact(topics.REQUEST_DETAILS, REQUEST, REQUEST, sequence, TRACE, None)


def scheduled(sequence: int = 2, visit_id: str = VISIT) -> Fact[Any]:
    data = VisitScheduled(
        request_id=REQUEST,
        visit_id=visit_id,
        revision=1,
        status=ScheduleStatus.SCHEDULED,
        visit_kind=VisitKind.HOME,
        area_code="19.71",
        date=DAY,
        window=None,
        place=None,
        services=[ServiceKind.KK_CHANGE],
        persons_count=1,
        reason_class=None,
    )
    return fact(data, sequence)


def completed(outcomes: dict[int, ItemVisitOutcome], sequence: int = 3, visit_id: str = VISIT) -> Fact[Any]:
    items = [
        VisitedItem(
            item_id=item_id(n),
            service_kind=ServiceKind.KK_CHANGE,
            outcome=outcome,
            reason_class=None if outcome is ItemVisitOutcome.DONE else ReasonClass.RESIDENT,
        )
        for n, outcome in outcomes.items()
    ]
    data = VisitCompleted(
        request_id=REQUEST, visit_id=visit_id, outcome=VisitOutcome.DONE, completed_at=NOW, area_code="19.71", items=items
    )
    return fact(data, sequence)


def visits(*visited: dict[int, ItemVisitOutcome], sequence: int = 3) -> Fact[Any]:
    """The snapshot of the visits that took place so far, with the outcomes of each."""
    snapshot = Visits(visits=[_visit(visit, outcomes) for visit, outcomes in zip((VISIT, VISIT_2), visited, strict=False)])
    return Fact(topics.VISIT_DETAILS, REQUEST, REQUEST, sequence, TRACE, snapshot)


def _visit(visit_id: str, outcomes: dict[int, ItemVisitOutcome]) -> Visit:
    return Visit(
        visit_id=visit_id,
        revision=1,
        status=VisitStatus.DONE,
        visit_kind=VisitKind.HOME,
        date=DAY,
        window=Window(start=NOW, end=NOW + timedelta(hours=1)),
        place=RequestPlace(visit_kind=VisitKind.HOME, village_code="19.71.04.1009", address="Jalan Rahasia 7"),
        team_id="team-1",
        items=[
            VisitItem(
                item_id=item_id(n),
                service_kind=ServiceKind.KK_CHANGE,
                outcome=outcome,
                reason=None if outcome is ItemVisitOutcome.DONE else DeferralReason.PERSON_UNSETTLED,
            )
            for n, outcome in outcomes.items()
        ],
    )


def closed(outcome: ClosingOutcome, sequence: int = 9) -> Fact[Any]:
    return fact(RequestClosed(request_id=REQUEST, closed_at=NOW, outcome=outcome, turnaround_hours=30), sequence)


def fact(data: Data, sequence: int) -> Fact[Any]:
    type_ = TYPE_OF[type(data)]
    return Fact(type_, REQUEST, aggregate_id(type_, data), sequence, TRACE, data)


class Desk:
    """A case and all that happens to it; `events` is what it sent, in order."""

    def __init__(self, *facts: Fact[Any]) -> None:
        self.case = cast(Case, stub(REQUEST))
        self.events: list[Data] = []
        self._ids = count(0x1000)
        self.fold(*facts)

    def fold(self, *facts: Fact[Any]) -> "Desk":
        for each in facts:
            self.take(apply_fact(self.case, each, HANDLERS[each.type], NOW))
        return self

    def open(self) -> "Desk":
        """What the timer does."""
        return self.take(open_documents(self.case, self._draw, NOW))

    def move(self, to: str, document: int = 0, now: datetime = NOW, **fields: Any) -> "Desk":
        """What the desk does; for a card that is printed a blank is at hand."""
        document_id, attempt = self.documents[document]["document_id"], self.documents[document].get("print_attempt", 0)
        fields = {"blank": Blank(f"take-{document_id}", attempt)} | fields if to == "PRINTED" else fields
        return self.take(move_document(self.case, document_id, Move(DocumentStatus(to), **fields), self._draw, now))

    def walk(self, *steps: str, document: int = 0) -> "Desk":
        """Along these steps, with whatever each needs."""
        for to in steps:
            fields: dict[str, Any] = {"siak_reference": "SIAK-1"} if to in {"SIGNED", "PRINTED"} else {}
            if to == "HANDED_OVER":
                fields = {"handed_over_to": {"recipient_class": "FAMILY", "name": "Budi Made Up", "relation": "CHILD"}}
            self.move(to, document, **fields)
        return self

    def take(self, after: Case) -> "Desk":
        change: Change[Any] = Change(self.case, self.case)
        change.advance(after, wall=NOW, traceparent=TRACE)
        self.events += [MODELS[e["type"]].model_validate_json(e["data"]) for e in change.envelopes]
        self.case = change.after
        return self

    def shown(self, stocks: Mapping[BlankKind, Stock] = STOCKS, now: datetime = NOW) -> dict[str, Any]:
        """What GET answers."""
        return request_view(self.case, stocks, now)

    def _draw(self) -> str:
        return item_id(next(self._ids))

    @property
    def documents(self) -> list[Document]:
        return self.case.get("documents", [])

    def sent(self, model: type[Data]) -> list[Any]:
        return [e for e in self.events if type(e) is model]


A4_WAY = ("DATA_ENTERED", "VERIFIED", "SIGNED", "READY_FOR_HANDOVER", "HANDED_OVER")
CARD_WAY = ("BIO_CAPTURED", "AWAITING_CENTRE", "PRINT_READY", "PRINTED", "READY_FOR_HANDOVER", "HANDED_OVER")


def visited_desk(*kinds: ServiceKind) -> Desk:
    """A desk whose items were all done at a visit and whose documents are open."""
    outcomes = dict.fromkeys(range(len(kinds)), ItemVisitOutcome.DONE)
    return Desk(details(*kinds), completed(outcomes)).open()


def _public(kinds: Iterable[ServiceKind]) -> dict[str, Any]:
    return {
        "request_id": REQUEST,
        "received_at": RECEIVED,
        "area_code": "19.71",
        "visit_kind": VisitKind.HOME,
        "channel": Channel.KELURAHAN_FORM,
        "requester_kind": PublicRequesterKind.RT_RW,
        "services": list(dict.fromkeys(kinds)),
        "persons_count": 1,
        "items_count": 1,
        "due_on": DAY,
    }


def _person() -> IdentityPerson:
    return IdentityPerson(
        ref="1",
        name=NAME,
        aliases=[],
        nik=NIK,
        nik_absence_reason=None,
        family_card_number=None,
        birth_date=date(1951, 7, 15),
        birth_date_precision=BirthDatePrecision.EXACT,
        sex=Sex.P,
        mother_name=None,
        ever_married=True,
        guardian_name=None,
        guardian_relation=None,
    )
