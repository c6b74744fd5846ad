"""The bodies of scheduling's calls (CONTRACTS.md §4)."""

from datetime import date as Date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pelangi.contracts.codes import ItemVisitOutcome
from pelangi.contracts.events import Id
from pelangi.contracts.reasons import DeferralReason


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
