"""What a body must fulfil beyond its shape, and what is still missing: pure functions of the body and the time.

Nothing here refuses a person for what they do not have: no name, NIK, family card, phone or address blocks a request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pelangi.chassis.clock import local_date
from pelangi.chassis.web import FieldError
from pelangi.contracts.public import CITY_CODE
from pelangi.contracts.request import MAX_ITEMS, MAX_PERSONS, Person, RequestBody

MAX_FORM_AGE = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Missing:
    """Something the person should bring or tell: a code and plain words."""

    code: str
    detail: str


NAME = Missing("NAME", "Sebutkan nama. / Tell the name.")
NIK = Missing("NIK", "NIK belum ada; petugas akan mencarinya. / No NIK yet; the officer will search for it.")
FAMILY_CARD_NUMBER = Missing(
    "FAMILY_CARD_NUMBER", "Siapkan Kartu Keluarga bila ada. / Have the family card ready, if there is one."
)
CONTACT = Missing("CONTACT", "Belum ada nomor telepon atau surel yang bisa dihubungi. / No phone or e-mail to reach anybody.")
ADDRESS = Missing("ADDRESS", "Belum ada alamat atau patokan tempat. / No address or landmark.")


def errors(body: Any) -> list[FieldError]:
    """Rules over the whole list of persons, broken by a body as it came (any JSON), with a pointer to each place."""
    persons = body.get("persons") if isinstance(body, dict) else None
    people = [p if isinstance(p, dict) else {} for p in persons] if isinstance(persons, list) else []
    return [*_size(people), *_refs(people)]


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
        ref = person.get("ref")
        if isinstance(ref, str) and ref in seen:
            found.append(FieldError(f"#/persons/{at}/ref", "ref_not_unique", "Harus berbeda. / Must be unique."))
        elif isinstance(ref, str) and ref:
            seen.add(ref)
    return found


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
    found = []
    if body.filled_at is not None and filled_at(body, now) != body.filled_at:
        detail = "Waktu pengisian disesuaikan. / The time of filling was adjusted."
        found.append(FieldError("#/filled_at", "filled_at_clamped", detail))
    if body.deadline and body.deadline.date < local_date(now):
        found.append(FieldError("#/deadline/date", "deadline_past", "Batas waktu sudah lewat. / The deadline has passed."))
    if not in_city(body.place.village_code):
        detail = (
            "Di luar kota; hubungi Disdukcapil kabupaten/kota setempat. / Outside the city; ask the civil registry office there."
        )
        found.append(FieldError("#/place/village_code", "out_of_area", detail))
    return found


def has_contact(body: RequestBody) -> bool:
    """Whether anybody can be reached: any phone or e-mail of requester, person, guardian or companion."""
    people = [body.requester, body.companion, *body.persons, *(p.guardian for p in body.persons)]
    return any(p is not None and (p.phone or p.email) for p in people)


def has_address(body: RequestBody) -> bool:
    """Whether the place can be found."""
    place = body.place
    return bool(place.address or place.landmark or (place.lat is not None and place.lon is not None))


def missing(body: RequestBody, person: Person) -> list[Missing]:
    """What is still missing for one person; it never blocks."""
    checks = (
        (NAME, person.name),
        (NIK, person.nik),
        (FAMILY_CARD_NUMBER, person.family_card_number),
        (CONTACT, has_contact(body)),
        (ADDRESS, has_address(body)),
    )
    return [what for what, given in checks if not given]
