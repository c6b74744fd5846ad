"""Faults of every day while the city lives: Kafka away, processes killed, a second replica, a paused process."""

import time
from collections.abc import Iterator

import pytest

from pelangi.local.private import PrivateStack
from tests.support.city import SERVICES, filed, finish, kill, leader, paused, simulation, wait_for

REQUESTS = 60
PAUSE_S = 12
"""Longer than a consumer's session (10 s) and a lease (5 s), so that others take over while it sleeps."""
OPTIONS = ("--requests", str(REQUESTS), "--check", "--settle", "90")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateStack]:
    """Two processes per service."""
    with PrivateStack(tmp_path_factory.mktemp("faults"), ("--replicas", "2")) as running:
        yield running


def test_kafka_away_while_requests_are_filed(stack: PrivateStack) -> None:
    """Every POST still gets its 201, and everything reaches its end afterwards."""
    before = filed(stack)
    with simulation(stack, *OPTIONS, "--seed", "21") as process:
        wait_for(lambda: filed(stack) > before, 60, "the first request")
        with paused(stack, "kafka"):
            wait_for(lambda: filed(stack) >= before + REQUESTS, 60, "all requests filed with Kafka away")
        code, output = finish(process, 400)
    assert code == 0, output


def test_every_leader_killed_and_one_process_of_each_paused(stack: PrivateStack) -> None:
    before = filed(stack)
    with simulation(stack, *OPTIONS, "--seed", "22") as process:
        wait_for(lambda: filed(stack) > before, 60, "the first request")
        for service in SERVICES:
            killed = leader(stack, service)
            kill(stack, killed)
            wait_for(lambda service=service, killed=killed: leader(stack, service) != "", 60, "a new leader")
        for service in SERVICES:
            follower = next(p for p in (service, f"{service}-2") if p != leader(stack, service))
            with paused(stack, follower):
                time.sleep(PAUSE_S)
        code, output = finish(process, 400)
    assert code == 0, output
