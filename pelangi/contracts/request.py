"""The body of `POST /v1/requests`, and of a submission over Kafka (CONTRACTS.md §4).

Only shapes are checked here; what needs a clock or the law is a rule of intake.
"""

import re
from collections.abc import Set
from datetime import date, time
from functools import cache
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pelangi.contracts.codes import (
    BirthDatePrecision,
    Channel,
    CompanionKind,
    DeadlineReason,
    GuardianRelation,
    Need,
    NikAbsenceReason,
    ReachChannel,
    ReachTo,
    RequesterKind,
    ServiceKind,
    Sex,
    VisitKind,
    VulnerabilityCategory,
)
from pelangi.contracts.public import CITY_CODE
from pelangi.contracts.regions import villages

OWN_RULES = frozenset({"nik_format", "village_unknown", "local_time", "date_format", "service_repeated", "end_before_start"})
"""Error types whose text is ours, written for people; pydantic's own texts can echo values."""

MAX_PERSONS = 100
MAX_ITEMS = 300

_SEPARATORS = re.compile(r"[\s.\-]+")


def strip_separators(value: Any) -> Any:
    """Without the spaces, dots and dashes that people write between digits; what is no text is returned as it is."""
    return _SEPARATORS.sub("", value) if isinstance(value, str) else value


def _sixteen_digits(value: str) -> str:
    """ASCII digits only: `str.isdigit` would let full-width digits pass (DOMAIN.md §3.2 rule 1)."""
    if not re.fullmatch(r"[0-9]{16}", value):
        raise PydanticCustomError("nik_format", "NIK terdiri dari 16 angka. / A NIK has 16 digits.")
    return value


def _known_village(value: str) -> str:
    """Dotted; a code of the city must be one of its 42 kelurahan, others are for intake to refer."""
    plain = value.replace(".", "")
    dotted = f"{plain[:2]}.{plain[2:4]}.{plain[4:6]}.{plain[6:]}"
    if dotted.startswith(CITY_CODE + ".") and dotted not in villages():
        raise PydanticCustomError("village_unknown", "Kelurahan tidak dikenal. / Unknown kelurahan.")
    return dotted


def _without_offset(value: time) -> time:
    """A time with an offset cannot be compared with one without."""
    if value.tzinfo is not None:
        raise PydanticCustomError("local_time", "Jam setempat, tanpa zona waktu. / Local time, without an offset.")
    return value


def _three_digits(value: str) -> str:
    return value.zfill(3)


def _e164(value: Any) -> Any:
    """Indonesian numbers in any usual spelling to +62…; what is no number is left for the pattern to refuse."""
    if not isinstance(value, str):
        return value
    digits = re.sub(r"[\s.\-()]+", "", value)
    if digits.startswith("0"):
        return "+62" + digits[1:]
    return "+" + digits if digits.startswith("62") else digits


def _rfc3339(value: Any) -> Any:
    """A number, also as text, would be read as seconds since 1970: somebody's birth date in 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and re.fullmatch(r"[-+]?[0-9.]+", value)):
        raise PydanticCustomError("date_format", "Tulis tanggal seperti 2026-11-24. / Write dates like 2026-11-24.")
    return value


def _each_once(value: list[ServiceKind]) -> list[ServiceKind]:
    if len(value) != len(set(value)):
        raise PydanticCustomError("service_repeated", "Layanan berulang. / A service is repeated.")
    return value


def _may_be_blank(schema: dict[str, Any]) -> None:
    """Let a published schema say it too: what is not demanded may be null or blank, which means not given."""
    demanded = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        if name not in demanded:
            schema["properties"][name] = _or_blank(field)


def _or_blank(field: dict[str, Any]) -> dict[str, Any]:
    about = {k: v for k, v in field.items() if k in {"title", "description"}}
    shape = {k: v for k, v in field.items() if k not in {"title", "description", "default"}}
    choices = [c for c in shape.get("anyOf", [shape]) if c != {"type": "null"}]
    return {**about, "anyOf": [*choices, {"type": "null"}, {"type": "string", "pattern": r"^\s*$"}]}


Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=2000)]
Phone = Annotated[
    str,
    BeforeValidator(_e164),
    Field(pattern=r"^\+[1-9][0-9]{6,14}$"),
    WithJsonSchema({"type": "string", "description": "Indonesian in any usual spelling, or +country…; stored as E.164"}),
]
Date = Annotated[date, BeforeValidator(_rfc3339)]
Moment = Annotated[AwareDatetime, BeforeValidator(_rfc3339)]
Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+$")]
Nik = Annotated[str, BeforeValidator(strip_separators), AfterValidator(_sixteen_digits)]
FamilyCardNumber = Annotated[str, BeforeValidator(strip_separators), Field(max_length=40)]
_VILLAGE_CODE = r"^([0-9]{2}\.[0-9]{2}\.[0-9]{2}\.[0-9]{4}|[0-9]{10})$"
VillageCode = Annotated[str, Field(pattern=_VILLAGE_CODE), AfterValidator(_known_village)]
RtRw = Annotated[str, Field(pattern=r"^[0-9]{1,3}$"), AfterValidator(_three_digits)]
Ref = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,20}$")]
LocalTime = Annotated[
    time,
    AfterValidator(_without_offset),
    WithJsonSchema({"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"}),
]


class Part(BaseModel):
    """Base of all parts of a body: an unknown field is an error, a misspelt one must not be lost in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, json_schema_extra=_may_be_blank)

    @model_validator(mode="before")
    @classmethod
    def _blank_is_absent(cls, value: Any) -> Any:
        """White space is no name and no address; blank or null means not given, so that neither ever blocks."""
        if not isinstance(value, dict):
            return value
        may_be_blank = _optional(cls)
        tidy = ((k, v.strip() if isinstance(v, str) else v) for k, v in value.items())
        return {k: v for k, v in tidy if (v is not None and v != "") or k not in may_be_blank}


