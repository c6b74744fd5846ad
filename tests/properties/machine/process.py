"""One process of a service: the real `Running` and its routes, on a view of the shared world that can be killed or paused."""

import asyncio
import random
from collections.abc import Sequence
from contextvars import ContextVar, copy_context
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from aiokafka import TopicPartition

from pelangi.chassis import running, web
from pelangi.chassis.crash import crash_point
from pelangi.chassis.read_ahead import ReadAhead
from tests.properties.machine.kafka import Consumer, Producer
from tests.properties.machine.store import StoreView

PROCESS: ContextVar["Process | None"] = ContextVar("process", default=None)
"""Whose task this is: inherited by the tasks that a task starts."""

EPOCH = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)  # a Tuesday, 09:00 in Pangkalpinang
IDLE_S = 0.5


class Killed(BaseException):
    """The process is gone: nothing of it can do anything any more."""


class Clock:
    """A process's clocks: those of the world, moved by its own fault."""

    def __init__(self, loop: Any) -> None:
        self._loop, self.skew = loop, timedelta(0)

    def now(self) -> datetime:
        moment = EPOCH + timedelta(milliseconds=int((self._loop.time() - 1000) * 1000))
        return moment + self.skew

    wall = now


class Process:
    """A replica. `armed`: crash points at which it ends, by name, with the number of the passage."""

    def __init__(self, world: Any, service: str, replica: int) -> None:
        self.world, self.service, self.replica, self.loop = world, service, replica, world.loop
        self.rng = random.Random(world.rng.random())
        self.tasks: set[asyncio.Task[Any]] = set()
        self.dead = False
        self.armed: dict[str, int] = {}
        self.clock = Clock(world.loop)
        self._going = asyncio.Event()
        self._going.set()
        self._client: httpx.AsyncClient | None = None
        self.running: Any = None
        self._context = copy_context()
        self._context.run(PROCESS.set, self)

    def start(self) -> None:
        """As `pelangi serve` does, without a port."""
        self.running = self._context.run(running.Running, self.world.services[self.service], self.clock)
        self.running.consumer._rng = self.rng
        self.work = self._run(self.running._work())

    def _run(self, work: Any) -> "asyncio.Task[Any]":
        return self.loop.create_task(work, context=self._context)

    async def io(self) -> None:
        """A while on the way to or from another machine; for ever, if this process is gone or stopped meanwhile."""
        if self.dead:
            raise Killed
        await asyncio.sleep(self.rng.uniform(0.0005, 0.02))
        while not self._going.is_set():
            await self._going.wait()
        if self.dead:
            raise Killed

    @property
    def paused(self) -> bool:
        return not self._going.is_set()

    def pause(self) -> None:
        """SIGSTOP; its group does without it at once, as after its session time-out."""
        self._going.clear()
        self.running.subscriber.consumer.leave()

    def resume(self) -> None:
        self._going.set()

    def kill(self) -> None:
        """kill -9."""
        self.dead = True
        self._going.set()
        if self.running is not None:
            self.running.subscriber.consumer.leave()
        current = asyncio.current_task() if asyncio._get_running_loop() else None
        for task in self.tasks - {current}:
            task.cancel()

    def stop(self) -> None:
        """SIGTERM: the batch in hand is finished and the lease handed over; gone a while later in any case."""

        async def stop() -> None:
            self.running._stopping.set()
            await self.running.subscriber.stop()

        self._run(stop())

    async def post(self, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
        """A call over HTTP. Raises ConnectionError where the process died in it."""
        return await self._http("POST", path, headers, body)

    async def get(self, path: str) -> httpx.Response:
        """A look over HTTP."""
        return await self._http("GET", path, {}, None)

    async def _http(self, method: str, path: str, headers: dict[str, str], body: Any) -> httpx.Response:
        if self.dead or self.running is None:
            raise ConnectionError
        if self._client is None:
            self._client = self._context.run(self._make_client)
        task = self._run(self._client.request(method, path, json=body, headers=headers))
        await asyncio.wait([task])
        if self.dead or task.cancelled() or task.exception() is not None:
            error = None if task.cancelled() else task.exception()
            if error is not None and not self.dead:
                raise error
            raise ConnectionError
        return task.result()

    def _make_client(self) -> httpx.AsyncClient:
        app = web.make_app(self.service, lifespan=None, asyncapi={}, ready=self.running.ready, live=self.running.live)
        app.include_router(self.world.services[self.service].routes(self.running.runtime))
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


def made_store(*_: Any, **__: Any) -> StoreView:
    """In place of `Store`: the database of the process whose task this is."""
    process = me()
    return StoreView(process.world.stores[process.service], process)


class MadeKafka:
    """In place of the module `pelangi.chassis.kafka`."""

    @staticmethod
    def make_producer(_: Any, *, transactional_id: str | None = None) -> Producer:
        process = me()
        return Producer(process.world.kafka, process, transactional_id)


class MadeSubscriber:
    """In place of `Subscriber`: FastStream's loop and its policy, NACK_ON_ERROR, with the real ReadAhead."""

    dead = False

    def __init__(self, settings: Any, topics: Sequence[str], handle: Any, prepare: Any) -> None:
        self._process, self._handle = me(), handle
        self.consumer = Consumer(self._process.world.kafka, settings.name, topics, self._process)
        self._ahead = ReadAhead(lambda consumer: consumer.poll(), prepare)
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        await self._process.io()
        self.consumer.join()
        self._task = asyncio.ensure_future(self._work())

    async def stop(self) -> None:
        self._stopping = True
        if self._task:
            await asyncio.wait([self._task])
        await self._ahead.forget()
        self.consumer.leave()

    def read_ahead(self) -> None:
        self._ahead.begin(3)

    def polls(self) -> bool:
        return True

    def idle_s(self) -> float:
        return 0.0

    async def reachable(self) -> bool:
        return True

    async def _work(self) -> None:
        while not self._stopping:
            records = await self._ahead.read(self.consumer)
            if not records:
                await asyncio.sleep(IDLE_S)
                continue
            try:
                await self._handle(records)
                crash_point("subscriber.before-commit")
                await self._ahead.commit()
            except Exception:  # noqa: BLE001 - put back, as NACK_ON_ERROR does
                await self._ahead.put_back()
                self._seek_back(records)

    def _seek_back(self, records: Sequence[Any]) -> None:
        for record in reversed(records):
            where = TopicPartition(record.topic, record.partition)
            if where in self.consumer.assignment():
                self.consumer.seek(where, record.offset)


def me() -> Process:
    """The process whose task this is."""
    process = PROCESS.get()
    assert process is not None
    return process
