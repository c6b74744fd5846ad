"""Faults of every day while the city lives: Kafka away, processes killed, a second replica, a paused process.

Without a second replica: tests/faults/test_crash_points.py.

`PELANGI_FAULT_REQUESTS` sets how many requests each test files (40 in `make test`).
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pelangi.local.private import PrivateStack
from tests.faults.report import Result, keep
from tests.support.city import SERVICES, filed, finish, kill, leader, leads, paused, simulation, wait_for

REQUESTS = int(os.environ.get("PELANGI_FAULT_REQUESTS", "40"))
OPTIONS = ("--requests", str(REQUESTS), "--check", "--settle", "90")
PATIENCE_S = 120 + 2 * REQUESTS
KAFKA_AWAY_S = 30
PAUSE_S = 15
"""Longer than a consumer's session (10 s) and a lease (5 s), so that others take over while it sleeps."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateStack]:
    """Two processes per service."""
    with PrivateStack(tmp_path_factory.mktemp("faults"), ("--replicas", "2")) as running:
        yield running


def test_kafka_away_for_half_a_minute(stack: PrivateStack) -> None:
    """Every POST still gets its 201, and everything reaches its end afterwards."""
    before = filed(stack)
    with simulation(stack, *OPTIONS, "--seed", "21", "--http-only") as process:  # what is filed over Kafka has to wait for it
        wait_for(lambda: filed(stack) > before, 60, "the first request")
        with paused(stack, "kafka"):
            stopped = time.monotonic()
            wait_for(lambda: filed(stack) >= before + REQUESTS, PATIENCE_S, "all requests filed with Kafka away")
            time.sleep(max(0, stopped + KAFKA_AWAY_S - time.monotonic()))
        code, output = finish(process, PATIENCE_S + 300)
    assert code == 0, output
    keep(Result("Kafka silent for half a minute", 1, REQUESTS, seed=21))


def test_every_leader_killed_and_one_process_of_each_paused(stack: PrivateStack) -> None:
    before = filed(stack)
    with simulation(stack, *OPTIONS, "--seed", "22") as process:
        wait_for(lambda: filed(stack) > before, 60, "the first request")
        for service in SERVICES:
            kill(stack, leader(stack, service))
        for service in SERVICES:
            wait_for(lambda service=service: leader(stack, service) != "", 60, "a new leader")
        followers = [next(p for p in (service, f"{service}-2") if not leads(stack, p)) for service in SERVICES]
        with ExitStack() as sleeping:
            for follower in followers:
                sleeping.enter_context(paused(stack, follower))
            time.sleep(PAUSE_S)
        code, output = finish(process, PATIENCE_S + 300)
    assert code == 0, output
    keep(Result("kill -9 of every leader, a pause of every follower", 2 * len(SERVICES), REQUESTS, seed=22))
