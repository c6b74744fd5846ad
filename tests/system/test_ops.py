"""Every query of the dashboard and of the rules has an answer on a real Prometheus that scrapes the real system at work.

A misspelt metric is no error to Prometheus, only an empty answer; so "not empty" is what is asserted.
"""

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml
from playwright.async_api import Page, expect

from pelangi.contracts.topics import SERVICES, VISIT_SCHEDULED
from pelangi.local.private import PrivateStack
from pelangi.local.process import PROJECT
from portal import ops
from tests.support.browser import accessible
from tests.support.city import simulation, wait_for
from tests.support.records import Raw, produce

REQUESTS = 25
PATIENCE_S = 60  # until the first request of the city got as far as that figure
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((PROJECT / "deploy/prometheus/rules.yml").read_text())["groups"] for rule in group["rules"]
]
# born with the first failure: in a run without one they must be empty; that they exist in the code is a test of tests/deploy
BORN_WITH_A_FAILURE = {"pelangi_leadership_failures_total", "pelangi_timer_failures_total"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateStack]:
    """A system in which requests are being simulated, and a record that nobody can read was set aside."""
    with PrivateStack(tmp_path_factory.mktemp("ops")) as running:
        produce(SimpleNamespace(login=lambda user: _login(running, user)), "scheduling", [Raw(VISIT_SCHEDULED, b"?", b"{", [])])
        with simulation(running, "--requests", str(REQUESTS), "--seed", "9"):
            yield running


def _login(stack: PrivateStack, user: str) -> dict[str, str]:
    return {
        "bootstrap.servers": stack.bootstrap,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": user,
        "sasl.password": f"{user}-dev",
    }


def series(stack: PrivateStack, query: str) -> list[dict[str, Any]]:
    """What Prometheus knows for the last five minutes; only points that are numbers."""
    now = time.time()
    form = {"query": query, "start": str(now - 300), "end": str(now), "step": str(ops.SCRAPE_S)}
    answer = httpx.post(f"{stack.url('prometheus')}/api/v1/query_range", data=form, timeout=10)
    assert answer.status_code == 200, answer.text
    found = answer.json()["data"]["result"]
    return [row for row in found if any(value != "NaN" for _, value in row["values"])]


def jobs(found: list[dict[str, Any]]) -> set[str]:
    return {row["metric"].get("job", "") for row in found}


@pytest.mark.parametrize("number", list(ops.panels()))
def test_every_query_of_the_dashboard_has_an_answer(stack: PrivateStack, number: int) -> None:
    for expression, _ in ops.panels()[number].lines:
        query = ops.filled(expression, ops.SCRAPE_S)
        wait_for(lambda q=query: bool(series(stack, q)), PATIENCE_S, query)  # type: ignore[misc]


@pytest.mark.parametrize("rule", [rule for rule in RULES if "record" in rule], ids=lambda rule: rule["record"])
def test_every_recorded_figure_has_an_answer(stack: PrivateStack, rule: dict[str, Any]) -> None:
    wait_for(lambda: bool(series(stack, rule["record"])), PATIENCE_S, rule["record"])
    assert series(stack, rule["expr"])


@pytest.mark.parametrize("rule", [rule for rule in RULES if "alert" in rule], ids=lambda rule: rule["alert"])
def test_everything_that_an_alert_looks_at_is_there(stack: PrivateStack, rule: dict[str, Any]) -> None:
    for name in re.findall(r"(?:[a-z_]+:)?\bpelangi_[a-z0-9_:]+", rule["expr"]):
        if name in BORN_WITH_A_FAILURE:
            assert series(stack, name) == []
        else:
            assert series(stack, name), name


def test_all_services_and_the_portal_are_scraped_and_seen(stack: PrivateStack) -> None:
    assert {row["metric"]["job"] for row in series(stack, "up == 1")} == {*SERVICES, "portal"}
    assert jobs(series(stack, "sum by (job) (pelangi_leader)")) == set(SERVICES)
    assert jobs(series(stack, "job:pelangi_outbox_oldest_age_seconds:max")) == set(SERVICES)


def test_requests_by_state_are_those_that_intake_lists(stack: PrivateStack) -> None:
    """The gauge is a quarter of a minute behind, so the two agree once the city is quiet."""
    query = ops.panels()[1].lines[0][0]

    def listed() -> dict[str, int]:
        answer = httpx.get(stack.url("intake") + "/v1/requests")
        assert "next" not in answer.links
        return dict(Counter(row["status"] for row in answer.json()["requests"]))

    def seen() -> dict[str, int]:
        found = {row["metric"]["status"]: int(row["values"][-1][1]) for row in series(stack, query)}
        return {status: count for status, count in found.items() if count}

    wait_for(lambda: sum(seen().values()) >= REQUESTS and seen() == listed(), 90, "the figures to be those of intake")


async def test_the_page_draws_what_prometheus_knows(stack: PrivateStack, page: Page, photos: Path) -> None:
    await page.goto(stack.url("portal") + "/ops?lang=en")
    await expect(page.locator(".figures")).to_have_attribute("data-drawn", "yes")
    # it draws again every ten seconds: what was not answered in time, or had no point yet, comes then
    await expect(page.locator(".figures canvas")).to_have_count(len(ops.panels()), timeout=60_000)
    await expect(page.get_by_text("No data yet.")).to_have_count(0)
    await expect(page.locator("[data-panel='15'] tbody")).to_contain_text("envelope")
    await accessible(page)
    await page.screenshot(path=photos / "real-ops.png", full_page=True)
