"""Made-up requests, and a scheduling service without servers: its workers and routes over a store in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import httpx

from pelangi.chassis.case import Change, Fact, apply_fact, stub
from pelangi.chassis.service import Runtime
from pelangi.chassis.signal import Signal
from pelangi.contracts import topics
from pelangi.contracts.codes import (
    Channel,
    ClosingOutcome,
    ItemOutcome,
    PublicRequesterKind,
    RequestStatus,
    ServiceKind,
    VisitKind,
    VulnerabilityCategory,
)
from pelangi.contracts.events import ItemClosed, PublicRequest, RequestClosed, RequestCreated, decode
from pelangi.contracts.request import RequestPlace
from pelangi.contracts.sealing import Opened
from pelangi.contracts.snapshots import Planning, PlanningItem, PlanningPerson
from services.scheduling.app import Settings
from services.scheduling.case import Case
from services.scheduling.day import Day
from services.scheduling.handlers import HANDLERS
from services.scheduling.planner.jobs import Plan
from services.scheduling.planner.questions import Answer, Question
from services.scheduling.reference import defaults
from services.scheduling.work import Work
from tests.support.memory_store import MemoryStore

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)  # a Tuesday, 09:00 in Pangkalpinang
TOMORROW = date(2026, 11, 25)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
VILLAGE, OTHER_VILLAGE = "19.71.04.1009", "19.71.01.1004"


@dataclass
class FixedClock:
    """Business time stands until a test moves it."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def wall(self) -> datetime:
        return self.at


def request_id(n: int) -> str:
    return f"8d7c4a52-6a3e-5b19-8a6c-{n:012x}"


def item_id(n: int) -> str:
    return f"01934567-0000-7000-8000-{n:012x}"


def public(n: int, kinds: Sequence[ServiceKind], visit_kind: VisitKind) -> dict[str, Any]:
    return {
        "request_id": request_id(n),
        "received_at": NOW,
        "area_code": "19.71",
        "visit_kind": visit_kind,
        "channel": Channel.KELURAHAN_FORM,
        "requester_kind": PublicRequesterKind.RT_RW,
        "services": sorted(set(kinds)),
        "persons_count": 1,
        "items_count": len(kinds),
        "due_on": TOMORROW + timedelta(days=14),
    }


def created(n: int = 1, visit_kind: VisitKind = VisitKind.HOME) -> Fact[Any]:
    data = RequestCreated(**public(n, [ServiceKind.KK_CHANGE], visit_kind))
    return Fact(topics.REQUEST_CREATED, request_id(n), request_id(n), 1, TRACE, data)


def details(
    n: int = 1,
    *,
    kinds: Sequence[ServiceKind] = (ServiceKind.KK_CHANGE, ServiceKind.KTP_RECORDING),
    persons: int = 1,
    visit_kind: VisitKind = VisitKind.HOME,
    village: str = VILLAGE,
    version: int = 1,
    status: RequestStatus = RequestStatus.ACCEPTED,
    withdrawn: Sequence[int] = (),
    needs: Sequence[str] = (),
    categories: Sequence[VulnerabilityCategory] = (),
    not_before: Mapping[int, date] | None = None,
    **planning: Any,
) -> Fact[Any]:
    """The snapshot of request `n`: items numbered 1000 n + their position, all persons alike. not_before: by position."""
    later = not_before or {}
    refs = [str(p + 1) for p in range(persons)]
    pairs = [(ref, kind) for ref in refs for kind in kinds]
    items = [
        PlanningItem(
            item_id=item_id(1000 * n + at),
            person_ref=ref,
            service_kind=kind,
            withdrawn=at in withdrawn,
            not_before=later.get(at),
        )
        for at, (ref, kind) in enumerate(pairs)
    ]
    part = Planning(
        **{
            "filled_at": NOW - timedelta(days=1),
            "place": RequestPlace(visit_kind=visit_kind, village_code=village, address="Jalan Karangan 1"),
            "persons": [PlanningPerson(ref=ref, categories=list(categories), needs=list(needs)) for ref in refs],
            "items": items,
            "companion": None,
            "availability": [],
            "deadline": None,
            **planning,
        }
    )
    request = PublicRequest(**public(n, kinds, visit_kind), status=status, version=version)
    return Fact(topics.REQUEST_DETAILS, request_id(n), request_id(n), version, TRACE, Opened(request, part))


def tombstone(n: int = 1, sequence: int = 99) -> Fact[Any]:
    return Fact(topics.REQUEST_DETAILS, request_id(n), request_id(n), sequence, TRACE, None)


def item_closed(n: int = 1, at: int = 0, outcome: ItemOutcome = ItemOutcome.REJECTED) -> Fact[Any]:
    item = item_id(1000 * n + at)
    data = ItemClosed(
        request_id=request_id(n),
        item_id=item,
        service_kind=ServiceKind.KK_CHANGE,
        outcome=outcome,
        closed_at=NOW,
        reason_class=None,
    )
    return Fact(topics.ITEM_CLOSED, request_id(n), item, 5, TRACE, data)


def closed(n: int = 1, outcome: ClosingOutcome = ClosingOutcome.WITHDRAWN) -> Fact[Any]:
    data = RequestClosed(request_id=request_id(n), closed_at=NOW, outcome=outcome, turnaround_hours=1)
    return Fact(topics.REQUEST_CLOSED, request_id(n), request_id(n), 9, TRACE, data)


