"""The whole chain: POST → visit → document → closed, and the mails on the way. `city.py` says what a request's life is here.

One machine runs everything: Kafka, store, four services, portal, mailbox and the load. A rate is sustained when the backlog —
requests filed whose closing message the mail server has not accepted — grows by less than 3 % of the rate in the second half of
the run. Rates are tried upwards for 45 s each, after 15 s to warm up, on a fresh `pelangi up` each; the highest that is
sustained is then run for five minutes, and those of the goal (50, 100, 200) where they are. The office has as many teams as a
year needs for all requests of the run, with six home visits a day each, as in the data files (`PUT /v1/teams`): a city of three
teams is full in seconds. Times: from the moment a POST was due to the moment the mail server took the message (its own stamp,
before its fsync).
"""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from uuid import uuid4

import uvloop

from pelangi.contracts.topics import SERVICES
from pelangi.local.private import PrivateStack
from services.notify.rows import ACCEPTED, CLOSED, new_row
from tests.bench.city import City
from tests.bench.figures import Figure, Say, at_least
from tests.bench.spread import percentile
from tests.bench.watching import Mails, commands, less, metrics, processor_s, transitions
from tests.bench.wire import Wire

LADDER = (5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200)
GOALS = (50, 100, 200)
TRY_S, LONG_S, WARM_S, END_S = 45.0, 300.0, 15.0, 30.0
GROWS = 0.03
TOO_MANY_S = 30.0
"""A run ends early when the backlog is what so many seconds bring."""
HOME_SHARE, HOME_PER_TEAM, DAYS = 0.75, 6, 255


