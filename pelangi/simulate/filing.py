"""Officers at the kelurahan: they file requests, send again what got no answer, and some press the button twice."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import date
from typing import Any

from pelangi.simulate.api import Api, Unreachable, problem_code, request_key
from pelangi.simulate.bodies import request_body
from pelangi.simulate.draw import happens
from pelangi.simulate.options import Accepted, Report, SimulateOptions
from pelangi.simulate.submitting import Submitter, submitter

UNKNOWN_VILLAGE = "19.71.99.9999"


async def file_all(
    api: Api, options: SimulateOptions, report: Report, *, run: str, today: date, done: Callable[[], None]
) -> None:
    """File all requests of a run, a few at once; every 201 goes into the report, in the order of numbers."""
    slots = asyncio.Semaphore(options.concurrency)
    start = time.monotonic()

    async with AsyncExitStack() as stack:
        over_kafka: Submitter | None = None
        if options.kafka_bootstrap and options.chances.submitted:
            over_kafka = await stack.enter_async_context(submitter(api, options))

        async def one(number: int) -> None:
            async with slots:
                try:
                    body, key = request_body(options.seed, number, today), request_key(run, number)
                    if over_kafka and happens(options.chances.submitted, options.seed, "submitted", number):
                        await _submit(api, options, report, over_kafka, number=number, body=body, key=key)
                    else:
                        await _file(api, options, report, number=number, body=body, key=key)
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


async def _submit(
    api: Api, options: SimulateOptions, report: Report, client: Submitter, *, number: int, body: dict[str, Any], key: str
) -> None:
    """File over Kafka; some first with a mistake, which is refused and leaves the key free for the corrected body."""
    if happens(0.2, options.seed, "mistaken", number):
        wrong = {**body, "place": {**body["place"], "village_code": UNKNOWN_VILLAGE}}
        refused = await client.submit(key, wrong)
        if (refused["outcome"], refused["request_id"]) != ("REFUSED", None):
            report.problems["a mistaken submission was accepted"] += 1
        report.lives["submission refused"] += 1
    answer = await client.submit(key, body)
    if answer["outcome"] != "ACCEPTED":
        report.problems[f"not accepted: {' '.join(sorted({p['code'] for p in answer['problems']}))}"] += 1
        return
    report.lives["submitted over Kafka"] += 1
    whole = await api.get(f"{options.intake_url}/v1/requests/{answer['request_id']}")
    report.accepted.append(accepted(number, body, whole.json()))
    if happens(options.chances.sent_twice, options.seed, "twice", number):
        report.sent_twice += 1
        if (await client.submit(key, body))["request_id"] != answer["request_id"]:
            report.problems["the same submission got another answer"] += 1


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
