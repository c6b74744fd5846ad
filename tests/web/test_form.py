"""The request form without a browser: what is sent to intake, and what comes back onto the page."""

import asyncio
import re
from typing import Any
from uuid import UUID

import httpx

from portal.form import Form
from tests.web.fake_intake import FakeIntake

SMALL = {
    "requester-kind": "RT_RW",
    "persons-0-services": ["KTP_RECORDING"],
    "place-visit_kind": "HOME",
    "place-village_code": "19.71.04.1009",
}
FULL: dict[str, Any] = {
    "channel": "PHONE",
    "requester-kind": "TKSK",
    "requester-name": " Siti ",
    "requester-phone": "0812-3456 7890",
    "requester-email": "siti@contoh.id",
    "persons-0-name": "Nenek Aminah",
    "persons-0-nik": "1971 0457-0885.9002",
    "persons-0-family_card_number": "1971.0401.0190.9001",
    "persons-0-birth_date-year": "1951",
    "persons-0-sex": "P",
    "persons-0-ever_married": "yes",
    "persons-0-mother_name": "Hawa",
    "persons-0-aliases": "Minah, Nek Nah",
    "persons-0-services": ["KTP_RECORDING", "KK_CHANGE"],
    "persons-0-categories": ["ELDERLY"],
    "persons-0-needs": ["BEDRIDDEN", "TWO_OFFICERS"],
    "persons-0-guardian-relation": "CHILD",
    "persons-0-guardian-phone": "62 811 222 333",
    "persons-1-nik_absence_reason": "NEWBORN",
    "persons-1-birth_date-day": "3",
    "persons-1-birth_date-month": "9",
    "persons-1-birth_date-year": "2026",
    "persons-1-ever_married": "no",
    "persons-1-services": ["BIRTH_CERT"],
    "companion-kind": "FAMILY",
    "companion-name": "Budi",
    "place-visit_kind": "HOME",
    "place-village_code": "19.71.04.1009",
    "place-rt": "3",
    "place-rw": "001",
    "place-landmark": "rumah biru",
    "place-lat": "-2,1316",
    "place-lon": "106.1169",
    "availability-days": ["2", "4"],
    "availability-start": "9.00",
    "availability-end": "12",
    "deadline-date-day": "10",
    "deadline-date-month": "12",
    "deadline-date-year": "2026",
    "deadline-reason": "HOSPITAL",
    "reach-channel": "WHATSAPP",
    "reach-to": "COMPANION",
    "notes": "Anjing galak.\nMasuk lewat belakang.",
}
AMINAH = {
    "ref": "1",
    "name": "Nenek Aminah",
    "nik": "1971045708859002",
    "family_card_number": "1971040101909001",
    "birth_date": "1951-07-01",
    "birth_date_precision": "YEAR",
    "sex": "P",
    "ever_married": True,
    "mother_name": "Hawa",
    "aliases": ["Minah", "Nek Nah"],
    "categories": ["ELDERLY"],
    "needs": ["BEDRIDDEN", "TWO_OFFICERS"],
    "services": ["KTP_RECORDING", "KK_CHANGE"],
    "guardian": {"relation": "CHILD", "phone": "+62811222333"},
}
BABY = {
    "ref": "2",
    "nik_absence_reason": "NEWBORN",
    "birth_date": "2026-09-03",
    "birth_date_precision": "EXACT",
    "ever_married": False,
    "categories": [],
    "needs": [],
    "services": ["BIRTH_CERT"],
}


async def key_of(portal: httpx.AsyncClient) -> str:
    """Opens the form and reads its key."""
    found = re.search(r'name="idempotency_key" value="([^"]+)"', (await portal.get("/request")).text)
    assert found
    return str(UUID(found[1]))


async def post(portal: httpx.AsyncClient, fields: dict[str, Any], key: str | None = None) -> httpx.Response:
    return await portal.post("/request", data={"idempotency_key": key or await key_of(portal), **fields})


def summary(response: httpx.Response) -> dict[str, str]:
    """The error summary: words by the field they lead to."""
    return dict(re.findall(r'<li><a href="#([^"]+)">([^<]+)</a>', response.text))


