"""The checker: gathers the evidence, checks it, and looks again until everything is settled or the time is up."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

import httpx
from aiokafka.errors import KafkaError

from pelangi.audit.checks import Checker
from pelangi.audit.evidence import Evidence, Sources, Topics
from pelangi.audit.history import AcceptedRequest, Finding, History
from pelangi.audit.http_reader import HttpReader, Unreadable
from pelangi.audit.options import AuditOptions, AuditReport
from pelangi.audit.sealed import Opened
from pelangi.audit.store_reader import StoreReader, Stores
from pelangi.audit.topic_reader import public_reader, restricted_reader

PAUSE_S = 1.0
_UNREADABLE = (Unreadable, KafkaError, TimeoutError, OSError)


async def settle(evidence: Evidence, options: AuditOptions) -> AuditReport:
    """Look until a clean result has stayed clean for `quiet_s`, or `settle_s` are over."""
    start = time.monotonic()
    checker = Checker()
    history, findings = History(), [Finding("source-missing", "", "nothing was read")]
    clean_since: float | None = None
    fingerprint: tuple[int, int] | None = None
    while True:
        try:
            history = await evidence.refresh({finding.request_id for finding in findings})
            findings = checker.check(history)
        except _UNREADABLE as error:
            findings = [Finding("source-missing", "", str(error) or type(error).__name__)]
        now = time.monotonic()
        state = (evidence.records + evidence.sealed, sum(mail.count for mail in history.mails.values()))
        if findings:
            clean_since = None
        elif clean_since is None or state != fingerprint:
            clean_since = now
        fingerprint = state
        if (clean_since is not None and now - clean_since >= options.quiet_s) or now - start >= options.settle_s:
            return _report(evidence, history, findings, now - start)
        await asyncio.sleep(PAUSE_S)


def _report(evidence: Evidence, history: History, findings: Sequence[Finding], seconds: float) -> AuditReport:
    return AuditReport(
        findings=tuple(findings),
        requests=len(history.requests),
        records=evidence.records,
        mails=len(history.mails),
        seconds=seconds,
        sealed=evidence.sealed,
        cases=evidence.cases,
        unread=evidence.unread,
        dead_letters=evidence.dead_letters(),
    )


async def audit(options: AuditOptions, accepted: Sequence[AcceptedRequest] | None = None) -> AuditReport:
    """Check every accepted request, or with None every request that intake knows."""
    limits = httpx.Limits(max_connections=options.concurrency)
    async with httpx.AsyncClient(timeout=15.0, limits=limits, trust_env=False) as client:
        http = HttpReader(client, options)
        deadline = time.monotonic() + options.settle_s
        while True:
            try:
                async with AsyncExitStack() as stack:
                    return await settle(Evidence(await _sources(stack, http, options), accepted), options)
            except KafkaError as error:  # not even connected: try again until the time is up
                if time.monotonic() >= deadline:
                    finding = Finding("source-missing", "", f"kafka ({type(error).__name__})")
                    return AuditReport((finding,), 0, 0, 0, options.settle_s)
                await asyncio.sleep(PAUSE_S)


async def _sources(stack: AsyncExitStack, http: HttpReader, options: AuditOptions) -> Sources:
    topics = await stack.enter_async_context(public_reader(options))
    return Sources(topics, http, await _restricted(stack, options), await _stores(stack, options))


async def _restricted(stack: AsyncExitStack, options: AuditOptions) -> Topics[Opened] | None:
    if options.keys is None:
        return None
    try:
        return await stack.enter_async_context(restricted_reader(options))
    except KafkaError:
        if options.if_readable:
            return None
        raise


async def _stores(stack: AsyncExitStack, options: AuditOptions) -> Stores | None:
    if not options.stores:
        return None
    reader = await stack.enter_async_context(StoreReader(options.stores))
    try:
        await reader.ping()
    except Unreadable:
        if options.if_readable:
            return None
    return reader
