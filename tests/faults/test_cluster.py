"""Three brokers, replication 3, min ISR 2: the leader of a busy partition ends, then the active controller; all carry on.

At length with the whole system and the checker, in short with intake alone and exact assertions on its topics.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from pelangi.contracts.topics import REQUEST_CLOSED, REQUEST_CREATED
from pelangi.local.kafka_cluster import REPLICATION
from pelangi.local.private import PrivateStack
from tests.faults import chaos
from tests.faults.bodies import Fate, fate_of
from tests.faults.brokers import Brokers
from tests.faults.filing import assert_once
from tests.faults.killer import Killer
from tests.faults.load import Load
from tests.faults.report import Result, keep, whole
from tests.support.service import wait_for

FAULT = "three brokers: kill -9 of a leader, of the controller"
BROKERS = ("--brokers", str(REPLICATION))
SEED, MOST = 71, 20_000
PATIENCE_S = 90


class Fall:
    """Ends one broker after another while requests are filed, and looks whether events still come.

    away_s: how long each is kept away at least; longer than its session (6 s), the others must go on without it.
    """

    def __init__(self, stack: PrivateStack, folder: Path, away_s: float) -> None:
        self.stack, self.brokers, self.away_s = stack, Brokers(stack, folder), away_s
        self.say = chaos.teller()
        self.killer = Killer(stack, SEED, 1.0, lambda text: None)

    async def each(self) -> None:
        """The leader of the busiest partition, then the active controller; both start again."""
        for what, find in (("leader", self._leader), ("controller", self.brokers.active_controller)):
            victim = await asyncio.to_thread(find)
            self.say(f"{what} {victim} ends")
            await self._away(victim)
            await chaos.all_ready(self.stack)
            await asyncio.to_thread(self._until, lambda: self.brokers.in_sync(REQUEST_CLOSED) == REPLICATION)
            self.say(f"{victim} is back and has caught up")

    def _leader(self) -> str:
        return self.brokers.busy_leader(REQUEST_CLOSED)

    async def _away(self, victim: str) -> None:
        """Kill it, and again whenever it has been started, until events have come without it for a while."""
        holding = asyncio.create_task(self._hold(victim))
        try:
            before = sum(await asyncio.to_thread(self.brokers.written, REQUEST_CLOSED))
            await asyncio.sleep(self.away_s)
            await asyncio.to_thread(self._until, lambda: sum(self.brokers.written(REQUEST_CLOSED)) > before + 5)
        finally:
            holding.cancel()

    async def _hold(self, victim: str) -> None:
        while True:
            self.killer.kill(victim)
            await asyncio.sleep(0.3)

    def _until(self, condition: Callable[[], bool]) -> None:
        wait_for(condition, PATIENCE_S, "the other brokers do not carry on, or the one that came back does not catch up")


async def _filed(fall: Fall, load: Load, rounds: int) -> None:
    """File without end while the brokers fall."""
    filing = asyncio.create_task(load.run())
    for _ in range(rounds):
        await fall.each()
    load.enough.set()
    await filing


def test_intake_carries_on_while_brokers_of_a_cluster_end(tmp_path: Path) -> None:
    only = [argument for name in ("kafka", "database", "intake") for argument in ("--only", name)]
    with PrivateStack(tmp_path, (*BROKERS, *only)) as stack:
        load, fall = Load(stack, SEED, MOST, concurrency=2, pause_s=0.3), Fall(stack, tmp_path, away_s=7)
        asyncio.run(_filed(fall, load, rounds=1))
        ids = {filed.request_id: fate_of(SEED, filed.number) for filed in load.accepted}
        closed = [request_id for request_id, fate in ids.items() if fate is not Fate.LEFT]
        wait_for(lambda: sum(fall.brokers.written(REQUEST_CLOSED)) >= len(closed), PATIENCE_S, "a closing is lost")
        assert_once(fall.brokers, REQUEST_CREATED, ids)
        assert_once(fall.brokers, REQUEST_CLOSED, closed)
    assert not +load.problems
    keep(Result(f"{FAULT} (intake alone)", 2, len(ids), seed=SEED))


if whole():  # four services twice, and the checker: minutes

    def test_all_carry_on_while_brokers_of_a_cluster_end(tmp_path: Path) -> None:
        async def act(stack: PrivateStack) -> chaos.Outcome:
            fall, load = Fall(stack, tmp_path, away_s=15), Load(stack, SEED, MOST, concurrency=16)
            await _filed(fall, load, rounds=2)
            result = Result(FAULT, 4, len(load.accepted), seed=SEED)
            return await chaos.checked(stack, result, load.accepted, load.problems)

        with PrivateStack(tmp_path, (*BROKERS, "--replicas", "2")) as stack:
            outcome = asyncio.run(act(stack))
        keep(outcome.result)
        outcome.assert_clean()
