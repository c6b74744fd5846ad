"""`/ops`: how the system stands. Readiness of every service, and the dashboard's panels by a Prometheus, where there is one.

A browser asks for a panel by its number; only the dashboard's own expressions are ever evaluated.
"""

import asyncio
import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, cast

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from portal.pages import page, words_of
from portal.passthrough import problem
from portal.texts import Words

WINDOWS = (15, 60, 360, 1440)
"""How many minutes a panel may show."""
SCRAPE_S = 5
_POINTS = 240
_SERIES = 40
_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel of the dashboard; title, note and the legends in `lines` (expression, legend) may be `Indonesian / English`."""

    number: int
    title: str
    note: str
    unit: str
    lines: tuple[tuple[str, str], ...]


class NoFigures(Exception):
    """Prometheus gave no answer that can be used."""


@cache
def panels() -> Mapping[int, Panel]:
    """The dashboard that Grafana is given as well, by the numbers of its panels."""
    dashboard = json.loads((files("portal") / "data" / "dashboard.json").read_text(encoding="utf-8"))
    return {
        panel["id"]: Panel(
            panel["id"],
            panel["title"],
            panel.get("description", ""),
            panel["fieldConfig"]["defaults"]["unit"],
            tuple((target["expr"], target["legendFormat"]) for target in panel["targets"]),
        )
        for panel in dashboard["panels"]
    }


def step_of(minutes: int) -> int:
    """Seconds between two points."""
    return max(SCRAPE_S, minutes * 60 // _POINTS)


def filled(expression: str, step: int) -> str:
    """The expression with Grafana's variables replaced as Grafana replaces them. Raises ValueError for one unknown here."""
    written = expression.replace("$__rate_interval", f"{max(step + SCRAPE_S, 4 * SCRAPE_S)}s").replace("$__interval", f"{step}s")
    if "$" in written:
        raise ValueError(f"unknown variable: {written}")
    return written


@dataclass(frozen=True, slots=True)
class Watch:
    """The ways to the services' readiness and to Prometheus."""

    http: httpx.AsyncClient
    services: Mapping[str, str]
    prometheus: str

    async def readiness(self) -> dict[str, dict[str, Any] | None]:
        """What each service says of itself, `{ready, components}`; None where it does not answer."""
        answers = await asyncio.gather(*(self._ready(url) for url in self.services.values()))
        return dict(zip(self.services, answers, strict=True))

    async def _ready(self, url: str) -> dict[str, Any] | None:
        try:
            answer = (await self.http.get(f"{url}/healthz/ready", timeout=2.0)).json()
        except (httpx.HTTPError, ValueError):
            return None
        if not isinstance(answer, dict) or not isinstance(answer.get("components"), dict):
            return None
        return {"ready": answer.get("ready") is True, "components": {str(k): str(v) for k, v in answer["components"].items()}}

    async def figures(self) -> bool:
        """Whether Prometheus answers."""
        try:
            return (await self.http.get(f"{self.prometheus}/-/ready", timeout=2.0)).is_success
        except httpx.HTTPError:
            return False

    async def draw(self, panel: Panel, minutes: int, words: Words, now: float) -> dict[str, Any]:
        """`{times, series: [{label, values}]}`, a value for each time or null. Raises NoFigures."""
        step = step_of(minutes)
        end = int(now) // step * step
        start = end - minutes * 60
        times = list(range(start, end + 1, step))
        found = await asyncio.gather(*(self._matrix(filled(expr, step), start, end, step) for expr, _ in panel.lines))
        series = [
            {"label": _legend(legend, row["metric"], words), "values": _on(times, row["values"])}
            for (_, legend), rows in zip(panel.lines, found, strict=True)
            for row in rows
        ]
        return {"times": times, "series": sorted(series, key=lambda one: str(one["label"]))[:_SERIES]}

    async def _matrix(self, query: str, start: int, end: int, step: int) -> list[dict[str, Any]]:
        form = {"query": query, "start": str(start), "end": str(end), "step": str(step)}
        try:
            answer = await self.http.post(f"{self.prometheus}/api/v1/query_range", data=form, timeout=_PATIENCE_S)
            return cast(list[dict[str, Any]], answer.raise_for_status().json()["data"]["result"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise NoFigures from error


def _legend(legend: str, labels: Mapping[str, str], words: Words) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda name: labels.get(name[1], ""), words.half(legend)).strip() or "–"


def _on(times: list[int], samples: list[tuple[float, str]]) -> list[float | None]:
    known = {round(at): float(value) for at, value in samples}
    return [value if (value := known.get(at)) is not None and math.isfinite(value) else None for at in times]


def _watch(request: Request) -> Watch:
    return cast(Watch, request.app.state.watch)


async def show(request: Request) -> Response:
    """The page; where Prometheus is away it says so and still shows what the services say."""
    minutes = _minutes(request)
    readiness, figures = await asyncio.gather(_watch(request).readiness(), _watch(request).figures())
    return page(
        request,
        "ops.html",
        readiness=readiness,
        panels=list(panels().values()) if figures else [],
        figures=figures,
        windows=WINDOWS,
        minutes=minutes if minutes in WINDOWS else WINDOWS[0],
    )


async def query_range(request: Request) -> Response:
    """The points of one panel: `?panel=NUMBER&minutes=ONE OF WINDOWS`; nothing else that is sent is looked at."""
    number, minutes = request.query_params.get("panel", ""), _minutes(request)
    panel = panels().get(int(number)) if re.fullmatch(r"[0-9]{1,4}", number) else None
    if panel is None:
        return problem(404, "not_found")
    if minutes not in WINDOWS:
        return problem(422, "invalid")
    try:
        return JSONResponse(await _watch(request).draw(panel, minutes, words_of(request), time.time()))
    except NoFigures:
        return problem(502, "unreachable")


def _minutes(request: Request) -> int:
    asked = request.query_params.get("minutes", str(WINDOWS[0]))
    return int(asked) if re.fullmatch(r"[0-9]{1,4}", asked) else 0
