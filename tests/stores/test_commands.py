"""How many commands each kind of work costs, counted on the wire by both drivers, with the concerns and an index of each.

A round trip costs more than what it carries (ARCHITECTURE.md §3), so these counts are the cost of the system. `getMore` counts.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest

from pelangi.chassis import web
from pelangi.chassis.consumer import Consumer
from pelangi.chassis.decode import Broken
from pelangi.chassis.ids import random_id
from pelangi.chassis.leader import Lease
from pelangi.chassis.relay import Relay
from pelangi.chassis.service import make_decoder
from pelangi.contracts.codes import ItemVisitOutcome, ServiceKind
from pelangi.contracts.events import aggregate_id
from pelangi.contracts.examples import EXAMPLES
from pelangi.contracts.topics import BY_NAME, SERVICES
from services.intake import draws
from services.issuance.blanks import BLANKS_COLLECTION, Ledger
from services.issuance.opening import open_once
from services.issuance.settling import settle_once
from services.notify.sending import Limits, Sender
from services.scheduling.work import Work
from tests.stores.served import Served, served
from tests.support.bodies import body
from tests.support.records import Raw, record
from tests.unit.chassis.test_relay import Producer
from tests.unit.issuance.scenario import CARD_WAY, NIK, Desk, completed, details
from tests.unit.notify import bench, facts
from tests.unit.notify.fakes import FakeChannel, FakeClock
from tests.unit.scheduling import city as scheduling

BATCH = 500
NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

Serve = Callable[..., Any]


@pytest.fixture(params=["motor", "pymongo"])
def serve(request: pytest.FixtureRequest, database: Any) -> Serve:
    """`async with serve(service) as here:`."""
    return partial(served, database, driver=request.param)


def request_id(n: int) -> str:
    return f"00000000-0000-5000-8000-{n:012x}"


def events(service: str, numbers: range, sequence: int) -> list[Raw]:
    """One event per request, of the public topics that the service reads, in turn."""
    types = [t for t in EXAMPLES if service in BY_NAME[t].readers and BY_NAME[t].public]
    made = []
    for n in numbers:
        type_ = types[n % len(types)]
        data = EXAMPLES[type_].model_copy(update={"request_id": request_id(n)})
        assert aggregate_id(type_, data)
        made.append(record(type_, data, sequence, partition=0, offset=1000 * sequence + n))
    return made


def consumer_of(here: Served) -> Consumer:
    """The service's consumer, which sets nothing aside."""

    async def set_aside(_: Any, broken: Broken) -> None:
        raise AssertionError(f"{broken.reason} {broken.error}")

    service = here.service
    return Consumer(here.cases, make_decoder(service), service.handlers, here.runtime.clock, set_aside, here.runtime.written)


