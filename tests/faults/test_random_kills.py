"""Kill -9 of any process (services, portal, Kafka, the database) at random moments: nothing lost, nothing twice."""

from pathlib import Path

import pytest

from tests.faults import chaos
from tests.faults.report import keep, whole

VOLUME = [(seed, 9000) for seed in (51, 52, 53, 54, 55, 56)] if whole() else [(51, 150)]
LIVES = [(61, 400), (62, 400)] if whole() else [(61, 30)]
EVERY_S = 5.0 if whole() else 1.5


@pytest.mark.parametrize(("seed", "requests"), VOLUME)
def test_many_requests_while_processes_are_killed(tmp_path: Path, seed: int, requests: int) -> None:
    outcome = chaos.run(
        tmp_path, "kill -9 of any process, many requests", chaos.volume(requests, seed), seed=seed, every_s=EVERY_S
    )
    keep(outcome.result)
    outcome.assert_clean()


@pytest.mark.parametrize(("seed", "requests"), LIVES)
def test_whole_lives_while_processes_are_killed(tmp_path: Path, seed: int, requests: int) -> None:
    outcome = chaos.run(tmp_path, "kill -9 of any process, whole lives", chaos.lives(requests, seed), seed=seed, every_s=EVERY_S)
    keep(outcome.result)
    outcome.assert_clean()
