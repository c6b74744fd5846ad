"""What lies inside the encrypted parts of the two snapshots, one model per reader (CONTRACTS.md §1).

Each reader gets what its work needs and nothing else: scheduling no names, issuance no phones, notify no categories.
"""

from datetime import date
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from pelangi.contracts.codes import (
    BirthDatePrecision,
    CompanionKind,
    GuardianRelation,
    ItemVisitOutcome,
    NikAbsenceReason,
    ReachChannel,
    ReachTo,
    RequesterKind,
    ServiceKind,
    Sex,
    VisitKind,
    VisitStatus,
    VulnerabilityCategory,
)
from pelangi.contracts.events import Id, Window
from pelangi.contracts.reasons import DeferralReason
from pelangi.contracts.request import Availability, Deadline, RequestPlace


class Part(BaseModel):
    """Base: readers ignore what they do not know."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class PlanningItem(Part):
    """One service for one person, as the planner may know it.

    withdrawn: a correction or a death ended it. not_before: a visit is of no use to it earlier (a card before 17).
    """

    item_id: Id
    person_ref: str
    service_kind: ServiceKind
    withdrawn: bool = False
    not_before: date | None = None


class PlanningPerson(Part):
    ref: str
    categories: list[VulnerabilityCategory]
    needs: list[str]


class Planning(Part):
    """For scheduling: where, needs, availability, items."""

    filled_at: AwareDatetime
    place: RequestPlace
    persons: list[PlanningPerson]
    items: list[PlanningItem]
    companion: CompanionKind | None
    availability: list[Availability]
    deadline: Deadline | None


class IdentityPerson(Part):
    ref: str
    name: str | None
    aliases: list[str]
    nik: str | None
    nik_absence_reason: NikAbsenceReason | None
    family_card_number: str | None
    birth_date: date | None
    birth_date_precision: BirthDatePrecision | None
    sex: Sex | None
    mother_name: str | None
    ever_married: bool | None
    guardian_name: str | None
    guardian_relation: GuardianRelation | None


class Identity(Part):
    """For issuance: who."""

    persons: list[IdentityPerson]
    items: list[PlanningItem]


class Address(Part):
    """How one human can be reached. deceased: nothing is told to them any more (DOMAIN.md §5.5)."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None
    deceased: bool = False


class Also(Part):
    """Who asked for the same in a request that was closed as a duplicate of this one; told of its progress too."""

    receipt_code: str
    requester_kind: RequesterKind
    requester: Address
    channel: ReachChannel


class Contact(Part):
    """For notify: how to reach whom. `persons` and `guardians` in the order of the request, `None` where there is nobody."""

    receipt_code: str
    village_code: str
    requester_kind: RequesterKind
    requester: Address
    persons: list[Address]
    guardians: list[Address | None]
    companion: Address | None
    channel: ReachChannel
    to: ReachTo
    also: list[Also] = []


class VisitItem(Part):
    item_id: Id
    service_kind: ServiceKind
    outcome: ItemVisitOutcome | None = None
    reason: DeferralReason | None = None


class Visit(Part):
    """One visit of a request, exactly."""

    visit_id: Id
    revision: Annotated[int, Field(ge=1)]
    status: VisitStatus
    visit_kind: VisitKind
    date: date
    window: Window
    place: RequestPlace
    team_id: str
    reason: DeferralReason | None = None
    items: list[VisitItem]


class Visits(Part):
    """For issuance, notify and intake: all visits of a request, oldest first."""

    visits: list[Visit]
