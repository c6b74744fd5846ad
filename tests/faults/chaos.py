"""A load on a whole system while its processes are killed at random; then everything settles, and the checker looks."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from rich.console import Console

from pelangi.audit.audit import audit
from pelangi.audit.history import Finding
from pelangi.audit.kinds import by_kind
from pelangi.audit.options import AuditOptions
from pelangi.audit.show import show
from pelangi.cli.access import access
from pelangi.local.private import PrivateStack
from pelangi.simulate.options import Accepted, SimulateOptions
from pelangi.simulate.play import simulate
from tests.faults.killer import SERVICES, Killer
from tests.faults.load import Load
from tests.faults.metrics import STARTED, scrape, total
from tests.faults.report import Result

Loading = Callable[[PrivateStack], Awaitable[tuple[Sequence[Accepted], Counter[str]]]]
"""Files requests; returns what was accepted, and answers that should not have been given."""

READY_S = 180.0
SETTLE_S = 420.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: the line for the report, and everything that was wrong."""

    result: Result
    findings: tuple[Finding, ...]
    problems: Counter[str]

    def assert_clean(self) -> None:
        """Nothing lost, doubled, differing, stranded; no odd answer; and there was something to survive."""
        assert not self.findings, self.findings[:20]
        assert not +self.problems, self.problems
        assert self.result.doubled == 0, "intake knows a request that no client filed"
        assert self.result.kills
        assert self.result.requests


def run(folder: Path, fault: str, load: Loading, *, seed: int, every_s: float, most: int = 1_000_000) -> Outcome:
    """Two replicas of each service; a victim about every `every_s` seconds until the load is done, `most` in all."""

    async def act(stack: PrivateStack) -> Outcome:
        say = teller()
        say(f"{fault}, seed {seed}, a victim about every {every_s:g} s")
        killer, began, before = Killer(stack, seed, every_s, say, most), time.monotonic(), _lives_of(stack)
        killing = asyncio.create_task(killer.run())
        try:
            accepted, problems = await load(stack)
        finally:
            killing.cancel()
            with suppress(asyncio.CancelledError):
                await killing
        rate = len(accepted) / (time.monotonic() - began)
        say(f"{rate:.1f} each second; {killer.kills.total()} kills, {killer.pauses.total()} pauses")
        outcome = await checked(stack, Result(fault, killer.kills.total(), len(accepted), seed=seed), accepted, problems)
        others = sum(before[program] != life for program, life in _lives_of(stack).items())
        moved = {"process_start_time_seconds (programs in another life)": others}
        return replace(outcome, result=replace(outcome.result, metrics=moved))

    with PrivateStack(folder, ("--replicas", "2")) as stack:
        return asyncio.run(act(stack))


def _lives_of(stack: PrivateStack) -> dict[str, float]:
    """When each process of a service began, as its metrics say."""
    ports = {name: program["ports"][0] for name, program in stack.state()["programs"].items()}
    services = {name: port for name, port in ports.items() if name.partition("-")[0] in SERVICES}
    return {name: total(scrape(f"http://127.0.0.1:{port}"), STARTED) for name, port in services.items()}


def teller() -> Callable[[str], None]:
    """Writes lines with the seconds since now."""
    began = time.monotonic()

    def say(text: str) -> None:
        sys.stdout.write(f"  {time.monotonic() - began:6.1f} s  {text}\n")
        sys.stdout.flush()

    return say


async def checked(stack: PrivateStack, result: Result, accepted: Sequence[Accepted], problems: Counter[str]) -> Outcome:
    """The result with what the checker finds when all has settled."""
    await all_ready(stack)
    findings = await _findings(stack, accepted)
    kinds = by_kind(findings)
    kinds["doubled"] += len(await _unknown_to_clients(stack, accepted))
    return Outcome(replace(result, **kinds), findings, problems)


def volume(requests: int, seed: int, *, clerks: int = 24, pause_s: float = 0.0) -> Loading:
    """Many small requests that end soon, filed by so many clerks, who rest between two."""

    async def load(stack: PrivateStack) -> tuple[Sequence[Accepted], Counter[str]]:
        filing = Load(stack, seed, requests, clerks, pause_s)
        await filing.run()
        missing = requests - len(filing.accepted)
        return filing.accepted, filing.problems + Counter({"not answered": missing})

    return load


def lives(requests: int, seed: int) -> Loading:
    """Whole lives: visits, documents, messages, everything that can go otherwise than planned."""

    async def load(stack: PrivateStack) -> tuple[Sequence[Accepted], Counter[str]]:
        urls = {f"{name}_url": stack.url(name) for name in ("intake", "scheduling", "issuance")}
        options = SimulateOptions(requests=requests, seed=seed, kafka_bootstrap=stack.bootstrap, quiet=True, **urls)
        report = await simulate(options)
        stuck = Counter({f"stuck: {stuck.why}": 1 for stuck in report.stuck})
        return report.accepted, report.problems + stuck + Counter({"not filed": requests - len(report.accepted)})

    return load


async def all_ready(stack: PrivateStack) -> None:
    """Until the supervisor says so of every program. Raises TimeoutError."""
    async with asyncio.timeout(READY_S):
        while any(program["state"] != "ready" for program in stack.state()["programs"].values()):  # noqa: ASYNC110
            await asyncio.sleep(0.5)


async def _findings(stack: PrivateStack, accepted: Sequence[Accepted]) -> tuple[Finding, ...]:
    urls = {f"{name}_url": stack.url(name) for name in (*SERVICES, "mailbox")}
    also = access(stores=True, restricted=True, local=True, database_port=stack.ports["database"])
    more = {"keys": also.keys, "restricted_user": also.user, "restricted_password": also.password, "stores": also.stores}
    report = await audit(AuditOptions(kafka_bootstrap=stack.bootstrap, settle_s=SETTLE_S, **more, **urls), accepted)
    assert not report.unread, report.unread
    show(report, Console(width=160, force_terminal=False))
    return report.findings


async def _unknown_to_clients(stack: PrivateStack, accepted: Sequence[Accepted]) -> set[str]:
    """Requests that intake lists and no client filed: one that was filed twice under one key, say."""
    async with httpx.AsyncClient(timeout=15, trust_env=False) as client:
        listed, url = set[str](), f"{stack.url('intake')}/v1/requests"
        while url:
            answer = await client.get(url)
            listed |= {row["request_id"] for row in answer.json()["requests"]}
            following = answer.links.get("next", {}).get("url")
            url = f"{stack.url('intake')}{following}" if following else ""
    return listed - {request.request_id for request in accepted}
