"""The snapshot of a request for the other services: each gets the part its work needs (CONTRACTS.md §1)."""

from pelangi.contracts.codes import RequestStatus
from pelangi.contracts.events import PublicRequest, RequestDetails
from pelangi.contracts.request import Companion, Guardian, Person, RequestBody, Requester
from pelangi.contracts.sealing import DetailsKeys, seal_details
from pelangi.contracts.snapshots import (
    Address,
    Contact,
    Identity,
    IdentityPerson,
    Planning,
    PlanningItem,
    PlanningPerson,
)
from services.intake.model import Case, request_created


def render_details(case: Case, keys: DetailsKeys) -> RequestDetails | None:
    """The sealed snapshot of the case as it is now; None once its person was erased."""
    if "body" not in case:
        return None
    body = RequestBody.model_validate(case["body"])
    items = [
        PlanningItem(item_id=i["item_id"], person_ref=i["person_ref"], service_kind=i["service_kind"]) for i in case["items"]
    ]
    public = PublicRequest(
        **request_created(case, body).model_dump(), status=RequestStatus(case["status"]), version=case["content_version"]
    )
    return seal_details(public, _planning(case, body, items), _identity(body, items), _contact(case, body), keys)


def _planning(case: Case, body: RequestBody, items: list[PlanningItem]) -> Planning:
    return Planning(
        filled_at=case["filled_at"],
        place=body.place,
        persons=[PlanningPerson(ref=str(p.ref), categories=p.categories, needs=[n.value for n in p.needs]) for p in body.persons],
        items=items,
        companion=body.companion.kind if body.companion else None,
        availability=body.availability,
        deadline=body.deadline,
    )


def _identity(body: RequestBody, items: list[PlanningItem]) -> Identity:
    return Identity(persons=[_identity_person(p) for p in body.persons], items=items)


def _identity_person(person: Person) -> IdentityPerson:
    return IdentityPerson(
        ref=str(person.ref),
        name=person.name,
        aliases=person.aliases,
        nik=person.nik,
        nik_absence_reason=person.nik_absence_reason,
        family_card_number=person.family_card_number,
        birth_date=person.birth_date,
        birth_date_precision=person.birth_date_precision,
        sex=person.sex,
        mother_name=person.mother_name,
        ever_married=person.ever_married,
        guardian_name=person.guardian.name if person.guardian else None,
        guardian_relation=person.guardian.relation if person.guardian else None,
    )


def _contact(case: Case, body: RequestBody) -> Contact:
    return Contact(
        receipt_code=case["receipt_code"],
        village_code=case["village_code"],
        requester_kind=body.requester.kind,
        requester=_address(body.requester),
        persons=[_address(p) for p in body.persons],
        guardians=[_address(p.guardian) if p.guardian else None for p in body.persons],
        companion=_address(body.companion) if body.companion else None,
        channel=body.reach.channel,
        to=body.reach.to,
    )


def _address(someone: Requester | Person | Guardian | Companion) -> Address:
    return Address(name=someone.name, phone=someone.phone, email=someone.email)
