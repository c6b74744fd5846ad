"""`python -m tests.bench.http_floor PORT URI COLLECTION TEMPLATE`: the least that an HTTP service which stores can do.

Bare ASGI under the services' own settings of uvicorn; a body is read and not looked at; concurrent ones share an `insert_many` of
documents like the one in the file TEMPLATE (BSON), each with its own id, receipt code, match keys and times.
"""

import asyncio
import gc
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bson
import uvicorn
import uvloop
from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.write_concern import WriteConcern

from pelangi.chassis.running import UVICORN

MAX_GROUP = 500


class Floor:
    """The ASGI app."""

    def __init__(self, uri: str, collection: str, template: dict[str, Any]) -> None:
        client: Any = AsyncIOMotorClient(uri, tz_aware=True, retryWrites=False)
        self._collection = client.get_default_database()[collection].with_options(write_concern=WriteConcern("majority", j=True))
        self._template, self._answer = template, bytes(template["created"]["body"])
        self._headers = [(b"content-type", b"application/json"), (b"content-length", str(len(self._answer)).encode())]
        self._waiting: list[tuple[dict[str, Any], asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        await self._stored()
        await send({"type": "http.response.start", "status": 201, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._answer})

    async def _stored(self) -> None:
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[None] = loop.create_future()
        self._waiting.append((self._document(), stored))
        if self._task is None:
            self._task = loop.create_task(self._work())
        await stored

    def _document(self) -> dict[str, Any]:
        now, draw = datetime.now(UTC), os.urandom(32).hex()
        own = {"_id": draw[:36], "receipt_code": draw[:11], "received_at": now, "pending_since": now}
        return {**self._template, **own, "match_keys": [draw[:32], draw[32:]][: len(self._template["match_keys"])]}

    async def _work(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:MAX_GROUP], self._waiting[MAX_GROUP:]
            await self._collection.insert_many([document for document, _ in group], ordered=False)
            for _, stored in group:
                stored.set_result(None)
        self._task = None


def main(port: int, uri: str, collection: str, template: Path) -> None:
    """Serve until SIGTERM."""
    document = bson.decode(template.read_bytes(), CodecOptions(tz_aware=True))

    async def run() -> None:
        config = uvicorn.Config(Floor(uri, collection, document), host="127.0.0.1", port=port, lifespan="off", **UVICORN)
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        await uvicorn.Server(config).serve()

    uvloop.run(run())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
