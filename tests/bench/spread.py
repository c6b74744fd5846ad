"""Percentiles of times, and events at a steady rate."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence


def percentile(times: Sequence[float], share: float) -> float:
    """The smallest time that `share` of them do not exceed; 0 of none."""
    ordered = sorted(times)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


async def steadily(rate: float, seconds: float, event: Callable[[float], Awaitable[None]]) -> None:
    """Call `event(due)` every 1/rate s, whatever became of those before; return when all have ended. due: monotonic."""
    start = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = start + number / rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            group.create_task(event(due))  # type: ignore[arg-type]  # always a coroutine here
