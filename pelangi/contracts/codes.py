"""The code lists that cross a border: what a form may say and what an event may carry.

Sources: DOMAIN.md §1.3 (categories), §2.2 (services), §5.1–5.4 (requests, visits, documents, reasons);
CONTRACTS.md §3–4 where it narrows them.
"""

from enum import StrEnum


class ServiceKind(StrEnum):
    """One kind of service for one person (DOMAIN.md §2.2)."""

    BIODATA_REGISTRATION = "BIODATA_REGISTRATION"
    KK_NEW = "KK_NEW"
    KK_CHANGE = "KK_CHANGE"
    KK_REISSUE = "KK_REISSUE"
    KTP_RECORDING = "KTP_RECORDING"
    KTP_NEW = "KTP_NEW"
    KTP_REISSUE = "KTP_REISSUE"
    KIA = "KIA"
    BIRTH_CERT = "BIRTH_CERT"
    DEATH_CERT = "DEATH_CERT"
    MARRIAGE_CERT = "MARRIAGE_CERT"
    DIVORCE_CERT = "DIVORCE_CERT"
    MOVE_OUT = "MOVE_OUT"
    MOVE_IN = "MOVE_IN"
    MOVE_WITHIN = "MOVE_WITHIN"
    IKD_ACTIVATION = "IKD_ACTIVATION"
    VULNERABLE_DATA_COLLECTION = "VULNERABLE_DATA_COLLECTION"
    DATA_CORRECTION = "DATA_CORRECTION"
    DATA_CONSOLIDATION = "DATA_CONSOLIDATION"
    CONSULTATION = "CONSULTATION"


class VulnerabilityCategory(StrEnum):
    """Restricted: never in public events, metric labels or logs (DOMAIN.md §1.3)."""

    NATURAL_DISASTER_VICTIM = "NATURAL_DISASTER_VICTIM"
    SOCIAL_DISASTER_VICTIM = "SOCIAL_DISASTER_VICTIM"
    NEGLECTED_PERSON = "NEGLECTED_PERSON"
    REMOTE_COMMUNITY = "REMOTE_COMMUNITY"
    DISPUTED_LAND_RESIDENT = "DISPUTED_LAND_RESIDENT"
    ELDERLY = "ELDERLY"
    DISABILITY = "DISABILITY"
    MENTAL_DISORDER = "MENTAL_DISORDER"
    SEVERE_ILLNESS = "SEVERE_ILLNESS"
    INMATE = "INMATE"
    CARE_HOME_RESIDENT = "CARE_HOME_RESIDENT"
    NEGLECTED_CHILD = "NEGLECTED_CHILD"
    HOMELESS = "HOMELESS"
    PREGNANT = "PREGNANT"
    VIOLENCE_OR_TRAFFICKING_VICTIM = "VIOLENCE_OR_TRAFFICKING_VICTIM"
    EXTREME_POVERTY = "EXTREME_POVERTY"
    BORDER_AREA_RESIDENT = "BORDER_AREA_RESIDENT"
    FIRST_TIME_CARD_HOLDER = "FIRST_TIME_CARD_HOLDER"
    NONE = "NONE"


class Need(StrEnum):
    """What the team must know or bring to serve a person."""

    BEDRIDDEN = "BEDRIDDEN"
    WHEELCHAIR = "WHEELCHAIR"
    SIGN_LANGUAGE = "SIGN_LANGUAGE"
    BLIND = "BLIND"
    RESTLESS = "RESTLESS"
    CANNOT_SIGN = "CANNOT_SIGN"
    BIOMETRIC_EXCEPTION = "BIOMETRIC_EXCEPTION"
    TWO_OFFICERS = "TWO_OFFICERS"
    COMPANION_REQUIRED = "COMPANION_REQUIRED"
    CONFIDENTIAL_ADDRESS = "CONFIDENTIAL_ADDRESS"
    HOSPITAL = "HOSPITAL"


class Channel(StrEnum):
    """How a request came in."""

    KELURAHAN_FORM = "KELURAHAN_FORM"
    WHATSAPP = "WHATSAPP"
    LETTER = "LETTER"
    PHONE = "PHONE"
    WALK_IN = "WALK_IN"
    SP4N_LAPOR = "SP4N_LAPOR"
    FIELD = "FIELD"
    API = "API"


