"""How many requests stand in each state."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from pelangi.contracts.codes import RequestStatus
from services.intake.gauges import IN_STATE, RECENT, StateGauge
from tests.support.memory_store import MemoryStore

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)


async def test_open_requests_count_however_old_and_closed_ones_for_thirty_days() -> None:
    cases = MemoryStore().collection("cases")
    ages = {
        "ACCEPTED": [timedelta(), timedelta(days=900)],
        "COMPLETED": [timedelta(days=1), RECENT + timedelta(seconds=1)],
        "DECEASED": [RECENT + timedelta(days=1)],
        "REFUSED": [timedelta()],  # a submission that was refused is no request
    }
    for status, old in ages.items():
        for age in old:
            await cases.insert({"_id": f"{status} {age}", "version": 1, "status": status, "received_at": NOW - age})
    await cases.insert({"_id": "a stub", "version": 1})
    clock = SimpleNamespace(now=lambda: NOW)
    await StateGauge(cases, clock).count()
    shown = {sample.labels["status"]: sample.value for metric in IN_STATE.collect() for sample in metric.samples}
    assert shown.keys() == set(RequestStatus)
    assert {status: value for status, value in shown.items() if value} == {"ACCEPTED": 2, "COMPLETED": 1}


async def test_however_often_it_is_woken_it_counts_once_in_a_while() -> None:
    cases = MemoryStore().collection("cases")
    gauge = StateGauge(cases, SimpleNamespace(now=lambda: NOW))
    for _ in range(5):
        await gauge()
    assert cases.calls["count"] == len(RequestStatus)
    gauge.every_s = 0
    await gauge()
    assert cases.calls["count"] == 2 * len(RequestStatus)
