"""Records and cases for the parts of the benchmark: public facts of made-up requests, and what a service makes of them."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from pelangi.chassis.clock import SystemClock
from pelangi.chassis.consumer import Consumer
from pelangi.chassis.decode import Broken, Record
from pelangi.chassis.service import Service, make_decoder
from pelangi.chassis.settings import development_key
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import Collection, Document, Guarded
from pelangi.contracts.codes import BirthDatePrecision, ItemVisitOutcome, ReachChannel, ReachTo, RequesterKind, ServiceKind, Sex
from pelangi.contracts.encryption import KeyRing
from pelangi.contracts.events import PublicRequest, RequestCreated, VisitedItem
from pelangi.contracts.examples import EXAMPLES, KELURAHAN, VISIT
from pelangi.contracts.request import RequestPlace
from pelangi.contracts.sealing import DetailsKeys, seal_details
from pelangi.contracts.snapshots import Address, Contact, Identity, IdentityPerson, Planning, PlanningItem, PlanningPerson
from pelangi.contracts.topics import REQUEST_CLOSED, REQUEST_CREATED, REQUEST_DETAILS, VISIT_COMPLETED, VISIT_SCHEDULED
from tests.support.records import Raw, record

BATCH = 500
NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
_KINDS = (
    (ServiceKind.CONSULTATION, ServiceKind.KK_CHANGE),
    (ServiceKind.CONSULTATION, ServiceKind.DATA_CONSOLIDATION),
)
"""Of the two items of each request, in turn: a visit finishes the first or both, so that one or two events follow."""


def request_id(n: int) -> str:
    """Spread like the real ones, which are hashes."""
    return str(UUID(int=(n * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128))


def request_created(n: int) -> Raw:
    """The first fact of request n."""
    return _record(REQUEST_CREATED, n, 1)


def visit_scheduled(n: int) -> Raw:
    """Its visit has a date."""
    return _record(VISIT_SCHEDULED, n, 3)


def visit_completed(n: int) -> Raw:
    """Both items were done at its visit."""
    items = [
        VisitedItem(item_id=_item_id(n, at), service_kind=kind, outcome=ItemVisitOutcome.DONE, reason_class=None)
        for at, kind in enumerate(_KINDS[n % 2])
    ]
    changed = {"request_id": request_id(n), "visit_id": VISIT, "items": items}
    return record(VISIT_COMPLETED, EXAMPLES[VISIT_COMPLETED].model_copy(update=changed), 4)


def request_closed(n: int) -> Raw:
    """Nothing more will happen to it."""
    return _record(REQUEST_CLOSED, n, 5)


def request_details(n: int, *, told: bool = True) -> Raw:
    """Its snapshot, encrypted to three readers with the development keys. told: somebody lives who can be told of it."""
    example: Any = EXAMPLES[REQUEST_CREATED]
    public = RequestCreated.model_validate({**example.model_dump(), "request_id": request_id(n), "items_count": 2})
    request = PublicRequest(**public.model_dump(), status="ACCEPTED", version=2)
    return record(REQUEST_DETAILS, seal_details(request, _planning(n), _identity(n), _contact(told=told), _KEYS), 2)


def _record(type_: str, n: int, sequence: int) -> Raw:
    return record(type_, EXAMPLES[type_].model_copy(update={"request_id": request_id(n)}), sequence)


def _item_id(n: int, at: int) -> str:
    return f"019ab4d2-6f11-7a0b-{at:04x}-{n:012x}"


def _items(n: int) -> list[PlanningItem]:
    return [PlanningItem(item_id=_item_id(n, at), person_ref="1", service_kind=kind) for at, kind in enumerate(_KINDS[n % 2])]


def _planning(n: int) -> Planning:
    place = RequestPlace(visit_kind="HOME", village_code=KELURAHAN, address="Jalan Contoh 1")
    person = PlanningPerson(ref="1", categories=["ELDERLY"], needs=[])
    return Planning(filled_at=NOW, place=place, persons=[person], items=_items(n), companion=None, availability=[], deadline=None)


def _identity(n: int) -> Identity:
    person = IdentityPerson(
        ref="1",
        name="Nenek Contoh",
        aliases=[],
        nik=f"197104550751{9000 + n % 1000}",
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
    return Identity(persons=[person], items=_items(n))


def _contact(*, told: bool) -> Contact:
    somebody = Address(name="Ibu Contoh", email="contoh@pelangi.invalid")
    return Contact(
        receipt_code="ABCDEFGHJKM",
        village_code=KELURAHAN,
        requester_kind=RequesterKind.RT_RW,
        requester=somebody,
        persons=[somebody if told else somebody.model_copy(update={"deceased": True})],
        guardians=[None],
        companion=None,
        channel=ReachChannel.EMAIL,
        to=ReachTo.REQUESTER if told else ReachTo.PERSON,
    )


def _ring(name: str) -> KeyRing:
    return KeyRing.of(json.loads(development_key(name)))


_KEYS = DetailsKeys(_ring("planning"), _ring("person"), _ring("contact"))


@dataclass
class Kept:
    """What a service would write, kept instead of written; `known`: what it has stored already."""

    known: Mapping[str, Document] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    updates: dict[str, Guarded] = field(default_factory=dict)

    async def get_many(self, ids: Sequence[str]) -> dict[str, Document]:
        return {key: self.known[key] for key in ids if key in self.known}

    async def insert_many(self, documents: Sequence[Document]) -> bool:
        self.documents |= {document["_id"]: document for document in documents}
        return True

    async def update_many_guarded(self, updates: Sequence[Guarded]) -> bool:
        self.updates |= {update.id: update for update in updates}
        return True


def consumer_of(service: Service, cases: Collection) -> Consumer:
    """The service's consumer; a broken record ends the run."""

    async def set_aside(_: Record, broken: Broken) -> None:
        raise SystemExit(f"{broken.reason} {broken.error}")

    return Consumer(cases, make_decoder(service), service.handlers, SystemClock(), set_aside, Signal())


def folded(service: Service, records: Sequence[Raw], known: Mapping[str, Document] | None = None) -> Kept:
    """What the service's own consumer makes of the records, one per request."""
    kept = Kept(known or {})
    consumer = consumer_of(service, kept)  # type: ignore[arg-type]

    async def work() -> None:
        for at in range(0, len(records), BATCH):
            await consumer.handle(records[at : at + BATCH])

    asyncio.run(work())
    return kept
