"""What makes a service. Its `app.py`, the composition root, fills in a `Service`; `running` runs it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter

from pelangi.chassis.case import Handler
from pelangi.chassis.clock import Clock
from pelangi.chassis.decode import Decoder, Opener, RecordDecoder
from pelangi.chassis.group_commit import GroupCommit
from pelangi.chassis.relay import Render
from pelangi.chassis.settings import ServiceSettings
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import Collection, Store

CASES = "cases"


@dataclass(slots=True)
class Runtime:
    """What a service's routes and timers use. `written.set()` after every write of theirs: the relay sends it now.

    shared: the cases for calls over HTTP, of which many come at once and share commands.
    """

    settings: ServiceSettings
    clock: Clock
    store: Store
    cases: Collection
    written: Signal
    shared: Collection = field(init=False)

    def __post_init__(self) -> None:
        self.shared = GroupCommit(self.cases)


@dataclass(frozen=True, slots=True)
class Timer:
    """Work of the leader: run `work` at least every `every_s` seconds, and at once when something was written here.

    woken: False where it finds little to do after a write of this process: then it runs every `every_s` seconds and no oftener.
    A timer never publishes: it makes guarded transitions whose events are in the same write, so running twice changes nothing.
    """

    name: str
    every_s: float
    work: Callable[[], Awaitable[None]]
    woken: bool = True


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a collection; `options` as PyMongo's `create_index` takes them."""

    collection: str
    keys: tuple[tuple[str, int], ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Service:
    """Everything that makes one service.

    handlers: one per topic that the service reads. openers: how it opens what is encrypted to it, by topic.
    decoders: how it reads topics whose records are no events of ours, by topic.
    snapshots: how to render the snapshots it owns, by topic. start: run once the store answers (seed data from files).
    ready_without_kafka: whether it can do its work while Kafka is away (intake: taking requests).
    """

    settings: ServiceSettings
    handlers: Mapping[str, Handler[Any]]
    routes: Callable[[Runtime], APIRouter]
    openers: Mapping[str, Opener] = field(default_factory=dict)
    decoders: Mapping[str, RecordDecoder] = field(default_factory=dict)
    snapshots: Mapping[str, Render] = field(default_factory=dict)
    timers: Callable[[Runtime], Sequence[Timer]] = lambda _: ()
    start: Callable[[Runtime], Awaitable[None]] | None = None
    indexes: Sequence[Index] = ()
    ready_without_kafka: bool = False


def make_decoder(service: Service) -> Decoder:
    """How the service reads its records; the same for the running service and for a dead letter that is retried."""
    return Decoder(service.openers, service.decoders)
