"""Who may get what: ages to the day, marriage, and the traps of DOMAIN.md §10 about them."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from pelangi.chassis.web import Problem, validate
from pelangi.contracts.codes import ServiceKind
from pelangi.contracts.request import Person, RequestBody
from services.intake import eligibility, rules
from services.intake.eligibility import Eligibility, birth_certificate_kind, card_from, is_late
from services.intake.nik import age_on
from tests.support.bodies import body

TODAY = date(2026, 11, 24)


def person(born: str | None, service: str, **more: Any) -> dict[str, Any]:
    """Somebody with an exact birth date who asks for one service."""
    precision = {"birth_date": born, "birth_date_precision": "EXACT"} if born else {}
    return {"services": [service], **precision, **more}


def verdict(raw: dict[str, Any], today: date = TODAY) -> tuple[dict[str, str], dict[str, str]]:
    """Errors and warnings about the person, by pointer within it."""
    whole = body(persons=[raw])
    found = [(e.pointer, e.code) for e in rules.errors(whole, today)]
    now = datetime(today.year, today.month, today.day, 2, 10, tzinfo=UTC)
    warned = [(w.pointer, w.code) for w in rules.warnings(RequestBody.model_validate(whole), now)]
    errors, warnings = ({pointer.removeprefix("#/persons/0/"): code for pointer, code in each} for each in (found, warned))
    return errors, warnings


REFUSED = ({"services/0": "not_eligible_age"}, {})
FINE: tuple[dict[str, str], dict[str, str]] = ({}, {})
DOUBTED = ({}, {"services/0": "not_eligible_age"})
LATER = ({}, {"services/0": "under_17_card_later"})


@pytest.mark.parametrize(
    ("born", "service", "expected"),
    [
        ("2010-11-25", "KTP_RECORDING", REFUSED),  # 15, tomorrow 16
        ("2010-11-24", "KTP_RECORDING", FINE),  # 16 today
        ("2009-11-25", "KTP_NEW", LATER),  # 16, tomorrow 17
        ("2009-11-24", "KTP_NEW", FINE),  # 17 today
        ("2009-11-25", "KTP_REISSUE", LATER),
        ("2009-11-24", "KTP_REISSUE", FINE),
    ],
)
def test_trap_04_recording_from_16_card_from_the_17th_birthday(born: str, service: str, expected: Any) -> None:
    assert verdict(person(born, service)) == expected


def test_trap_04_born_on_29_february_means_1_march() -> None:
    leap = "2008-02-29"
    assert verdict(person(leap, "KTP_NEW"), date(2025, 2, 28)) == LATER
    assert verdict(person(leap, "KTP_NEW"), date(2025, 3, 1)) == FINE
    holder = Person.model_validate(person(leap, "KTP_NEW"))
    assert card_from(holder, date(2025, 2, 28)) == date(2025, 3, 1)
    assert card_from(holder, date(2025, 3, 1)) is None
    assert [age_on(date(2008, 2, 29), d) for d in (date(2024, 2, 28), date(2024, 2, 29))] == [15, 16]


@pytest.mark.parametrize(("born", "expected"), [("2009-11-25", FINE), ("2009-11-24", REFUSED)])
def test_trap_05_kia_until_the_day_before_the_17th_birthday(born: str, expected: Any) -> None:
    assert verdict(person(born, "KIA")) == expected


@pytest.mark.parametrize(("born", "photo"), [("2021-11-25", False), ("2021-11-24", True)])
def test_trap_05_photo_on_the_kia_from_the_5th_birthday(born: str, photo: bool) -> None:
    whole = validate(RequestBody, body(persons=[person(born, "KIA")]))
    codes = {m.code for m in rules.missing(whole, whole.persons[0], ServiceKind.KIA, TODAY)}
    assert ("PHOTO" in codes) is photo


@pytest.mark.parametrize(
    ("service", "expected"), [("KTP_RECORDING", FINE), ("KTP_NEW", FINE), ("KTP_REISSUE", FINE), ("KIA", REFUSED)]
)
def test_trap_06_married_at_16(service: str, expected: Any) -> None:
    assert verdict(person("2010-05-01", service, ever_married=True)) == expected


def test_married_without_a_known_age_gets_no_kia_either() -> None:
    assert verdict(person(None, "KIA", ever_married=True)) == REFUSED


@pytest.mark.parametrize("married", [None, False])
def test_unknown_marriage_counts_as_unmarried(married: bool | None) -> None:
    assert verdict(person("2011-05-01", "KTP_RECORDING", ever_married=married)) == REFUSED
    assert verdict(person("2010-05-01", "KTP_NEW", ever_married=married)) == LATER
    assert verdict(person("2010-05-01", "KIA", ever_married=married)) == FINE


@pytest.mark.parametrize("precision", ["MONTH", "YEAR", "ESTIMATED", None])
def test_an_inexact_birth_date_warns_where_an_exact_one_refuses(precision: str | None) -> None:
    assert verdict(person("2015-07-01", "KTP_RECORDING", birth_date_precision=precision)) == DOUBTED
    assert verdict(person("1990-07-01", "KIA", birth_date_precision=precision)) == DOUBTED
    assert verdict(person("2010-07-01", "KTP_NEW", birth_date_precision=precision)) == LATER


def test_age_from_the_nik_warns_and_no_age_says_nothing() -> None:
    assert verdict(person(None, "KTP_RECORDING", nik="1971040105159001")) == DOUBTED
    assert verdict(person(None, "KIA", nik="1971040105909001")) == DOUBTED
    assert verdict(person(None, "KTP_RECORDING")) == FINE


def test_the_birth_date_wins_over_the_nik() -> None:
    """A NIK stays after a correction of the birth date."""
    errors, warnings = verdict(person("2015-05-01", "KIA", nik="1971040105909001"))
    assert (errors, warnings) == ({}, {"nik": "nik_birth_mismatch"})


def test_trap_07_a_birth_is_late_from_day_61_and_a_death_from_day_31() -> None:
    born, died = date(2026, 9, 25), date(2026, 10, 25)
    assert [birth_certificate_kind(born, date(2026, 11, d)) for d in (24, 25)] == ["LU", "LT"]
    assert [is_late(ServiceKind.DEATH_CERT, died, date(2026, 11, d)) for d in (24, 25)] == [False, True]


def test_trap_07_late_is_a_mark_with_the_same_requirements() -> None:
    on_time, late = person("2026-09-25", "BIRTH_CERT"), person("2026-09-24", "BIRTH_CERT")
    assert verdict(on_time) == FINE
    assert verdict(late) == ({}, {"services/0": "birth_reported_late"})
    asked = []
    for raw in (on_time, late):
        whole = validate(RequestBody, body(persons=[raw]))
        asked.append(rules.missing(whole, whole.persons[0], ServiceKind.BIRTH_CERT, TODAY))
    assert asked[0] == asked[1]


def test_trap_07_what_was_filled_in_on_time_is_not_late() -> None:
    """Filled in without a network on the 60th day, sent on the 61st."""
    filled = body(persons=[person("2026-09-24", "BIRTH_CERT")], filled_at="2026-11-23T09:00:00+07:00")
    assert rules.warnings(RequestBody.model_validate(filled), datetime(2026, 11, 24, 2, 10, tzinfo=UTC)) == []


def test_trap_09_marriage_asks_for_the_kua_and_never_for_religion() -> None:
    assert verdict(person("1990-01-01", "MARRIAGE_CERT")) == ({}, {"services/0": "muslim_marriage_goes_to_kua"})
    words = [rules.warning("#", "muslim_marriage_goes_to_kua").detail, str(RequestBody.model_json_schema()).lower()]
    assert "KUA" in words[0]
    assert not [w for w in ("religion", "agama", "faith") if w in words[1]]


def test_errors_point_to_every_service_at_once() -> None:
    raw = person("2015-01-01", "KTP_RECORDING", ever_married=False, nik="9971040101159001", phone="x")
    raw["services"] = ["BIRTH_CERT", "KTP_RECORDING"]
    whole = body(persons=[person("1990-01-01", "KTP_NEW"), raw, person("1990-01-01", "KIA")])
    with pytest.raises(Problem) as refused:
        validate(RequestBody, whole, broken=rules.errors(whole, TODAY))
    assert {(e.pointer, e.code) for e in refused.value.errors} == {
        ("#/persons/1/nik", "nik_province"),
        ("#/persons/1/services/1", "not_eligible_age"),
        ("#/persons/1/phone", "string_pattern_mismatch"),
        ("#/persons/2/services/0", "not_eligible_age"),
    }
    assert not [e for e in refused.value.errors if "9971" in e.detail or "2015" in e.detail]


@pytest.mark.parametrize(
    "wild",
    [
        {"services": [1, None, {"x": 1}, "KTP_RECORDING"], "birth_date": "2020-01-01", "birth_date_precision": "EXACT"},
        {"services": "KIA", "nik": 1971040101909001},
        {"services": ["KIA"], "birth_date": ["2020"], "birth_date_precision": {"a": 1}, "ever_married": "true", "nik": [1]},
        {"services": ["KIA"], "birth_date": "2020-02-30", "birth_date_precision": "EXACT"},
        {"services": ["KTP_NEW"], "birth_date": "0001-01-01", "birth_date_precision": "EXACT"},
        {"services": ["KTP_NEW"], "birth_date": "9999-12-31", "birth_date_precision": "EXACT"},
        {"services": ["KIA"], "nik": "\ud800" * 16},
        None,
        [],
    ],
)
def test_any_json_is_read_without_failing(wild: Any) -> None:
    found = rules.errors({"persons": [wild]}, TODAY)
    assert {e.code for e in found} <= {"not_eligible_age"}


def test_the_day_a_card_may_be_printed() -> None:
    def day(born: str, services: list[str], **more: Any) -> date | None:
        return card_from(Person.model_validate({**person(born, "KIA", **more), "services": services}), TODAY)

    assert day("2010-01-05", ["KTP_NEW"]) == date(2027, 1, 5)
    assert day("2010-01-05", ["KTP_RECORDING", "KTP_REISSUE"]) == date(2027, 1, 5)
    assert day("2010-01-05", ["KTP_RECORDING"]) is None
    assert day("2009-11-24", ["KTP_NEW"]) is None
    assert day("2009-11-25", ["KTP_NEW"]) == date(2026, 11, 25)
    assert day("2010-01-05", ["KTP_NEW"], ever_married=True) is None
    assert day("2010-01-05", ["KTP_NEW"], birth_date_precision="YEAR") is None
    assert day("2062-01-05", ["KTP_NEW"]) is None, "a slip: nobody waits for it"
    assert day("9990-01-05", ["KTP_NEW"]) is None, "and no snapshot breaks on it"
    assert card_from(Person.model_validate({"services": ["KTP_NEW"], "nik": "1971040501109001"}), TODAY) is None


def test_the_table_refuses_what_it_cannot_mean() -> None:
    good = eligibility.TABLE.model_dump(mode="json")
    for wrong in ({"at_least": 16, "below": 17}, {"at_least": None, "below": None}, {"at_least": 0}, {"colour": "red"}):
        ages = {**good["ages"], "KTP_RECORDING": {**good["ages"]["KTP_RECORDING"], **wrong}}
        with pytest.raises(ValidationError):
            Eligibility.model_validate({**good, "ages": ages})
    assert Eligibility.model_validate(good) == eligibility.TABLE
