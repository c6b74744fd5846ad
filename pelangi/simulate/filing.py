"""Officers at the kelurahan: they file requests, send again what got no answer, and some press the button twice."""

import asyncio
import time
from collections.abc import Callable
from datetime import date
from typing import Any

from pelangi.simulate.api import Api, Unreachable, problem_code, request_key
from pelangi.simulate.bodies import request_body
from pelangi.simulate.draw import happens
from pelangi.simulate.options import Accepted, Report, SimulateOptions


async def file_all(
    api: Api, options: SimulateOptions, report: Report, *, run: str, today: date, done: Callable[[], None]
) -> None:
    """File all requests of a run, a few at once; every 201 goes into the report, in the order of numbers."""
    slots = asyncio.Semaphore(options.concurrency)
    start = time.monotonic()

    async def one(number: int) -> None:
        async with slots:
            try:
                body = request_body(options.seed, number, today)
                await _file(api, options, report, number=number, body=body, key=request_key(run, number))
            except Unreachable as error:
                report.problems[f"not filed: {error}"] += 1
        done()

    async with asyncio.TaskGroup() as group:
        for number in range(options.requests):
            group.create_task(one(number))
    report.accepted.sort(key=lambda request: request.number)
    report.filing_s = time.monotonic() - start


async def _file(api: Api, options: SimulateOptions, report: Report, *, number: int, body: dict[str, Any], key: str) -> None:
    url = f"{options.intake_url}/v1/requests"
    answer = await api.post(url, body, key=key)
    if answer.status_code != 201:
        report.problems[f"not accepted: {problem_code(answer)}"] += 1
        return
    report.accepted.append(accepted(number, body, answer.json()))
    if happens(options.chances.sent_twice, options.seed, "twice", number):
        report.sent_twice += 1
        again = await api.post(url, body, key=key)
        if (again.status_code, again.content) != (201, answer.content):
            report.problems["the same key got another answer"] += 1


def accepted(number: int, body: dict[str, Any], answer: dict[str, Any]) -> Accepted:
    """What is remembered of a 201."""
    services = {service for person in body["persons"] for service in person["services"]}
    return Accepted(
        number=number,
        request_id=answer["request_id"],
        receipt_code=answer["receipt_code"],
        status_at_201=answer["status"],
        due_on=answer["due_on"],
        visit_kind=str(body["place"]["visit_kind"]),
        village_code=body["place"]["village_code"],
        channel=str(body["channel"]),
        requester_kind=str(body["requester"]["kind"]),
        services=tuple(sorted(map(str, services))),
        persons_count=len(body["persons"]),
        items_count=len(answer["items"]),
        status=answer["status"],
    )
