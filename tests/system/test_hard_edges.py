"""What nobody should send to a running system: schemathesis on every service, odd JSON, slow bodies, thousands of idle lines.

Nothing is echoed, nothing answers 5xx, and what was taken is not lost.
"""

import asyncio
import json
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from pelangi.local.private import PrivateStack
from tests.support.bodies import body
from tests.support.city import SERVICES, wait_for

CONFIG = Path(__file__).with_name("schemathesis.toml")
IDLE = 5_000
SLOW = 200
NIK = "1971042902609001"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateStack]:
    with PrivateStack(tmp_path_factory.mktemp("edges")) as running:
        yield running


@pytest.fixture(scope="module")
def http(stack: PrivateStack) -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30, trust_env=False) as client:
        yield client


def post(http: httpx.Client, stack: PrivateStack, raw: bytes, **headers: str) -> httpx.Response:
    known = {"Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
    return http.post(f"{stack.url('intake')}/v1/requests", content=raw, headers={**known, **headers})


def file(http: httpx.Client, stack: PrivateStack) -> str:
    answer = post(http, stack, json.dumps(body()).encode())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["request_id"])


@pytest.mark.parametrize("service", SERVICES)
def test_schemathesis_finds_nothing(stack: PrivateStack, service: str, record_property: Any) -> None:
    """All its checks; examples are drawn from the service's own OpenAPI, good and bad."""
    st = Path(sys.executable).with_name("st")
    argv = [str(st), "--config-file", str(CONFIG), "run", f"{stack.url(service)}/openapi.json", "--checks", "all"]
    argv += ["--phases", "coverage,fuzzing", "--max-examples", "40", "--generation-deterministic", "--continue-on-failure"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=400, check=False, cwd=stack.folder)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
    assert "unresolvable reference" not in done.stdout, done.stdout[-3000:]
    cases = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert cases is not None and cases[1] == cases[2], done.stdout[-2000:]
    record_property("cases", cases[1])
    print(f"schemathesis {service}: {cases[1]} cases")  # noqa: T201 - counted in the closing note


ODD: dict[str, bytes] = {
    "deep nesting": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "a number without end": b'{"channel": ' + b"9" * 100_000 + b"}",
    "an exponent without end": b'{"channel": 1e400}',
    "not a number": b'{"channel": NaN}',
    "infinity": b'{"channel": -Infinity}',
    "a lone surrogate": b'{"channel": "\\ud800"}',
    "a lone surrogate as key": b'{"\\udfff": 1}',
    "duplicate keys": b'{"channel": "API", "channel": "PHONE"}',
    "duplicate keys inside": json.dumps(body()).encode().replace(b'"kind"', b'"kind": "SELF", "kind"', 1),
    "not UTF-8": b'{"channel": "\xff\xfe"}',
    "UTF-16": json.dumps(body()).encode("utf-16"),
    "nothing": b"",
    "white space": b" \n\t ",
    "two values": b"{} {}",
    "a comma too many": b'{"channel": "API",}',
}


@pytest.mark.parametrize("what", ODD)
def test_odd_json_is_400_and_repeats_nothing(stack: PrivateStack, http: httpx.Client, what: str) -> None:
    answer = post(http, stack, ODD[what])
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.text) < 400


@pytest.mark.parametrize("operator", [{"$gt": ""}, {"$where": "sleep(1000)"}, {"$ne": None}, {"$regex": ".*"}])
def test_operator_objects_are_values_of_the_wrong_type(stack: PrivateStack, http: httpx.Client, operator: Any) -> None:
    spoilt: list[dict[str, Any]] = [
        body(channel=operator),
        body(persons=[{"name": operator, "services": ["KIA"]}]),
        {**body(), "place": {**body()["place"], "village_code": operator}},
        {**body(), **operator},
    ]
    for value in spoilt:
        assert post(http, stack, json.dumps(value).encode()).status_code == 422
    for path in (
        "/v1/tracking/$gt",
        '/v1/tracking/{"$gt":""}',
        "/v1/requests?status[$ne]=x&village_code[$gt]=",
        "/v1/requests?cursor=$gt",
    ):
        assert http.get(stack.url("intake") + path).status_code in (200, 404, 422)


