"""Kill -9 of any process at random moments, and pauses: the order of victims comes from a seed, the moments from chance."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from pelangi.local.private import PrivateStack

SERVICES = ("intake", "scheduling", "issuance", "notify")
WEIGHTS: dict[str, float] = {
    **dict.fromkeys((name for s in SERVICES for name in (s, f"{s}-2")), 1.0),
    "portal": 0.5,
    "kafka": 0.8,
    "database": 0.8,
}
PAUSE_SHARE = 0.15
PAUSES_S = (1.0, 14.0)
"""Some are longer than a lease (5 s) and a consumer's session (10 s), so that others take over meanwhile."""

MOST_AWAY = 4
"""So many programs may be away at once: on a slow machine nothing would ever come back otherwise."""


@dataclass
class Killer:
    """Kills and pauses processes of a stack until told to stop. kills, pauses: how many of each program. most: no more kills."""

    stack: PrivateStack
    seed: int
    every_s: float
    say: Callable[[str], None]
    most: int = 1_000_000
    kills: Counter[str] = field(default_factory=Counter)
    pauses: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._paused: set[int] = set()

    async def run(self) -> None:
        """Until cancelled, or until there were enough; whoever is paused then goes on."""
        sleepers: set[asyncio.Task[None]] = set()
        try:
            while self.kills.total() < self.most:
                await asyncio.sleep(self._rng.expovariate(1 / self.every_s))
                if self._away() >= MOST_AWAY:
                    continue
                victim = self._rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
                if self._rng.random() < PAUSE_SHARE:
                    sleepers.add(asyncio.create_task(self._pause(victim, self._rng.uniform(*PAUSES_S))))
                else:
                    self.kill(victim)
                sleepers = {sleeper for sleeper in sleepers if not sleeper.done()}
        finally:
            for sleeper in sleepers:
                sleeper.cancel()
            await asyncio.gather(*sleepers, return_exceptions=True)

    def _away(self) -> int:
        return sum(program["state"] != "ready" for program in self.stack.state()["programs"].values()) + len(self._paused)

    def kill(self, program: str) -> None:
        """End it at once; while it is starting too."""
        if (process := self._process(program)) is not None:
            process.kill()
            self.kills[program] += 1
            self.say(f"kill -9 {program}")

    async def _pause(self, program: str, seconds: float) -> None:
        process = self._process(program)
        if process is None or process.pid in self._paused:
            return
        self.pauses[program] += 1
        self.say(f"pause of {seconds:.0f} s: {program}")
        self._paused.add(process.pid)
        try:
            process.suspend()
            await asyncio.sleep(seconds)
        finally:
            self._paused.discard(process.pid)
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def _process(self, program: str) -> psutil.Process | None:
        """The program's process; None where it has ended and is not started again yet. Never somebody else's."""
        state = self.stack.state()
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(state["programs"][program]["pid"])
            if process.ppid() == state["pid"] and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None