@dataclass(slots=True)
class Run:
    """What one rate came to. backlog: (seconds, requests without closing mail); ms, commands: per filed request."""

    rate: float
    seconds: float = 0.0
    filed: int = 0
    backlog: list[tuple[float, int]] = field(default_factory=list)
    accepted: list[float] = field(default_factory=list)
    closed: list[float] = field(default_factory=list)
    ms: dict[str, float] = field(default_factory=dict)
    commands: dict[str, float] = field(default_factory=dict)
    transitions: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, float] = field(default_factory=dict)
    busy: float = 0.0
    refused: int = 0

    @property
    def growth(self) -> float:
        """Requests per second by which the backlog grew in the second half: the slope of the best line through it."""
        points = self.backlog[len(self.backlog) // 2 :]
        if len(points) < 2:
            return 0.0
        middle_t, middle_n = (sum(p[i] for p in points) / len(points) for i in (0, 1))
        spread = sum((t - middle_t) ** 2 for t, _ in points)
        return sum((t - middle_t) * (n - middle_n) for t, n in points) / spread

    @property
    def sustained(self) -> bool:
        """Whether it could go on like this."""
        return not self.refused and self.growth <= GROWS * self.rate and not self._overrun

    @property
    def _overrun(self) -> bool:
        return bool(self.backlog) and self.backlog[-1][1] > TOO_MANY_S * self.rate


def measure(folder: Path, say: Say) -> list[Figure]:
    """The ladder, then the long runs."""
    tried = []
    for rate in LADDER:
        tried.append(_run(folder / f"try-{rate}", rate, TRY_S, say))
        if not tried[-1].sustained:
            break
    best = max((run.rate for run in tried if run.sustained), default=0.0)
    long = [_run(folder / f"long-{rate}", rate, LONG_S, say) for rate in sorted({best, *GOALS}) if 0 < rate <= best]
    return list(_figures(tried, long))


def _figures(tried: list[Run], long: list[Run]) -> Iterator[Figure]:
    best = max((run.rate for run in long if run.sustained), default=max((r.rate for r in tried if r.sustained), default=0.0))
    failed = next((run for run in tried if not run.sustained), None)
    note = f"at {failed.rate:g}/s the backlog grew by {failed.growth:.1f}/s. {_causes(failed)}" if failed else ""
    yield at_least("highest rate without growing backlog, whole chain", best, 200, unit="requests/s", note=note)
    for run in [*long, *([failed] if failed else [])]:
        yield from _of_run(run)
    for rate in GOALS:
        if all(run.rate != rate for run in long):
            yield Figure(
                f"{rate} requests/s for five minutes", 0, "s", f"= {LONG_S:.0f}", False, "not run: a lower rate is the limit"
            )


def _of_run(run: Run) -> Iterator[Figure]:
    name = f"{run.rate:g} requests/s for {run.seconds:.0f} s"
    waiting = ", ".join(f"{what} {count:.0f}" for what, count in run.waiting.items())
    yield Figure(f"{name}: backlog at the end", run.backlog[-1][1] if run.backlog else 0, "requests", note=waiting)
    for what, times in ((ACCEPTED, run.accepted), (CLOSED, run.closed)):
        for share in (0.5, 0.99):
            label = f"{name}: POST to message {what} accepted by SMTP, p{share * 100:.0f}"
            yield Figure(label, percentile(times, share), "s", note=f"{len(times)} of {run.filed}")
    yield Figure(f"{name}: processor time per request", sum(run.ms.values()), "ms", note=_causes(run))


def _causes(run: Run) -> str:
    """Who used the processor, how many database commands and transitions (most are a write of a document each), per request."""
    total = sum(run.ms.values()) or 1.0
    by_share = sorted(run.ms.items(), key=lambda item: -item[1])
    shares = ", ".join(f"{name} {used:.1f} ms ({used / total:.0%})" for name, used in by_share if used >= 0.005 * total)
    sent = ", ".join(f"{service} {count:.1f}" for service, count in run.commands.items())
    steps = ", ".join(f"{service} {count:.1f}" for service, count in run.transitions.items()) or "none ended"
    return f"Processors busy {run.busy:.0%}; per request: {shares}; database commands: {sent}; transitions: {steps}."


def _run(folder: Path, rate: float, seconds: float, say: Say) -> Run:
    with PrivateStack(folder) as stack:
        run = uvloop.run(_measured(stack, folder, rate, seconds))
    accepted, closed = percentile(run.accepted, 0.5), percentile(run.closed, 0.5)
    last = run.backlog[-1][1] if run.backlog else 0
    text = (
        f"growth {run.growth:+.1f}/s, backlog {last}, p50 accepted {accepted:.2f} s, closed {closed:.2f} s, refused {run.refused}"
    )
    say(f"{rate:g}/s for {run.seconds:.0f} s: {'sustained' if run.sustained else 'NOT sustained'}; {text}. {_causes(run)}")
    return run


async def _measured(stack: PrivateStack, folder: Path, rate: float, seconds: float) -> Run:
    await _hire(stack, rate * (seconds + WARM_S))
    city, mails, run = City(stack), Mails(folder / "mailbox" / "mails.jsonl"), Run(rate)
    stop = asyncio.Event()
    living = asyncio.create_task(city.live(rate, stop))
    try:
        await asyncio.sleep(WARM_S)
        used, sent, filed, began, driver = processor_s(stack), await commands(stack), len(city.filed), time.monotonic(), _mine()
        while (passed := time.monotonic() - began) < seconds:
            await asyncio.sleep(1)
            run.backlog.append((passed, _open(city, mails)))
            if run.backlog[-1][1] > TOO_MANY_S * rate:
                break
        run.seconds, run.filed = time.monotonic() - began, len(city.filed) - filed
        used = {**less(processor_s(stack), used), "load": _mine() - driver}
        run.busy = sum(used.values()) / (os.cpu_count() or 1) / run.seconds
        run.ms = {name: s / max(run.filed, 1) * 1e3 for name, s in used.items()}
        run.commands = {name: n / max(run.filed, 1) for name, n in less(await commands(stack), sent).items()}
        run.waiting, run.transitions = await _waiting(stack), await asyncio.to_thread(transitions, stack)
        counted = dict(list(city.filed.items())[filed:])
        stop.set()
        await _end(city, mails, limit=END_S if run.sustained else 0.0)
        run.accepted, run.closed, run.refused = _times(mails, counted, ACCEPTED), _times(mails, counted, CLOSED), city.refused
    finally:
        living.cancel()
        with suppress(asyncio.CancelledError):
            await living
        await city.give_up()
    return run


async def _hire(stack: PrivateStack, requests: float) -> None:
    """As many teams as place so many requests within the year."""
    wire = Wire(stack.ports["scheduling"])
    table = json.loads((await wire.get("/v1/teams")).body)
    like = table["teams"][0]
    count = min(ceil(requests * HOME_SHARE / (HOME_PER_TEAM * DAYS)) + 1, 49)
    assert like["home_visits_per_day"] == HOME_PER_TEAM
    teams = [*({**like, "team_id": f"team-{n}", "name": f"Tim {n}"} for n in range(1, count + 1)), table["teams"][-1]]
    reply = await wire.post("/v1/teams", json.dumps({"teams": teams}).encode(), str(uuid4()), 'If-Match: "1"\r\n', method="PUT")
    assert reply.status == 200, reply
    wire.close()


def _mine() -> float:
    times = os.times()
    return times.user + times.system


def _open(city: City, mails: Mails) -> int:
    """Filed, and the closing message not accepted yet."""
    mails.look()
    return len(city.filed) - sum(1 for _ in mails.of(_ids(city.filed, CLOSED)))


def _ids(filed: dict[str, float], purpose: str) -> dict[str, str]:
    return {request_id: _message(request_id, purpose) for request_id in filed}


_KNOWN: dict[tuple[str, str], str] = {}


def _message(request_id: str, purpose: str) -> str:
    """The id of a request's message, derived as notify does it."""
    known = _KNOWN.get((request_id, purpose))
    if known is None:
        known = _KNOWN[request_id, purpose] = new_row(request_id, purpose)[1]["message_id"]
    return known


def _times(mails: Mails, filed: dict[str, float], purpose: str) -> list[float]:
    return [at - filed[request_id] for request_id, at in mails.of(_ids(filed, purpose))]


async def _end(city: City, mails: Mails, limit: float) -> None:
    """Wait for those under way."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline and _open(city, mails):  # noqa: ASYNC110 - looks into a file of another process
        await asyncio.sleep(0.5)


async def _waiting(stack: PrivateStack) -> dict[str, float]:
    """What the services themselves say is left to do."""
    pages = {service: await metrics(stack, service) for service in SERVICES}
    lag = {f"lag of {name}": page["pelangi_consumer_lag_records"] for name, page in pages.items()}
    outbox = {f"outbox of {name}": page["pelangi_outbox_pending_cases"] for name, page in pages.items()}
    return {**lag, **outbox, "without a date": pages["scheduling"]["pelangi_requests_waiting_for_a_date"]}
