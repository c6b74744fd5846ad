"""Two replicas, one on each driver, on the real store."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

import pytest

from pelangi.chassis.service import Runtime
from pelangi.chassis.signal import Signal
from pelangi.chassis.store import Collection, Document, Store
from pelangi.contracts.codes import VisitKind
from services.scheduling.agenda import items_to_visit
from services.scheduling.app import Settings
from services.scheduling.booking import Booker
from services.scheduling.case import Slot
from services.scheduling.reference import Reference, as_reference, defaults
from services.scheduling.store import INDEXES, days_of_visit, stuck_bookings, to_release, unspread_days, waiting
from services.scheduling.work import Work
from tests.conftest import RunningDatabase
from tests.unit.scheduling.city import NOW, TOMORROW, FixedClock, closed, details, fold_facts, request_id
from tests.unit.scheduling.test_rules import WEDNESDAY, slot

PLACES, TRIES = 10, 1000


@pytest.fixture
async def replicas(database: RunningDatabase) -> AsyncIterator[tuple[Work, Work]]:
    stores = [Store(database.uri("scheduling"), driver=driver) for driver in ("motor", "pymongo")]
    suffix = uuid4().hex[:8]

    class Named:
        """The same collections under names of this test."""

        def __init__(self, store: Store) -> None:
            self.store = store

        def collection(self, name: str) -> Collection:
            return self.store.collection(f"{name}-{suffix}")

    names = [Named(s) for s in stores]
    for index in INDEXES:
        await names[0].collection(index.collection).create_index(index.keys, **index.options)
    clock = FixedClock()
    runtimes = [Runtime(Settings(), clock, cast(Any, n), n.collection("cases"), Signal()) for n in names]
    yield Work.of(runtimes[0]), Work.of(runtimes[1])
    for store in stores:
        await store.close()


def one_small_team() -> Reference:
    documents: dict[str, Document] = {k: dict(v) for k, v in defaults().items()}
    [team, *_] = documents["teams"]["value"]["teams"]
    documents["teams"] = {"value": {"teams": [team | {"home_visits_per_day": PLACES, "travel_minutes": 0}]}}
    return as_reference(documents)


def wish(n: int) -> Slot:
    """A slot for the items of request `n`."""
    return {**slot(n, VisitKind.HOME, 20, WEDNESDAY), "items": items_to_visit(fold_facts(details(n)).after)}


async def test_a_thousand_tries_for_ten_places(replicas: tuple[Work, Work]) -> None:
    first, second = replicas
    cases, reference = first.runtime.cases, one_small_team()
    await cases.insert_many([fold_facts(details(n)).document() for n in range(TRIES)])
    tries = [(replicas[n % 2].booker, wish(n)) for n in range(TRIES)]
    limit = asyncio.Semaphore(40)

    async def attempt(booker: Booker, slot: Slot) -> set[str]:
        async with limit:
            return await booker.place([slot], reference)

    placed = set().union(*await asyncio.gather(*(attempt(b, w) for b, w in tries)))
    assert len(placed) == PLACES
    day = await first.days.get(WEDNESDAY)
    assert day and len(day["bookings"]) == PLACES
    assert {b["request_id"] for b in day["bookings"].values()} == placed
    stored = await cases.get_many([request_id(n) for n in range(TRIES)])
    assert {i for i, c in stored.items() if c.get("visits")} == placed
    assert all((c.get("placement") or {}).get("wanted") is None for c in stored.values())
    assert await second.sweeper.sweep() == 0


async def test_two_planners_at_once_place_everybody_once(replicas: tuple[Work, Work]) -> None:
    cases = replicas[0].runtime.cases
    count = 60
    await cases.insert_many([fold_facts(details(n)).document() for n in range(count)])
    await asyncio.gather(*(w.planner() for w in replicas))
    for work in replicas:
        work.runtime.clock.at += timedelta(seconds=6)  # type: ignore[attr-defined]
        await work.finish()
        await work.planner()
    stored = await cases.get_many([request_id(n) for n in range(count)])
    assert [len(c["visits"]) for c in stored.values()] == [1] * count
    assert [len(c["outbox"]) for c in stored.values()] == [2] * count
    assert len(await waiting(cases, until=TOMORROW)) == 0
    assert await replicas[0].sweeper.sweep() == 0


async def test_the_queries_on_the_real_store(replicas: tuple[Work, Work]) -> None:
    work = replicas[0]
    cases = work.runtime.cases
    await cases.insert_many([fold_facts(details(n)).document() for n in (1, 2)])
    assert [c["_id"] for c in await waiting(cases, until=TOMORROW)] == [request_id(1), request_id(2)]
    assert [c["_id"] for c in await waiting(cases, until=TOMORROW, without=[request_id(1)])] == [request_id(2)]
    await work.planner()
    assert await waiting(cases, until=TOMORROW) == []
    case = cast(Any, await cases.get(request_id(1)))
    change = fold_facts(closed(1), case=case)
    assert await cases.update(change.update())
    assert [c["_id"] for c in await to_release(cases)] == [request_id(1)]
    await work.finish()
    assert await to_release(cases) == []
    other = cast(Any, await cases.get(request_id(2)))
    visit = other["visits"][0]["visit_id"]
    assert [d["_id"] for d in await days_of_visit(work.days, visit)] == [other["visits"][0]["date"]]
    assert await unspread_days(work.days) == []
    assert await stuck_bookings(cases, NOW) == []
    assert await work.sweeper.sweep() == 0


async def test_five_hundred_within_a_minute(replicas: tuple[Work, Work]) -> None:
    work = replicas[0]
    kinds = [VisitKind.HOME, VisitKind.COMMUNITY_POINT, VisitKind.OFFICE_APPOINTMENT, VisitKind.INSTITUTION]
    facts = [details(n, visit_kind=kinds[n % 4], persons=1 + n % 3) for n in range(500)]
    await work.runtime.cases.insert_many([fold_facts(f).document() for f in facts])
    started = asyncio.get_running_loop().time()
    await work.planner()
    seconds = asyncio.get_running_loop().time() - started
    assert await work.runtime.cases.count({"visits": {"$exists": True}}) == 500
    assert seconds < 60
