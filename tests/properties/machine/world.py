"""Everything that there is: the stores and Kafka, two replicas of each service, and what goes wrong."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from pelangi.chassis import consumer, crash, ids, leader, relay, running
from pelangi.chassis.service import Service, Timer
from services.intake import app as intake_app
from services.intake import draws, gauges
from services.issuance import app as issuance_app
from services.notify import app as notify_app
from services.notify import sending
from services.notify.rows import EMAIL, VIA_KELURAHAN
from services.notify.sending import Sender
from services.notify.texts import Writer
from services.scheduling import app as scheduling_app
from services.scheduling import planning, sweeper
from services.scheduling.planner.worker import Inline
from tests.properties.machine.kafka import Kafka
from tests.properties.machine.loop import MadeLoop
from tests.properties.machine.mailbox import Channel, Mailbox
from tests.properties.machine.process import PROCESS, Killed, MadeKafka, MadeSubscriber, Process, made_store, me
from tests.properties.machine.tally import TALLY
from tests.support.memory_store import MemoryStore

REPLICAS = (0, 1)
WRITER = Writer("kelurahan-{village_code}@pelangi.invalid", "office@pelangi.invalid", "http://localhost/track/")
TIMED = (consumer, leader, relay, running, sending, planning, sweeper, gauges)
"""Modules that look at the monotonic clock."""


@cache
def services() -> dict[str, Service]:
    """The four services as they are, except that mails go to a mailbox of ours."""
    notify = replace(notify_app.make(), timers=_notify_timers)
    return {
        "intake": intake_app.make(),
        "scheduling": scheduling_app.make(Inline()),
        "issuance": issuance_app.make(),
        "notify": notify,
    }


def _notify_timers(runtime: Any) -> Sequence[Timer]:
    channel = Channel(me().world.mailbox, me())
    sender = Sender(runtime.cases, runtime.clock, {EMAIL: channel, VIA_KELURAHAN: channel}, WRITER)
    return [Timer("send", 1.0, sender.work)]


class World:
    """`trouble`: how likely any call to a store, to Kafka or to the mailbox fails now."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.loop = MadeLoop()
        self.kafka, self.mailbox = Kafka(), Mailbox()
        self.services = services()
        self.stores = {name: MemoryStore() for name in self.services}
        self.processes: dict[tuple[str, int], Process] = {}
        self.trouble = 0.0
        self._drawn = 0
        self.loop.set_task_factory(_make_task)
        _NOW.world = self
        for name in self.services:
            for replica in REPLICAS:
                self.start(name, replica)

    def start(self, service: str, replica: int) -> None:
        """A process, in the place of a dead one."""
        process = self.processes[service, replica] = Process(self, service, replica)
        process.start()

    def fails(self) -> bool:
        """Whether this very call fails."""
        return self.trouble > 0 and self.rng.random() < self.trouble

    def may_fail(self, error: Exception) -> None:
        if self.fails():
            raise error

    def revive(self) -> None:
        """A supervisor starts what has ended."""
        for (service, replica), process in list(self.processes.items()):
            if process.dead:
                self.start(service, replica)

    def cases(self, service: str) -> dict[str, Any]:
        """What lies in a service's cases."""
        return self.stores[service].collection("cases").documents

    def days(self) -> dict[str, Any]:
        return self.stores["scheduling"].collection("days").documents

    def uuid(self, version: int) -> UUID:
        """A random id; one of version 7 sorts by the time it was made."""
        self._drawn += 1
        low = self.rng.getrandbits(62)
        if version == 4:
            return UUID(int=self.rng.getrandbits(128), version=4)
        milliseconds = 1_790_000_000_000 + int(self.loop.time() * 1000)
        return UUID(int=milliseconds << 80 | 7 << 76 | (self._drawn & 0xFFF) << 64 | 2 << 62 | low)

    def end(self) -> None:
        for process in self.processes.values():
            process.kill()
        self.loop.end()


_NOW = SimpleNamespace(world=None)
"""The one world that there is at a time."""


def _make_task(loop: Any, coro: Any, **options: Any) -> Any:
    import asyncio

    context = options.get("context")
    process = context.get(PROCESS) if context is not None else PROCESS.get()
    task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **options)
    if process is not None:
        process.tasks.add(task)
        task.add_done_callback(process.tasks.discard)
    return task


class _Armed:
    """The crash points of the process whose task asks."""

    def __contains__(self, name: str) -> bool:
        process = PROCESS.get()
        return process is not None and name in process.armed

    def __getitem__(self, name: str) -> tuple[int, bool]:
        return me().armed[name], False

    def __setitem__(self, name: str, value: tuple[int, bool]) -> None:
        me().armed[name] = value[0]
        if value[0] <= 0:
            TALLY[f"crash {name}"] += 1


def _exit(_: int) -> None:
    me().kill()
    raise Killed


@contextmanager
def made() -> Iterator[None]:
    """Within it processes get their time, ids, store, Kafka and end from a world."""
    quiet = SimpleNamespace(write=lambda _: None, flush=lambda: None)
    changes: list[tuple[Any, str, Any]] = [
        (running, "Store", made_store),
        (running, "Subscriber", MadeSubscriber),
        (running, "kafka", MadeKafka),
        (crash, "_armed", _Armed()),
        (crash, "os", SimpleNamespace(_exit=_exit)),
        (crash, "sys", SimpleNamespace(stderr=quiet)),
        (ids, "uuid4", lambda: _NOW.world.uuid(4)),
        (ids, "uuid7", lambda: _NOW.world.uuid(7)),
        (
            draws,
            "secrets",
            SimpleNamespace(
                randbelow=lambda n: _NOW.world.rng.randrange(n)  # noqa: PLW0108 - another world each time
            ),
        ),
    ]
    clock: Callable[[], float] = lambda: _NOW.world.loop.time()  # noqa: E731, PLW0108 - another world each time
    changes += [(module, "time", SimpleNamespace(monotonic=clock)) for module in TIMED]
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in changes:
            patch.setattr(module, name, value)
        yield