def fold_facts(*facts: Fact[Any], case: Case | None = None, now: datetime = NOW) -> Change[Case]:
    """A case after facts, with what it emitted on the way."""
    before = case
    change: Change[Case] = Change(before, before or cast(Case, stub(facts[0].request_id)))
    for fact in facts:
        change.advance(apply_fact(change.after, fact, HANDLERS[fact.type], now), wall=now, traceparent=fact.traceparent)
    return change


class FirstFitOnly:
    """A solver that places nobody, so that first fit does."""

    async def start(self) -> None:
        """Nothing to get ready."""

    async def plan(self, question: Question) -> Answer:
        return Answer(Plan({}, frozenset(job.job_id for job in question.jobs)), {})


@dataclass
class City:
    """A scheduling service in memory."""

    clock: FixedClock = field(default_factory=FixedClock)
    store: MemoryStore = field(default_factory=MemoryStore)
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        cases = self.store.collection("cases")
        self.runtime = Runtime(self.settings, self.clock, cast(Any, self.store), cases, Signal())
        self.work = Work.of(self.runtime)
        self.http: httpx.AsyncClient | None = None

    async def fold(self, *facts: Fact[Any]) -> None:
        """What the consumer does with facts."""
        for fact in facts:
            before = await self.runtime.cases.get(fact.request_id)
            change = fold_facts(fact, case=cast(Case | None, before), now=self.clock.now())
            if before is None:
                assert await self.runtime.cases.insert(change.document())
            elif change.changed:
                assert await self.runtime.cases.update(change.update())

    async def teams(self, **changed: Any) -> None:
        """Every team has these fields of the table otherwise from now on."""
        value = {"teams": [team | changed for team in defaults()["teams"]["value"]["teams"]]}
        document = {"_id": "teams", "version": 1, "value": value}
        self.store.collection("reference").documents["teams"] = document

    async def calendar(self, **changed: Any) -> None:
        """The hours are otherwise from now on."""
        document = {"_id": "calendar", "version": 1, "value": defaults()["calendar"]["value"] | changed}
        self.store.collection("reference").documents["calendar"] = document

    async def run(self) -> None:
        """All the leader's timers, once."""
        await self.work.finish()
        await self.work.planner()
        await self.work.finish()

    async def request(self, n: int = 1) -> Any:
        """A request as the desk sees it."""
        assert self.http is not None
        return (await self.http.get(f"/v1/requests/{request_id(n)}")).json()

    async def ask(self, items: Sequence[int], reason: str, n: int = 1) -> httpx.Response:
        """The desk asks another visit for the items at these positions."""
        body = {"items": [item_id(1000 * n + at) for at in items], "reason": reason}
        return await self.post(f"/v1/requests/{request_id(n)}/visits", body)

    async def case(self, n: int = 1) -> Any:
        return await self.runtime.cases.get(request_id(n))

    async def visit(self, n: int = 1) -> Any:
        """The newest visit of a request."""
        return (await self.case(n))["visits"][-1]

    def days(self) -> dict[str, Day]:
        return cast(dict[str, Day], self.store.collection("days").documents)

    async def events(self, n: int = 1) -> list[tuple[str, Any]]:
        """Everything the request emitted, in order: (type, data); snapshots as (type, None)."""
        outbox = (await self.case(n)).get("outbox", [])
        return [(e["type"], decode(e["type"], bytes(e["data"])) if "data" in e else None) for e in outbox]

    async def scheduled(self, n: int = 1) -> list[tuple[str, int]]:
        """Status and revision of every visit-scheduled of a request."""
        return [(d.status, d.revision) for t, d in await self.events(n) if t == topics.VISIT_SCHEDULED]

    async def post(self, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        assert self.http is not None
        return await self.http.post(path, json={} if body is None else body, headers={"Idempotency-Key": key or str(uuid4())})

    async def call(self, what: str, n: int = 1, body: Any = None) -> Any:
        """A team's call on the newest visit of a request; it must succeed."""
        response = await self.post(f"/v1/visits/{(await self.visit(n))['visit_id']}/{what}", body)
        assert response.status_code == 200, response.text
        return response.json()

    async def complete(self, n: int = 1, **reasons: str) -> Any:
        """Go there and serve everybody, except the items (by position) with a reason to put them off: `i0="NO_UPLINK"`."""
        await self.call("depart", n)
        await self.call("arrive", n)
        visit = await self.shown(n)
        deferred = {item_id(1000 * n + int(at[1:])): reason for at, reason in reasons.items()}
        items = [
            {"item_id": i["item_id"], "outcome": "DEFERRED", "reason": deferred[i["item_id"]]}
            if i["item_id"] in deferred
            else {"item_id": i["item_id"], "outcome": "DONE"}
            for i in visit["items"]
        ]
        return await self.call("complete", n, {"items": items})

    async def shown(self, n: int = 1) -> Any:
        """The newest visit of a request, as its team sees it."""
        assert self.http is not None
        response = await self.http.get(f"/v1/visits/{(await self.visit(n))['visit_id']}")
        assert response.status_code == 200, response.text
        return response.json()