def test_a_nik_in_any_place_is_never_repeated(stack: PrivateStack, http: httpx.Client) -> None:
    spoilt = [
        {**body(), NIK: NIK},
        body(channel=NIK),
        body(persons=[{"nik": NIK + "9", "services": ["KTP_RECORDING"]}]),
        body(persons=[{"ref": NIK + "-" + NIK, "services": ["KTP_RECORDING"]}]),
        {**body(), "place": {**body()["place"], "village_code": NIK}},
    ]
    for value in spoilt:
        answer = post(http, stack, json.dumps(value).encode())
        assert answer.status_code == 422
        assert NIK not in answer.text
    for path in (f"/v1/requests/{NIK}", f"/v1/tracking/{NIK}", f"/v1/requests?cursor={NIK}", f"/{NIK}"):
        answer = http.get(stack.url("intake") + path)
        assert answer.status_code in (404, 422)
        assert NIK not in answer.text
    for log in (stack.folder / "log").glob("*.log"):
        assert NIK not in log.read_text(errors="replace"), log.name
    for service in SERVICES:
        assert NIK not in http.get(f"{stack.url(service)}/metrics").text


def test_a_megabyte_is_the_limit(stack: PrivateStack, http: httpx.Client) -> None:
    padding = b" " * (1_000_000 - len(json.dumps(body())))
    assert post(http, stack, json.dumps(body()).encode() + padding).status_code == 201
    assert post(http, stack, json.dumps(body()).encode() + padding + b" ").status_code == 413


async def _slow_line(port: int) -> asyncio.StreamWriter:
    """A caller that says how much it will send, sends one byte, and waits."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/requests HTTP/1.1\r\nHost: x\r\nIdempotency-Key: {uuid4()}\r\nContent-Type: application/json\r\n"
    writer.write(head.encode() + b"Content-Length: 5000\r\n\r\n{")
    await writer.drain()
    return writer


async def test_slow_bodies_keep_nobody_else_waiting(stack: PrivateStack) -> None:
    lines = [await _slow_line(stack.ports["intake"]) for _ in range(SLOW)]
    async with httpx.AsyncClient(base_url=stack.url("intake"), timeout=20, trust_env=False) as client:
        for _ in range(20):
            answer = await client.post("/v1/requests", json=body(), headers={"Idempotency-Key": str(uuid4())})
            assert answer.status_code == 201
        assert (await client.get("/healthz/ready")).status_code == 200
    for line in lines:
        line.close()


async def test_five_thousand_idle_lines(stack: PrivateStack) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= IDLE + 1000, f"this machine allows {hard} open files; {IDLE} idle connections need more"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, IDLE + 1000), hard))
    lines = []
    try:
        for at in range(IDLE):
            _, writer = await asyncio.open_connection("127.0.0.1", stack.ports["intake" if at % 2 else "portal"])
            lines.append(writer)
        async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
            for _ in range(20):
                url = f"{stack.url('intake')}/v1/requests"
                answer = await client.post(url, json=body(), headers={"Idempotency-Key": str(uuid4())})
                assert answer.status_code == 201
            assert (await client.get(f"{stack.url('portal')}/request")).status_code == 200
            assert (await client.get(f"{stack.url('intake')}/healthz/ready")).status_code == 200
    finally:
        for line in lines:
            line.close()


def test_nothing_was_lost_and_nothing_broke(stack: PrivateStack, http: httpx.Client) -> None:
    """After all of this: a request still goes its way, no service answered 5xx, none was started again."""
    request_id = file(http, stack)

    def planned() -> bool:
        answer = http.get(f"{stack.url('scheduling')}/v1/requests/{request_id}")
        return answer.status_code == 200 and bool(answer.json()["visits"])

    wait_for(planned, 60, "a visit")
    for service in SERVICES:
        text = http.get(f"{stack.url(service)}/metrics").text
        answered = [line for line in text.splitlines() if line.startswith("pelangi_http_request_seconds_count{")]
        broken = [line for line in answered if 'status="5' in line and "/healthz/ready" not in line]  # not ready while it starts
        assert broken == [], broken
        dead = [line for line in text.splitlines() if line.startswith("pelangi_dead_letters_total{")]
        assert dead == [], dead
    restarts = {name: program["restarts"] for name, program in stack.state()["programs"].items()}
    assert set(restarts.values()) == {0}, restarts
