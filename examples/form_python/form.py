"""Posts one request to Pelangi as an event and prints the answer. Copy this folder and change it."""

import argparse
import asyncio
from pathlib import Path
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from joserfc import jwe
from joserfc.jwk import ECKey

TOPIC = "request-submitted.v1"


def seal(body: bytes, options: argparse.Namespace) -> bytes:
    jwk = httpx.get(f"{options.intake}/v1/submission-keys").raise_for_status().json()["keys"][0]
    protected = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": jwk["kid"]}
    return jwe.encrypt_compact(protected, body, ECKey.import_key(jwk)).encode()


async def post(token: bytes, options: argparse.Namespace) -> str:
    headers = [("ce_type", TOPIC), ("ce_source", f"/clients/{options.client}"), ("content-type", "application/jose")]
    login = {
        "bootstrap_servers": options.bootstrap,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": options.user,
        "sasl_plain_password": options.password,
    }
    answers = AIOKafkaConsumer("submission-answered.v1", isolation_level="read_committed", **login)
    async with answers, AIOKafkaProducer(enable_idempotence=True, **login) as producer:
        await answers.seek_to_end()  # listen first, then ask
        await producer.send_and_wait(TOPIC, token, options.key.encode(), headers=[(n, v.encode()) for n, v in headers])
        while (answer := await answers.getone()).key != options.key.encode():
            pass  # somebody else's
        return str(answer.value.decode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("body", nargs="?", type=Path, default=Path("request.json"), help="as for POST /v1/requests")
    parser.add_argument("--key", default=str(uuid4()), help="the same key and body are the same request, however often sent")
    parser.add_argument("--client", default="example-form")
    parser.add_argument("--intake", default="http://127.0.0.1:8001")
    parser.add_argument("--bootstrap", default="127.0.0.1:9092")
    parser.add_argument("--user", default="form")
    parser.add_argument("--password", default="form-dev")
    given = parser.parse_args()
    print(asyncio.run(asyncio.wait_for(post(seal(given.body.read_bytes(), given), given), 60)))
