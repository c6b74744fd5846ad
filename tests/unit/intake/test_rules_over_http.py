"""The rules of the registry where they are met: at the door, and again when a request is corrected."""

from tests.support.bodies import body
from tests.unit.intake.rig import Intake, problem

GOOD, WRONG, DOUBTED = "1971042902609001", "9971042902609001", "1971043012269001"


async def test_broken_rules_refuse_and_leave_nothing_behind(intake: Intake) -> None:
    people = [
        {"services": ["KTP_NEW"], "nik": WRONG},
        {"services": ["CONSULTATION", "KTP_RECORDING"], "birth_date": "2015-05-01", "birth_date_precision": "EXACT"},
        {"services": ["KIA"], "ever_married": True, "nik": "12"},
    ]
    answer = await intake.file(persons=people)
    assert problem(answer, 422) == [
        ("#/persons/0/nik", "nik_province"),
        ("#/persons/1/services/1", "not_eligible_age"),
        ("#/persons/2/services/0", "not_eligible_age"),
        ("#/persons/2/nik", "nik_format"),
    ]
    assert WRONG not in answer.text
    assert intake.cases.documents == {}


async def test_oddities_are_accepted_and_told(intake: Intake) -> None:
    people = [
        {"services": ["KTP_NEW"], "nik": DOUBTED, "sex": "P"},
        {"services": ["MARRIAGE_CERT", "KTP_NEW"], "birth_date": "2010-05-01", "birth_date_precision": "EXACT"},
    ]
    answer = (await intake.file(persons=people)).json()
    assert answer["status"] == "ACCEPTED"
    assert [(w["pointer"], w["code"]) for w in answer["warnings"]] == [
        ("#/persons/0/nik", "nik_sex_mismatch"),
        ("#/persons/0/nik", "nik_century_assumed"),
        ("#/persons/1/services/0", "muslim_marriage_goes_to_kua"),
        ("#/persons/1/services/1", "under_17_card_later"),
    ]


async def test_a_correction_keeps_the_same_rules(intake: Intake) -> None:
    filed = (await intake.file(persons=[{"services": ["KTP_NEW"], "nik": DOUBTED}])).json()
    wrong = await intake.call(filed, "details", body(persons=[{"services": ["KTP_NEW"], "nik": WRONG}]))
    assert problem(wrong, 422) == [("#/persons/0/nik", "nik_province")]
    right = await intake.call(filed, "details", body(persons=[{"services": ["KTP_NEW"], "nik": GOOD}]))
    assert right.status_code == 200
    corrected = await intake.get(filed)
    assert corrected["warnings"] == []
    assert [m["code"] for m in corrected["items"][0]["missing"]] == ["NAME", "FAMILY_CARD_NUMBER", "F102", "KK_OLD"]
