"""The data of every event: one closed model per type for writers, read leniently by readers (CONTRACTS.md §3).

Writers build a model and call `encode`; readers call `decode`, which ignores unknown fields and reads an unknown value of
an extensible enum as "UNKNOWN".
"""

from datetime import date
from typing import Annotated, Any, ClassVar, TypeVar, cast

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import union_schema, with_info_plain_validator_function

from pelangi.contracts import topics
from pelangi.contracts.codes import (
    Channel,
    ClosingOutcome,
    DocumentKind,
    ItemOutcome,
    ItemVisitOutcome,
    PublicRequesterKind,
    RecipientClass,
    RequestStatus,
    ScheduleStatus,
    ServiceKind,
    SubmissionOutcome,
    VisitKind,
    VisitOutcome,
    WithdrawalReason,
)
from pelangi.contracts.envelope import holds_sixteen_digits
from pelangi.contracts.reasons import ReasonClass

UNKNOWN = "UNKNOWN"
_READER = "reader"

T = TypeVar("T")


def _unknown(value: Any, info: ValidationInfo) -> str:
    if info.context == _READER and isinstance(value, str):
        return UNKNOWN
    raise ValueError("not one of the choices")


class _Open:
    """The enum, else UNKNOWN for a reader. No Python runs for a known value: that is most of what decoding an event costs."""

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        closed = handler(source)
        either: list[CoreSchema | tuple[CoreSchema, str]] = [closed, with_info_plain_validator_function(_unknown)]
        return union_schema(
            either,
            mode="left_to_right",
            custom_error_type="not_a_choice",
            custom_error_message="not one of the choices",
        )

    @staticmethod
    def __get_pydantic_json_schema__(core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        made = handler(cast(CoreSchema, {**core, "choices": cast(Any, core)["choices"][:1]}))
        # marks the enum itself, not the place that refers to it: there tools lose it
        handler.resolve_ref_schema(made)["x-extensible"] = True
        return made


Open = Annotated[T, _Open]
"""An enum that may grow within a version."""

Id = Annotated[
    str,
    Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
    WithJsonSchema({"type": "string", "format": "uuid"}),
]
AreaCode = Annotated[str, Field(pattern=r"^[0-9]{2}\.[0-9]{2}(\.[0-9]{2}(\.[0-9]{4})?)?$", description="dotted Kemendagri code")]
Hours = Annotated[int, Field(ge=0, description="whole hours since received_at")]
Edition = Annotated[int, Field(ge=1)]


class Data(BaseModel):
    """Base of all event data: closed for writers."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(Data):
    start: AwareDatetime
    end: AwareDatetime


class Place(Data):
    """A place from the office's own list of points; never from a request."""

    name: str
    lat: Annotated[float, Field(ge=-90, le=90)]
    lon: Annotated[float, Field(ge=-180, le=180)]


class RequestCreated(Data):
    """A request was received: exactly one for every 201, whatever its status; never re-emitted."""

    request_id: Id
    received_at: AwareDatetime
    area_code: AreaCode
    visit_kind: Open[VisitKind]
    channel: Open[Channel]
    requester_kind: Open[PublicRequesterKind]
    services: list[Open[ServiceKind]]
    persons_count: Annotated[int, Field(ge=1)]
    items_count: Annotated[int, Field(ge=1)]
    due_on: date


class VisitScheduled(Data):
    """A request's visit got, changed or lost its date."""

    request_id: Id
    visit_id: Id
    revision: Annotated[int, Field(ge=1)]
    status: Open[ScheduleStatus]
    visit_kind: Open[VisitKind]
    area_code: AreaCode
    date: date
    window: Window | None
    place: Place | None
    services: list[Open[ServiceKind]]
    persons_count: Annotated[int, Field(ge=1)]
    reason_class: Open[ReasonClass] | None


class VisitedItem(Data):
    item_id: Id
    service_kind: Open[ServiceKind]
    outcome: Open[ItemVisitOutcome]
    reason_class: Open[ReasonClass] | None


class VisitCompleted(Data):
    """A visit took place or failed; the outcome of each item of this request."""

    request_id: Id
    visit_id: Id
    outcome: Open[VisitOutcome]
    completed_at: AwareDatetime
    area_code: AreaCode
    items: list[VisitedItem]


class DocumentIssued(Data):
    """A legal document exists: signed, or printed for cards."""

    request_id: Id
    item_id: Id
    service_kind: Open[ServiceKind]
    document_id: Id
    document_kind: Open[DocumentKind]
    edition: Edition
    issued_at: AwareDatetime
    area_code: AreaCode
    turnaround_hours: Hours


class DocumentHandedOver(Data):
    """A document reached the person or a lawful proxy."""

    request_id: Id
    item_id: Id
    document_id: Id
    document_kind: Open[DocumentKind]
    handed_over_at: AwareDatetime
    recipient_class: Open[RecipientClass]


class DocumentWithdrawn(Data):
    """An issued document was superseded or revoked."""

    request_id: Id
    item_id: Id
    document_id: Id
    document_kind: Open[DocumentKind]
    edition: Edition
    withdrawn_at: AwareDatetime
    reason: Open[WithdrawalReason]
    replaced_by: Id | None


class ItemClosed(Data):
    """One service for one person is finished, with or without a document."""

    request_id: Id
    item_id: Id
    service_kind: Open[ServiceKind]
    outcome: Open[ItemOutcome]
    closed_at: AwareDatetime
    reason_class: Open[ReasonClass] | None


class RequestClosed(Data):
    """Nothing more will happen to this request, and why (coarse); once."""

    request_id: Id
    closed_at: AwareDatetime
    outcome: Open[ClosingOutcome]
    turnaround_hours: Hours


class PublicRequest(RequestCreated):
    """What a snapshot says in clear: the fields of request-created, the status and the version."""

    status: Open[RequestStatus]
    version: Annotated[int, Field(ge=1)]


class RequestDetails(Data):
    """Full snapshot of a request: public fields in clear and one JWE per reader (see `snapshots`)."""

    personal: ClassVar[tuple[str, ...]] = ("planning", "person", "contact")

    request: PublicRequest
    planning: str
    person: str
    contact: str


class VisitDetails(Data):
    """Full snapshot of a request's visits in one JWE (see `snapshots.Visits`)."""

    personal: ClassVar[tuple[str, ...]] = ("visits",)

    request_id: Id
    visits: str


class Problem(Data):
    """One broken rule: where and which; never the value."""

    pointer: str
    code: str


class SubmissionAnswered(Data):
    """The answer to one submission over Kafka: no echo of values, no receipt code."""

    submission_id: Id
    outcome: Open[SubmissionOutcome]
    request_id: Id | None
    problems: list[Problem]


MODELS: dict[str, type[Data]] = {
    topics.REQUEST_CREATED: RequestCreated,
    topics.VISIT_SCHEDULED: VisitScheduled,
    topics.VISIT_COMPLETED: VisitCompleted,
    topics.DOCUMENT_ISSUED: DocumentIssued,
    topics.DOCUMENT_HANDED_OVER: DocumentHandedOver,
    topics.DOCUMENT_WITHDRAWN: DocumentWithdrawn,
    topics.ITEM_CLOSED: ItemClosed,
    topics.REQUEST_CLOSED: RequestClosed,
    topics.REQUEST_DETAILS: RequestDetails,
    topics.VISIT_DETAILS: VisitDetails,
    topics.SUBMISSION_ANSWERED: SubmissionAnswered,
}
"""The model of each event type. `request-submitted.v1` has none: its value is a bare JWE of a request body."""

_VALIDATORS = {type_: model.__pydantic_validator__ for type_, model in MODELS.items()}

TYPE_OF: dict[type[Data], str] = {model: type_ for type_, model in MODELS.items()}


def aggregate_id(type_: str, data: Data) -> str:
    """What a record is about beside its request: its visit, document or item, else the request (CONTRACTS.md §2)."""
    if type_ == topics.REQUEST_DETAILS:
        assert isinstance(data, RequestDetails)
        return data.request.request_id
    return str(getattr(data, topics.BY_NAME[type_].aggregate))


def encode(type_: str, data: Data) -> bytes:
    """The exact JSON of an event, ready to store and send.

    Raises ValueError where a public event holds a run of 16 digits.
    """
    raw = data.model_dump_json().encode()
    if topics.BY_NAME[type_].public and holds_sixteen_digits(raw):
        raise ValueError(f"{type_} holds a run of 16 digits")
    return raw


def decode(type_: str, raw: bytes) -> Data:
    """Event data as a reader sees it: unknown fields ignored, unknown enum values "UNKNOWN".

    Raises pydantic.ValidationError; show its error types and locations only, its text holds the input.
    """
    decoded: Data = _VALIDATORS[type_].validate_json(raw, extra="ignore", context=_READER)
    return decoded
