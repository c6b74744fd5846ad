"""The simulated city: files requests and plays officers, teams and the desk until every request has ended."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin
from uuid import uuid4

import httpx
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pelangi.contracts.codes import OPEN_REQUEST_STATUSES, RequestStatus
from pelangi.simulate.aftermath import correct_some
from pelangi.simulate.api import CALL_TIMEOUT_S, Api, Unreachable
from pelangi.simulate.city import City
from pelangi.simulate.filing import file_all
from pelangi.simulate.options import Followed, Report, SimulateOptions, Stuck, ended

TICK_S = 0.1
LIST_EVERY_S = 2.0
PLAYER_RETRY_S = 5.0
_PLAYABLE = sorted(str(status) for status in OPEN_REQUEST_STATUSES - {RequestStatus.NEEDS_INFO})


async def simulate(options: SimulateOptions, transport: httpx.AsyncBaseTransport | None = None) -> Report:
    """File `options.requests` requests, then play until all have ended or `timeout_s` is over."""
    report, start = Report(), time.monotonic()
    run = options.run or uuid4().hex
    with _progress(options) as bar:
        async with _api(options, run, transport) as api:
            filed = bar.add_task("filed", total=options.requests)
            today = datetime.now(UTC).date()
            await file_all(api, options, report, run=run, today=today, done=lambda: bar.advance(filed))
            followed = [Followed(a.request_id, a.number, a.status_at_201) for a in report.accepted]
            task = bar.add_task("ended", total=len(followed))
            city = City(api, options, report, today, {a.number: a.request_id for a in report.accepted})
            deadline = start + options.timeout_s
            await city.desk.keep_few_blanks()
            await _until_ended(city, followed, options, deadline, lambda count: bar.update(task, completed=count))
            await correct_some(city.desk, followed, options, report)
            report.retries = api.retries
    _conclude(report, followed)
    report.seconds = time.monotonic() - start
    return report


async def play_all(options: SimulateOptions, stop: asyncio.Event, transport: httpx.AsyncBaseTransport | None = None) -> Report:
    """Play teams and desk for every open request that intake lists, until `stop` is set.

    Nobody is withdrawn or refused here: those are decisions of people. Others may play at the same time.
    """
    chances = replace(options.chances, item_rejected=0.0, item_withdrawn=0.0, request_withdrawn=0.0, document_returned=0.0)
    options = replace(options, chances=chances, retry_s=min(options.retry_s, PLAYER_RETRY_S))
    report, start = Report(), time.monotonic()
    async with _api(options, options.run or uuid4().hex, transport) as api:
        city = City(api, options, report, datetime.now(UTC).date(), {})
        followed: dict[str, Followed] = {}
        listed = 0.0
        while not stop.is_set():
            try:
                if time.monotonic() - listed >= LIST_EVERY_S:
                    found = [id_ async for id_ in _open_requests(api, options.intake_url)]
                    followed = {id_: followed.get(id_) or Followed(id_) for id_ in found}
                    listed = time.monotonic()
                await _round(city, followed.values(), options)
            except Unreachable:  # a service is away: so is its player, until it is back
                await _pause(stop, LIST_EVERY_S)
            await _pause(stop, TICK_S)
        report.retries = api.retries
    report.seconds = time.monotonic() - start
    return report


async def _until_ended(
    city: City, followed: list[Followed], options: SimulateOptions, deadline: float, told: Callable[[int], None]
) -> None:
    while time.monotonic() < deadline:
        open_ = [request for request in followed if not city.is_over(request)]
        told(len(followed) - len(open_))
        if not open_:
            return
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0.0)):
                await _round(city, open_, options)
        except (TimeoutError, Unreachable):
            pass
        await asyncio.sleep(TICK_S)


async def _round(city: City, followed: Iterable[Followed], options: SimulateOptions) -> None:
    """Look at every request that is due, then play the visits found, beginning in order of date."""
    due = [request for request in followed if request.due <= time.monotonic()]
    slots = asyncio.Semaphore(options.concurrency)
    visits: dict[str, Any] = {}
    acted: set[str] = set()

    async def look(request: Followed) -> None:
        async with slots:
            for visit in await city.look(request):
                visits[visit["visit_id"]] = visit
                acted.add(request.request_id)
        request.again(time.monotonic(), options.poll_s, acted=request.request_id in acted or not request.pause_s)

    async def play(visit_id: str) -> None:
        async with slots:
            await city.teams.play(visit_id)

    await _all(look(request) for request in due)
    by_date = sorted(visits, key=lambda id_: (visits[id_]["date"], id_))
    await _all(play(id_) for id_ in by_date)  # the semaphore lets them through in this order


async def _all(work: Iterable[Any]) -> None:
    """Do all of it; then raise the first failure, if any: one request that cannot be played must not hold the others."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def _open_requests(api: Api, intake_url: str) -> AsyncIterator[str]:
    """Every request that somebody could still do something about, following RFC 8288 `next` links."""
    for status in _PLAYABLE:
        url: str | None = f"{intake_url}/v1/requests?status={status}"
        while url is not None:
            answer = await api.get(url)
            if answer.status_code != 200:
                break
            for row in answer.json()["requests"]:
                yield str(row["request_id"])
            following = answer.links.get("next", {}).get("url")
            url = urljoin(url, following) if following else None


def _conclude(report: Report, followed: list[Followed]) -> None:
    """Write into the report how each request ended, and which did not."""
    for accepted, request in zip(report.accepted, followed, strict=True):
        accepted.status, accepted.withdrawn = request.status, request.withdrawn
        if not ended(request.status):
            report.stuck.append(Stuck(request.request_id, request.seen))


@asynccontextmanager
async def _api(options: SimulateOptions, run: str, transport: httpx.AsyncBaseTransport | None) -> AsyncIterator[Api]:
    limits = httpx.Limits(max_connections=options.concurrency * 2)
    async with httpx.AsyncClient(timeout=CALL_TIMEOUT_S, limits=limits, transport=transport, trust_env=False) as client:
        yield Api(client, run, options.retry_s)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but not longer than until `stop`."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


def _progress(options: SimulateOptions) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, disable=options.quiet)
