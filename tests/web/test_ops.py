"""/ops: readiness of the services, and the dashboard's panels through a proxy that evaluates nothing else."""

import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from playwright.async_api import Page, expect
from pydantic import HttpUrl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portal import ops
from portal.app import create_app
from portal.settings import PortalSettings
from portal.texts import Words
from tests.support.browser import DESKTOP, PHONE, accessible
from tests.web.conftest import served

PANEL, MINUTES = 8, 15  # two lines, one of them with a variable
LABELS = ("job", "status", "reason", "visit_kind", "outcome", "state", "component")


@dataclass
class Backstage:
    """Services and a Prometheus in one application. `away`: hosts that do not answer; `asked`: the queries evaluated."""

    away: set[str] = field(default_factory=set)
    asked: list[dict[str, str]] = field(default_factory=list)
    status: int = 200

    async def ready(self, request: Request) -> Response:
        service = request.path_params["service"]
        state = "disconnected" if service == "notify" else "ready"
        return JSONResponse({"ready": state == "ready", "components": {"kafka": state}}, 200 if state == "ready" else 503)

    async def evaluate(self, request: Request) -> Response:
        form = {name: value[0] for name, value in parse_qs((await request.body()).decode()).items()}
        self.asked.append(form)
        start, end, step = (int(form[name]) for name in ("start", "end", "step"))
        rows = [
            {"metric": dict.fromkeys(LABELS, job), "values": [[t, str(math.sin(t / 90) + 2)] for t in times]}
            for job, times in (("intake", range(start, end + 1, step)), ("notify", range(start + 2 * step, end + 1, step)))
        ]
        rows[0]["values"][0][1] = "NaN"  # type: ignore[index]
        return JSONResponse({"status": "success", "data": {"resultType": "matrix", "result": rows}}, self.status)

    async def fine(self, _: Request) -> Response:
        return JSONResponse({})

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/{service}/healthz/ready", self.ready),
                Route("/prometheus/-/ready", self.fine),
                Route("/prometheus/api/v1/query_range", self.evaluate, methods=["POST"]),
            ]
        )

    def transport(self) -> httpx.AsyncBaseTransport:
        inner = httpx.ASGITransport(app=self.app())

        class Transport(httpx.AsyncBaseTransport):
            async def handle_async_request(_, request: httpx.Request) -> httpx.Response:
                if request.url.path.split("/")[1] in self.away:
                    raise httpx.ConnectError("away")
                return await inner.handle_async_request(request)

        return Transport()


def settings(base: str = "http://backstage") -> PortalSettings:
    urls = {f"{name}_url": HttpUrl(f"{base}/{name}") for name in ("intake", "scheduling", "issuance", "notify", "prometheus")}
    return PortalSettings(**urls)  # type: ignore[arg-type]


@pytest.fixture
def backstage() -> Backstage:
    return Backstage()


@pytest.fixture
async def client(backstage: Backstage) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings(), transport=backstage.transport())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://portal") as client:
        yield client


async def test_page_says_what_each_service_says_of_itself(client: httpx.AsyncClient, backstage: Backstage) -> None:
    backstage.away = {"issuance"}
    page = (await client.get("/ops?lang=en")).text
    rows = {row.split("</th>")[0]: row for row in page.split('<th scope="row">')[1:]}
    assert "✓ ready" in rows["intake"] and "kafka: ready" in rows["intake"]
    assert "✗ not ready" in rows["notify"] and "kafka: disconnected" in rows["notify"]
    assert "✗ does not answer" in rows["issuance"]
    assert page.count("data-panel=") == len(ops.panels())


@pytest.mark.parametrize(
    ("language", "words"), [("id", "Prometheus tidak dapat dihubungi"), ("en", "Prometheus cannot be reached")]
)
async def test_without_prometheus_the_page_says_so_and_still_shows_readiness(
    client: httpx.AsyncClient, backstage: Backstage, language: str, words: str
) -> None:
    backstage.away = {"prometheus"}
    answer = await client.get(f"/ops?lang={language}")
    assert answer.status_code == 200
    assert words in answer.text
    assert "kafka: ready" in answer.text
    assert "data-panel=" not in answer.text
    assert (await client.get("/ops/query_range?panel=1")).status_code == 502


