"""The bodies of scheduling's calls (CONTRACTS.md §4)."""

from datetime import date as Date
from datetime import time
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pelangi.contracts.codes import ItemVisitOutcome, VisitKind
from pelangi.contracts.events import Id
from pelangi.contracts.reasons import DeferralReason
from pelangi.contracts.request import LocalTime, VillageCode
from services.scheduling.calendar import minute_of
from services.scheduling.outage import REASONS_OUT


class Body(BaseModel):
    """Base: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Nothing(Body):
    """`{}`."""


class CompletedItem(Body):
    """What became of one item; a reason with DEFERRED, and only then."""

    item_id: Id
    outcome: ItemVisitOutcome
    reason: DeferralReason | None = None


class Completion(Body):
    """Every item of the visit once."""

    items: Annotated[list[CompletedItem], Field(max_length=5000)]


class Failure(Body):
    reason: DeferralReason


class Rescheduling(Body):
    """Without a date: the first later day with room."""

    date: Date | None = None
    reason: DeferralReason


class AnotherVisit(Body):
    """These items need a visit (again)."""

    items: Annotated[list[Id], Field(min_length=1, max_length=300)]
    reason: DeferralReason


TeamId = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,30}$")]


class Outage(Body):
    """A team that cannot go out, all day or from an hour on. reason: none that the residents are at fault of."""

    team_id: TeamId
    since: time | None = None
    reason: DeferralReason

    @field_validator("reason")
    @classmethod
    def _not_theirs(cls, reason: DeferralReason) -> DeferralReason:
        if reason not in REASONS_OUT:
            raise ValueError("not a reason why a team is out")
        return reason

    @property
    def since_minute(self) -> int:
        """Minute of the day."""
        return minute_of(self.since) if self.since else 0


class Return(Body):
    team_id: TeamId


class Appointment(Body):
    """A place that the desk agreed with the people. agreed: they said yes; today's and tomorrow's need it."""

    date: Date
    team_id: TeamId
    start: time
    agreed: bool

    @property
    def minute(self) -> int:
        """Of the day."""
        return minute_of(self.start)


class Session(Body):
    """A visit at the office's point of a kelurahan, for whoever comes between two hours."""

    team_id: TeamId
    visit_kind: Literal[VisitKind.COMMUNITY_POINT, VisitKind.DISASTER_POST]
    village_code: VillageCode
    start: LocalTime
    end: LocalTime

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.minute >= self.last_minute:
            raise ValueError("ends before it starts")
        return self

    @property
    def minute(self) -> int:
        """Of the day, from which on."""
        return minute_of(self.start)

    @property
    def last_minute(self) -> int:
        """Of the day, until which."""
        return minute_of(self.end)


class WalkIn(Body):
    """A request that is filed already, of somebody who came without a date."""

    request_id: UUID
