"""Confirmation, tracking, the pass-through, and what every page must and must not say."""

import logging
import re
from uuid import uuid4

import httpx
import pytest

from pelangi.contracts.codes import RequestStatus
from portal import texts
from portal.app import create_app
from portal.form import Form
from portal.passthrough import _under_portal
from portal.problems import locate
from portal.receipts import COOKIE, ReceiptBox, receipt_of
from portal.settings import PortalSettings
from tests.web.fake_intake import FakeIntake
from tests.web.test_form import FULL, SMALL, post


async def test_confirmation_shows_code_missing_papers_and_warnings(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    intake.warnings = [
        {"pointer": "#/persons/0/nik", "code": "nik_birth_mismatch", "detail": "x"},
        {"pointer": "#/persons/1/name", "code": "new_rule", "detail": "Nama pendek. / Short name."},
    ]
    sent = await post(portal, FULL)
    assert sent.headers["location"] == "/request/done/ABCDE-FGH00-M"
    page = await portal.get(sent.headers["location"])
    assert page.status_code == 200
    for words in (
        "ABCDE-FGH00-M",
        "8 Desember 2026",
        "GRATIS",
        "Orang 1: Tanggal lahir berbeda dari yang ada di NIK.",
        "Orang 2: Nama pendek.",
        "Kartu Keluarga yang ada",
        "Perekaman KTP-el, Ubah data Kartu Keluarga",
        "Formulir F-1.02",
    ):
        assert words in page.text
    assert "KK_OLD" not in page.text
    assert "Nenek Aminah" not in page.text
    english = await portal.get(sent.headers["location"] + "?lang=en")
    assert "8 December 2026" in english.text
    assert "FREE" in english.text
    assert "Person 2: Short name." in english.text


async def test_the_confirmation_says_alternatives_and_conditions_in_the_words_of_intake() -> None:
    detail = "Bila berumur 5 tahun atau lebih: pasfoto. / If 5 years or older: a photo."
    told = {"person_ref": "1", "service_kind": "KIA", "missing": [{"code": "PHOTO", "detail": detail}, {"code": "F102"}]}
    box, code = ReceiptBox(None), "ABCDE-FGH00-M"
    receipt = box.open(box.close(receipt_of({"receipt_code": code, "items": [told]})) or "", code=code)
    assert receipt is not None
    indonesian, english = texts.Words("id"), texts.Words("en")
    assert [indonesian.requirement(*m) for m in receipt.persons[0].missing] == [
        "Bila berumur 5 tahun atau lebih: pasfoto.",
        "Formulir F-1.02 (pendaftaran)",
    ]
    assert english.requirement(*receipt.persons[0].missing[0]) == "If 5 years or older: a photo."


async def test_the_receipt_travels_closed_and_without_names(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    sent = await post(portal, FULL)
    cookie = sent.headers["set-cookie"]
    assert f"{COOKIE}=ey" in cookie
    assert "Path=/request/done/ABCDE-FGH00-M" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    portal.cookies.clear()
    page = await portal.get(sent.headers["location"])
    assert "ABCDE-FGH00-M" in page.text
    assert "Rincian hanya ditampilkan sekali" in page.text


def test_a_receipt_of_three_hundred_items_fits_a_cookie_or_is_left_out() -> None:
    items = [
        {
            "person_ref": str(n // 3 + 1),
            "service_kind": service,
            "missing": [{"code": code} for code in ("NIK", "F102", "KK_OLD")],
        }
        for n in range(0, 300, 3)
        for service in ("KTP_RECORDING", "KK_CHANGE", "BIRTH_CERT")
    ]
    receipt = receipt_of({"receipt_code": "ABCDE-FGH00-M", "items": items, "warnings": []})
    box = ReceiptBox(None)
    closed = box.close(receipt)
    assert closed is not None
    # with random words in every detail it cannot fit: then the codes alone are carried
    wordy = [{**i, "missing": [{**m, "detail": f"{uuid4()} / {uuid4()}"} for m in i["missing"]]} for i in items]
    shortened = box.close(receipt_of({"receipt_code": "ABCDE-FGH00-M", "items": wordy, "warnings": []}))
    assert shortened is not None
    assert box.open(shortened, code="ABCDE-FGH00-M") == receipt
    assert box.open(closed, code="ABCDE-FGH00-M") == receipt
    assert box.open(closed, code="ABCDE-FGH01-M") is None
    assert ReceiptBox(None).open(closed, code="ABCDE-FGH00-M") is None
    assert box.open("nonsense", code="ABCDE-FGH00-M") is None


async def test_tracking_in_plain_words(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    await post(portal, SMALL | {"persons-0-services": ["VULNERABLE_DATA_COLLECTION"]})
    entry = await portal.get("/track", params={"code": " abcdefgh oo m".replace("oo", "OO")})
    assert (entry.status_code, entry.headers["location"]) == (303, "/track/ABCDE-FGH00-M")
    page = await portal.get("/track/abcdefgh00m")
    assert page.status_code == 200
    for words in ("Kunjungan sudah dijadwalkan", "Senin, 30 November 2026", "24 November 2026", "Konsultasi", "GRATIS"):
        assert words in page.text
    assert "SCHEDULED" not in page.text
    assert "rentan</span>" not in page.text


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("status", [*RequestStatus, "SOMETHING_NEW"])
async def test_every_status_has_words(portal: httpx.AsyncClient, intake: FakeIntake, status: str, language: str) -> None:
    intake.tracking["ABCDE-FGH00-M"] = {"receipt_code": "ABCDE-FGH00-M", "status": status}
    page = await portal.get(f"/track/ABCDE-FGH00-M?lang={language}")
    assert page.status_code == 200
    assert status not in page.text
    assert texts.Words(language).label("Next", status) in page.text.replace("&#39;", "'")


async def test_a_closed_request_promises_no_visit(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    intake.tracking["ABCDE-FGH00-M"] = {
        "status": None,
        "closed": {"outcome": "WITHDRAWN"},
        "visit": {"date": "2026-11-30"},
        "due_on": "2026-12-08",
    }
    page = await portal.get("/track/ABCDE-FGH00-M")
    assert "Dibatalkan oleh pemohon" in page.text
    assert "30 November" not in page.text


async def test_unknown_codes_and_pages_are_friendly(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    for path in ("/track/ABCDE-FGH99-M", "/track/nonsense", "/track?code=nonsense"):
        page = await portal.get(path)
        assert (page.status_code, "Kode tidak ditemukan" in page.text) == (404, True)
    assert (await portal.get("/track?code=")).status_code == 422
    missing = await portal.get("/nothing/here")
    assert (missing.status_code, "Halaman tidak ada" in missing.text) == (404, True)
    intake.away = True
    away = await portal.get("/track/ABCDE-FGH00-M")
    assert (away.status_code, "Sedang tidak dapat dihubungi" in away.text) == (503, True)


async def test_the_portal_is_ready_without_intake_and_says_so(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    ready = await portal.get("/healthz/ready")
    assert ready.json() == {"ready": True, "components": {"pages": "ready", "intake": "reachable"}}
    intake.away = True
    ready = await portal.get("/healthz/ready")
    assert (ready.status_code, ready.json()["components"]["intake"]) == (200, "unreachable")
    assert (await portal.get("/healthz/live")).status_code == 200


async def test_services_are_reached_by_name_and_only_their_apis(portal: httpx.AsyncClient, intake: FakeIntake) -> None:
    body = {"channel": "API", "requester": {"kind": "NGO"}, "persons": [], "place": {}}
    key = "6f0b1c1e-6d0e-4a43-9a3e-1f0a8d5a1a11"
    passed = await portal.post("/api/intake/v1/requests", json=body, headers={"Idempotency-Key": key, "Cookie": "lang=en"})
    assert passed.status_code == 422
    assert intake.calls[0].key == key
    assert "cookie" not in intake.calls[0].headers
    assert (await portal.get("/api/intake/v1/tracking/nothing")).status_code == 404
    assert (await portal.get("/api/notify/v1/messages")).status_code == 502
    for path in ("/api/portal/v1/x", "/api/intake/metrics", "/api/intake/v1/%2e%2e/metrics"):
        assert (await portal.get(path)).status_code == 404
    large = await portal.post("/api/intake/v1/requests", content=b"x" * 1_000_001)
    assert large.status_code == 413
    refused = await portal.delete("/api/intake/v1/requests")
    assert (refused.status_code, refused.json()["errors"]) == (405, [])


async def test_a_fault_of_ours_is_a_friendly_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Form, "blank", lambda: 1 / 0)
    transport = httpx.ASGITransport(app=create_app(PortalSettings()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://portal") as client:
        page = await client.get("/request")
    assert (page.status_code, "Sedang tidak dapat dihubungi" in page.text) == (500, True)
    assert "content-security-policy" in page.headers


async def test_headers_that_protect(portal: httpx.AsyncClient) -> None:
    for path in ("/", "/request", "/static/pelangi.css", "/nothing"):
        headers = (await portal.get(path)).headers
        assert headers["content-security-policy"].startswith("default-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
    page = await portal.get("/request")
    assert page.headers["cache-control"] == "no-store"
    assert not re.findall(r' style="| onclick=|<style', page.text)
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)


async def test_logs_and_metrics_know_routes_and_nobody(portal: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await post(portal, FULL)
        await portal.get("/track?code=abcde-fgh00-m")
        await portal.get("/track/ABCDE-FGH00-M")
    ours = [record.__dict__ for record in caplog.records if record.name == "portal"]
    assert {"/request", "/track/{receipt_code}"} <= {record["route"] for record in ours}
    counted = (await portal.get("/metrics")).text
    assert 'pelangi_http_request_seconds_count{method="POST",route="/request",status="303"}' in counted
    for personal in ("Aminah", "1971045708859002", "81234567890", "FGH00", "fgh00"):
        assert personal not in str(ours)
        assert personal not in counted


def test_every_code_and_message_has_words_in_both_languages() -> None:
    assert texts.messages()["id"].keys() == texts.messages()["en"].keys()
    broken = {**texts.tables(), "Need": {"BLIND": {"id": "Tidak melihat", "en": "Blind"}}}
    with pytest.raises(ValueError, match="Need"):
        texts.check_tables(broken)
    with pytest.raises(ValueError, match="every language"):
        texts.check_tables({**texts.tables(), "More": {"X": {"id": "x"}}})


@pytest.mark.parametrize(
    ("pointer", "field"),
    [
        ("#/persons/3/guardian/phone", "persons-3-guardian-phone"),
        ("#/persons/0/guardian", "persons-0-guardian-relation"),
        ("#/persons/0/services/2", "persons-0-services"),
        ("#/persons/0", "persons-0-services"),
        ("#/persons", "persons-0-services"),
        ("#/persons/0/birth_date_precision", "persons-0-birth_date"),
        ("#/availability/4/end", "availability-end"),
        ("#/availability/4", "availability-days"),
        ("#/place", "place-village_code"),
        ("#/deadline/date", "deadline-date"),
        ("#/notes", "notes"),
        ("#/filled_at", None),
        ("#", None),
        ("", None),
    ],
)
def test_pointers_lead_to_fields(pointer: str, field: str | None) -> None:
    spot = locate(pointer)
    assert (spot.field_id if spot else None) == field


def test_a_services_own_links_are_found_under_the_portal() -> None:
    assert _under_portal("location", "/v1/requests/x", "/api/intake") == "/api/intake/v1/requests/x"
    link = _under_portal("link", '</v1/requests?cursor=x>; rel="next"', "/api/intake")
    assert link == '</api/intake/v1/requests?cursor=x>; rel="next"'
    assert _under_portal("etag", '"</1"', "/api/intake") == '"</1"'
