"""Which requests may be about one person: the same NIK, else the same name, birth year and kelurahan. Suggestions only."""

import json
import re
from typing import Any, cast
from uuid import uuid4

import pytest

from pelangi.chassis.case import Fact, stub
from pelangi.contracts.topics import REQUEST_SUBMITTED
from services.intake.app import make
from services.intake.draws import draw_for
from services.intake.matching import normalised
from services.intake.submissions import Submission
from tests.support.bodies import KERAMAT, body
from tests.unit.intake.rig import NOW, Intake
from tests.unit.intake.test_routes_life import filed

NIK, OTHER_NIK = "1971014107519001", "1971014107519002"
ELSEWHERE = "19.71.01.1004"


def place(village_code: str = KERAMAT) -> dict[str, Any]:
    return {"visit_kind": "HOME", "village_code": village_code, "address": "Jalan Contoh 1"}


def person(**changes: Any) -> dict[str, Any]:
    plain = {"name": "Siti Contoh", "birth_date": "1951-07-01", "birth_date_precision": "YEAR", "services": ["KTP_RECORDING"]}
    return {k: v for k, v in {**plain, **changes}.items() if v is not None}


async def suggested(intake: Intake, one: Any) -> list[tuple[str, list[str]]]:
    return [(found["request_id"], found["why"]) for found in (await intake.get(one, "/possible-duplicates"))["requests"]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Muh. Ali", "MUHAMMAD  ALI"),
        ("Mohd Ali", "M. Ali"),
        ("St. Aminah", "siti aminah"),
        ("Hj. Siti Aminah, S.Pd.", "Siti Aminah"),
        ("Soekarno", "Sukarno"),
        ("Achmad Djunaidi", "Ahmad Junaidi"),
        ("Pak Renè", "Rene"),
        ("Ｓｉｔｉ", "Siti"),
    ],
)
def test_one_name_in_two_spellings(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(("one", "other"), [("Siti", "Sita"), ("Ali Muhammad", "Muhammad Ali"), ("Ibu", "Bapak"), ("王", "李")])
def test_two_names(one: str, other: str) -> None:
    assert normalised(one) != normalised(other) != ""


SAME = {
    "nik": ({"nik": NIK}, {"nik": NIK, "name": "Lain", "birth_date": "1960-01-01"}, ["NIK"]),
    "nik elsewhere, as people write it": ({"nik": NIK}, {"nik": "197101 410751 9001", "name": None}, ["NIK"]),
    "name": ({}, {}, ["PERSON"]),
    "spelling": ({"name": "Muh. Contoh"}, {"name": "MOHAMMAD CONTOH"}, ["PERSON"]),
    "alias": ({"name": "Nenek Sepuh", "aliases": ["Siti Contoh"]}, {}, ["PERSON"]),
    "day unknown": ({"birth_date": "1951-12-31"}, {}, ["PERSON"]),
    "the same mother": ({"mother_name": "Aminah"}, {"mother_name": "AMINAH"}, ["PERSON"]),
    "one mother unknown": ({"mother_name": "Aminah"}, {}, ["PERSON"]),
    "year from the NIK": ({"nik": NIK, "birth_date": None, "birth_date_precision": None}, {}, ["PERSON"]),
    "both": ({"nik": NIK}, {"nik": NIK}, ["NIK", "PERSON"]),
}


@pytest.mark.parametrize("name", SAME)
async def test_suggested_in_both_directions(intake: Intake, name: str) -> None:
    first, second, why = SAME[name]
    village = ELSEWHERE if "elsewhere" in name else KERAMAT
    one = await filed(intake, persons=[person(**first)])
    other = await filed(intake, persons=[{"services": ["KIA"]}, person(**second)], place=place(village))
    assert await suggested(intake, one) == [(other["request_id"], why)]
    assert await suggested(intake, other) == [(one["request_id"], why)]


DIFFERENT = {
    "another name": {"name": "Sita Contoh"},
    "another year": {"birth_date": "1952-07-01"},
    "no year": {"birth_date": None, "birth_date_precision": None},
    "another mother": {"mother_name": "Fatimah"},
    "no name": {"name": None},
}


@pytest.mark.parametrize("name", DIFFERENT)
async def test_not_suggested(intake: Intake, name: str) -> None:
    one = await filed(intake, persons=[person(mother_name="Aminah")])
    other = await filed(intake, persons=[person(**DIFFERENT[name])])
    assert await suggested(intake, one) == await suggested(intake, other) == []


async def test_the_name_counts_in_one_kelurahan_only(intake: Intake) -> None:
    one = await filed(intake, persons=[person()])
    await filed(intake, persons=[person()], place=place(ELSEWHERE))
    assert await suggested(intake, one) == []


async def test_a_correction_is_searched_and_found_as_it_is_now(intake: Intake) -> None:
    one = await filed(intake, persons=[person(name="Salah")])
    other = await filed(intake, persons=[person()])
    assert await suggested(intake, one) == []
    await intake.call(one, "details", body(persons=[person()]))
    assert await suggested(intake, one) == [(other["request_id"], ["PERSON"])]
    assert await suggested(intake, other) == [(one["request_id"], ["PERSON"])]
    await intake.call(one, "details", body(persons=[person()], place=place(ELSEWHERE)))
    assert await suggested(intake, one) == await suggested(intake, other) == []


async def test_trap_15_two_requests_for_one_person_are_suggested_and_both_go_on(intake: Intake) -> None:
    one = await filed(intake, persons=[person(nik=NIK)])
    other = await filed(intake, persons=[person(nik=NIK)])
    assert one["request_id"] != other["request_id"]
    assert await suggested(intake, one) == [(other["request_id"], ["NIK", "PERSON"])]
    for request in (one, other):
        assert (await intake.get(request))["status"] == "ACCEPTED"
        assert intake.sent(request) == ["request-created.v1", "request-details.v1"]


async def test_the_newest_comes_first_and_tells_nothing_of_the_person(intake: Intake) -> None:
    one, *others = [await filed(intake, persons=[person(nik=NIK)]) for _ in range(4)]
    answer = await intake.get(one, "/possible-duplicates")
    assert [found["request_id"] for found in answer["requests"]] == [o["request_id"] for o in others[::-1]]
    assert answer["requests"][0].keys() == {"request_id", "receipt_code", "status", "received_at", "why"}
    for secret in (NIK, "Siti", "1951", KERAMAT):
        assert secret not in json.dumps(answer)


async def test_the_index_holds_keyed_digests_only(intake: Intake) -> None:
    one = await filed(intake, persons=[person(nik=NIK), person(nik=OTHER_NIK, aliases=["Sepuh"])])
    keys = intake.case(one)["match_keys"]
    assert len(keys) == 4, "two NIK, two names: the one that both have counts once"
    assert all(re.fullmatch("[0-9a-f]{32}", key) for key in keys)


async def test_what_another_system_submitted_is_found_too(intake: Intake) -> None:
    one = await filed(intake, persons=[person(nik=NIK)])
    submission = Submission(str(uuid4()), draws=draw_for(1), value=body(persons=[person(nik=NIK)]), digest="d")
    fact = Fact(REQUEST_SUBMITTED, str(uuid4()), "0", 0, "", submission)
    submitted: Any = make().handlers[REQUEST_SUBMITTED](cast(Any, stub(fact.request_id)), fact, NOW)
    submitted["content_version"] = 1
    intake.cases.documents[fact.request_id] = {k: v for k, v in submitted.items() if k != "emits"}
    assert await suggested(intake, one) == [(fact.request_id, ["NIK", "PERSON"])]
    assert await suggested(intake, {"request_id": fact.request_id}) == [(one["request_id"], ["NIK", "PERSON"])]


async def test_without_anything_to_go_by_nothing_is_searched(intake: Intake) -> None:
    one = await filed(intake)
    await filed(intake)
    intake.cases.calls.clear()
    assert await suggested(intake, one) == []
    assert intake.cases.calls == {"get_many": 1}
    assert (await intake.http.get(f"/v1/requests/{uuid4()}/possible-duplicates")).status_code == 404