@pytest.mark.parametrize("name", SERVICES)
async def test_a_batch_of_five_hundred(serve: Serve, name: str) -> None:
    """At most three commands; a repeated batch reads only."""
    async with serve(name) as here:
        consumer = consumer_of(here)
        here.commands()
        await consumer.handle(events(name, range(BATCH), 1))
        assert here.commands() == ["find", "insert"]
        await consumer.handle(events(name, range(BATCH // 2, BATCH + BATCH // 2), 2))
        assert here.commands() == ["find", "insert", "update"]
        await consumer.handle(events(name, range(BATCH), 3))
        assert here.commands() == ["find", "update"]
        await consumer.handle(events(name, range(BATCH), 3))
        assert here.commands() == ["find"]


@pytest.mark.parametrize("name", SERVICES)
async def test_a_cycle_of_the_relay(serve: Serve, name: str) -> None:
    async with serve(name) as here:
        envelope = {"type": "item-closed.v1", "aggregate": "a", "sequence": 1, "traceparent": TRACE, "data": b"{}", "time": NOW}
        waiting = [
            {"_id": f"{n}", "version": 1 + n % 3, "outbox": [{**envelope, "id": f"e{n}"}], "pending_since": NOW}
            for n in range(BATCH + 100)
        ]
        await here.cases.insert_many(waiting)
        here.commands()
        relay, producer = Relay(here.cases, f"/services/{name}", {}, here.runtime.clock, here.runtime.written), Producer()
        for sent in (BATCH, 100):
            assert await relay.cycle(cast(Any, producer)) == sent
            assert here.commands() == ["find", "update"]
        assert await relay.cycle(cast(Any, producer)) == 0
        assert here.commands() == ["find"]
        assert len(producer.committed) == BATCH + 100


async def test_the_lease(serve: Serve) -> None:
    async with serve("intake") as here:
        lease = Lease(here.store.collection("lease"))
        here.commands()
        assert await lease.acquire()
        assert here.commands() == ["find", "insert"]
        assert await lease.renew()
        assert here.commands() == ["find", "update"]
        assert await lease.is_mine()
        assert here.commands() == ["find"]
        await lease.release()
        assert here.commands() == ["update"]


@asynccontextmanager
async def http_of(here: Served) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service's own routes."""

    async def ready() -> tuple[bool, dict[str, str]]:
        return True, {}

    app = web.make_app(here.service.settings.name, lifespan=None, asyncapi={}, ready=ready, live=lambda: True)
    app.include_router(here.service.routes(here.runtime))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        here.commands()
        yield http


async def post(http: httpx.AsyncClient, path: str, value: Any, status: int = 200, **headers: str) -> Any:
    headers = {"Idempotency-Key": headers.pop("key", "") or str(uuid4()), **headers}
    answer = await http.post(path, json=value, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_calls_on_intake(serve: Serve) -> None:
    asked = body(persons=[{"name": "Nenek Contoh", "nik": NIK, "services": ["KTP_RECORDING", "KK_CHANGE"]}])
    async with serve("intake") as here, http_of(here) as http:
        key = str(uuid4())
        filed = await post(http, "/v1/requests", asked, 201, key=key)
        assert here.commands() == ["insert"]
        assert await post(http, "/v1/requests", asked, 201, key=key) == filed
        assert sorted(here.commands()) == ["find", "insert"], "a repeated one"
        path = f"/v1/requests/{filed['request_id']}"
        for version, what in enumerate(("details", "deceased", "withdrawal"), 1):
            value = {"details": asked, "deceased": {"person_ref": "1"}, "withdrawal": {}}[what]
            status = 200 if what != "withdrawal" else 409  # nobody is left to withdraw it
            await post(http, f"{path}/{what}", value, status, **{"If-Match": f'"{version}"'})
            assert here.commands() == (["find", "update"] if status == 200 else ["find"]), what
        for read in (path, "/v1/requests", f"/v1/tracking/{filed['receipt_code']}"):
            assert (await http.get(read)).status_code == 200
            looks = 4 if read == "/v1/requests" else 1  # where few came in lately, a page looks further back
            assert here.commands() == ["find"] * looks, read
        assert (await http.get(f"{path}/possible-duplicates")).status_code == 200
        assert here.commands() == ["find", "find"]


CONCURRENT, ROUNDS = 64, 4
PER_REQUEST = 0.2
"""Database commands per HTTP request at 64 concurrent, at most (issue 5)."""


async def at_once(call: Callable[[int], Any]) -> list[Any]:
    """64 callers, each of which calls again as soon as it is answered."""

    async def caller(number: int) -> list[Any]:
        return [await call(number * ROUNDS + turn) for turn in range(ROUNDS)]

    return [answer for answers in await asyncio.gather(*map(caller, range(CONCURRENT))) for answer in answers]


async def test_calls_at_once_share_commands(serve: Serve) -> None:
    asked = body(persons=[{"name": "Nenek Contoh", "nik": NIK, "services": ["KTP_RECORDING", "KK_CHANGE"]}])
    keys = [str(uuid4()) for _ in range(CONCURRENT * ROUNDS)]
    async with serve("intake") as here, http_of(here) as http:

        def cost() -> float:
            return len(here.commands()) / len(keys)

        filed = await at_once(lambda n: post(http, "/v1/requests", asked, 201, key=keys[n]))
        assert (per_filing := cost()) <= PER_REQUEST, per_filing
        assert len({f["request_id"] for f in filed}) == len(keys)
        again = await at_once(lambda n: post(http, "/v1/requests", asked, 201, key=keys[n]))
        assert (per_repeat := cost()) <= PER_REQUEST, per_repeat
        assert again == filed
        paths = [f"/v1/requests/{f['request_id']}" for f in filed]
        shown = await at_once(lambda n: http.get(paths[n]))
        assert (per_reading := cost()) <= PER_REQUEST, per_reading
        assert [a.json()["receipt_code"] for a in shown] == [f["receipt_code"] for f in filed]
        match = {"If-Match": '"1"'}
        await at_once(lambda n: post(http, f"{paths[n]}/withdrawal", {}, **match))
        assert (per_call := cost()) <= PER_REQUEST, per_call
        stored = await here.cases.get_many([f["request_id"] for f in filed])
        assert {(d["version"], d["status"]) for d in stored.values()} == {(2, "WITHDRAWN")} and len(stored) == len(keys)


async def test_a_receipt_code_that_is_taken_in_the_middle_of_a_group(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that draw one code at once, the other draws again; and one key sent twice at once has one answer."""
    drawn = iter(["0" * 10 + "0", "0" * 10 + "0"])
    real = draws.draw_receipt_code
    monkeypatch.setattr(draws, "draw_receipt_code", lambda below: next(drawn, None) or real(below))
    keys = [str(uuid4()) for _ in range(6)]
    async with serve("intake") as here, http_of(here) as http:
        filed = await asyncio.gather(*(post(http, "/v1/requests", body(), 201, key=key) for key in [*keys, keys[0], keys[5]]))
        here.commands()
        assert filed[6] == filed[0] and filed[7] == filed[5]
        assert len({f["receipt_code"] for f in filed}) == len({f["request_id"] for f in filed}) == 6
        stored = await here.cases.get_many([f["request_id"] for f in filed])
        assert {d["version"] for d in stored.values()} == {1} and len(stored) == 6


async def test_calls_on_scheduling(serve: Serve) -> None:
    """A call on a visit is written in its day; then it begins what follows from that, which the leader would finish."""
    async with serve("scheduling", clock=scheduling.FixedClock()) as here, http_of(here) as http:
        await here.cases.insert_many([scheduling.fold_facts(scheduling.details(1)).document()])
        await Work.of(here.runtime).planner()
        visit = (await here.cases.get(scheduling.request_id(1)))["visits"][0]["visit_id"]
        here.commands()
        key = str(uuid4())
        await post(http, f"/v1/visits/{visit}/depart", {}, key=key)
        call, follows = ["find", "find", "update"], ["find", "update", "update"]
        assert here.commands() == call + follows
        await post(http, f"/v1/visits/{visit}/depart", {}, key=key)
        assert here.commands() == ["find"], "a repeated one"
        assert (await http.get(f"/v1/visits/{visit}")).status_code == 200
        assert here.commands() == ["find", "find"]


async def test_calls_on_visits_of_one_day_share_commands(serve: Serve) -> None:
    """Each finds its day; one is written at once, and all that came meanwhile together."""
    async with serve("scheduling", clock=scheduling.FixedClock()) as here, http_of(here) as http:
        await here.cases.insert_many([scheduling.fold_facts(scheduling.details(n)).document() for n in range(12)])
        await Work.of(here.runtime).planner()
        cases = [await here.cases.get(scheduling.request_id(n)) for n in range(12)]
        visits = [case["visits"][0] for case in cases]
        assert len({visit["date"] for visit in visits}) == 1
        here.commands()
        await asyncio.gather(*(post(http, f"/v1/visits/{v['visit_id']}/depart", {}) for v in visits))
        assert len(here.commands()) <= 12 + 4 * 7
        after = await here.cases.get_many([case["_id"] for case in cases])
        assert {case["visits"][0]["status"] for case in after.values()} == {"EN_ROUTE"}


async def test_the_planner_and_its_neighbours(serve: Serve) -> None:
    """A batch of a hundred requests costs as many commands as a batch of ten, and looking for work costs few."""
    cost = []
    for count in (10, 100):
        async with serve("scheduling", clock=scheduling.FixedClock()) as here:
            await here.cases.insert_many([scheduling.fold_facts(scheduling.details(n)).document() for n in range(count)])
            here.commands()
            work = Work.of(here.runtime)
            assert await work.planner.batch() == count
            cost.append(here.commands())
            assert await work.planner.batch() == 0
            assert here.commands() == ["find", "find"]
            await work.finish()
            assert here.commands() == ["find"] * 4
            await work.sweeper.sweep()
            assert here.commands() == ["find"] * 3
            await work.reviews()
            assert set(here.commands()) == {"aggregate"}
    assert cost[0] == cost[1] and len(cost[0]) <= 10, cost


async def test_documents_are_opened(serve: Serve) -> None:
    async with serve("issuance") as here:
        case = Desk(details(ServiceKind.KK_NEW, ServiceKind.KTP_RECORDING)).case
        await here.cases.insert_many([{**case, "_id": f"{n}"} for n in range(BATCH)])
        here.commands()
        assert await open_once(here.runtime, random_id) == BATCH
        assert here.commands() == ["find", "update"]
        assert await open_once(here.runtime, random_id) == 0
        assert here.commands() == ["find"]


async def test_calls_on_issuance(serve: Serve) -> None:
    async with serve("issuance") as here, http_of(here) as http:
        kinds = (ServiceKind.KIA, ServiceKind.KK_CHANGE)
        desk = Desk(details(*kinds), completed(dict.fromkeys(range(2), ItemVisitOutcome.DONE))).open()
        await here.cases.insert_many([{**desk.case}])
        documents = {d["document_kind"]: d["document_id"] for d in desk.documents}
        here.commands()
        for to in ("DATA_ENTERED", "VERIFIED"):
            await post(http, f"/v1/documents/{documents['KK']}/transitions", {"to": to})
            assert here.commands() == ["find", "update"], to
        key = str(uuid4())
        for to in CARD_WAY[:4]:
            told = {"to": to, **({"siak_reference": "SIAK-1"} if to == "PRINTED" else {})}
            await post(http, f"/v1/documents/{documents['KIA']}/transitions", told, key=key if to == "PRINTED" else str(uuid4()))
            taken = ["update", "find"] if to == "PRINTED" else []  # a blank from the ledger, and the case once more
            assert here.commands() == ["find", *taken, "update"], to
        await post(http, f"/v1/documents/{documents['KIA']}/transitions", told, key=key)
        assert here.commands() == ["find"], "a repeated one"
        ledger = Ledger(here.store.collection(BLANKS_COLLECTION))
        await settle_once(here.runtime, ledger)
        assert here.commands() == ["find", "find", "update"]
        await settle_once(here.runtime, ledger)
        assert here.commands() == ["find"]


async def test_a_pass_of_notify(serve: Serve) -> None:
    """One look and two bulks, however many are told."""
    async with serve("notify") as here:
        case = facts.fold([facts.created(), facts.details()])
        await here.cases.insert_many([{**case, "_id": f"{n}", "version": 1, "changed_at": facts.NOW} for n in range(100)])
        here.commands()
        mail, clock = FakeChannel(), FakeClock()
        sender = Sender(here.cases, clock, {"EMAIL": mail, "VIA_KELURAHAN": mail}, bench.WRITER, Limits())
        assert await sender.once()
        assert here.commands() == ["find", "update", "update"]
        assert len(mail.sent) == 100
        assert not await sender.once()
        assert here.commands() == ["find"]
