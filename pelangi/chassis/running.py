"""How any service runs: HTTP first, then the store, the consumer, and — in one replica — the leader's work."""

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerFenced
from fastapi import FastAPI

from pelangi.chassis import dead_letters, kafka, web
from pelangi.chassis.clock import Clock
from pelangi.chassis.consumer import Consumer
from pelangi.chassis.crash import arm
from pelangi.chassis.decode import Broken, Record
from pelangi.chassis.leader import Lease, keep_leading
from pelangi.chassis.logs import setup_logs
from pelangi.chassis.metrics import LEADERSHIP_FAILURES, OUTBOX_AGE, OUTBOX_PENDING, READY, REVIVALS, TIMER_FAILURES
from pelangi.chassis.relay import Relay
from pelangi.chassis.sabotage import arm_sabotage, raising
from pelangi.chassis.service import CASES, Index, Runtime, Service, Timer, make_decoder
from pelangi.chassis.settings import DeploymentSettings, key_ring
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import Store, StoreError
from pelangi.chassis.subscriber import Subscriber
from pelangi.contracts.asyncapi import asyncapi

log = logging.getLogger(__name__)

PENDING = Index(CASES, (("pending_since", 1),), {"sparse": True})
UVICORN: dict[str, Any] = {
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "loop": "uvloop",
    "http": "httptools",
    "ws": "none",
}
OBSERVE_S = 2.0
DEAD_LETTER_S = 20.0
TIMER_BACKOFF_S = 1.0
TIMER_PAUSE_S = 0.1
"""Between two runs of one timer, so that a busy service looks ten times a second and not after every write."""


