"""Accepted requests/s over HTTP at 1, 16, 64 and 256 concurrent, ÷ a bare ASGI app that only stores documents of the same bytes.

Ours is the real process (`pelangi serve intake`): parsing, the rules, receipt code, match keys, events in the outbox, the
idempotency record, exactly once. The floor (tests/bench/http_floor.py) has the same uvicorn and loop, reads the body without
looking at it and stores a document like ours, as large and with the same indexes and concerns, by `insert_many` shared by
concurrent calls. Both run at once on one store and are loaded in turn, in short rounds; a figure is the median of its side's
rounds. Kafka is not running: the relay would share the processors with one side only (the part `chain` measures with it). Bodies
are of 0.4 to 0.5 kB, one or two persons, a key of its own each. The load comes from this process, which shares the processors,
too (tests/bench/flood.py).
"""

import asyncio
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil
import uvloop
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from pelangi.chassis.provision import apply_database_users
from pelangi.chassis.running import PENDING
from pelangi.local.process import PROJECT, free_port, leashed
from services.intake.store import INDEXES
from tests.bench.figures import Figure, Say, at_least, at_most
from tests.bench.flood import Tally, flood, posts, steady
from tests.bench.http_shares import shares
from tests.bench.spread import percentile
from tests.conftest import RunningDatabase
from tests.support.bodies import body
from tests.support.service import ServiceProcess, wait_for

CONCURRENT = (1, 16, 64, 256)
GOAL_AT, GOAL, COMMANDS_GOAL = 64, 0.60, 0.2
ROUNDS, ROUND_S, STEADY_S = 5, 3.0, 12.0
SETTLED_S = 25.0
"""The Rust build of the store stalls once 10 to 20 s after its start (OPS.md §12)."""
SEED, BODIES = 5, 500
PATH = "/v1/requests"
FLOOR = "floor"


@dataclass(slots=True)
class Side:
    """One of the two servers: accepted/s, and µs of its processor per request, by concurrency."""

    name: str
    port: int
    process: psutil.Process
    rates: dict[int, list[float]] = field(default_factory=dict)
    costs: dict[int, list[float]] = field(default_factory=dict)

    def rate(self, concurrent: int) -> float:
        return median(self.rates[concurrent])

    def cost(self, concurrent: int) -> float:
        return median(self.costs[concurrent])


def bodies(count: int = BODIES) -> list[bytes]:
    """Bodies of made-up people, told apart by name and (half of them) NIK; no real person."""
    rng, made = random.Random(SEED), []
    for number in range(count):
        born = f"{rng.randint(1, 28):02}{rng.randint(1, 12):02}{rng.randint(40, 99):02}"
        person: dict[str, Any] = {
            "name": f"Contoh {''.join(rng.choices('abdegiklmnorstu', k=8)).title()}",
            "birth_date": f"19{born[4:]}-{born[2:4]}-{born[:2]}",
            "birth_date_precision": "EXACT",
            "sex": "L",
            "categories": ["ELDERLY"],
            "needs": ["BEDRIDDEN"] if number % 3 else [],
            "services": ["KTP_RECORDING", "KK_CHANGE"],
        }
        if number % 2:
            person["nik"] = f"197104{born}{9000 + number % 1000}"
        helped = [person] if number % 4 else [person, {"name": "Nenek Contoh", "services": ["CONSULTATION"]}]
        made.append(json.dumps(body(persons=helped)).encode())
    return made


def measure(folder: Path, say: Say) -> list[Figure]:
    """A store of its own, both servers, in turn."""
    store = RunningDatabase(folder / "store")
    store.start()
    began = time.monotonic()
    try:
        apply_database_users(store.admin_uri)
        with ServiceProcess("intake", None, store).start() as intake, _floor(folder, store, intake) as floor:
            ours = Side("ours", intake.port, psutil.Process(intake.child.pid))
            return uvloop.run(_measure(store, ours, floor, began, say))
    finally:
        store.kill()


@contextmanager
def _floor(folder: Path, store: RunningDatabase, intake: ServiceProcess) -> Iterator[Side]:
    """The other server, which stores what intake stored for one of the bodies."""
    with MongoClient[Any](store.admin_uri, document_class=RawBSONDocument) as admin:
        answer = httpx.post(
            f"{intake.url}{PATH}", content=bodies(2)[1], headers=_headers("0" * 8 + "-0000-4000-8000-" + "0" * 12)
        )
        cases = admin["intake"]["cases"]
        template: Any = cases.find_one({"_id": answer.raise_for_status().json()["request_id"]})
        (folder / "template.bson").write_bytes(template.raw)
        for index in (PENDING, *INDEXES):
            admin["intake"][FLOOR].create_index(list(index.keys), **index.options)
    port = free_port()
    argv = ["-m", "tests.bench.http_floor", str(port), store.uri("intake"), FLOOR, str(folder / "template.bson")]
    process = subprocess.Popen(leashed([sys.executable, *argv]), cwd=PROJECT)
    try:
        wait_for(lambda: _answers(port), 120, "the floor did not start")
        yield Side("floor", port, psutil.Process(process.pid))
    finally:
        process.kill()
        process.wait()


