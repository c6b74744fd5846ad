"""How long the desk waits for three windows (`GET /v1/requests/{id}/windows`) while plans are being made.

Scheduling as a real process on a broker and a store, with the rolling plan: 300 requests for visits at home wait in it, and ten
more come every half second, so that the plan is made again and again beside the calls. Two teams drive.
"""

import time
from pathlib import Path
from statistics import median, quantiles

import httpx

from pelangi.simulate.clock import FastClock
from tests.bench.figures import Figure, Say, at_most
from tests.bench.rig import Rig, rig
from tests.bench.stock import NOW, request_created, request_details, request_id
from tests.support.service import ServiceProcess, wait_for

WAITING, MORE, EVERY_S = 300, 10, 0.5
SECONDS = 20.0
GOAL_MS = 300.0


def measure(folder: Path, say: Say) -> list[Figure]:
    """Calls one after the other."""
    clock = FastClock.from_date(NOW.date(), 86_400.0, lead_s=-5 * 3600.0)
    env = {"SCHEDULING_ANNOUNCE": "EVENING", "PELANGI_CLOCK": clock.setting}
    with rig(folder) as parts, ServiceProcess("scheduling", parts.kafka, parts.database, env=env) as service:
        service.start()
        _ask(parts, range(WAITING))
        wait_for(lambda: _waiting(service) >= WAITING, 120)
        say(f"{WAITING} wait")
        with httpx.Client(base_url=service.url, timeout=30) as desk:
            before = _plans(service)
            spent = _call(parts, desk)
            plans = _plans(service) - before
    assert plans >= SECONDS / 2, f"only {plans:g} plans were made meanwhile"
    p99 = quantiles(spent, n=100)[98]
    note = f"p50 {median(spent):.0f} ms, slowest {max(spent):.0f} ms, {len(spent)} calls; {plans:g} plans made meanwhile"
    return [at_most("three windows over HTTP while plans are made, p99", p99, GOAL_MS, unit="ms", note=note)]


def _ask(parts: Rig, numbers: range) -> None:
    parts.produce("admin", [record for n in numbers for record in (request_created(n), request_details(n))])


def _call(parts: Rig, desk: httpx.Client) -> list[float]:
    """Milliseconds of each call; in between, others ask."""
    spent: list[float] = []
    asked, next_at = WAITING, time.monotonic()
    until = next_at + SECONDS
    while time.monotonic() < until:
        if time.monotonic() >= next_at:
            _ask(parts, range(asked, asked + MORE))
            asked, next_at = asked + MORE, time.monotonic() + EVERY_S
        began = time.perf_counter()
        answer = desk.get(f"/v1/requests/{request_id(len(spent) % WAITING)}/windows")
        spent.append(1000 * (time.perf_counter() - began))
        answer.raise_for_status()
        assert answer.json()["windows"], answer.text
    return spent


def _waiting(service: ServiceProcess) -> float:
    return _metric(service, "pelangi_requests_waiting_for_a_date")


def _plans(service: ServiceProcess) -> float:
    return _metric(service, "pelangi_planner_seconds_count")


def _metric(service: ServiceProcess, name: str) -> float:
    """Summed over its labels."""
    lines = httpx.get(f"{service.url}/metrics", timeout=30).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name) and not line.startswith("#"))
