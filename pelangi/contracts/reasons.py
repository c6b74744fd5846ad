"""Why something was put off or refused, and on whose side it arose (DOMAIN.md §5.4)."""

from enum import StrEnum


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


REASON_CLASS: dict[str, ReasonClass] = {
    **dict.fromkeys(DeferralReason, ReasonClass.OFFICE),
    **dict.fromkeys(RejectionReason, ReasonClass.RESIDENT),
    DeferralReason.NOT_AT_HOME: ReasonClass.RESIDENT,
    DeferralReason.ADDRESS_NOT_FOUND: ReasonClass.RESIDENT,
    DeferralReason.PERSON_REFUSED: ReasonClass.RESIDENT,
    DeferralReason.PERSON_UNSETTLED: ReasonClass.RESIDENT,
    DeferralReason.BIOMETRIC_FAILED: ReasonClass.RESIDENT,
    DeferralReason.INCOMPLETE_REQUIREMENTS: ReasonClass.RESIDENT,
    DeferralReason.UNDER_17_CARD_LATER: ReasonClass.RESIDENT,
    DeferralReason.PERSON_HOSPITALISED: ReasonClass.RESIDENT,
    DeferralReason.PERSON_RELEASED_OR_MOVED: ReasonClass.RESIDENT,
    DeferralReason.UNSAFE: ReasonClass.THIRD_PARTY,
    DeferralReason.COMPANION_ABSENT: ReasonClass.THIRD_PARTY,
    DeferralReason.INSTITUTION_CLOSED: ReasonClass.THIRD_PARTY,
    DeferralReason.WEATHER_OR_FLOOD: ReasonClass.THIRD_PARTY,
    DeferralReason.SIAK_DOWN: ReasonClass.CENTRE,
    DeferralReason.AWAITING_EXCEPTION_APPROVAL: ReasonClass.CENTRE,
    DeferralReason.DUPLICATE_RECORD: ReasonClass.CENTRE,
    DeferralReason.AWAITING_CENTRE: ReasonClass.CENTRE,
    RejectionReason.SERVICE_NOT_MOBILE: ReasonClass.OFFICE,
    RejectionReason.DUPLICATE_REQUEST: ReasonClass.OFFICE,
    RejectionReason.COURT_RULING_REQUIRED: ReasonClass.THIRD_PARTY,
}
"""Who is behind a reason (`blame` of DOMAIN.md §5.4)."""