def _headers(key: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Idempotency-Key": key}


def _answers(port: int) -> bool:
    try:
        return httpx.post(f"http://127.0.0.1:{port}{PATH}", content=b"{}", timeout=5).status_code == 201
    except httpx.HTTPError:
        return False


async def _measure(store: RunningDatabase, ours: Side, floor: Side, began: float, say: Say) -> list[Figure]:
    requests = posts(PATH, bodies())
    for side in (ours, floor):
        await flood(side.port, requests, GOAL_AT, ROUND_S)  # warm
    await asyncio.sleep(max(began + SETTLED_S - time.monotonic(), 0))
    server, figures = psutil.Process(store.pid), list[Figure]()
    for concurrent in CONCURRENT:
        before, accepted = _commands(ours.port), 0
        for _ in range(ROUNDS):
            accepted += await _round(ours, requests, concurrent)
            await _round(floor, requests, concurrent)
        commands = _more(before, _commands(ours.port))
        say(f"{concurrent}: {ours.rate(concurrent):.0f}/s ÷ {floor.rate(concurrent):.0f}/s")
        figures += _of(ours, floor, concurrent, commands, accepted)
    figures += await _at_half(ours, floor, requests, say)
    parts = shares(bodies())
    total = sum(parts.values())
    note = ", ".join(f"{name} {us:.0f} µs ({us / total:.0%})" for name, us in sorted(parts.items(), key=lambda p: -p[1]))
    figures.append(Figure("one filing inside intake, without uvicorn, driver and store", total, "µs", note=note))
    say(f"the store's process: {sum(server.cpu_times()[:2]):.0f} s of processor in all")
    return figures


async def _round(side: Side, requests: Iterator[bytes], concurrent: int) -> int:
    cpu, start = _cpu(side.process), time.perf_counter()
    tally = await flood(side.port, requests, concurrent, ROUND_S)
    seconds = time.perf_counter() - start
    accepted = _all_accepted(tally)
    side.rates.setdefault(concurrent, []).append(accepted / seconds)
    side.costs.setdefault(concurrent, []).append((_cpu(side.process) - cpu) / accepted * 1e6)
    return accepted


def _all_accepted(tally: Tally) -> int:
    if tally.others or not tally.seconds:
        raise RuntimeError(f"not everything was accepted: {tally.others}")
    return len(tally.seconds)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


_COMMAND = re.compile(r'^pelangi_database_commands_total\{command="(\w+)",result="ok"\} (\S+)$', re.MULTILINE)


def _commands(port: int) -> dict[str, float]:
    """Commands that the process has sent so far, by name: those of its timers are among them."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    return {name: float(count) for name, count in _COMMAND.findall(text) if name in {"insert", "find", "update", "aggregate"}}


def _more(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {name: count - before.get(name, 0) for name, count in after.items()}


def _of(ours: Side, floor: Side, concurrent: int, commands: dict[str, float], accepted: int) -> list[Figure]:
    mine, bare = ours.rate(concurrent), floor.rate(concurrent)
    costs = f"processor per request {ours.cost(concurrent):.0f} ÷ {floor.cost(concurrent):.0f} µs"
    spread = f"rounds {min(ours.rates[concurrent]):.0f}–{max(ours.rates[concurrent]):.0f} ÷ "
    note = f"{mine:.0f} ÷ {bare:.0f}/s; {spread}{min(floor.rates[concurrent]):.0f}–{max(floor.rates[concurrent]):.0f}; {costs}"
    name, counted = f"accepted/s at {concurrent} concurrent ÷ floor", f"commands per request at {concurrent} concurrent"
    others = ", ".join(f"{count:.0f} {name}" for name, count in commands.items() if count)
    per, why = sum(commands.values()) / accepted, f"{others} for {accepted} requests, those of the timers included"
    if concurrent != GOAL_AT:
        return [Figure(name, mine / bare, note=note), Figure(counted, per, note=why)]
    return [at_least(name, mine / bare, GOAL, note=note), at_most(counted, per, COMMANDS_GOAL, note=why)]


async def _at_half(ours: Side, floor: Side, requests: Iterator[bytes], say: Say) -> list[Figure]:
    """Times at half of each side's highest rate, counted from when a call was due."""
    figures = []
    for side in (ours, floor):
        rate = max(map(side.rate, CONCURRENT)) / 2
        tally = await steady(side.port, requests, rate, STEADY_S)
        _all_accepted(tally)
        p50, p99 = (percentile(tally.seconds, share) * 1e3 for share in (0.5, 0.99))
        say(f"{side.name} at {rate:.0f}/s: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
        note = f"{rate:.0f}/s for {STEADY_S:.0f} s"
        figures += [
            Figure(f"{side.name}: {name} at half of the maximum", ms, "ms", note=note)
            for name, ms in (("p50", p50), ("p99", p99))
        ]
    return figures