async def test_every_field_reaches_intake_in_its_place(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    response = await post(portal, FULL)
    assert response.status_code == 303
    assert intake.filed == [
        {
            "channel": "PHONE",
            "requester": {"kind": "TKSK", "name": "Siti", "phone": "+6281234567890", "email": "siti@contoh.id"},
            "persons": [AMINAH, BABY],
            "companion": {"kind": "FAMILY", "name": "Budi"},
            "place": {
                "visit_kind": "HOME",
                "village_code": "19.71.04.1009",
                "rt": "003",
                "rw": "001",
                "landmark": "rumah biru",
                "lat": -2.1316,
                "lon": 106.1169,
            },
            "availability": [
                {"weekday": 2, "start": "09:00", "end": "12:00"},
                {"weekday": 4, "start": "09:00", "end": "12:00"},
            ],
            "deadline": {"date": "2026-12-10", "reason": "HOSPITAL"},
            "reach": {"channel": "WHATSAPP", "to": "COMPANION"},
            "notes": "Anjing galak.\nMasuk lewat belakang.",
        }
    ]
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", intake.calls[0].headers["traceparent"])


async def test_nothing_but_the_four_needed_answers_is_enough(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    assert (await post(portal, SMALL)).status_code == 303
    person = {"ref": "1", "categories": [], "needs": [], "services": ["KTP_RECORDING"]}
    place = {"visit_kind": "HOME", "village_code": "19.71.04.1009"}
    expected = {"channel": "KELURAHAN_FORM", "requester": {"kind": "RT_RW"}, "persons": [person], "place": place}
    assert intake.filed == [expected]


async def test_partly_known_birth_dates_and_hours(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    month = {"persons-0-birth_date-month": "3", "persons-0-birth_date-year": "1960", "availability-start": "09.30"}
    await post(portal, SMALL | month)
    await post(portal, SMALL | {"persons-0-birth_date-year": "1950", "persons-0-birth_date-estimated": "yes"})
    first, second = intake.filed
    assert (first["persons"][0]["birth_date"], first["persons"][0]["birth_date_precision"]) == ("1960-03-01", "MONTH")
    assert [slot["weekday"] for slot in first["availability"]] == [1, 2, 3, 4, 5]
    assert first["availability"][0]["start"] == "09:30"
    assert second["persons"][0]["birth_date_precision"] == "ESTIMATED"


async def test_what_intake_refuses_is_said_at_the_field_and_in_the_summary(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    key = await key_of(portal)
    wrong = FULL | {"persons-1-nik": "12 34", "requester-kind": "", "availability-start": "pagi", "persons-1-services": []}
    response = await post(portal, wrong, key)
    assert response.status_code == 422
    assert "<title>Kesalahan: " in response.text
    assert re.search(r'role="alert" tabindex="-1" autofocus', response.text)
    said = summary(response)
    assert said["requester-kind"] == "Pilih siapa pemohonnya"
    assert said["persons-1-services"] == "Orang 2: Pilih paling sedikit satu layanan"
    assert said["availability-start"] == "Tulis jam seperti 09.00"
    for field, words in said.items():
        assert f'id="{field}"' in response.text
        assert f'<span class="error" id="{field}-error">{words}</span>' in response.text
    for typed in ("Nenek Aminah", "1971 0457-0885.9002", "12 34", "pagi", "Masuk lewat belakang."):
        assert typed in response.text
    assert f'value="{key}"' in response.text
    assert intake.filed == []

    corrected = await post(portal, FULL | {"persons-1-nik": "12 34"}, key)
    assert summary(corrected) == {"persons-1-nik": "Orang 2: NIK harus 16 angka"}
    assert (await post(portal, FULL, key)).status_code == 303
    assert len(intake.filed) == 1


async def test_rules_of_the_registry_are_said_at_their_field_in_plain_indonesian(
    portal: httpx.AsyncClient, intake: FakeIntake
) -> None:
    intake.extra_errors = [
        {"pointer": "#/persons/0/nik", "code": "nik_province", "detail": "x / y"},
        {"pointer": "#/persons/0/services/1", "code": "not_eligible_age", "detail": "x / y"},
    ]
    assert summary(await post(portal, SMALL)) == {
        "persons-0-nik": "NIK salah: dua angka pertama bukan kode provinsi",
        "persons-0-services": "Umur orang ini tidak sesuai untuk layanan yang dipilih",
    }


async def test_a_rule_of_intake_that_has_no_words_here_speaks_for_itself(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    intake.extra_errors = [{"pointer": "#/persons/0/birth_date", "code": "too_young", "detail": "Terlalu muda. / Too young."}]
    assert summary(await post(portal, SMALL)) == {"persons-0-birth_date": "Terlalu muda."}
    english = await portal.post("/request?lang=en", data={"idempotency_key": await key_of(portal), **SMALL})
    assert summary(english) == {"persons-0-birth_date": "Too young."}


async def test_typed_values_are_shown_as_text(portal: httpx.AsyncClient) -> None:
    response = await post(portal, {"persons-0-name": '"><script>x</script>', "notes": "</textarea><b>"})
    assert "<script>x" not in response.text
    assert "</textarea><b>" not in response.text


async def test_a_second_click_files_one_request(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    key = await key_of(portal)
    first, second = await asyncio.gather(post(portal, FULL, key), post(portal, FULL, key))
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    assert len(intake.filed) == 1
    changed = await post(portal, FULL | {"notes": "lain"}, key)
    assert changed.status_code == 422
    assert "sudah terkirim dengan isi lain" in changed.text


async def test_one_person_more_and_less_without_javascript(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    key = await key_of(portal)
    more = await post(portal, FULL | {"action": "add-person"}, key)
    assert more.status_code == 200
    assert 'name="persons-2-name"' in more.text
    assert re.search(r'id="persons-2-name"[^>]* autofocus', more.text)
    assert 'value="Nenek Aminah"' in more.text
    assert re.search(r'id="persons-0-needs" name="persons-0-needs" value="BEDRIDDEN"[^>]* checked', more.text)
    less = await post(portal, FULL | {"action": "remove-person:0"}, key)
    assert "Nenek Aminah" not in less.text
    assert re.search(r'value="BIRTH_CERT" autocomplete="off" checked', less.text)
    assert 'name="persons-1-name"' not in less.text
    assert f'value="{key}"' in less.text
    assert intake.calls == []


async def test_changing_the_language_keeps_what_was_typed(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    response = await post(portal, FULL | {"action": "language:en"})
    assert '<html lang="en">' in response.text
    assert 'value="Nenek Aminah"' in response.text
    assert '<html lang="en">' in (await portal.get("/track")).text
    assert intake.calls == []


async def test_intake_away_loses_nothing(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    key, intake.away = await key_of(portal), True
    response = await post(portal, FULL, key)
    assert response.status_code == 503
    assert "Belum terkirim, coba lagi" in response.text
    assert 'value="Nenek Aminah"' in response.text
    assert f'value="{key}"' in response.text
    intake.away = False
    assert (await post(portal, FULL, key)).status_code == 303
    assert len(intake.filed) == 1


async def test_a_form_without_a_proper_key_gets_one_and_is_asked_again(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    response = await portal.post("/request", data={"idempotency_key": "x", **SMALL})
    assert response.status_code == 422
    found = re.search(r'name="idempotency_key" value="([^"]+)"', response.text)
    assert found
    assert UUID(found[1])
    assert intake.calls == []


async def test_more_than_any_real_form_is_refused(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    assert (await post(portal, {"notes": "x" * 1_000_001})).status_code == 413
    assert (await post(portal, {f"persons-{n}-name": "x" for n in range(101)})).status_code == 413
    assert intake.calls == []


async def test_another_site_cannot_send_the_form(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    response = await portal.post("/request", data={"idempotency_key": await key_of(portal), **SMALL}, headers=headers)
    assert response.status_code == 403
    assert intake.calls == []


def test_numbers_of_persons_close_their_gaps() -> None:
    form = Form.parse(b"persons-4-name=b&persons-2-name=a&persons-4-needs=BLIND")
    assert (form.persons, form.one("persons-0-name"), form.one("persons-1-name")) == (2, "a", "b")
    assert form.many("persons-1-needs") == ["BLIND"]
    form.remove_person(0)
    form.remove_person(0)
    assert (form.persons, form.values) == (1, {})
