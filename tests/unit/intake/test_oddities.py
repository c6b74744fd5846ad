"""What is odd about names and family card numbers: warnings only, and never the value in a text."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from pelangi.chassis.web import validate
from pelangi.contracts.codes import ServiceKind
from pelangi.contracts.request import RequestBody
from portal.texts import tables
from services.intake import family_card, names, remarks, requirements, rules
from tests.support.bodies import body

NOW = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)
TODAY = date(2026, 11, 24)
NIK = "1971040101909001"


def warned(*persons: dict[str, Any], **changes: Any) -> list[tuple[str, str]]:
    whole = body(persons=list(persons), **changes)
    found = rules.warnings(validate(RequestBody, whole, broken=rules.errors(whole, TODAY)), NOW)
    assert not [w for w in found if NIK in w.detail]
    return [(w.pointer.removeprefix("#/persons/"), w.code) for w in found]


@pytest.mark.parametrize(
    ("number", "codes"),
    [
        ("1971042411269001", []),
        ("1971042511269001", ["family_card_date"]),  # tomorrow
        ("1971044411159001", ["family_card_date"]),  # no + 40 for women here
        ("1971080101159001", ["family_card_region_unknown"]),
        ("9971080101159001", ["family_card_region_unknown"]),
        ("9971083101159001", ["family_card_region_unknown"]),
        ("9971083102159001", ["family_card_region_unknown", "family_card_date"]),
        ("AL.123.4567", ["family_card_format"]),
        ("１９７１０４２４１１２６９００１", ["family_card_format"]),
    ],
)
def test_family_card_numbers(number: str, codes: list[str]) -> None:
    assert family_card.oddities(number, TODAY, set()) == codes


def test_a_family_card_number_only_ever_warns() -> None:
    assert warned({"services": ["KIA"], "family_card_number": "lupa"}) == [("0/family_card_number", "family_card_format")]


def test_a_family_card_number_that_is_a_nik_of_the_request() -> None:
    own = {"services": ["KTP_NEW"], "nik": NIK, "family_card_number": NIK}
    assert warned(own) == [("0/nik", "nik_placeholder"), ("0/family_card_number", "family_card_date")]
    others = [{"services": ["KTP_NEW"], "nik": "1971040101109002", "ever_married": True}]
    slip = {"services": ["KTP_NEW"], "family_card_number": "1971 0401 0110 9002"}
    assert warned(*others, slip) == [("1/family_card_number", "family_card_is_nik")]


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("Budi Contoh", []),
        ("BUDI ÉDI", []),
        ("Budi", ["name_one_word"]),
        ("Budi C.", ["name_characters"]),
        ("Budi 2 Contoh", ["name_characters"]),
        ("Буди Contoh", ["name_characters"]),
        ("B" * 30 + " " + "C" * 29, []),
        ("B" * 30 + " " + "C" * 30, ["name_too_long"]),
    ],
)
def test_names_in_new_records(name: str, codes: list[str]) -> None:
    assert names.oddities(name, [ServiceKind.BIRTH_CERT]) == codes
    assert names.oddities(name, [ServiceKind.KTP_NEW]) == [], "a name that exists stays as it is"


def test_names_and_birth_dates_only_ever_warn() -> None:
    child = {"services": ["BIRTH_CERT"], "name": "Budi", "birth_date": "2026-11-25", "birth_date_precision": "EXACT"}
    assert warned(child) == [("0/name", "name_one_word"), ("0/birth_date", "birth_date_future")]


def test_every_remark_and_requirement_has_words_on_the_form() -> None:
    """The portal says in its own words what intake remarks; nobody there reads a code or `?`."""
    words = tables()
    assert remarks.TABLE.errors.keys() <= words["error"].keys()
    assert remarks.TABLE.warnings.keys() <= words["warning"].keys()
    basic = {rules.NAME, rules.NIK, rules.FAMILY_CARD_NUMBER, rules.CONTACT, rules.ADDRESS}
    assert requirements.TABLE.codes.keys() | {m.code for m in basic} <= words["Requirement"].keys()
