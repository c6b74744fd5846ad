"""How many requests stand in each state: counted by the leader from an index, so that the figure survives restarts.

Open requests are all counted; closed ones only when they came in within the last 30 days, so that counting never takes long.
"""

import time
from dataclasses import dataclass
from datetime import timedelta

from prometheus_client import Gauge

from pelangi.chassis.clock import Clock
from pelangi.chassis.store import Collection
from pelangi.contracts.codes import OPEN_REQUEST_STATUSES, RequestStatus
from services.intake.store import BEFORE_ALL

RECENT = timedelta(days=30)

IN_STATE = Gauge(
    "pelangi_requests_in_state",
    "Requests by state; closed ones only if received in the last 30 days (the leader's only)",
    ["status"],
)


@dataclass(slots=True)
class StateGauge:
    """Work of the leader, at most every `every_s` seconds, however often it is woken."""

    cases: Collection
    clock: Clock
    every_s: float = 15.0
    _last: float | None = None

    async def __call__(self) -> None:
        """Count, if it is time."""
        now = time.monotonic()
        if self._last is None or now - self._last >= self.every_s:
            await self.count()
            self._last = now

    async def count(self) -> None:
        """One count per state, each over the index (status, received_at)."""
        since = self.clock.now() - RECENT
        for status in RequestStatus:
            after = BEFORE_ALL if status in OPEN_REQUEST_STATUSES else since
            IN_STATE.labels(status).set(await self.cases.count({"status": status, "received_at": {"$gt": after}}))
