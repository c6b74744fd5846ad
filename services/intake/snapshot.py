"""The snapshot of a request for the other services: each gets the part its work needs (CONTRACTS.md §1)."""

from collections.abc import Collection, Sequence

from pelangi.chassis.clock import local_date
from pelangi.contracts.codes import RequesterKind, RequestStatus, ServiceKind
from pelangi.contracts.events import PublicRequest, RequestDetails
from pelangi.contracts.request import Companion, Guardian, Person, RequestBody, Requester
from pelangi.contracts.sealing import DetailsKeys, seal_details
from pelangi.contracts.snapshots import (
    Address,
    Also,
    Contact,
    Identity,
    IdentityPerson,
    Planning,
    PlanningItem,
    PlanningPerson,
)
from services.intake import eligibility, rules
from services.intake.matching import normalised
from services.intake.model import Case, request_created

CARDS = frozenset({ServiceKind.KTP_NEW, ServiceKind.KTP_REISSUE})


def render_details(case: Case, keys: DetailsKeys) -> RequestDetails | None:
    """The sealed snapshot of the case as it is now; None once its person was erased."""
    if "body" not in case:
        return None
    body = RequestBody.model_validate(case["body"])
    items = _items(case, body)
    public = PublicRequest(
        **request_created(case, body).model_dump(), status=RequestStatus(case["status"]), version=case["content_version"]
    )
    return seal_details(public, _planning(case, body, items), _identity(body, items), _contact(case, body), keys)


def _items(case: Case, body: RequestBody) -> list[PlanningItem]:
    """Ages are those at receipt: a snapshot says the same whenever it is rendered."""
    received_on = local_date(case["received_at"])
    card_from = {str(p.ref): eligibility.card_from(p, received_on) for p in body.persons}
    return [
        PlanningItem(
            item_id=i["item_id"],
            person_ref=i["person_ref"],
            service_kind=i["service_kind"],
            withdrawn=i.get("withdrawn", False),
            not_before=card_from.get(i["person_ref"]) if i["service_kind"] in CARDS else None,
        )
        for i in case["items"]
    ]


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
    deceased = case.get("deceased", {})
    return Contact(
        receipt_code=case["receipt_code"],
        village_code=case["village_code"],
        requester_kind=body.requester.kind,
        requester=_address(body.requester, deceased=_requester_died(body.requester, body.persons, deceased)),
        persons=[_address(p, deceased=p.ref in deceased) for p in body.persons],
        guardians=[_address(p.guardian) if p.guardian else None for p in body.persons],
        companion=_address(body.companion) if body.companion else None,
        channel=body.reach.channel,
        to=body.reach.to,
        also=[] if rules.is_confidential(body) else _all_also(case, body, deceased),
    )


def _all_also(case: Case, body: RequestBody, deceased: Collection[str]) -> list[Also]:
    known = sorted(case.get("also", {}).items())
    return [_also(Also.model_validate(also), body.persons, deceased) for _, also in known]


def _also(also: Also, persons: Sequence[Person], deceased: Collection[str]) -> Also:
    asked = Requester(kind=also.requester_kind, name=also.requester.name)
    died = _requester_died(asked, persons, deceased)
    return also.model_copy(update={"requester": Address(name=asked.name, deceased=True)}) if died else also


def _requester_died(requester: Requester, persons: Sequence[Person], deceased: Collection[str]) -> bool:
    """Who asked for themselves is one of the persons: the only one, or the one of that name."""
    if requester.kind is not RequesterKind.SELF:
        return False
    name = normalised(requester.name or "")
    own = persons if len(persons) == 1 else [p for p in persons if name and normalised(p.name or "") == name]
    return any(p.ref in deceased for p in own)


def _address(someone: Requester | Person | Guardian | Companion, *, deceased: bool = False) -> Address:
    """How to reach somebody; nobody picks up the phone of the dead but their family."""
    if deceased:
        return Address(name=someone.name, deceased=True)
    return Address(name=someone.name, phone=someone.phone, email=someone.email)
