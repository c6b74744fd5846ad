"""Kafka or the database away for a minute under a whole system at work: silent, or killed again and again. In `make faults` only.

The short forms in `make test`: Kafka silent for half a minute (tests/system/test_everyday_faults.py), the database silent and
killed (test_store_faults.py).
"""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from signal import SIGCONT, SIGKILL, SIGSTOP

import pytest

from pelangi.local.private import PrivateStack
from pelangi.simulate.options import Accepted
from tests.faults import chaos
from tests.faults.killer import SERVICES
from tests.faults.metrics import scrape, total
from tests.faults.report import Result, keep, whole
from tests.support.city import filed

REQUESTS, AWAY_S = 200, 60.0
OUTAGES = [(part, how) for part in ("kafka", "database") for how in ("silent", "killed")]
SHOWS = {"kafka": (), "database": ("pelangi_leadership_failures_total",)}
"""Counters that must move beside the gauge of readiness. Of Kafka none: a producer waits for it for as long as this takes."""


async def away(stack: PrivateStack, part: str, how: str) -> int:
    """Until the minute is over; how many signals that took."""
    before, signals = filed(stack), 0
    while await asyncio.to_thread(filed, stack) <= before + REQUESTS / 10:  # noqa: ASYNC110 - another process's counter
        await asyncio.sleep(0.2)
    until = time.monotonic() + AWAY_S
    if how == "silent":
        pid = stack.pid(part)
        os.kill(pid, SIGSTOP)
        try:
            await asyncio.sleep(AWAY_S)
        finally:
            os.kill(pid, SIGCONT)
        return 1
    while time.monotonic() < until:
        with suppress(ProcessLookupError):
            os.kill(stack.pid(part), SIGKILL)
            signals += 1
        await asyncio.sleep(1)
    return signals


async def reddest(stack: PrivateStack, component: str) -> None:
    """Until some service's gauge of the component is red."""
    while True:
        for service in SERVICES:
            samples = await asyncio.to_thread(scrape, stack.url(service))
            if samples and total(samples, "pelangi_ready", component=component) == 0:
                return
        await asyncio.sleep(0.5)


async def outage(stack: PrivateStack, part: str, how: str, seed: int, earlier: list[Accepted]) -> chaos.Outcome:
    """A load, the outage in its middle, and the checker. Fails where no gauge turned red.

    earlier: what earlier outages filed on this stack, which the checker still finds there; gets what this one files.
    """
    before = {s: scrape(stack.url(s)) for s in SERVICES}
    red = asyncio.create_task(reddest(stack, part))
    ending = asyncio.create_task(away(stack, part, how))
    accepted, problems = await chaos.lives(REQUESTS, seed)(stack)
    signals = await ending
    assert red.done(), "an outage that shows in no gauge"
    earlier += accepted
    outcome = await chaos.checked(
        stack, Result(f"{part} {how} for a minute", signals, len(accepted), seed=seed), earlier, problems
    )
    after = {s: scrape(stack.url(s)) for s in SERVICES}
    moved = {name: sum(total(after[s], name) - total(before[s], name) for s in SERVICES) for name in SHOWS[part]}
    return replace(outcome, result=replace(outcome.result, metrics=moved | {f"pelangi_ready {part}": -1}))


if whole():

    @pytest.fixture(scope="module")
    def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateStack]:
        with PrivateStack(tmp_path_factory.mktemp("outages"), ("--replicas", "2")) as running:
            yield running

    @pytest.fixture(scope="module")
    def earlier() -> list[Accepted]:
        return []

    @pytest.mark.parametrize(("part", "how"), OUTAGES)
    def test_a_part_away_for_a_minute(stack: PrivateStack, part: str, how: str, earlier: list[Accepted]) -> None:
        outcome = asyncio.run(outage(stack, part, how, 83 + OUTAGES.index((part, how)), earlier))
        keep(outcome.result)
        assert all(outcome.result.metrics.values()), outcome.result.metrics
        outcome.assert_clean()