class RequesterKind(StrEnum):
    """Who asks (DOMAIN.md §5.1)."""

    SELF = "SELF"
    FAMILY = "FAMILY"
    GUARDIAN = "GUARDIAN"
    RT_RW = "RT_RW"
    KELURAHAN = "KELURAHAN"
    TKSK = "TKSK"
    PSM = "PSM"
    SOCIAL_OFFICE = "SOCIAL_OFFICE"
    PUSKESMAS = "PUSKESMAS"
    HOSPITAL = "HOSPITAL"
    SCHOOL = "SCHOOL"
    PRISON = "PRISON"
    CARE_HOME = "CARE_HOME"
    RELIGIOUS_BODY = "RELIGIOUS_BODY"
    NGO = "NGO"
    DUKCAPIL = "DUKCAPIL"
    OTHER_CITY_SERVICE = "OTHER_CITY_SERVICE"


class PublicRequesterKind(StrEnum):
    """Who asks, as a public event says it: institutions that betray a condition are one code (CONTRACTS.md §3)."""

    SELF = "SELF"
    FAMILY = "FAMILY"
    GUARDIAN = "GUARDIAN"
    RT_RW = "RT_RW"
    KELURAHAN = "KELURAHAN"
    TKSK = "TKSK"
    PSM = "PSM"
    SOCIAL_OFFICE = "SOCIAL_OFFICE"
    INSTITUTION = "INSTITUTION"
    RELIGIOUS_BODY = "RELIGIOUS_BODY"
    NGO = "NGO"
    DUKCAPIL = "DUKCAPIL"
    OTHER_CITY_SERVICE = "OTHER_CITY_SERVICE"


class CompanionKind(StrEnum):
    FAMILY = "FAMILY"
    TKSK = "TKSK"
    PSM = "PSM"
    PUSKESMAS = "PUSKESMAS"
    RT_RW = "RT_RW"
    INSTITUTION_STAFF = "INSTITUTION_STAFF"
    SIGN_INTERPRETER = "SIGN_INTERPRETER"
    OTHER = "OTHER"


class GuardianRelation(StrEnum):
    PARENT = "PARENT"
    GUARDIAN = "GUARDIAN"
    SPOUSE = "SPOUSE"
    CHILD = "CHILD"
    SIBLING = "SIBLING"
    INSTITUTION_HEAD = "INSTITUTION_HEAD"
    OTHER = "OTHER"


class DeadlineReason(StrEnum):
    HOSPITAL = "HOSPITAL"
    AID = "AID"
    SCHOOL = "SCHOOL"
    TRAVEL = "TRAVEL"
    COURT = "COURT"
    SEVENTEENTH_BIRTHDAY = "SEVENTEENTH_BIRTHDAY"
    ELECTION = "ELECTION"
    OTHER = "OTHER"


class ReachChannel(StrEnum):
    WHATSAPP = "WHATSAPP"
    SMS = "SMS"
    EMAIL = "EMAIL"
    VIA_KELURAHAN = "VIA_KELURAHAN"


class ReachTo(StrEnum):
    REQUESTER = "REQUESTER"
    PERSON = "PERSON"
    GUARDIAN = "GUARDIAN"
    COMPANION = "COMPANION"


class VisitKind(StrEnum):
    HOME = "HOME"
    COMMUNITY_POINT = "COMMUNITY_POINT"
    INSTITUTION = "INSTITUTION"
    DISASTER_POST = "DISASTER_POST"
    OFFICE_APPOINTMENT = "OFFICE_APPOINTMENT"


PUBLIC_PLACE_KINDS = frozenset({VisitKind.COMMUNITY_POINT, VisitKind.DISASTER_POST})
"""Visits at a place open to everyone: only these show a kelurahan, a window and a place in public (CONTRACTS.md §3)."""


class NikAbsenceReason(StrEnum):
    NEVER_REGISTERED = "NEVER_REGISTERED"
    LOST_AND_UNKNOWN = "LOST_AND_UNKNOWN"
    UNABLE_TO_COMMUNICATE = "UNABLE_TO_COMMUNICATE"
    NEWBORN = "NEWBORN"
    REFUSED_TO_GIVE = "REFUSED_TO_GIVE"
    FOUNDLING = "FOUNDLING"
    OTHER = "OTHER"


class BirthDatePrecision(StrEnum):
    EXACT = "EXACT"
    MONTH = "MONTH"
    YEAR = "YEAR"
    ESTIMATED = "ESTIMATED"


class Sex(StrEnum):
    """L = laki-laki (male), P = perempuan (female), as in the register."""

    L = "L"
    P = "P"


