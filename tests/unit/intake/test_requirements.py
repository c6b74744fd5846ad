"""What to bring, for every service of DOMAIN.md §2.3, and that nothing of it blocks."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from pelangi.chassis.web import validate
from pelangi.contracts.codes import ServiceKind
from pelangi.contracts.request import Person, RequestBody
from services.intake import requirements, rules
from services.intake.requirements import CONDITIONS, TABLE, Catalogue, to_bring
from tests.support.bodies import KERAMAT, body

TODAY = date(2026, 11, 24)
ADULT = {"birth_date": "1985-08-17", "birth_date_precision": "EXACT"}
CHILD = {"birth_date": "2022-01-01", "birth_date_precision": "EXACT"}
PARENT = {"guardian": {"relation": "PARENT"}}


def details(service: str, *also: str, **about: Any) -> dict[str, str]:
    """What is asked for, by code."""
    person = Person.model_validate({"services": [service, *also], **about})
    return {m.code: m.detail for m in to_bring(person, ServiceKind(service), TODAY)}


def asked(service: str, *also: str, **about: Any) -> list[str]:
    return list(details(service, *also, **about))


@pytest.mark.parametrize(
    ("service", "codes"),
    [
        ("BIODATA_REGISTRATION", "F101 RTRW_LETTER EVENT_PROOF EDUCATION_PROOF HOST_CONSENT F105 BIOMETRIC_SEARCH"),
        ("KK_NEW", "F102 MARRIAGE_PROOF"),
        ("KK_CHANGE", "F102 F106 KK_OLD EVENT_PROOF"),
        ("KK_REISSUE", "F102 KTP_OLD POLICE_LOSS_LETTER"),
        ("KTP_RECORDING", "KK_OLD"),
        ("KTP_NEW", "F102 KK_OLD"),
        ("KTP_REISSUE", "F102 KK_OLD POLICE_LOSS_LETTER"),
        ("KIA", "F102 BIRTH_CERT KK_OLD KTP_PARENTS PHOTO"),
        ("BIRTH_CERT", "F201 KK_OLD BIRTH_LETTER MARRIAGE_PROOF"),
        ("DEATH_CERT", "F201 DEATH_LETTER_DOCTOR"),
        ("MARRIAGE_CERT", "F201 RELIGIOUS_MARRIAGE_LETTER PHOTO KTP_OLD KK_OLD DEATH_CERT_OF_EX DIVORCE_CERT"),
        ("DIVORCE_CERT", "F201 COURT_RULING MARRIAGE_CERT KTP_OLD KK_OLD"),
        ("MOVE_OUT", "F103 KK_OLD GUARDIAN_STATEMENT"),
        ("MOVE_IN", "F103 SKPWNI HOST_CONSENT"),
        ("MOVE_WITHIN", "F103 KK_OLD HOST_CONSENT"),
        ("IKD_ACTIVATION", "SMARTPHONE EMAIL PHONE RECORDED_KTP"),
        ("VULNERABLE_DATA_COLLECTION", "FR101_OR_F101 F104 INSTITUTION_STATEMENT RTRW_LETTER BIOMETRIC_SEARCH"),
        ("DATA_CORRECTION", "F106 KK_OLD EVENT_PROOF"),
        ("DATA_CONSOLIDATION", "KK_OLD KTP_OLD"),
        ("CONSULTATION", ""),
    ],
)
def test_what_an_adult_of_whom_little_is_known_is_asked_for(service: str, codes: str) -> None:
    assert asked(service, **ADULT) == codes.split()


def test_every_service_and_every_word_of_the_table_is_there() -> None:
    assert TABLE.services.keys() == set(ServiceKind)
    assert TABLE.conditions.keys() == CONDITIONS.keys()
    for missing in (m for s in ServiceKind for m in to_bring(Person(services=[s]), s, TODAY)):
        assert missing.detail.count(" / ") == 1


@pytest.mark.parametrize("gap", ["codes", "conditions", "services", "word", "condition"])
def test_a_gap_in_the_table_does_not_load(gap: str) -> None:
    whole = TABLE.model_dump(mode="json")
    if gap == "word":
        whole["services"]["KIA"]["required"] = ["F102", "NEVER_HEARD_OF"]
    elif gap == "condition":
        whole["services"]["KIA"]["conditional"] = {"PHOTO": "NEVER_HEARD_OF"}
    else:
        whole[gap].popitem()
    with pytest.raises(ValidationError):
        Catalogue.model_validate(whole)
    Catalogue.model_validate(TABLE.model_dump(mode="json"))


def test_one_of_several_names_the_first_that_fits_and_the_others_as_alternatives() -> None:
    married = details("KK_NEW", **ADULT)["MARRIAGE_PROOF"]
    assert married.count(", atau ") == 4
    assert "SKPTI" in married
    assert asked("KK_NEW", ever_married=False, **ADULT) == ["F102", "SKPWNI"]


@pytest.mark.parametrize(("service", "code"), [("KK_NEW", "SKPTI"), ("KK_REISSUE", "F104"), ("KTP_REISSUE", "F104")])
def test_the_vulnerable_are_first_offered_what_the_law_gives_them(service: str, code: str) -> None:
    """Perpres 96/2018 Art. 11 (d): SKPTI is enough for a family card; lost papers are stated on F-1.04 (DOMAIN.md §5.5)."""
    vulnerable = asked(service, categories=["HOMELESS"], **ADULT)
    assert code in vulnerable
    assert code not in asked(service, categories=["NONE"], **ADULT)
    assert len(vulnerable) == len(asked(service, **ADULT))


def test_what_the_same_request_makes_is_not_asked_for() -> None:
    assert "BIRTH_CERT" not in asked("KIA", "BIRTH_CERT", **CHILD)
    assert asked("KK_NEW", "VULNERABLE_DATA_COLLECTION", **ADULT) == ["F102"]
    assert asked("IKD_ACTIVATION", "KTP_RECORDING", phone="0812000000", email="a@b.id", **ADULT) == ["SMARTPHONE"]


def test_who_has_no_proof_states_it_on_a_form() -> None:
    letter = details("BIRTH_CERT", **CHILD)["BIRTH_LETTER"]
    assert "bila tidak ada: formulir F-2.03" in letter
    assert "if there is none: form F-2.03" in letter


def test_a_foundling_needs_a_police_report_and_no_parents() -> None:
    foundling = {"nik_absence_reason": "FOUNDLING", **CHILD}
    assert asked("BIRTH_CERT", **foundling) == ["F201", "KK_OLD", "POLICE_REPORT_FOUNDLING", "GUARDIAN_STATEMENT"]
    assert "KTP_PARENTS" not in asked("KIA", **foundling)
    assert "POLICE_REPORT_FOUNDLING" not in asked("BIRTH_CERT", nik_absence_reason="NEWBORN", **CHILD)
    perhaps = details("BIRTH_CERT", categories=["NEGLECTED_CHILD"], **CHILD)["POLICE_REPORT_FOUNDLING"]
    assert perhaps.startswith("Bila anak temuan")


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({**CHILD, **PARENT}, None),
        ({**CHILD, "guardian": {"relation": "GUARDIAN"}}, "Surat"),
        (CHILD, "Bila"),
        ({**ADULT, "guardian": {"relation": "SPOUSE"}}, None),
        ({}, None),
    ],
)
def test_a_child_with_a_guardian_needs_the_statement_of_the_guardian(about: dict[str, Any], expected: str | None) -> None:
    found = details("KK_CHANGE", **about).get("GUARDIAN_STATEMENT")
    assert (found and found.split(maxsplit=1)[0]) == expected


@pytest.mark.parametrize("category", ["CARE_HOME_RESIDENT", "INMATE"])
def test_an_institution_states_that_somebody_lives_there(category: str) -> None:
    assert "INSTITUTION_STATEMENT" in asked("KK_NEW", categories=[category], **ADULT)
    assert "INSTITUTION_STATEMENT" not in asked("KK_NEW", categories=["ELDERLY"], **ADULT)


@pytest.mark.parametrize(("need", "expected"), [("BIOMETRIC_EXCEPTION", "Surat"), ("BEDRIDDEN", "Bila"), ("WHEELCHAIR", None)])
def test_a_biometric_exception_is_supported_by_a_letter(need: str, expected: str | None) -> None:
    found = details("KTP_RECORDING", needs=[need], **ADULT).get("MEDICAL_LETTER")
    assert (found and found.split(maxsplit=1)[0]) == expected


def test_adults_are_searched_for_first_and_children_are_not() -> None:
    assert not details("BIODATA_REGISTRATION", **ADULT)["BIOMETRIC_SEARCH"].startswith("Bila")
    assert details("BIODATA_REGISTRATION")["BIOMETRIC_SEARCH"].startswith("Bila sudah dewasa")
    assert "BIOMETRIC_SEARCH" not in asked("BIODATA_REGISTRATION", **CHILD, **PARENT)


def test_what_the_form_cannot_tell_is_said_with_if() -> None:
    unknown = details("KIA")["PHOTO"]
    assert unknown.startswith("Bila berumur 5 tahun atau lebih: ")
    assert " / If 5 years or older: " in unknown
    assert asked("MARRIAGE_CERT", ever_married=False, **ADULT)[-1] == "KK_OLD"


def test_the_age_comes_from_the_nik_where_no_birth_date_is_given() -> None:
    assert not details("KIA", nik="1971040101159001")["PHOTO"].startswith("Bila")
    assert "PHOTO" not in asked("KIA", nik="1971040101229001")


def test_trap_02_nothing_that_is_missing_blocks() -> None:
    """No NIK, family card, phone or exact address, for every service: accepted, with what to bring."""
    for service in ServiceKind:
        bare = {
            "channel": "WALK_IN",
            "requester": {"kind": "SELF"},
            "persons": [{"services": [service]}],
            "place": {"visit_kind": "HOME", "village_code": KERAMAT},
        }
        whole = validate(RequestBody, bare, broken=rules.errors(bare, TODAY))
        codes = [m.code for m in rules.missing(whole, whole.persons[0], service, TODAY)]
        assert codes[:5] == ["NAME", "NIK", "FAMILY_CARD_NUMBER", "CONTACT", "ADDRESS"]
        assert codes[5:] == asked(service)


def test_trap_03_a_kelurahan_is_known_by_its_code_only() -> None:
    def village(code: str) -> str:
        place = {"visit_kind": "HOME", "village_code": code, "address": "Kelurahan Semabung Baru"}
        return validate(RequestBody, body(place=place)).place.village_code

    assert village("1971011004") == village("19.71.01.1004") == "19.71.01.1004"
    for unknown in ("19.71.01.1005", "1971011005", "Semabung Lama"):
        with pytest.raises(Exception, match="invalid"):
            village(unknown)
    elsewhere = body(persons=[{"nik": "1999040101909001", "services": ["KTP_NEW"]}])
    assert rules.errors(elsewhere, TODAY) == []


def test_trap_08_a_move_within_the_city_asks_for_no_skpwni() -> None:
    assert "SKPWNI" not in asked("MOVE_WITHIN", **ADULT)
    assert "SKPWNI" in asked("MOVE_IN", **ADULT)
    assert requirements.TABLE.services[ServiceKind.MOVE_WITHIN].codes().isdisjoint({"SKPWNI"})
