"""A real Chromium for tests of the pages, and what an officer does in it."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, ViewportSize, async_playwright

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the pages go."""
    folder = Path(os.environ.get("PELANGI_PHOTOS") or tmp_path_factory.mktemp("photos"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all tests."""
    assert CHROMIUM, "Chromium is not installed: make tools"
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        await running.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A new visitor with JavaScript; the test fails when a page throws or asks another host for something."""
    context = await browser.new_context(viewport=DESKTOP)
    visited = await context.new_page()
    wrong: list[str] = []
    visited.on("pageerror", lambda error: wrong.append(str(error)))
    visited.on("request", lambda request: None if "//127.0.0.1:" in request.url else wrong.append(request.url))
    visited.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    yield visited
    await context.close()
    assert wrong == []


async def fill(page: Page) -> None:
    """Fills the form as an officer would for one person."""
    await page.get_by_label("Pemohon adalah").select_option(label="Ketua RT/RW")
    await page.locator("#requester-phone").fill("0812 3456 7890")
    person = page.get_by_role("group", name="Orang 1", exact=True)
    await person.get_by_label("Nama lengkap").fill("Nenek Aminah")
    await person.get_by_label("NIK", exact=True).fill("1971 0457 0885 9002")
    await person.get_by_label("Perekaman KTP-el").check()
    await person.get_by_label("Terbaring di tempat tidur").check()
    await page.get_by_label("Jenis kunjungan").select_option(label="Ke rumah")
    await page.get_by_label("Kelurahan (wajib)").select_option(label="Keramat")
    await page.get_by_label("Patokan").fill("rumah biru di belakang musala")


async def send(page: Page) -> None:
    await page.locator("#main").get_by_role("button", name="Kirim permohonan").click()


async def accessible(page: Page) -> None:
    """Asserts that axe finds nothing and that nothing sticks out sideways."""
    results = await Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