class RequestStatus(StrEnum):
    RECEIVED = "RECEIVED"
    NEEDS_INFO = "NEEDS_INFO"
    ACCEPTED = "ACCEPTED"
    SCHEDULED = "SCHEDULED"
    IN_SERVICE = "IN_SERVICE"
    DEFERRED = "DEFERRED"
    COMPLETED = "COMPLETED"
    PARTIAL = "PARTIAL"
    DUPLICATE = "DUPLICATE"
    OUT_OF_AREA = "OUT_OF_AREA"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    DECEASED = "DECEASED"
    CLOSED_NO_CONTACT = "CLOSED_NO_CONTACT"


OPEN_REQUEST_STATUSES = frozenset(
    {
        RequestStatus.RECEIVED,
        RequestStatus.NEEDS_INFO,
        RequestStatus.ACCEPTED,
        RequestStatus.SCHEDULED,
        RequestStatus.IN_SERVICE,
        RequestStatus.DEFERRED,
    }
)


class VisitStatus(StrEnum):
    """The life of one visit inside scheduling (DOMAIN.md §5.4)."""

    PLANNED = "PLANNED"
    CONFIRMED = "CONFIRMED"
    EN_ROUTE = "EN_ROUTE"
    ON_SITE = "ON_SITE"
    DONE = "DONE"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class ScheduleStatus(StrEnum):
    SCHEDULED = "SCHEDULED"
    RESCHEDULED = "RESCHEDULED"
    CANCELLED = "CANCELLED"


class VisitOutcome(StrEnum):
    DONE = "DONE"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"


class ItemVisitOutcome(StrEnum):
    DONE = "DONE"
    DEFERRED = "DEFERRED"


class ItemOutcome(StrEnum):
    DONE = "DONE"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"


class ClosingOutcome(StrEnum):
    """Why a request closed, coarse (CONTRACTS.md §3)."""

    COMPLETED = "COMPLETED"
    PARTIAL = "PARTIAL"
    WITHDRAWN = "WITHDRAWN"
    REJECTED = "REJECTED"
    DUPLICATE = "DUPLICATE"
    OUT_OF_AREA = "OUT_OF_AREA"
    OTHER = "OTHER"


class DocumentKind(StrEnum):
    """Documents that public events may name."""

    BIODATA = "BIODATA"
    KK = "KK"
    KTP = "KTP"
    KIA = "KIA"
    BIRTH_CERT = "BIRTH_CERT"
    DEATH_CERT = "DEATH_CERT"
    MARRIAGE_CERT = "MARRIAGE_CERT"
    DIVORCE_CERT = "DIVORCE_CERT"
    MOVE_OUT_LETTER = "MOVE_OUT_LETTER"


class WithdrawalReason(StrEnum):
    SUPERSEDED = "SUPERSEDED"
    REVOKED = "REVOKED"


class RecipientClass(StrEnum):
    PERSON = "PERSON"
    FAMILY = "FAMILY"
    PROXY = "PROXY"
    INSTITUTION = "INSTITUTION"


class ReasonClass(StrEnum):
    """On whose side a delay or refusal arose; all that a public event says of a reason."""

    RESIDENT = "RESIDENT"
    OFFICE = "OFFICE"
    CENTRE = "CENTRE"
    THIRD_PARTY = "THIRD_PARTY"


class SubmissionOutcome(StrEnum):
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"


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


_INSTITUTIONS = {
    RequesterKind.PRISON,
    RequesterKind.HOSPITAL,
    RequesterKind.CARE_HOME,
    RequesterKind.PUSKESMAS,
    RequesterKind.SCHOOL,
}


def public_requester_kind(kind: RequesterKind) -> PublicRequesterKind:
    """The requester as a public event says it."""
    return PublicRequesterKind.INSTITUTION if kind in _INSTITUTIONS else PublicRequesterKind(kind.value)


def public_service_kind(kind: ServiceKind) -> ServiceKind:
    """The service as a public event says it: data collection of vulnerable residents is shown as a consultation."""
    return ServiceKind.CONSULTATION if kind is ServiceKind.VULNERABLE_DATA_COLLECTION else kind


CITY_CODE = "19.71"
"""Kemendagri code of Kota Pangkalpinang."""


def public_area_code(kind: VisitKind, village_code: str) -> str:
    """The kelurahan for places open to everyone, else only the city (CONTRACTS.md §3)."""
    return village_code if kind in PUBLIC_PLACE_KINDS else CITY_CODE
