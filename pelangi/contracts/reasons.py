"""Why something was put off or refused, and on whose side it arose (DOMAIN.md §5.4)."""

from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, model_validator


class ReasonClass(StrEnum):
    """On whose side a delay or refusal arose; all that a public event says of a reason."""

    RESIDENT = "RESIDENT"
    OFFICE = "OFFICE"
    CENTRE = "CENTRE"
    THIRD_PARTY = "THIRD_PARTY"


class DeferralReason(StrEnum):
    """Why a visit failed or an item was put off (DOMAIN.md §5.4)."""

    NOT_AT_HOME = "NOT_AT_HOME"
    ADDRESS_NOT_FOUND = "ADDRESS_NOT_FOUND"
    PERSON_REFUSED = "PERSON_REFUSED"
    PERSON_UNSETTLED = "PERSON_UNSETTLED"
    UNSAFE = "UNSAFE"
    COMPANION_ABSENT = "COMPANION_ABSENT"
    INSTITUTION_CLOSED = "INSTITUTION_CLOSED"
    WEATHER_OR_FLOOD = "WEATHER_OR_FLOOD"
    VEHICLE_FAILURE = "VEHICLE_FAILURE"
    KIT_FAILURE = "KIT_FAILURE"
    NO_UPLINK = "NO_UPLINK"
    SIAK_DOWN = "SIAK_DOWN"
    NO_BLANK = "NO_BLANK"
    NO_RIBBON = "NO_RIBBON"
    BIOMETRIC_FAILED = "BIOMETRIC_FAILED"
    AWAITING_EXCEPTION_APPROVAL = "AWAITING_EXCEPTION_APPROVAL"
    DUPLICATE_RECORD = "DUPLICATE_RECORD"
    AWAITING_CENTRE = "AWAITING_CENTRE"
    INCOMPLETE_REQUIREMENTS = "INCOMPLETE_REQUIREMENTS"
    UNDER_17_CARD_LATER = "UNDER_17_CARD_LATER"
    SIGNER_ABSENT = "SIGNER_ABSENT"
    PERSON_HOSPITALISED = "PERSON_HOSPITALISED"
    PERSON_RELEASED_OR_MOVED = "PERSON_RELEASED_OR_MOVED"


class RejectionReason(StrEnum):
    """Why the office may end an item without a document (DOMAIN.md §5.4)."""

    NOT_ELIGIBLE_AGE = "NOT_ELIGIBLE_AGE"
    NOT_RESIDENT_OUT_OF_AREA = "NOT_RESIDENT_OUT_OF_AREA"
    ALREADY_HAS_VALID_DOCUMENT = "ALREADY_HAS_VALID_DOCUMENT"
    MUSLIM_MARRIAGE_GOES_TO_KUA = "MUSLIM_MARRIAGE_GOES_TO_KUA"
    COURT_RULING_REQUIRED = "COURT_RULING_REQUIRED"
    FALSE_STATEMENT = "FALSE_STATEMENT"
    SERVICE_NOT_MOBILE = "SERVICE_NOT_MOBILE"
    DUPLICATE_REQUEST = "DUPLICATE_REQUEST"
    NO_LEGAL_PROXY = "NO_LEGAL_PROXY"
    FOREIGNER_WITHOUT_PERMIT = "FOREIGNER_WITHOUT_PERMIT"


class Deferral(BaseModel):
    """What follows from a deferral reason; the columns of `data/reasons.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    blame: ReasonClass
    clock_paused: bool
    auto_reschedule: bool


class Rejection(BaseModel):
    """What follows from a rejection reason."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    blame: ReasonClass


class Reasons(BaseModel):
    """The table; a reason that is missing in it does not load."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    deferral: dict[DeferralReason, Deferral]
    rejection: dict[RejectionReason, Rejection]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if missing := (set(DeferralReason) - self.deferral.keys()) | (set(RejectionReason) - self.rejection.keys()):
            raise ValueError(f"not in the table of reasons: {sorted(missing)}")
        return self


def load_reasons() -> Reasons:
    """The table as committed. Raises pydantic.ValidationError where it is not complete."""
    text = files("pelangi.contracts").joinpath("data/reasons.yaml").read_text(encoding="utf-8")
    return Reasons.model_validate(yaml.safe_load(text))


REASONS = load_reasons()

REASON_CLASS: Mapping[str, ReasonClass] = {
    **{reason: row.blame for reason, row in REASONS.deferral.items()},
    **{reason: row.blame for reason, row in REASONS.rejection.items()},
}
"""Who is behind a reason (`blame` of DOMAIN.md §5.4)."""
