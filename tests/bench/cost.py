"""What a request costs with 10³, 10⁵ and 10⁶ stored: processor time of the service's code and of the store, ÷ that at 10³.

Only the store is a process of its own; the services' code runs here, without Kafka, so that nothing else is in the figures. What
is stored are real documents (filed through the HTTP API, folded by the consumers, ended) copied under new ids into collections
with all indexes: intake's with new receipt codes, times of the last two years, ended statuses and match keys, issuance's with new
item ids. Batches are of 500 records about as many stored requests chosen evenly over all; relay cycles send 500 cases to a
producer that keeps nothing. Each figure is the median of its rounds; the wall time is in the note.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import uvloop

from pelangi.chassis.provision import apply_database_users
from pelangi.contracts.topics import SERVICES
from pelangi.local.database import Database
from pelangi.local.process import Child, free_port
from tests.bench.figures import Figure, Say, at_most
from tests.bench.filling import fill, templates_of
from tests.bench.inside import Inside, real_documents

SIZES = (1_000, 100_000, 1_000_000)
MOST = 1.2
SINGLES, SINGLE_ROUNDS, BATCH_ROUNDS = 150, 5, 9
QUIET_S = 0.05
SEED = 5

Json = dict[str, Any]


@dataclass(slots=True)
class Cost:
    """Seconds of processor and wall of one operation, by size."""

    processor: dict[int, float] = field(default_factory=dict)
    wall: dict[int, float] = field(default_factory=dict)


def measure(folder: Path, say: Say) -> list[Figure]:
    """One store; every operation at each size."""
    database = Database(folder / "database", free_port())
    database.prepare()
    child = Child(database.command())
    child.start()
    try:
        child.wait_ready(database.ready)
        apply_database_users(database.admin_uri)
        costs = uvloop.run(_measure(database, psutil.Process(child.pid), say))
    finally:
        child.kill()
    return [figure for name, cost in costs.items() for figure in _figures(name, cost)]


def _figures(name: str, cost: Cost) -> list[Figure]:
    base = cost.processor[SIZES[0]]
    figures = []
    for size in SIZES[1:]:
        ms = f"{cost.processor[size] * 1e3:.3f} ms ÷ {base * 1e3:.3f} ms; wall {cost.wall[size] / cost.wall[SIZES[0]]:.2f}"
        figures.append(at_most(f"{name}: at {size:,} ÷ at {SIZES[0]:,}", cost.processor[size] / base, MOST, note=ms))
    return figures


async def _measure(database: Database, server: psutil.Process, say: Say) -> dict[str, Cost]:
    rng, costs = random.Random(SEED), dict[str, Cost]()
    inside = {name: await Inside.open(database, name) for name in SERVICES}
    await real_documents(inside)
    templates = {name: templates_of(database.admin_uri, name) for name in SERVICES}
    for size in SIZES:
        for name, service in inside.items():
            began = time.monotonic()
            some = await asyncio.to_thread(fill, database.admin_uri, name, templates[name], size, rng)
            await _quiet(server)
            filled = time.monotonic() - began
            for what, (count, rounds, work) in _operations(service, name, some or templates[name], rng).items():
                cost = costs.setdefault(f"{name}, {what}", Cost())
                cost.processor[size], cost.wall[size] = await _cost(server, work, count, rounds)
            say(f"{name} with {size:,}: filled in {filled:.0f} s, measured in {time.monotonic() - began - filled:.0f} s")
    for service in inside.values():
        await service.close()
    return costs


Work = Callable[[], Awaitable[None]]


def _operations(service: Inside, name: str, some: Sequence[Json], rng: random.Random) -> dict[str, tuple[int, int, Work]]:
    """What is measured of a service: how many requests each call of it is about, rounds, the call."""
    ids = [case["_id"] for case in some]
    many = {"one record of a batch of 500": (500, BATCH_ROUNDS, lambda: service.batch(rng.sample(ids, 500)))}
    cycle = {"one case of a relay cycle of 500": (500, BATCH_ROUNDS, lambda: service.cycle(rng.sample(ids, 500)))}
    singles: dict[str, Callable[[], Awaitable[None]]] = {}
    if name == "intake":
        codes = [case["receipt_code"] for case in some]
        singles = {
            "filing": service.file,
            "reading": lambda: service.get(f"/v1/requests/{rng.choice(ids)}"),
            "tracking": lambda: service.get(f"/v1/tracking/{rng.choice(codes)}"),
            "first page of a list": lambda: service.get("/v1/requests?status=COMPLETED"),
        }
    elif name == "issuance":
        items = [item["item_id"] for case in some for item in case["items"]]
        singles = {"finding an item": lambda: service.end_item(rng.choice(items))}
    return {what: (1, SINGLE_ROUNDS, _times(SINGLES, work)) for what, work in singles.items()} | many | cycle


def _times(count: int, work: Work) -> Work:
    async def all_of_them() -> None:
        for _ in range(count):
            await work()

    return all_of_them


async def _cost(server: psutil.Process, work: Work, count: int, rounds: int) -> tuple[float, float]:
    """Median seconds of processor and of wall per request; the first round is thrown away."""
    per = count if count > 1 else SINGLES
    processor, wall = [], []
    for _ in range(rounds + 1):
        began, used = time.perf_counter(), _used(server)
        await work()
        wall.append((time.perf_counter() - began) / per)
        processor.append((_used(server) - used) / per)
    return median(processor[1:]), median(wall[1:])


def _used(server: psutil.Process) -> float:
    times = server.cpu_times()
    return time.process_time() + times.user + times.system


async def _quiet(server: psutil.Process) -> None:
    """Until the store has worked off what was put into it."""
    for _ in range(60):
        before = server.cpu_times()
        await asyncio.sleep(1)
        after = server.cpu_times()
        if after.user + after.system - before.user - before.system < QUIET_S:
            return
