"""The portal in a real Chromium: what an officer does, what axe finds, and pictures of every page.

`portal_url` is all that the first test needs, so it can be pointed at any running portal.
`PELANGI_PHOTOS` names a folder that keeps the pictures.
"""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.browser import DESKTOP, PHONE, accessible, fill, send
from tests.web.fake_intake import FakeIntake


async def test_an_officer_files_a_request_and_tracks_it(page: Page, portal_url: str, photos: Path) -> None:
    await page.goto(f"{portal_url}/")
    await page.locator("#main").get_by_role("link", name="Ajukan permohonan").click()
    await fill(page)
    await page.screenshot(path=photos / "form-filled.png", full_page=True)
    await send(page)
    await expect(page).to_have_title(re.compile("Permohonan diterima"))
    code = await page.locator("#receipt-code").inner_text()
    assert re.fullmatch(r"[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]", code)
    await expect(page.get_by_text("GRATIS").first).to_be_visible()
    await expect(page.get_by_role("button", name="Cetak tanda terima")).to_be_visible()
    await page.get_by_role("link", name="Lacak", exact=True).click()
    await page.get_by_label("Kode tanda terima").fill(code.lower().replace("-", " "))
    await page.get_by_role("button", name="Lihat").click()
    await expect(page.get_by_role("heading", name="Selanjutnya")).to_be_visible()
    await expect(page.get_by_text("Nenek Aminah")).to_have_count(0)
    assert page.url == f"{portal_url}/track/{code}"


@pytest.mark.parametrize("look_of", [("id", "light"), ("id", "dark"), ("en", "light"), ("en", "dark")], ids="-".join)
async def test_every_page_is_accessible(
    page: Page, portal_url: str, intake_calls: FakeIntake, photos: Path, look_of: tuple[str, str]
) -> None:
    language, scheme = look_of
    intake_calls.warnings = [{"pointer": "#/persons/0/nik", "code": "nik_birth_mismatch", "detail": ""}]
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")

    async def look(name: str) -> None:
        for size, viewport in (("desktop", DESKTOP), ("phone", PHONE)):
            await page.set_viewport_size(viewport)
            await accessible(page)
            await page.screenshot(path=photos / f"{name}-{size}-{language}-{scheme}.png", full_page=True)
        await page.set_viewport_size(DESKTOP)

    async def visit(path: str, name: str) -> None:
        await page.goto(f"{portal_url}{path}?lang={language}")
        assert await page.locator("html").get_attribute("lang") == language
        await look(name)

    await visit("/", "home")
    await visit("/track", "track")
    await visit("/track/ABCDE-FGH99-M", "unknown-code")
    await visit("/nothing", "missing")
    await visit("/request", "form")
    await page.locator("#add-person").click()
    await page.locator("#persons-0-nik").fill("123")
    await page.locator("#persons-1-birth_date").fill("45")
    await page.locator(".send button").click()
    await expect(page.locator("#summary")).to_be_focused()
    await look("errors")
    await page.locator("#persons-0-nik").fill("")
    await page.locator("#persons-1-birth_date").fill("")
    await page.locator("#requester-kind").select_option("FAMILY")
    await page.locator("#place-visit_kind").select_option("HOME")
    await page.locator("#place-village_code").select_option("19.71.06.1001")
    for number in "01":
        await page.locator(f"input[name=persons-{number}-services][value=KIA]").check()
    intake_calls.away = True
    await page.locator(".send button").click()
    await expect(page.locator("#summary")).to_be_focused()
    await look("away")
    intake_calls.away = False
    await page.locator(".send button").click()
    await expect(page.locator("#receipt-code")).to_be_visible()
    await look("done")
    await page.emulate_media(media="print", color_scheme="light")
    await page.screenshot(path=photos / f"done-paper-{language}-{scheme}.png", full_page=True)
    await page.emulate_media(media="screen", color_scheme="dark" if scheme == "dark" else "light")
    await visit("/track/ABCDE-FGH00-M", "tracked")


async def test_errors_lead_to_their_fields(page: Page, portal_url: str) -> None:
    await page.goto(f"{portal_url}/request")
    await page.locator("#requester-name").press("Enter")
    await expect(page).to_have_title(re.compile("^Kesalahan: "))
    await expect(page.locator("#summary")).to_be_focused()
    for name, field in (("Pilih paling sedikit satu layanan", "#persons-0-services"), ("Pilih kelurahan", "#place-village_code")):
        await page.get_by_role("link", name=name).click()
        await expect(page.locator(field)).to_be_focused()


async def test_a_double_click_files_one_request(page: Page, portal_url: str, intake_calls: FakeIntake) -> None:
    await page.goto(f"{portal_url}/request")
    await fill(page)
    await page.locator(".send button").dblclick()
    await expect(page.locator("#receipt-code")).to_be_visible()
    assert len(intake_calls.filed) == 1
    assert len(intake_calls.calls) == 1


async def test_everything_works_without_javascript(
    browser: Browser, portal_url: str, intake_calls: FakeIntake, photos: Path
) -> None:
    context = await browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{portal_url}/request")
    await fill(page)
    await page.get_by_role("button", name="Tambah orang").click()
    await expect(page.locator("#persons-0-name")).to_have_value("Nenek Aminah")
    await expect(page.locator("#persons-1-name")).to_be_focused()
    await send(page)
    await expect(page.locator("#summary")).to_be_focused()
    await page.get_by_role("button", name="English").click()
    await expect(page.get_by_role("heading", name="File a request")).to_be_visible()
    await page.get_by_role("button", name="Indonesia").click()
    await page.get_by_role("button", name="Hapus orang 2").click()
    await expect(page.locator("#persons-0-needs")).to_be_checked()
    await page.locator(".send button").dblclick()
    await expect(page.locator("#receipt-code")).to_be_visible()
    await page.screenshot(path=photos / "done-without-javascript.png", full_page=True)
    assert len(intake_calls.filed) == 1
    await context.close()


async def test_a_person_added_in_place_is_sent(page: Page, portal_url: str, intake_calls: FakeIntake) -> None:
    await page.goto(f"{portal_url}/request")
    await fill(page)
    await page.get_by_role("button", name="Tambah orang").click()
    await expect(page.locator("#persons-1-name")).to_be_focused()
    second = page.get_by_role("group", name="Orang 2", exact=True)
    await second.get_by_label("Nama lengkap").fill("Cucu")
    await second.get_by_label("Akta kelahiran").check()
    await send(page)
    await expect(page.locator("#receipt-code")).to_be_visible()
    assert [person["services"] for person in intake_calls.filed[0]["persons"]] == [["KTP_RECORDING"], ["BIRTH_CERT"]]
