"""The checker gathers everything, waits until it is settled, and says what it could not read."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from rich.console import Console

from pelangi.audit import AuditOptions, AuditReport, Finding, show
from pelangi.audit import audit as audit_module
from pelangi.audit.audit import settle
from pelangi.audit.evidence import Evidence, Sources
from pelangi.audit.history import PUBLIC_TOPICS, History, Mail, Record
from pelangi.audit.http_reader import HttpReader, Unreadable
from tests.unit.audit import stories

OPTIONS = AuditOptions(settle_s=5.0, quiet_s=0.05)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_module, "PAUSE_S", 0.01)


@dataclass
class World:
    """Topics, HTTP and mailbox of a history. `each_round` may change the world before a read of the topics."""

    history: History = field(default_factory=stories.healthy)
    each_round: Callable[["World"], None] = lambda _: None
    pending: list[Record] = field(default_factory=list)
    rounds: int = 0
    away: str = ""
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pending = [record for request in self.history for record in request.records]

    async def read_new(self) -> list[Record]:
        self.rounds += 1
        self.each_round(self)
        found, self.pending = self.pending, []
        return found

    def handle(self, request: httpx.Request) -> httpx.Response:
        service = {8001: "intake", 8002: "scheduling", 8003: "issuance", 8004: "notify", 8025: "mailbox"}[request.url.port or 0]
        self.calls.append(f"{service} {request.url.path}")
        if service == self.away:
            raise httpx.ConnectError("nobody is there", request=request)
        if service == "mailbox":
            return self._mails(int(request.url.params.get("cursor", 0)))
        if service == "intake" and request.url.path == "/v1/requests":
            return self._list(int(request.url.params.get("cursor", 0)))
        id_ = request.url.params.get("request_id") or request.url.path.split("/")[3]
        known = self.history.requests.get(id_)
        answer = None if known is None else getattr(known, service)
        if known is None or answer is None:
            return httpx.Response(404)
        headers = {"ETag": f'"{known.intake_version}"'} if service == "intake" else {}
        return httpx.Response(200, json=answer, headers=headers)

    def _list(self, start: int) -> httpx.Response:
        ids = list(self.history.requests)
        link = {"Link": f'</v1/requests?cursor={start + 3}>; rel="next"'} if start + 3 < len(ids) else {}
        return httpx.Response(200, json={"requests": [{"request_id": i} for i in ids[start : start + 3]]}, headers=link)

    def _mails(self, start: int) -> httpx.Response:
        mails = list(self.history.mails.values())
        page = [{"id": f"<{m.message_id}>", "count": m.count, "subject": "", "text": "isi"} for m in mails[start : start + 5]]
        return httpx.Response(200, json={"messages": page, "cursor": str(start + 5) if start + 5 < len(mails) else None})


async def look(world: World, accepted: Any = None, options: AuditOptions = OPTIONS) -> AuditReport:
    async with httpx.AsyncClient(transport=httpx.MockTransport(world.handle)) as client:
        return await settle(Evidence(Sources(world, HttpReader(client, options)), accepted), options)


@pytest.fixture
async def reader() -> AsyncIterator[HttpReader]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(World().handle)) as client:
        yield HttpReader(client, OPTIONS)


def accepted_of(history: History, *names: str) -> list[Any]:
    return [history.requests[stories.uid(name)].accepted for name in names]


async def test_a_healthy_world_is_ok_with_and_without_a_memory_of_the_201s() -> None:
    for accepted in (None, [request.accepted for request in stories.healthy()]):
        world = World()
        report = await look(world, accepted)
        assert report.ok, report.findings
        assert report.requests == len(world.history.requests)
        assert report.records == sum(len(request.records) for request in world.history)
        assert report.mails == len(world.history.mails)


async def test_what_comes_late_is_waited_for() -> None:
    late = World()
    kept = [late.pending.pop() for _ in range(4)]

    def arrive(world: World) -> None:
        if world.rounds == 4:
            world.pending += kept[::-1]

    late.each_round = arrive
    report = await look(late)
    assert report.ok, report.findings
    assert late.rounds > 4


async def test_what_is_never_settled_is_a_finding_after_the_time_allowed() -> None:
    world = World()
    lost = world.pending.pop(0)
    report = await look(world, options=AuditOptions(settle_s=0.2, quiet_s=0.05))
    assert not report.ok
    assert {finding.request_id for finding in report.findings} == {lost.request_id}
    assert "created-missing" in report.by_code()


async def test_a_second_mail_during_the_quiet_time_is_seen() -> None:
    def send_again(world: World) -> None:
        if world.rounds == 3:
            id_, mail = next(iter(world.history.mails.items()))
            world.history = History(world.history.requests, {**world.history.mails, id_: Mail(mail.message_id, 2)})

    report = await look(World(each_round=send_again), options=AuditOptions(settle_s=0.5, quiet_s=0.2))
    assert report.by_code() == {"mail-doubled": 1}


async def test_only_what_changed_or_was_wrong_is_asked_again() -> None:
    world = World()
    await look(world)
    asked = [call for call in world.calls if call.startswith("scheduling")]
    assert world.rounds > 2
    assert len(asked) == len(world.history.requests)


async def test_events_of_nobody_are_found() -> None:
    world = World()
    unknown = stories.Story("unknown to intake", "KIA").records
    world.pending += unknown
    report = await look(world, options=AuditOptions(settle_s=0.1, quiet_s=0.05))
    assert set(report.findings) == {Finding("request-unknown", unknown[0].request_id, "has events")}


async def test_mails_of_requests_that_are_not_audited_belong_to_somebody() -> None:
    world = World()
    report = await look(world, accepted_of(world.history, "home"))
    assert report.ok, report.findings
    assert report.requests == 1
    world = World()
    world.history = History(world.history.requests, {**world.history.mails, "x@y": Mail("x@y")})
    report = await look(world, accepted_of(world.history, "home"), AuditOptions(settle_s=0.1))
    assert report.by_code() == {"mail-unknown": 1}


@pytest.mark.parametrize("source", ["intake", "scheduling", "issuance", "notify", "mailbox"])
async def test_a_source_that_is_away_is_a_finding_and_its_return_is_seen(source: str) -> None:
    report = await look(World(away=source), options=AuditOptions(settle_s=0.05))
    assert report.by_code() == {"source-missing": 1}
    assert source in report.findings[0].detail

    def come_back(world: World) -> None:
        world.away = "" if world.rounds > 3 else source

    assert (await look(World(each_round=come_back))).ok


async def test_an_id_that_intake_never_accepted_is_missing_everywhere() -> None:
    world = World()
    lost: Any = stories.home().history().accepted
    phantom = type(lost)(**{**vars(lost), "request_id": stories.uid("lost after its 201")})
    report = await look(world, [phantom], AuditOptions(settle_s=0.05))
    assert "http-missing" in report.by_code()


async def test_odd_answers_are_unreadable() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(500))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(Unreadable, match=r"intake \(500\)"):
            await HttpReader(client, OPTIONS).answers(stories.uid("home"))


async def test_lists_are_followed_to_their_end(reader: HttpReader) -> None:
    assert await reader.request_ids() == list(stories.healthy().requests)
    assert await reader.mails() == dict(stories.healthy().mails)


def test_the_report_is_shown_by_code_with_a_few_examples() -> None:
    findings = (*(Finding("wrong-area", stories.uid(n), f"place {n}") for n in range(9)), Finding("not-closed", "r", "OPEN"))
    console = Console(record=True, width=200, file=None, quiet=False)
    with console.capture() as shown:
        show(AuditReport(findings, 5, 50, 7, 1.5), console)
    assert "10 findings" in shown.get()
    assert shown.get().count("place") == 3
    with console.capture() as shown:
        show(AuditReport((), 5, 50, 7, 1.5), console)
    assert "nothing lost, doubled, differing or stranded (5 requests, 50 records, 7 mails, 1.5 s)" in shown.get()


def test_only_public_topics_are_read() -> None:
    assert len(PUBLIC_TOPICS) == 8
    assert not any("details" in topic or "submi" in topic or "dlq" in topic for topic in PUBLIC_TOPICS)
