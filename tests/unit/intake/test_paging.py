"""Pages of the list: every request once, newest first, however far apart they were received."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.intake.store import PAGE, WINDOWS, page
from tests.support.memory_store import MemoryCollection

NOW = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)
AGES = [timedelta(0), *WINDOWS, timedelta(days=2000)]


def stored(count: int) -> list[dict[str, Any]]:
    """Requests of all ages, some at the same moment, some exactly where one stretch ends, one from a clock that is ahead."""
    rng = random.Random(7)
    moments = [NOW - rng.choice(AGES) * rng.choice((1.0, rng.random())) for _ in range(count - 1)]
    return [
        {"_id": f"{n:04}", "received_at": moment.replace(microsecond=0), "status": rng.choice(("ACCEPTED", "COMPLETED"))}
        for n, moment in enumerate([*moments, NOW + timedelta(days=3)])
    ]


@pytest.mark.parametrize("status", [None, "ACCEPTED"])
@pytest.mark.parametrize("count", [1, PAGE, 4 * PAGE + 7])
async def test_every_request_once_newest_first(count: int, status: str | None) -> None:
    cases, documents = MemoryCollection(), stored(count)
    await cases.insert_many([*documents, {"_id": "stub"}])
    wanted = [d for d in documents if status in (None, d["status"])]
    found, cursor = [], None
    while True:
        rows, cursor = await page(cases, status=status, village_code=None, cursor=cursor, now=NOW)
        found += rows
        if cursor is None:
            break
        assert len(rows) == PAGE
    assert [d["_id"] for d in found] == [
        d["_id"] for d in sorted(wanted, key=lambda d: (d["received_at"], d["_id"]), reverse=True)
    ]


async def test_a_full_day_is_looked_for_no_further_back() -> None:
    cases = MemoryCollection()
    await cases.insert_many([{"_id": f"{n}", "received_at": NOW - timedelta(minutes=n)} for n in range(PAGE + 1)])
    rows, _ = await page(cases, status=None, village_code=None, cursor=None, now=NOW)
    assert len(rows) == PAGE
    assert cases.calls["find"] == 1
