"""What a body must fulfil beyond its shape, what is odd about it, and what is still missing: pure functions of body and time.

Nothing here refuses a person for what they do not have: no name, NIK, family card, phone or address blocks a request.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pelangi.chassis.clock import local_date
from pelangi.chassis.web import FieldError
from pelangi.contracts.codes import BirthDatePrecision, Need, ServiceKind, VulnerabilityCategory
from pelangi.contracts.public import CITY_CODE
from pelangi.contracts.request import MAX_ITEMS, MAX_PERSONS, Date, Person, RequestBody
from services.intake import eligibility, family_card, names, nik
from services.intake.eligibility import Subject
from services.intake.nik import Declared
from services.intake.remarks import error, warning
from services.intake.requirements import Missing, to_bring

MAX_FORM_AGE = timedelta(days=14)
SHAPE = "nik_format"
"""Found by the contract's own model already, at the same pointer."""

NAME = Missing("NAME", "Sebutkan nama. / Tell the name.")
NIK = Missing("NIK", "NIK belum ada; petugas akan mencarinya. / No NIK yet; the officer will search for it.")
FAMILY_CARD_NUMBER = Missing(
    "FAMILY_CARD_NUMBER", "Siapkan nomor Kartu Keluarga bila ada. / Have the family card number ready, if there is one."
)
CONTACT = Missing("CONTACT", "Belum ada nomor telepon atau surel yang bisa dihubungi. / No phone or e-mail to reach anybody.")
ADDRESS = Missing("ADDRESS", "Belum ada alamat atau patokan tempat. / No address or landmark.")

_DATE: TypeAdapter[date] = TypeAdapter(Date)


def errors(body: Any, today: date) -> list[FieldError]:
    """Rules broken by a body as it came (any JSON), with a pointer to each place; its mere shape is the model's."""
    persons = body.get("persons") if isinstance(body, dict) else None
    people = [p if isinstance(p, dict) else {} for p in persons] if isinstance(persons, list) else []
    if too_many := _size(people):
        return too_many
    return [*_refs(people), *(e for at, person in enumerate(people) for e in _person_errors(at, person, today))]


