"""Two replicas of intake, one on each driver, on the real store: officers close two requests as duplicates of each other."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

from pymongo import MongoClient

from pelangi.chassis.store import Collection, Store
from tests.support.bodies import body
from tests.unit.intake.rig import Intake, running_intake

ROUNDS = 12


class Named:
    """The same collections under names of this test."""

    def __init__(self, store: Store, suffix: str) -> None:
        self.store, self.suffix = store, suffix

    def collection(self, name: str) -> Collection:
        return self.store.collection(f"{name}-{self.suffix}")


async def close(intake: Intake, one: str, other: str) -> int:
    version = (await intake.http.get(f"/v1/requests/{one}")).headers["etag"]
    answer = await intake.post(f"/v1/requests/{one}/duplicate-of", {"request_id": other}, If_Match=version)
    return answer.status_code


async def status(intake: Intake, one: str) -> str:
    return str((await intake.http.get(f"/v1/requests/{one}")).json()["status"])


async def test_never_both(database: Any) -> None:
    suffix = f"test-{uuid4().hex[:12]}"
    stores = [Store(database.uri("intake"), driver=driver) for driver in ("motor", "pymongo")]
    closed = 0
    try:
        async with AsyncExitStack() as stack:
            first, second = [await stack.enter_async_context(running_intake(Named(s, suffix))) for s in stores]
            for _ in range(ROUNDS):
                one, other = [(await first.post("/v1/requests", body())).json()["request_id"] for _ in range(2)]
                codes = await asyncio.gather(close(first, one, other), close(second, other, one))
                await asyncio.gather(first.joiner.all(), second.joiner.all())
                assert set(codes) <= {200, 409, 412, 422}
                assert sorted([await status(first, one), await status(first, other)]) in (
                    ["ACCEPTED", "DUPLICATE"],
                    ["ACCEPTED", "ACCEPTED"],
                )
                closed += codes.count(200)
        assert closed >= ROUNDS / 2, "and nearly always one of them"
    finally:
        for store in stores:
            await store.close()
        client: Any = MongoClient(database.admin_uri)
        client["intake"].drop_collection(f"cases-{suffix}")
        client.close()
