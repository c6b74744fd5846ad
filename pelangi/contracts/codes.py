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


class SubmissionOutcome(StrEnum):
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
