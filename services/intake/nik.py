"""What the 16 digits of a NIK say and what is wrong with them (DOMAIN.md §3). Pure; the reference date is an argument.

Passing proves neither that the NIK exists nor whose it is: only SIAK can.
"""

import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Annotated

from pydantic import Field

from pelangi.contracts.codes import BirthDatePrecision, Sex
from pelangi.contracts.regions import villages
from pelangi.contracts.request import strip_separators
from services.intake.tables import Table, load

Code = Annotated[str, Field(pattern=r"^[0-9]{2}$")]
Label = Annotated[str, Field(min_length=1)]


class Regions(Table):
    """The columns of `data/provinces.yaml`."""

    provinces: Annotated[dict[Code, Label], Field(min_length=38, max_length=38)]
    former: dict[Code, Label]
    regencies: dict[Code, dict[Code, Label]]


REGIONS = load(Regions, "provinces")
CITY = "1971"
OLD_AGE = 99
"""From this many completed years on, a year that was taken for 19YY only because 20YY lies ahead is doubted."""

WOMEN = 40
"""Added to the day of birth in a woman's NIK."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What the form says of the same person."""

    birth_date: date | None = None
    precision: BirthDatePrecision | None = None
    sex: Sex | None = None
    family_card_number: str | None = None


NOTHING = Declared()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a NIK says. errors and warnings: codes of DOMAIN.md §3.2. birth_date and sex are None where it has errors."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    birth_date: date | None = None
    sex: Sex | None = None


class Vector(Table):
    """One NIK and what it says, or what is wrong with it."""

    nik: str
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    sex: Sex | None = None
    birth_date: date | None = None


class Vectors(Table):
    """`data/nik_vectors.yaml`: what the tests run and the page of the rules shows; the service itself never reads it."""

    reference_date: date
    vectors: tuple[Vector, ...]


def read(nik: str, today: date, declared: Declared = NOTHING) -> Reading:
    """The NIK as of `today`, compared with what the form declares."""
    digits = strip_separators(nik)
    if not re.fullmatch(r"[0-9]{16}", digits):
        return Reading(errors=("nik_format",))
    if len(set(digits)) == 1 or digits == "1234567890123456":
        return Reading(errors=("nik_placeholder",))
    dates = _dates(digits, today)
    errors = (
        *_region_errors(digits),
        *(() if dates else ("nik_birth_date",)),
        *(("nik_serial",) if digits[12:] == "0000" else ()),
    )
    if errors:
        return Reading(errors=errors)
    sex = Sex.P if int(digits[6:8]) > WOMEN else Sex.L
    born = next((d for d in dates if _agree(d, declared)), dates[0])
    return Reading((), tuple(_warnings(digits, today, declared, born, sex)), born, sex)


def region_known(code: str) -> bool:
    """Whether six digits name a region as far as our data can tell; True where it cannot (DOMAIN.md §3.2 rule 6)."""
    province, regency = code[:2], code[2:4]
    if province not in REGIONS.provinces:
        return False
    known = REGIONS.regencies.get(province)
    if known is not None and regency not in known:
        return False
    return code[:4] != CITY or code in _districts()


def age_on(birth_date: date, day: date) -> int:
    """Completed years. Who was born on 29 February completes a year on 1 March where there is no 29th."""
    return day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))


@cache
def _districts() -> frozenset[str]:
    return frozenset(v.district_code.replace(".", "") for v in villages().values())


def _region_errors(digits: str) -> list[str]:
    province = digits[:2]
    if province not in REGIONS.provinces and province not in REGIONS.former:
        return ["nik_province"]
    return ["nik_region"] if "00" in {digits[2:4], digits[4:6]} else []


def _dates(digits: str, today: date) -> list[date]:
    """The dates that the digits can mean, latest first; none in the future."""
    day, month, year = int(digits[6:8]), int(digits[8:10]), int(digits[10:12])
    found = (_date(century + year, month, day - WOMEN if day > WOMEN else day) for century in (2000, 1900))
    return [d for d in found if d is not None and d <= today]


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _agree(born: date, declared: Declared) -> bool:
    """Whether a date fits the declared one as far as that is known."""
    said = declared.birth_date
    if said is None:
        return False
    if declared.precision is BirthDatePrecision.MONTH:
        return (born.year, born.month) == (said.year, said.month)
    if declared.precision in (BirthDatePrecision.YEAR, BirthDatePrecision.ESTIMATED):
        return born.year == said.year
    return born == said


def _warnings(digits: str, today: date, declared: Declared, born: date, sex: Sex) -> list[str]:
    agrees = _agree(born, declared)
    guessed = declared.precision is BirthDatePrecision.ESTIMATED
    taken_for_old = born.year < 2000 and len(_dates(digits, today)) == 1 and age_on(born, today) >= OLD_AGE
    found = {
        "nik_region_unknown": not region_known(digits[:6]),
        "nik_birth_mismatch": declared.birth_date is not None and not guessed and not agrees,
        "nik_sex_mismatch": declared.sex is not None and declared.sex is not sex,
        "nik_placeholder": declared.family_card_number == digits,
        "nik_century_assumed": taken_for_old and not agrees,
    }
    return [code for code, is_so in found.items() if is_so]
