"""Other city systems: they file over Kafka instead of HTTP, encrypted to intake, and wait for the answer of each."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from pelangi.contracts.submissions import seal_submission, submission_headers
from pelangi.contracts.topics import REQUEST_SUBMITTED, SUBMISSION_ANSWERED
from pelangi.simulate.api import Api, Unreachable
from pelangi.simulate.options import SimulateOptions

USER = "form"
CLIENT = "simulated-hospital"
ANSWER_S = 20.0
"""After which a submission that got no answer is sent again, with the same key."""

Json = dict[str, Any]


class Submitter:
    """One client of `request-submitted.v1`."""

    def __init__(self, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer, jwk: Json, retry_s: float) -> None:
        self._producer = producer
        self._consumer = consumer
        self._jwk = jwk
        self._tries = max(int(retry_s // ANSWER_S), 1)
        self._waiting: dict[str, asyncio.Future[Json]] = {}

    async def submit(self, key: str, body: Json) -> Json:
        """The answer to one submission: `{outcome, request_id, problems}`. Raises Unreachable."""
        token = seal_submission(self._jwk, json.dumps(body).encode(), key)
        headers = submission_headers(CLIENT)
        for _ in range(self._tries):
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
            await self._producer.send_and_wait(REQUEST_SUBMITTED, token.encode(), key=key.encode(), headers=headers)
            try:
                return await asyncio.wait_for(answer, ANSWER_S)
            except TimeoutError:
                continue
        raise Unreachable("no answer to a submission")

    async def listen(self) -> None:
        """Give every answer to whoever waits for it, for ever."""
        async for record in self._consumer:
            waiting = self._waiting.get((record.key or b"").decode(errors="replace"))
            if waiting is not None and not waiting.done() and record.value is not None:
                waiting.set_result(dict(json.loads(record.value)))


@asynccontextmanager
async def submitter(api: Api, options: SimulateOptions) -> AsyncIterator[Submitter]:
    """A client that listens already before it sends anything."""
    keys = await api.get(f"{options.intake_url}/v1/submission-keys")
    login = {
        "bootstrap_servers": options.kafka_bootstrap.split(","),
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": USER,
        "sasl_plain_password": f"{USER}-dev",
    }
    producer = AIOKafkaProducer(**login, enable_idempotence=True)
    consumer = AIOKafkaConsumer(SUBMISSION_ANSWERED, **login, isolation_level="read_committed", auto_offset_reset="latest")
    async with producer, consumer:
        for partition in consumer.assignment():
            await consumer.position(partition)  # what is answered from here on is heard
        client = Submitter(producer, consumer, keys.json()["keys"][0], options.retry_s)
        listening = asyncio.create_task(client.listen())
        try:
            yield client
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