async def test_panel_is_drawn_on_one_row_of_times(client: httpx.AsyncClient, backstage: Backstage) -> None:
    answer = (await client.get(f"/ops/query_range?panel={PANEL}&minutes={MINUTES}&lang=en")).json()
    times = answer["times"]
    assert len(times) == MINUTES * 60 // 5 + 1
    assert {later - at for at, later in pairwise(times)} == {5}
    assert [one["label"] for one in answer["series"]] == ["due", "due", "put off by a fault", "put off by a fault"]
    first, second = answer["series"][0]["values"], answer["series"][1]["values"]
    assert len(first) == len(second) == len(times)
    assert first[0] is None and None not in first[1:], "NaN is no number"
    assert second[:2] == [None, None] and None not in second[2:], "a line may begin later"
    assert {asked["query"] for asked in backstage.asked} == {ops.filled(expr, 5) for expr, _ in ops.panels()[PANEL].lines}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("panel=999", 404),
        ("panel=-1", 404),
        ("panel=up", 404),
        ("panel=%D9%A1", 404),
        ("", 404),
        ("query=up", 404),
        (f"panel={PANEL}&minutes=7", 422),
        (f"panel={PANEL}&minutes=99999999999999999999", 422),
        (f"panel={PANEL}&minutes=x", 422),
    ],
)
async def test_whatever_is_not_the_dashboards_is_refused(
    client: httpx.AsyncClient, backstage: Backstage, query: str, status: int
) -> None:
    answer = await client.get(f"/ops/query_range?{query}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert backstage.asked == []


async def test_an_expression_that_is_sent_along_is_never_evaluated(client: httpx.AsyncClient, backstage: Backstage) -> None:
    sent = {"panel": "1", "query": "up", "expr": "up", "start": "0", "end": "1", "step": "1", "job": '"} or up'}
    assert (await client.get("/ops/query_range", params=sent)).status_code == 200
    assert (await client.post("/ops/query_range", data={"query": "up"})).status_code == 405
    (asked,) = backstage.asked
    assert asked["query"] == ops.panels()[1].lines[0][0]
    assert int(asked["end"]) - int(asked["start"]) == 900


async def test_prometheus_cannot_be_reached_by_the_services_door(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/prometheus/v1/query?query=up")).status_code == 404


async def test_an_error_of_prometheus_is_no_answer(client: httpx.AsyncClient, backstage: Backstage) -> None:
    backstage.status = 503
    assert (await client.get("/ops/query_range?panel=1")).status_code == 502


def test_windows_have_few_points_and_rates_that_span_four_scrapes() -> None:
    for minutes in ops.WINDOWS:
        step = ops.step_of(minutes)
        assert minutes * 60 % step == 0
        assert minutes * 60 / step <= 240
    assert ops.filled("rate(x[$__rate_interval])", 5) == "rate(x[20s])"
    assert ops.filled("rate(x[$__rate_interval])", 90) == "rate(x[95s])"
    with pytest.raises(ValueError, match="unknown variable"):
        ops.filled("rate(x[$__range])", 5)


@pytest.mark.parametrize("language", ["id", "en"])
def test_every_panel_speaks_the_language_of_its_reader(language: str) -> None:
    words = Words(language)
    for panel in ops.panels().values():
        for text in (panel.title, panel.note, *(legend for _, legend in panel.lines)):
            assert " / " not in words.half(text)


@pytest.fixture
def url(backstage: Backstage) -> Iterator[str]:
    with served(backstage.app()) as behind, served(create_app(settings(behind))) as url:
        yield url


@pytest.mark.parametrize("look_of", [("id", "light"), ("en", "dark")], ids="-".join)
async def test_page_is_drawn_and_accessible(page: Page, url: str, photos: Path, look_of: tuple[str, str]) -> None:
    language, scheme = look_of
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for size, viewport in (("desktop", DESKTOP), ("phone", PHONE)):
        await page.set_viewport_size(viewport)
        await page.goto(f"{url}/ops?lang={language}")
        await expect(page.locator(".figures")).to_have_attribute("data-drawn", "yes")
        await expect(page.locator(".figures canvas")).to_have_count(len(ops.panels()))
        await expect(page.locator("[data-panel='18'] tbody td").first).to_contain_text("%")
        await accessible(page)
        await page.screenshot(path=photos / f"ops-{size}-{language}-{scheme}.png", full_page=True)


async def test_page_without_prometheus_is_accessible(page: Page, photos: Path, backstage: Backstage) -> None:
    with served(backstage.app()) as behind:
        nobody: Any = HttpUrl("http://127.0.0.1:9")
        with served(create_app(settings(behind).model_copy(update={"prometheus_url": nobody}))) as url:
            await page.goto(f"{url}/ops")
            await expect(page.get_by_text("Prometheus tidak dapat dihubungi")).to_be_visible()
            await accessible(page)
            await page.screenshot(path=photos / "ops-without-prometheus.png", full_page=True)
