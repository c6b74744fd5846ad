"""A person files a request in a browser and sees it through: visit, documents, closing, messages."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from pelangi.local.private import PrivateStack
from tests.support.browser import accessible, fill, send

PATIENCE_S = 90


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateStack]:
    """What `make up` starts: everything, and a player of teams and desk."""
    with PrivateStack(tmp_path_factory.mktemp("browser"), ("--play",)) as running:
        yield running


async def test_filed_in_a_browser_and_seen_through(stack: PrivateStack, page: Page, photos: Path) -> None:
    await page.goto(stack.url("portal") + "/request")
    await fill(page)
    filed = time.monotonic()
    await send(page)
    await expect(page).to_have_title(re.compile("Permohonan diterima"))
    await accessible(page)
    await page.screenshot(path=photos / "real-confirmation.png", full_page=True)
    code = await page.locator("#receipt-code").inner_text()

    async def ask(program: str, path: str) -> Any:
        async with httpx.AsyncClient(base_url=stack.url(program)) as client:
            return (await client.get(path)).json()

    while (answer := await ask("intake", f"/v1/tracking/{code}"))["closed"] is None:
        assert time.monotonic() - filed < PATIENCE_S, answer
        await page.wait_for_timeout(300)
    assert answer["closed"]["outcome"] == "COMPLETED"
    assert {item["status"] for item in answer["items"]} == {"DONE"}

    await page.goto(f"{stack.url('portal')}/track/{code}")
    await accessible(page)
    await page.screenshot(path=photos / "real-tracking.png", full_page=True)
    await expect(page.get_by_text("Nenek Aminah")).to_have_count(0)

    async def subjects() -> list[str]:
        mails = (await ask("mailbox", "/api/messages?limit=100"))["messages"]
        return [mail["subject"] for mail in mails if code in mail["text"]]

    while len(told := await subjects()) < 4:  # received, date, visit done, closed
        assert time.monotonic() - filed < PATIENCE_S, told
        await page.wait_for_timeout(300)
    await page.goto(stack.url("mailbox") + "/")
    await page.screenshot(path=photos / "real-mailbox.png", full_page=True)
