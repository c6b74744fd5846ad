"""What a body must fulfil, and what never blocks it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from pelangi.chassis.calendar import add_working_days, is_working_day
from pelangi.chassis.web import Problem, validate
from pelangi.contracts.codes import ServiceKind
from pelangi.contracts.request import RequestBody
from services.intake import rules
from services.intake.catalogue import TABLE, due_on
from tests.support.bodies import KERAMAT, body, persons

NOW = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)
TODAY = date(2026, 11, 24)
BASIC = {"NAME", "NIK", "FAMILY_CARD_NUMBER", "CONTACT", "ADDRESS"}


def model(**changes: Any) -> RequestBody:
    return validate(RequestBody, body(**changes))


def codes(**changes: Any) -> dict[str, str]:
    """The broken rules by pointer."""
    raw = body(**changes)
    try:
        validate(RequestBody, raw, broken=rules.errors(raw, TODAY))
    except Problem as problem:
        return {e.pointer: e.code for e in problem.errors}
    return {}


def test_a_minimal_body_is_enough() -> None:
    minimal = {
        "channel": "WALK_IN",
        "requester": {"kind": "SELF"},
        "persons": [{"services": ["KIA"]}],
        "place": {"visit_kind": "HOME", "village_code": KERAMAT},
    }
    assert rules.errors(minimal, TODAY) == []
    assert validate(RequestBody, minimal).persons[0].ref == "1"


@pytest.mark.parametrize("ref", [{}, [], 0, False])
def test_a_ref_that_is_no_text_is_not_taken_for_none(ref: object) -> None:
    assert codes(persons=[{"ref": ref, "services": ["KIA"]}]) == {"#/persons/0/ref": "string_type"}


def test_ref_defaults_to_the_position_and_is_unique() -> None:
    assert [p.ref for p in model(persons=persons(2, ["KIA"])).persons] == ["1", "2"]
    assert codes(persons=[{"ref": "2", "services": ["KIA"]}, {"ref": "2", "services": ["KIA"]}]) == {
        "#/persons/1/ref": "ref_not_unique"
    }
    taken = [{"ref": "2", "services": ["KIA"]}, {"services": ["KIA"]}]
    assert [p.ref for p in model(persons=taken).persons] == ["2", "p2"]
    assert codes(persons=[{"ref": "a b", "services": ["KIA"]}]) == {"#/persons/0/ref": "string_pattern_mismatch"}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [([" "], ["1"]), ([None, " "], ["1", "2"]), ([" 2", None], ["2", "p2"]), (["2", None, "p2"], ["2", "pp2", "p2"])],
)
def test_nobody_is_without_a_ref_or_with_that_of_somebody_else(typed: list[str | None], kept: list[str]) -> None:
    people = [{"ref": ref, "services": ["KIA"]} for ref in typed]
    assert codes(persons=people) == {}
    assert [p.ref for p in model(persons=people).persons] == kept


def test_refs_that_are_the_same_but_for_spaces() -> None:
    people = [{"ref": ref, "services": ["KIA"]} for ref in ("1", " 1")]
    assert codes(persons=people) == {"#/persons/1/ref": "ref_not_unique"}


def test_sizes() -> None:
    assert codes(persons=persons(100, ["KIA", "KK_NEW", "KTP_NEW"])) == {}
    assert codes(persons=persons(101, ["KIA"])) == {"#/persons": "too_many_items"}
    assert codes(persons=[*persons(99, ["KIA", "KK_NEW", "KTP_NEW"]), *persons(1, ["KIA", "KK_NEW", "KTP_NEW", "MOVE_IN"])]) == {
        "#/persons": "too_many_items"
    }
    assert codes(persons=[]) == {"#/persons": "too_short"}
    assert codes(persons=[{"services": []}]) == {"#/persons/0/services": "too_short"}


def test_a_repeated_service() -> None:
    assert codes(persons=[{"services": ["KIA", "KIA"]}]) == {"#/persons/0/services": "service_repeated"}


@pytest.mark.parametrize(
    ("window", "code"),
    [
        ({"weekday": 2, "start": "09:00", "end": "12:00"}, None),
        ({"weekday": 2, "start": "12:00", "end": "12:00"}, "end_before_start"),
        ({"weekday": 2, "start": "13:00", "end": "12:00"}, "end_before_start"),
        ({"weekday": 2, "start": "09:00+07:00", "end": "12:00"}, "local_time"),
        ({"weekday": 2, "start": "09:00", "end": "12:00Z"}, "local_time"),
        ({"weekday": 0, "start": "09:00", "end": "12:00"}, "greater_than_equal"),
        ({"weekday": 8, "start": "09:00", "end": "12:00"}, "less_than_equal"),
        ({"weekday": 2, "start": "9", "end": "12:00"}, "time_parsing"),
    ],
)
def test_availability(window: dict[str, Any], code: str | None) -> None:
    found = codes(availability=[window])
    assert list(found.values()) == ([code] if code else [])


@pytest.mark.parametrize(
    ("village", "code"),
    [
        ("19.71.04.1009", None),
        ("1971041009", None),
        ("19.05.01.2001", None),  # outside the city: intake refers
        ("3171010001", None),
        ("19.71.99.9999", "village_unknown"),
        ("1971999999", "village_unknown"),
        ("19.71", "string_pattern_mismatch"),
        ("Keramat", "string_pattern_mismatch"),
        ("19.71.04.100९", "string_pattern_mismatch"),
    ],
)
def test_village_code(village: str, code: str | None) -> None:
    found = codes(place={"visit_kind": "HOME", "village_code": village})
    assert found == ({"#/place/village_code": code} if code else {})


@pytest.mark.parametrize(
    ("nik", "good"),
    [
        ("1971010107519001", True),
        ("1971.0101-0751 9001", True),
        ("197101010751900", False),
        ("１" * 16, False),
        ("197101O107519001", False),
    ],
)
def test_nik(nik: str, good: bool) -> None:
    assert codes(persons=[{"nik": nik, "services": ["KIA"]}]) == ({} if good else {"#/persons/0/nik": "nik_format"})


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("0812-3456-7890", "+6281234567890"), ("62812 3456 7890", "+6281234567890"), ("+62 812.3456(7890)", "+6281234567890")],
)
def test_phones_in_any_usual_spelling(typed: str, kept: str) -> None:
    assert model(requester={"kind": "SELF", "phone": typed}).requester.phone == kept


@pytest.mark.parametrize("phone", ["nomor ibu", "0812", "+0812345678"])
def test_what_is_no_phone(phone: str) -> None:
    assert codes(requester={"kind": "SELF", "phone": phone}) == {"#/requester/phone": "string_pattern_mismatch"}


@pytest.mark.parametrize("blank", ["", "   "])
def test_blank_is_not_given_and_never_blocks(blank: str) -> None:
    given = model(requester={"kind": "SELF", "name": blank, "phone": blank}, place={**body()["place"], "address": blank})
    assert (given.requester.name, given.requester.phone, given.place.address) == (None, None, None)
    assert "ADDRESS" in {m.code for m in rules.missing(given, given.persons[0], ServiceKind.KIA, TODAY)}


@pytest.mark.parametrize("written", [1764000000, "1764000000", "86400"])
def test_a_number_is_no_date(written: Any) -> None:
    assert codes(filled_at=written) == {"#/filled_at": "date_format"}
    assert codes(persons=[{"birth_date": written, "services": ["KIA"]}]) == {"#/persons/0/birth_date": "date_format"}


def test_all_errors_at_once() -> None:
    wrong = [{"ref": "1", "services": ["KIA", "KIA"]}, {"ref": "1", "services": ["KIA"], "nik": "12"}]
    hours = [{"weekday": 1, "start": "12:00", "end": "09:00"}]
    assert set(codes(channel="X", persons=wrong, availability=hours).values()) == {
        "enum", "service_repeated", "ref_not_unique", "nik_format", "end_before_start"
    }  # fmt: skip


def test_rt_and_rw_have_three_digits() -> None:
    place = model(place={"visit_kind": "HOME", "village_code": KERAMAT, "rt": "3", "rw": "001"}).place
    assert (place.rt, place.rw) == ("003", "001")


@pytest.mark.parametrize(
    "where",
    ["", "requester", "place", "persons.0", "persons.0.guardian", "companion", "deadline", "reach", "availability.0"],
)
def test_an_unknown_field_is_an_error_wherever_it_is(where: str) -> None:
    full = body(
        companion={"kind": "TKSK"},
        deadline={"date": "2026-12-10", "reason": "AID"},
        reach={"channel": "SMS"},
        availability=[{"weekday": 1, "start": "09:00", "end": "10:00"}],
        persons=[{"services": ["KIA"], "guardian": {"name": "Contoh"}}],
    )
    target: Any = full
    for part in filter(None, where.split(".")):
        target = target[int(part) if part.isdigit() else part]
    target["adres"] = "x"
    pointer = "#/" + "/".join([*filter(None, where.split(".")), "adres"])
    assert codes(**full) == {pointer: "extra_forbidden"}


def test_missing_says_what_to_bring_and_blocks_nothing() -> None:
    def missing(**changes: Any) -> set[str]:
        b = model(**changes)
        assert rules.errors(b.model_dump(mode="json"), TODAY) == []
        person = b.persons[0]
        return {m.code for m in rules.missing(b, person, person.services[0], TODAY)} & BASIC

    assert missing() == {"NIK", "FAMILY_CARD_NUMBER"}
    nothing = {"visit_kind": "HOME", "village_code": KERAMAT}
    assert missing(requester={"kind": "SELF"}, persons=persons(1, ["KIA"]), place=nothing) == {
        "NAME", "NIK", "FAMILY_CARD_NUMBER", "CONTACT", "ADDRESS"
    }  # fmt: skip
    everything = [{"name": "Contoh", "nik": "1971010107519001", "family_card_number": "1971010107159002", "services": ["KIA"]}]
    assert missing(persons=everything) == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"requester": {"kind": "SELF", "email": "a@b.id"}},
        {"persons": [{"phone": "0812000000", "services": ["KIA"]}]},
        {"persons": [{"guardian": {"phone": "0812000000"}, "services": ["KIA"]}]},
        {"companion": {"kind": "TKSK", "email": "a@b.id"}},
    ],
)
def test_any_contact_counts(changes: dict[str, Any]) -> None:
    quiet: dict[str, Any] = {"requester": {"kind": "SELF"}}
    assert rules.has_contact(model(**{**quiet, **changes}))
    assert not rules.has_contact(model(**quiet))


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ({}, False),
        ({"address": "x"}, True),
        ({"landmark": "x"}, True),
        ({"lat": 0.0, "lon": 0.0}, True),
        ({"lat": -2.1}, False),
        ({"rt": "1", "rw": "2"}, False),
    ],
)
def test_any_way_to_the_place_counts(place: dict[str, Any], found: bool) -> None:
    assert rules.has_address(model(place={"visit_kind": "HOME", "village_code": KERAMAT, **place})) is found


def test_filled_at_is_clamped_with_a_warning() -> None:
    def at(moment: datetime) -> tuple[datetime, list[str]]:
        b = model(filled_at=moment.isoformat())
        return rules.filled_at(b, NOW), [w.code for w in rules.warnings(b, NOW)]

    assert at(NOW - timedelta(days=14)) == (NOW - timedelta(days=14), [])
    assert at(NOW - timedelta(days=15)) == (NOW - timedelta(days=14), ["filled_at_clamped"])
    assert at(NOW + timedelta(minutes=1)) == (NOW, ["filled_at_clamped"])
    assert rules.filled_at(model(), NOW) == NOW
    assert codes(filled_at="2026-11-24T09:10:00") == {"#/filled_at": "timezone_aware"}


def test_a_deadline_in_the_past_is_a_warning() -> None:
    def found(day: str) -> list[str]:
        return [w.code for w in rules.warnings(model(deadline={"date": day, "reason": "AID"}), NOW)]

    assert found("2026-11-24") == []
    assert found("2026-11-23") == ["deadline_past"]


def test_outside_the_city_is_a_warning_with_a_referral() -> None:
    (warning,) = rules.warnings(model(place={"visit_kind": "HOME", "village_code": "19.05.01.2001"}), NOW)
    assert (warning.pointer, warning.code) == ("#/place/village_code", "out_of_area")


def test_due_on_is_the_longest_standard_time_in_working_days() -> None:
    assert TABLE.standard_working_days.keys() == set(ServiceKind)
    assert due_on(date(2026, 11, 2), [ServiceKind.KIA]) == date(2026, 11, 20)
    assert due_on(date(2026, 11, 2), [ServiceKind.KIA, ServiceKind.BIRTH_CERT]) == date(2026, 12, 14)


def test_trap_16_a_working_day_after_23_december_2026_is_the_28th() -> None:
    """The 24th is collective leave (cuti bersama), the 25th Christmas, then the weekend."""
    assert add_working_days(date(2026, 12, 23), 1) == date(2026, 12, 28)
    assert not is_working_day(date(2026, 12, 24))
    assert due_on(date(2026, 12, 4), [ServiceKind.KIA]) == date(2026, 12, 28)