class Running:
    """One process of a service."""

    def __init__(self, service: Service, clock: Clock) -> None:
        settings = service.settings
        self.service, self.settings = service, settings
        store = Store(settings.mongo_uri.get_secret_value(), driver=settings.mongo_driver)
        self.runtime = Runtime(settings, clock, store, store.collection(CASES), Signal())
        self.consumer = Consumer(
            cases=self.runtime.cases,
            decoder=make_decoder(service),
            handlers=raising(service.handlers),
            clock=clock,
            set_aside=self._set_aside,
            written=self.runtime.written,
        )
        self.subscriber = Subscriber(settings, list(service.handlers), self.consumer.handle, self.consumer.decode_ahead)
        self.consumer.before_write = self.subscriber.read_ahead
        self.lease = Lease(store.collection("lease"), settings.lease_ttl_s)
        self.relay = Relay(self.runtime.cases, f"/services/{settings.name}", service.snapshots, clock, self.runtime.written)
        self._stopping = asyncio.Event()
        self._prepared = self._consuming = False
        self._dead_letter_keys = key_ring(settings.dead_letter_keys)
        self._dead_letter_producer: AIOKafkaProducer | None = None

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Start everything behind the open port; on the way out finish the batch in hand and hand over the lease."""
        tasks = [asyncio.create_task(self._work()), asyncio.create_task(self._observe())]
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)  # batches make much short-lived garbage: +10 % (OPS.md §12)
        try:
            yield
        finally:
            self._stopping.set()
            await self.subscriber.stop()
            done, running = await asyncio.wait(tasks, timeout=5)
            for task in running:
                task.cancel()
            await asyncio.gather(*done, *running, return_exceptions=True)
            if self._dead_letter_producer:
                await _stop_quietly(self._dead_letter_producer)
            await self.runtime.store.close()

    async def ready(self) -> tuple[bool, dict[str, str]]:
        """Whether the service can do its work, and the truth per component."""
        database = self._prepared and await self._database_answers()
        kafka_answers = self._consuming and await self.subscriber.reachable()
        at_work = self.subscriber.polls() or self.consumer.busy_since is not None
        consumer = kafka_answers and at_work and not self.consumer.failing
        components = {
            "database": "ok" if database else "away",
            "kafka": "ok" if kafka_answers else "away",
            "consumer": "ok" if consumer else (self.consumer.failing or "away"),
        }
        ok = database and (consumer or self.service.ready_without_kafka)
        for name, state in components.items():
            READY.labels(name).set(state == "ok")
        return ok, components

    def live(self) -> bool:
        """Whether no batch has been in hand longer than the limit. That this answers at all shows that the loop runs."""
        since = self.consumer.busy_since
        return since is None or time.monotonic() - since < self.settings.batch_limit_s

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(2):
                await self.runtime.store.ping()
        except (StoreError, TimeoutError):
            return False
        return True

    async def _work(self) -> None:
        await self._until_it_succeeds("prepare", self._prepare)
        self._prepared = True
        leading = asyncio.create_task(keep_leading(self.lease, self._lead, stop=self._stopping))
        try:
            await self._until_it_succeeds("consume", self.subscriber.start)
            self._consuming = True
            await self._revive_consumer()
        finally:
            self._stopping.set()
            await leading

    async def _revive_consumer(self) -> None:
        """Until the end: start the consumer again when it has died, or hangs, of something that it does not recover from."""
        while not self._stopping.is_set():
            if self.subscriber.dead or (self._idles() and await self.subscriber.reachable()):
                REVIVALS.inc()
                log.error("consumer died")
                await self.subscriber.stop()
                await self._until_it_succeeds("consume", self.subscriber.start)
            with suppress(TimeoutError):
                async with asyncio.timeout(OBSERVE_S):
                    await self._stopping.wait()

    def _idles(self) -> bool:
        """Whether no records were asked for since long, while no batch is in hand or waits to be tried again.

        So ends an aiokafka consumer whose rights were taken away: it does not read on when they are given back. One that is
        in order asks many times a second, also during a rebalance.
        """
        waits = self.consumer.busy_since is None and not self.consumer.failing
        return waits and self.subscriber.idle_s() > self.settings.idle_limit_s

    async def _until_it_succeeds(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Start-up against infrastructure that is not there yet; readiness tells meanwhile."""
        pause = 0.2
        while not self._stopping.is_set():
            try:
                await work()
                return
            except Exception as error:  # noqa: BLE001 - at start-up every fault means "not there yet"
                log.warning("not yet", extra={"what": what, "error": type(error).__name__})
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            pause = min(pause * 2, 5.0)

    async def _prepare(self) -> None:
        for index in (PENDING, *self.service.indexes):
            await self.runtime.store.collection(index.collection).create_index(index.keys, **index.options)
        if self.service.start:
            await self.service.start(self.runtime)

    async def _lead(self) -> None:
        timers = self.service.timers(self.runtime)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._relay_while_leading())
                for timer in timers:
                    group.create_task(self._run_timer(timer))
        finally:  # a follower knows nothing of the outbox
            OUTBOX_PENDING.set(0)
            OUTBOX_AGE.set(0)

    async def _relay_while_leading(self) -> None:
        """The relay, with a new fenced producer after every fault; raises when the lease is somebody else's."""
        while True:
            if not await self.lease.is_mine():
                raise LookupError("the lease is not mine")
            # everything read before the producer's init is thrown away: the first find comes after it
            producer = kafka.make_producer(self.settings, transactional_id=f"relay-{self.settings.name}")
            try:
                await producer.start()
                await self.relay.run(producer)
            except ProducerFenced:
                raise
            except Exception as error:  # noqa: BLE001 - any fault of Kafka or the store: drop the producer, begin again
                LEADERSHIP_FAILURES.labels(type(error).__name__).inc()
                log.warning("relay ended", extra={"error": type(error).__name__})
            finally:
                await _stop_quietly(producer)
            await asyncio.sleep(0.5)

    async def _run_timer(self, timer: Timer) -> None:
        while True:
            seen = self.runtime.written.count
            try:
                await timer.work()
            except Exception as error:  # noqa: BLE001 - counted, logged, tried again
                TIMER_FAILURES.labels(timer.name, type(error).__name__).inc()
                log.warning("timer failed", extra={"timer": timer.name, "error": type(error).__name__})
                await asyncio.sleep(TIMER_BACKOFF_S)
            if timer.woken:
                await asyncio.sleep(TIMER_PAUSE_S)
                await self.runtime.written.wait_past(seen, timer.every_s)
            else:
                await asyncio.sleep(timer.every_s)

    async def _observe(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.ready()
                await self.subscriber.measure_lag()
            except Exception as error:  # noqa: BLE001 - a gauge that could not be read stays as it was, and is logged
                log.warning("not observed", extra={"error": type(error).__name__})
            with suppress(TimeoutError):
                async with asyncio.timeout(OBSERVE_S):
                    await self._stopping.wait()

    async def _set_aside(self, record: Record, broken: Broken) -> None:
        producer = self._dead_letter_producer or kafka.make_producer(self.settings)
        try:
            async with asyncio.timeout(DEAD_LETTER_S):
                if self._dead_letter_producer is None:
                    await producer.start()
                    self._dead_letter_producer = producer
                await dead_letters.send(producer, f"{self.settings.name}.dlq", self._dead_letter_keys, record, broken)
        except BaseException:
            # an idempotent producer can stay broken for ever after one fatal error: the next try gets a new one
            self._dead_letter_producer = None
            await _stop_quietly(producer)
            raise
        log.warning("record set aside", extra={"at": dead_letters.coordinates(record), "reason": broken.reason})


async def _stop_quietly(producer: AIOKafkaProducer) -> None:
    """A fenced or disconnected producer may not stop cleanly; it is dropped all the same."""
    try:
        async with asyncio.timeout(3):
            await producer.stop()
    except Exception:  # noqa: BLE001 - nothing more is wanted of it than to let go of its connections
        with suppress(Exception):
            await producer.client.close()


def make_app(service: Service, clock: Clock) -> FastAPI:
    """The ASGI app of one process of a service."""
    running = Running(service, clock)
    app = web.make_app(
        service.settings.name,
        lifespan=running.lifespan,
        asyncapi=asyncapi(service.settings.name),
        ready=running.ready,
        live=running.live,
    )
    app.include_router(service.routes(running.runtime))
    return app


def serve(make: Callable[[], Service]) -> None:
    """Run a service in this process until SIGTERM or SIGINT."""
    deployment = DeploymentSettings()
    service = make()
    settings = service.settings
    setup_logs(settings.name, deployment.log_level)
    arm(settings.crash_point)
    arm_sabotage(settings.sabotage)

    async def run() -> None:
        app = make_app(service, deployment.make_clock())
        await uvicorn.Server(
            uvicorn.Config(app, host=settings.host, port=settings.port, timeout_graceful_shutdown=10, **UVICORN)
        ).serve()

    uvloop.run(run())
