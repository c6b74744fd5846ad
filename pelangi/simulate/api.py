"""Calls of the public HTTP API that survive what a real network and a restarting service do.

A call is repeated on a lost connection, a time-out or a 5xx, with the same Idempotency-Key, so that it has one effect.
"""

import asyncio
import json
import time
from typing import Any
from uuid import UUID, uuid5

import httpx

KEY_NAMESPACE = UUID("4f1c2c1e-3a2d-5d0b-8a53-71b1a5e6f002")
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
CALL_TIMEOUT_S = 30.0


class Unreachable(Exception):
    """A call found no answer in the time allowed; the text is the path without ids."""


def request_key(run: str, number: int) -> str:
    """The idempotency key of request `number` of a run."""
    return str(uuid5(KEY_NAMESPACE, f"{run}|{number}"))


def step_key(run: str, path: str, body: Any) -> str:
    """The key of a later call: the same step with the same body is the same call."""
    return str(uuid5(KEY_NAMESPACE, f"{run}|{path}|{json.dumps(body, sort_keys=True)}"))


class Api:
    """One HTTP client for all services. `retries` counts repeated calls."""

    def __init__(self, client: httpx.AsyncClient, run: str, retry_s: float) -> None:
        self._client = client
        self._run = run
        self._retry_s = retry_s
        self.retries = 0

    async def get(self, url: str) -> httpx.Response:
        """The answer, whatever its status below 500. Raises Unreachable."""
        return await self._call(self._client.build_request("GET", url))

    async def post(self, url: str, body: Any, *, key: str = "", salt: str = "", if_match: int | None = None) -> httpx.Response:
        """The answer, whatever its status below 500. Raises Unreachable.

        key: the Idempotency-Key; without one it is derived from the run, the address and the body. salt: makes the same call
        another one, where it is meant to have its effect once more.
        """
        return await self._write("POST", url, body, key=key, salt=salt, if_match=if_match)

    async def put(self, url: str, body: Any, *, if_match: int | None) -> httpx.Response:
        """The answer to a replacement of what had that version, as for `post`."""
        return await self._write("PUT", url, body, key="", salt="", if_match=if_match)

    async def _write(self, method: str, url: str, body: Any, *, key: str, salt: str, if_match: int | None) -> httpx.Response:
        path = httpx.URL(url).path
        headers = {"Idempotency-Key": key or step_key(self._run, f"{path}{salt}", body)}
        if if_match is not None:
            headers["If-Match"] = f'"{if_match}"'
        return await self._call(self._client.build_request(method, url, json=body, headers=headers))

    async def _call(self, request: httpx.Request) -> httpx.Response:
        deadline, pause = time.monotonic() + self._retry_s, FIRST_PAUSE_S
        while True:
            try:
                response = await self._client.send(request)
                if response.status_code < 500 and response.status_code != 429:
                    return response
            except httpx.TransportError:
                pass
            if time.monotonic() + pause > deadline:
                raise Unreachable(f"{request.method} {request.url.host}:{request.url.port}")
            self.retries += 1
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)


def version_of(response: httpx.Response) -> int | None:
    """The version in `ETag`."""
    tag = response.headers.get("ETag", "").removeprefix("W/").strip('"')
    return int(tag) if tag.isascii() and tag.isdigit() else None


def problem_title(response: httpx.Response) -> str:
    """The code of the problem itself, "" where the answer is none."""
    try:
        return str(response.json().get("title", "")) if response.is_error else ""
    except (ValueError, AttributeError):
        return ""


def problem_code(response: httpx.Response) -> str:
    """What an odd answer says, as codes only: the status and the codes of its errors, never a text."""
    try:
        body = response.json()
        codes = sorted({str(error.get("code", "")) for error in body.get("errors", [])})
        code = body.get("code")
    except (ValueError, AttributeError):
        codes, code = [], None
    return " ".join(map(str, filter(None, (response.status_code, code, *codes))))