def _size(persons: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    items = sum(len(p["services"]) for p in persons if isinstance(p.get("services"), list))
    if len(persons) > MAX_PERSONS or items > MAX_ITEMS:
        detail = (
            f"Paling banyak {MAX_PERSONS} orang dan {MAX_ITEMS} layanan. / At most {MAX_PERSONS} persons and {MAX_ITEMS} items."
        )
        return [FieldError("#/persons", "too_many_items", detail)]
    return []


def _refs(persons: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    seen: set[str] = set()
    found = []
    for at, person in enumerate(persons):
        ref = _text(person.get("ref"))
        if ref in seen:
            found.append(FieldError(f"#/persons/{at}/ref", "ref_not_unique", "Harus berbeda. / Must be unique."))
        elif ref:
            seen.add(ref)
    return found


def _person_errors(at: int, raw: Mapping[str, Any], today: date) -> Iterator[FieldError]:
    """The NIK and the ages of one person, as far as the raw values can be read."""
    number = _text(raw.get("nik"))
    for code in nik.read(number, today).errors if number else ():
        if code != SHAPE:
            yield error(f"#/persons/{at}/nik", code)
    services = [s if isinstance(s, str) else "" for s in raw["services"]] if isinstance(raw.get("services"), list) else []
    for found in eligibility.findings(_subject(raw), services, today):
        if found.refused:
            yield error(f"#/persons/{at}/services/{found.at}", found.code)


def _subject(raw: Mapping[str, Any]) -> Subject:
    """What can refuse: an exact birth date and a marriage. A date that cannot be read refuses nothing; the model does."""
    born = None
    if text := _text(raw.get("birth_date")):
        try:
            born = _DATE.validate_python(text)
        except ValidationError:
            born = None
    exact = _text(raw.get("birth_date_precision")) == BirthDatePrecision.EXACT
    return Subject(born, exact, raw.get("ever_married") is True)


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def in_city(village_code: str) -> bool:
    """Whether a code lies in Kota Pangkalpinang."""
    return village_code.startswith(CITY_CODE + ".")


def filled_at(body: RequestBody, now: datetime) -> datetime:
    """When the form was filled: at most 14 days back, never in the future."""
    if body.filled_at is None:
        return now
    return min(max(body.filled_at, now - MAX_FORM_AGE), now)


def warnings(body: RequestBody, now: datetime) -> list[FieldError]:
    """What is odd but accepted."""
    today = local_date(now)
    found = []
    if body.filled_at is not None and filled_at(body, now) != body.filled_at:
        found.append(warning("#/filled_at", "filled_at_clamped"))
    if body.deadline and body.deadline.date < today:
        found.append(warning("#/deadline/date", "deadline_past"))
    if not in_city(body.place.village_code):
        found.append(warning("#/place/village_code", "out_of_area"))
    reported = local_date(filled_at(body, now))
    for at, person in enumerate(body.persons):
        other_niks = {p.nik for p in body.persons if p is not person and p.nik}
        remarks = _person_warnings(person, other_niks, today, reported)
        found += [warning(f"#/persons/{at}/{where}", code) for where, code in remarks]
    return found


def _person_warnings(person: Person, other_niks: set[str], today: date, reported: date) -> Iterator[tuple[str, str]]:
    """Pairs of a place within the person and a code."""
    declared = Declared(person.birth_date, person.birth_date_precision, person.sex, person.family_card_number)
    if person.name:
        yield from (("name", code) for code in names.oddities(person.name, person.services))
    if person.nik:
        yield from (("nik", code) for code in nik.read(person.nik, today, declared).warnings)
    if person.family_card_number:
        yield from (("family_card_number", c) for c in family_card.oddities(person.family_card_number, today, other_niks))
    if person.birth_date and person.birth_date > today:
        yield "birth_date", "birth_date_future"
    subject = Subject.of(person, today)
    for found in eligibility.findings(subject, person.services, today):
        if not found.refused:
            yield f"services/{found.at}", found.code
    if ServiceKind.BIRTH_CERT in person.services and subject.exact and _born_late(subject.birth_date, reported):
        yield f"services/{person.services.index(ServiceKind.BIRTH_CERT)}", "birth_reported_late"


def _born_late(born: date | None, reported: date) -> bool:
    return born is not None and eligibility.birth_certificate_kind(born, reported) == "LT"


def is_confidential(body: RequestBody) -> bool:
    """Whether where and when somebody is visited may be told to nobody but those of the request (DOMAIN.md §1.3)."""
    return any(
        Need.CONFIDENTIAL_ADDRESS in p.needs or VulnerabilityCategory.VIOLENCE_OR_TRAFFICKING_VICTIM in p.categories
        for p in body.persons
    )


def has_contact(body: RequestBody) -> bool:
    """Whether anybody can be reached: any phone or e-mail of requester, person, guardian or companion."""
    people = [body.requester, body.companion, *body.persons, *(p.guardian for p in body.persons)]
    return any(p is not None and (p.phone or p.email) for p in people)


def has_address(body: RequestBody) -> bool:
    """Whether the place can be found."""
    place = body.place
    return bool(place.address or place.landmark or (place.lat is not None and place.lon is not None))


def missing(body: RequestBody, person: Person, service: ServiceKind, today: date) -> list[Missing]:
    """What to tell or bring for one service of one person; it never blocks."""
    checks = (
        (NAME, person.name),
        (NIK, person.nik),
        (FAMILY_CARD_NUMBER, person.family_card_number),
        (CONTACT, has_contact(body)),
        (ADDRESS, has_address(body)),
    )
    return [*(what for what, given in checks if not given), *to_bring(person, service, today)]