@cache
def _optional(part: type[BaseModel]) -> frozenset[str]:
    return frozenset(name for name, field in part.model_fields.items() if not field.is_required())


class Requester(Part):
    kind: RequesterKind
    name: Name | None = None
    phone: Phone | None = None
    email: Email | None = None


class Guardian(Part):
    name: Name | None = None
    relation: GuardianRelation | None = None
    phone: Phone | None = None
    email: Email | None = None


class Companion(Part):
    kind: CompanionKind
    name: Name | None = None
    phone: Phone | None = None
    email: Email | None = None


class Person(Part):
    """One person to be served; nothing but a service is required of anybody."""

    ref: Ref | None = None
    name: Name | None = None
    aliases: Annotated[list[Name], Field(max_length=10)] = []
    nik: Nik | None = None
    nik_absence_reason: NikAbsenceReason | None = None
    family_card_number: FamilyCardNumber | None = None
    birth_date: Date | None = None
    birth_date_precision: BirthDatePrecision | None = None
    sex: Sex | None = None
    mother_name: Name | None = None
    phone: Phone | None = None
    email: Email | None = None
    guardian: Guardian | None = None
    ever_married: StrictBool | None = None
    categories: Annotated[list[VulnerabilityCategory], Field(max_length=20)] = []
    needs: Annotated[list[Need], Field(max_length=20)] = []
    services: Annotated[list[ServiceKind], Field(min_length=1, max_length=20), AfterValidator(_each_once)]


class RequestPlace(Part):
    visit_kind: VisitKind
    village_code: VillageCode
    rt: RtRw | None = None
    rw: RtRw | None = None
    address: Text | None = None
    landmark: Text | None = None
    lat: Annotated[float, Field(ge=-90, le=90, strict=True)] | None = None
    lon: Annotated[float, Field(ge=-180, le=180, strict=True)] | None = None


class Availability(Part):
    """Local times on an ISO weekday: 1 = Monday … 7 = Sunday."""

    weekday: Annotated[int, Field(ge=1, le=7, strict=True)]
    start: LocalTime
    end: LocalTime

    @model_validator(mode="after")
    def _start_before_end(self) -> Self:
        if self.start >= self.end:
            raise PydanticCustomError("end_before_start", "Jam mulai harus sebelum jam selesai. / Start must be before end.")
        return self


class Deadline(Part):
    date: Date
    reason: DeadlineReason


class Reach(Part):
    channel: ReachChannel = ReachChannel.VIA_KELURAHAN
    to: ReachTo = ReachTo.REQUESTER


class RequestBody(Part):
    """One call for help: one requester, one place, 1–100 persons."""

    channel: Channel
    filled_at: Moment | None = None
    requester: Requester
    persons: Annotated[list[Person], Field(min_length=1)]
    companion: Companion | None = None
    place: RequestPlace
    availability: Annotated[list[Availability], Field(max_length=50)] = []
    deadline: Deadline | None = None
    reach: Reach = Reach()
    notes: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _number_persons(cls, value: Any) -> Any:
        """`ref` defaults to the position, with as many `p` before it as tell it from what others were given."""
        if not isinstance(value, dict) or not isinstance(value.get("persons"), list):
            return value
        given = {ref for p in value["persons"] if isinstance(ref := _said_ref(p), str)}
        persons = [
            {**p, "ref": _free_ref(at, given)} if isinstance(p, dict) and _said_ref(p) in (None, "") else p
            for at, p in enumerate(value["persons"], start=1)
        ]
        return {**value, "persons": persons}


def _said_ref(person: Any) -> Any:
    """What is given as a person's ref; blank is not given."""
    ref = person.get("ref") if isinstance(person, dict) else None
    return ref.strip() if isinstance(ref, str) else ref


def _free_ref(at: int, given: Set[str]) -> str:
    ref = str(at)
    while ref in given:
        ref = f"p{ref}"
    return ref
