"""The NIK check: the vectors of DOMAIN.md §3.3 (lokal-id 0.7.2 agrees on all except the last), and every rule of §3.2."""

import random
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelangi.contracts.codes import BirthDatePrecision, Sex
from pelangi.simulate import numbers
from services.intake import nik
from services.intake.nik import Declared, Reading, Vector, Vectors, read, region_known
from services.intake.tables import load

VECTORS = load(Vectors, "nik_vectors")
TODAY = VECTORS.reference_date


@pytest.mark.parametrize("vector", VECTORS.vectors, ids=lambda v: v.nik)
def test_vectors_of_the_domain_reference(vector: Vector) -> None:
    assert read(vector.nik, TODAY) == Reading(vector.errors, vector.warnings, vector.birth_date, vector.sex)


def test_there_are_as_many_vectors_as_in_the_domain_reference() -> None:
    assert (len(VECTORS.vectors), len({v.nik for v in VECTORS.vectors}), TODAY) == (26, 26, date(2026, 11, 24))


def test_trap_01_a_date_later_this_year_is_of_the_last_century() -> None:
    """Day 40 and from 72 on, leap days and full-width digits are among the vectors."""
    assert {v.nik for v in VECTORS.vectors} >= {"1971044001909001", "1971047201909001", "1971012902019004", "197104010190900１"}
    assert read("1971042511269001", TODAY).birth_date == date(1926, 11, 25)
    assert read("1971042511269001", date(2026, 11, 25)).birth_date == date(2026, 11, 25)


@pytest.mark.parametrize("number", ["1111111111111111", "0000000000000000", "1234567890123456"])
def test_rule_11_made_up_numbers_come_before_the_other_rules(number: str) -> None:
    assert read(number, TODAY).errors == ("nik_placeholder",)


def test_rule_11_equal_to_the_own_family_card_number_is_a_warning() -> None:
    declared = Declared(family_card_number="1971040101909001")
    assert read("1971 0401 0190 9001", TODAY, declared).warnings == ("nik_placeholder",)


def test_rule_2_old_east_timor_is_accepted_with_a_warning() -> None:
    assert read("5401040101709001", TODAY) == Reading((), ("nik_region_unknown",), date(1970, 1, 1), Sex.L)


def test_rules_are_told_all_at_once() -> None:
    assert read("9900043202900000", TODAY).errors == ("nik_province", "nik_birth_date", "nik_serial")


@pytest.mark.parametrize(
    ("code", "known"),
    [
        ("197101", True),
        ("197107", True),
        ("197108", False),
        ("190701", False),
        ("190199", True),  # the districts of other regencies are not ours to know
        ("167101", True),  # before 2000 the islands belonged to South Sumatra
        ("319999", True),
        ("540101", False),
    ],
)
def test_rule_6_only_what_our_data_can_tell(code: str, known: bool) -> None:
    assert region_known(code) is known


def test_rule_7_another_region_is_nothing_special() -> None:
    assert read("1671040101709001", TODAY).warnings == ()


def test_there_are_38_provinces() -> None:
    assert len(nik.REGIONS.provinces) == 38
    assert set(nik.REGIONS.regencies["19"]) == {"01", "02", "03", "04", "05", "06", "71"}


@pytest.mark.parametrize(
    ("declared", "precision", "warned"),
    [
        ("1960-02-29", "EXACT", False),
        ("1960-02-28", "EXACT", True),
        ("1960-02-28", None, True),
        ("1960-02-01", "MONTH", False),
        ("1960-03-01", "MONTH", True),
        ("1960-07-01", "YEAR", False),
        ("1961-07-01", "YEAR", True),
        ("1955-07-01", "ESTIMATED", False),
    ],
)
def test_rule_8_the_declared_birth_date_as_far_as_it_is_known(declared: str, precision: str | None, warned: bool) -> None:
    said = Declared(date.fromisoformat(declared), BirthDatePrecision(precision) if precision else None)
    assert read("1971042902609001", TODAY, said).warnings == (("nik_birth_mismatch",) if warned else ())


@pytest.mark.parametrize(("sex", "warned"), [("L", True), ("P", False), (None, False)])
def test_rule_9_the_declared_sex(sex: str | None, warned: bool) -> None:
    said = Declared(sex=Sex(sex) if sex else None)
    assert read("1971045708859002", TODAY, said).warnings == (("nik_sex_mismatch",) if warned else ())


def test_rule_10_in_the_future_in_every_century() -> None:
    """29 February 1900 never was; before 29 February 2000 the digits mean no date that has come."""
    assert read("1971012902009003", date(2000, 2, 28)).errors == ("nik_birth_date",)
    assert read("1971012902009003", date(2000, 2, 29)).birth_date == date(2000, 2, 29)


@pytest.mark.parametrize(
    ("number", "warned"),
    [
        ("1971042411279001", True),  # 99 years today
        ("1971042511279001", False),  # 98, tomorrow 99
        ("1971040101609001", False),
        ("1971042411269001", False),  # born today: nothing is assumed
    ],
)
def test_rule_12_a_century_is_doubted_from_99_years_on(number: str, warned: bool) -> None:
    assert ("nik_century_assumed" in read(number, TODAY).warnings) is warned


def test_a_declared_birth_date_of_the_other_century_is_trusted() -> None:
    born = date(1921, 5, 5)
    assert read("1971040505219001", TODAY).birth_date == date(2021, 5, 5)
    trusted = read("1971040505219001", TODAY, Declared(born, BirthDatePrecision.EXACT))
    assert (trusted.birth_date, trusted.warnings) == (born, ())
    assert read("1971040505219001", TODAY, Declared(date(1921, 7, 1), BirthDatePrecision.YEAR)).birth_date == born


def test_a_declared_birth_date_confirms_a_century() -> None:
    assert read("1971043012269001", TODAY, Declared(date(1926, 12, 30), BirthDatePrecision.EXACT)).warnings == ()


def test_a_declared_birth_date_in_the_future_is_not_trusted() -> None:
    said = Declared(date(2026, 12, 30), BirthDatePrecision.EXACT)
    found = read("1971043012269001", TODAY, said)
    assert (found.birth_date, set(found.warnings)) == (date(1926, 12, 30), {"nik_birth_mismatch", "nik_century_assumed"})


@given(st.text(max_size=24) | st.from_regex(r"[0-9]{16}", fullmatch=True), st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_any_text_on_any_day_is_read_without_failing(number: str, today: date) -> None:
    found = read(number, today)
    assert (found.birth_date is None) == bool(found.errors)
    assert found.birth_date is None or found.birth_date <= today


@given(st.dates(date(1927, 11, 25), TODAY), st.sampled_from(Sex), st.integers(0, 2**32))
def test_what_a_nik_is_made_of_is_read_back(born: date, sex: Sex, seed: int) -> None:
    number = numbers.nik(random.Random(seed), born, sex)
    assert read(number, TODAY) == Reading((), (), born, sex)
