"""Evidence from every source: stores and restricted topics are read with the rest, again where it was wrong, and named if not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import httpx
import pytest
from rich.console import Console

from pelangi.audit import AuditOptions, AuditReport, Finding, show
from pelangi.audit import audit as audit_module
from pelangi.audit.audit import settle
from pelangi.audit.evidence import Evidence, Sources
from pelangi.audit.history import History
from pelangi.audit.http_reader import HttpReader, Unreadable
from pelangi.audit.sealed import Opened
from pelangi.audit.stored import Json, Shared
from pelangi.cli.access import access
from pelangi.contracts.topics import REQUEST_DETAILS
from tests.unit.audit import inside, stories
from tests.unit.audit.breaks_inside import INSIDE
from tests.unit.audit.test_audit import World

OPTIONS = AuditOptions(settle_s=0.3, quiet_s=0.05)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_module, "PAUSE_S", 0.01)


@dataclass
class Inside:
    """Stores and restricted topics of a history; `healed`: what they hold from the third look on. away: looks that fail."""

    history: History
    healed: History | None = None
    away: int = 0
    looks: int = 0
    doubtful: list[set[str]] = field(default_factory=list)

    async def read_new(self) -> Sequence[Opened]:
        if self.looks:
            return []
        letters = self.history.letters
        assert letters is not None
        sealed = [one for request in self.history for one in request.sealed or ()]
        return [*sealed, *letters.submissions, *letters.answers, *letters.dead.values()]

    async def cases(self, doubtful: Iterable[str]) -> Mapping[str, Mapping[str, Json | None]]:
        self.looks += 1
        self.doubtful.append(set(doubtful))
        if self.looks <= self.away:
            raise Unreadable("store of intake (AutoReconnect)")
        now = self.healed if self.healed is not None and self.looks > 2 else self.history
        if self.looks == 1 + self.away:
            return now.cases
        return {service: {id_: cases.get(id_) for id_ in self.doubtful[-1]} for service, cases in now.cases.items()}

    async def shared(self) -> Shared:
        assert self.history.shared is not None
        return self.history.shared


async def look(within: Inside, options: AuditOptions = OPTIONS, **left_out: None) -> AuditReport:
    world = World(history=within.history)
    async with httpx.AsyncClient(transport=httpx.MockTransport(world.handle)) as client:
        sources = Sources(world, HttpReader(client, options), within, within)
        accepted = [request.accepted for request in within.history if request.accepted]
        return await settle(Evidence(replace(sources, **left_out), accepted), options)


def known_to_intake() -> History:
    """Without the neighbour, whom this World's intake does not list."""
    history = inside.whole()
    assert history.shared is not None
    cases = {service: {i: c for i, c in cases.items() if i != inside.NEIGHBOUR} for service, cases in history.cases.items()}
    days = tuple(day for day in history.shared.days if day["_id"] != "2026-12-10")
    return replace(history, cases=cases, shared=replace(history.shared, days=days))


async def test_everything_is_read() -> None:
    report = await look(Inside(known_to_intake()))
    assert report.ok, report.findings
    assert (report.sealed, report.cases) == (sum(len(r.sealed or ()) for r in inside.whole()) + 5, 4 * len(stories.STORIES))
    assert report.unread == ()
    assert report.dead_letters == {"encryption": 1}


async def test_what_is_not_read_is_named() -> None:
    report = await look(Inside(known_to_intake()), restricted=None, stores=None)
    assert report.ok, report.findings
    assert report.unread == ("restricted topics", "stores")


async def test_what_was_wrong_in_a_store_is_read_again() -> None:
    """An event that waits in an outbox is normal while the system runs."""
    within = Inside(INSIDE["outbox-stranded"](known_to_intake()), healed=known_to_intake())
    report = await look(within, AuditOptions(settle_s=5, quiet_s=0.05))
    assert report.ok, report.findings
    assert stories.uid("home") in within.doubtful[1]
    report = await look(Inside(INSIDE["outbox-stranded"](known_to_intake())))
    assert report.by_code() == {"outbox-stranded": 1}


async def test_a_store_that_is_away_is_a_finding_and_its_return_is_seen() -> None:
    assert (await look(Inside(known_to_intake(), away=3), AuditOptions(settle_s=5, quiet_s=0.05))).ok
    assert (await look(Inside(known_to_intake(), away=10**6))).by_code() == {"source-missing": 1}


async def test_of_the_snapshots_only_the_newest_is_kept_for_the_store() -> None:
    history = known_to_intake()
    home = history.requests[stories.uid("home")]
    older = inside.snapshot(home, REQUEST_DETAILS, 1, {"version": 1, "status": "ACCEPTED", "items": {}})
    whole = history.changed(replace(home, sealed=(older, *(home.sealed or ()))))
    assert (await look(Inside(whole))).ok


def test_sums_and_gaps_are_shown() -> None:
    console = Console(width=200)
    findings = (Finding("created-missing", "r", ""), Finding("booking-orphan", "r", "d"), Finding("booking-orphan", "q", "d"))
    with console.capture() as shown:
        show(AuditReport(findings, 5, 50, 7, 1.5, 20, 30, ("stores",), {"handler": 2}), console)
    assert "audit: 1 lost, 0 doubled, 0 differing, 2 stranded" in shown.get()
    assert "also 20 restricted records, 30 stored cases, dead letters handler 2" in shown.get()
    assert "not read: stores" in shown.get()


def test_access_is_what_the_environment_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    assert access(stores=None, restricted=None, local=False).stores == {}
    assert access(stores=None, restricted=None, local=False).keys is None
    here = access(stores=None, restricted=None, local=True, database_port=4711)
    assert here.if_readable
    assert "127.0.0.1:4711/notify" in here.stores["notify"]
    assert here.keys is not None
    assert not access(stores=True, restricted=False, local=False).if_readable
    for service in ("INTAKE", "SCHEDULING", "ISSUANCE", "NOTIFY"):
        monkeypatch.setenv(f"{service}_MONGO_URI", f"mongodb://elsewhere/{service}")
    assert access(stores=None, restricted=None, local=False).stores["intake"] == "mongodb://elsewhere/INTAKE"
    assert access(stores=False, restricted=None, local=True).stores == {}
