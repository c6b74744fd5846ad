"""Who may get which service, by age and marriage, from `data/eligibility.yaml` (CONTRACTS.md §4 "Eligibility"). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from pelangi.contracts.codes import BirthDatePrecision, ServiceKind
from pelangi.contracts.request import Person
from services.intake import nik
from services.intake.nik import Declared, age_on
from services.intake.tables import Table, load

NOT_ELIGIBLE = "not_eligible_age"
CARD_LATER = "under_17_card_later"


class Married(StrEnum):
    """What marriage changes: it is enough whatever the age, or it excludes."""

    ENOUGH = "ENOUGH"
    EXCLUDES = "EXCLUDES"


class Otherwise(StrEnum):
    """What happens where the age does not fit."""

    REFUSED = "REFUSED"
    CARD_LATER = "CARD_LATER"


Years = Annotated[int, Field(ge=1, le=120)]
Days = Annotated[int, Field(ge=1, le=3650)]


class AgeRule(Table):
    """The ages of one service, in completed years."""

    at_least: Years | None = None
    below: Years | None = None
    married: Married
    otherwise: Otherwise

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_least is None) == (self.below is None):
            raise ValueError("either at_least or below")
        return self

    def fits(self, age: int) -> bool:
        """Whether an unmarried person of this age may have the service."""
        return age >= self.at_least if self.at_least is not None else self.below is not None and age < self.below


class Eligibility(Table):
    """The columns of the table; a service without a row is for every age."""

    ages: dict[ServiceKind, AgeRule]
    notes: dict[ServiceKind, Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]]
    report_within_days: dict[ServiceKind, Days]


TABLE = load(Eligibility, "eligibility")
_SERVICES = frozenset(ServiceKind)


@dataclass(frozen=True, slots=True)
class Subject:
    """What eligibility depends on. exact: the birth date is known to the day, so that an age may refuse."""

    birth_date: date | None
    exact: bool
    ever_married: bool

    @classmethod
    def of(cls, person: Person, today: date) -> Self:
        """The person of a valid body; the birth date from the form, else from the NIK. Unknown marriage: unmarried."""
        exact = person.birth_date is not None and person.birth_date_precision is BirthDatePrecision.EXACT
        return cls(birth_date(person, today), exact, person.ever_married is True)


@dataclass(frozen=True, slots=True)
class Finding:
    """A service that the person may not have (refused), or only with this remark. at: its place in the list."""

    at: int
    code: str
    refused: bool


def birth_date(person: Person, today: date) -> date | None:
    """From the form, else from the NIK; None where neither tells."""
    if person.birth_date is not None or person.nik is None:
        return person.birth_date
    return nik.read(person.nik, today, Declared(sex=person.sex)).birth_date


def findings(subject: Subject, services: Sequence[str], today: date) -> list[Finding]:
    """Everything the table says about this person's services."""
    return [f for at, service in enumerate(services) for f in _of_service(subject, at, service, today)]


def _of_service(subject: Subject, at: int, service: str, today: date) -> list[Finding]:
    if service not in _SERVICES:
        return []
    kind = ServiceKind(service)
    found = [Finding(at, TABLE.notes[kind], refused=False)] if kind in TABLE.notes else []
    rule = TABLE.ages.get(kind)
    if rule is None:
        return found
    if subject.ever_married:
        return found if rule.married is Married.ENOUGH else [*found, Finding(at, NOT_ELIGIBLE, refused=True)]
    if subject.birth_date is None or rule.fits(age_on(subject.birth_date, today)):
        return found
    if rule.otherwise is Otherwise.CARD_LATER:
        return [*found, Finding(at, CARD_LATER, refused=False)]
    return [*found, Finding(at, NOT_ELIGIBLE, refused=subject.exact)]


def card_from(person: Person, today: date) -> date | None:
    """The day from which a card may be printed for somebody under 17, never married, with an exact birth date; else None.

    It is the 17th birthday, and 1 March for who was born on 29 February: 17 years after a leap year is never one. A birth date
    that has not come is a slip, which nobody has to wait for.
    """
    subject = Subject.of(person, today)
    cards = [TABLE.ages[s] for s in person.services if s in TABLE.ages and TABLE.ages[s].otherwise is Otherwise.CARD_LATER]
    if not cards or not subject.exact or subject.ever_married or subject.birth_date is None or subject.birth_date > today:
        return None
    years = max(rule.at_least or 0 for rule in cards)
    return None if age_on(subject.birth_date, today) >= years else birthday(subject.birth_date, years)


def birthday(born: date, years: int) -> date:
    """The day on which somebody completes so many years: 1 March for a 29 February that does not exist."""
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        return date(born.year + years, 3, 1)


def is_late(service: ServiceKind, event: date, reported: date) -> bool:
    """Whether a birth, death, marriage or divorce is reported after its time; a mark only, nothing is refused for it."""
    return (reported - event).days > TABLE.report_within_days[service]


def birth_certificate_kind(born: date, reported: date) -> str:
    """`LU` (in time) or `LT` (late): part of the number of a birth certificate (DOMAIN.md §2.4, §2.7)."""
    return "LT" if is_late(ServiceKind.BIRTH_CERT, born, reported) else "LU"
