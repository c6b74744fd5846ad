"""Kill -9 of any process (services, portal, Kafka, the database) at random moments: nothing lost, nothing twice.

At length more than 200 kills, in several runs, so that a failure is found early. Whole lives under kills are in
tests/system/test_everyday_faults.py too, which `make test` runs.
"""

from pathlib import Path

import pytest

from tests.faults import chaos
from tests.faults.report import RANDOM, keep, whole

VOLUME = [(seed, 5000) for seed in (51, 52, 53, 54, 55, 56)] if whole() else [(51, 100)]
EVERY_S, MOST = (1.2, 1_000_000) if whole() else (1.0, 6)
CLERKS, PAUSE_S = (24, 0.6) if whole() else (4, 0.3)
LIVES = [(61, 300), (62, 300)]
LIVES_EVERY_S = 3.0


@pytest.mark.parametrize(("seed", "requests"), VOLUME)
def test_many_requests_while_processes_are_killed(tmp_path: Path, seed: int, requests: int) -> None:
    load = chaos.volume(requests, seed, clerks=CLERKS, pause_s=PAUSE_S)
    outcome = chaos.run(tmp_path, f"{RANDOM}, many requests", load, seed=seed, every_s=EVERY_S, most=MOST)
    keep(outcome.result)
    outcome.assert_clean()


if whole():

    @pytest.mark.parametrize(("seed", "requests"), LIVES)
    def test_whole_lives_while_processes_are_killed(tmp_path: Path, seed: int, requests: int) -> None:
        outcome = chaos.run(tmp_path, f"{RANDOM}, whole lives", chaos.lives(requests, seed), seed=seed, every_s=LIVES_EVERY_S)
        keep(outcome.result)
        outcome.assert_clean()
