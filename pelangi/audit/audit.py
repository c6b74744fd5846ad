"""The checker: gathers the evidence, checks it, and looks again until everything is settled or the time is up."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol

import httpx
from aiokafka.errors import KafkaError

from pelangi.audit.checks import check
from pelangi.audit.history import AcceptedRequest, Finding, History, Mail, Record, RequestHistory
from pelangi.audit.http_reader import Answers, HttpReader, Unreadable
from pelangi.audit.options import AuditOptions, AuditReport
from pelangi.audit.topic_reader import TopicReader

PAUSE_S = 1.0
_UNREADABLE = (Unreadable, KafkaError, TimeoutError, OSError)


class Topics(Protocol):
    """Whoever gives the new records of the public topics."""

    async def read_new(self) -> list[Record]: ...


class Evidence:
    """The evidence so far. Each `refresh` reads what is new, and again what was wrong the last time."""

    def __init__(self, topics: Topics, http: HttpReader, accepted: Sequence[AcceptedRequest] | None) -> None:
        self._topics = topics
        self._http = http
        self._accepted = None if accepted is None else {request.request_id: request for request in accepted}
        self._records: dict[str, list[Record]] = defaultdict(list)
        self._answers: dict[str, Answers] = {}
        self._changed: set[str] = set()
        self.records = 0

    async def refresh(self, doubtful: Iterable[str]) -> History:
        """The history as of now. Raises Unreadable, TimeoutError or a KafkaError where a source is away."""
        new = await self._topics.read_new()
        self.records += len(new)
        for record in new:
            self._records[record.request_id].append(record)
            self._changed.add(record.request_id)
        known = await self._http.request_ids()
        wanted = list(self._accepted if self._accepted is not None else dict.fromkeys(known))
        self._changed |= {*doubtful}
        await self._answer([id_ for id_ in wanted if id_ in self._changed or id_ not in self._answers])
        self._changed.clear()
        requests = {id_: self._request(id_) for id_ in wanted}
        mails = await self._http.mails()
        strangers = await self._strangers(self._records.keys() - set(known) - requests.keys())
        return History(requests, mails, strangers, await self._other_rows(requests, mails, known))

    async def _answer(self, request_ids: Sequence[str]) -> None:
        answers = await asyncio.gather(*(self._http.answers(id_) for id_ in request_ids))
        self._answers.update(zip(request_ids, answers, strict=True))

    def _request(self, request_id: str) -> RequestHistory:
        said = self._answers[request_id]
        return RequestHistory(
            request_id=request_id,
            records=tuple(self._records.get(request_id, ())),
            intake=said.intake,
            intake_version=said.intake_version,
            scheduling=said.scheduling,
            issuance=said.issuance,
            notify=said.notify,
            accepted=None if self._accepted is None else self._accepted[request_id],
        )

    async def _strangers(self, request_ids: set[str]) -> frozenset[str]:
        """Those that intake really does not know: one may have come in after the list was read."""
        suspects = sorted(request_ids)
        known = await asyncio.gather(*(self._http.knows(id_) for id_ in suspects))
        return frozenset(id_ for id_, is_known in zip(suspects, known, strict=True) if not is_known)

    async def _other_rows(
        self, requests: dict[str, RequestHistory], mails: dict[str, Mail], known: Iterable[str]
    ) -> frozenset[str]:
        """Message-IDs of other requests' messages, asked for only where a mail is nobody's so far."""
        owned = {f"{row['message_id']}@pelangi.invalid" for request in requests.values() for row in request.messages}
        others = [id_ for id_ in known if id_ not in requests]
        if not others or not mails.keys() - owned:
            return frozenset()
        return frozenset(await self._http.message_ids(others))


async def settle(evidence: Evidence, options: AuditOptions) -> AuditReport:
    """Look until a clean result has stayed clean for `quiet_s`, or `settle_s` are over."""
    start = time.monotonic()
    history, findings = History(), [Finding("source-missing", "", "nothing was read")]
    clean_since: float | None = None
    fingerprint: tuple[int, int] | None = None
    while True:
        try:
            history = await evidence.refresh({finding.request_id for finding in findings})
            findings = check(history)
        except _UNREADABLE as error:
            findings = [Finding("source-missing", "", str(error) or type(error).__name__)]
        now = time.monotonic()
        state = (evidence.records, sum(mail.count for mail in history.mails.values()))
        if findings:
            clean_since = None
        elif clean_since is None or state != fingerprint:
            clean_since = now
        fingerprint = state
        if (clean_since is not None and now - clean_since >= options.quiet_s) or now - start >= options.settle_s:
            return AuditReport(tuple(findings), len(history.requests), evidence.records, len(history.mails), now - start)
        await asyncio.sleep(PAUSE_S)


async def audit(options: AuditOptions, accepted: Sequence[AcceptedRequest] | None = None) -> AuditReport:
    """Check every accepted request, or with None every request that intake knows."""
    limits = httpx.Limits(max_connections=options.concurrency)
    async with httpx.AsyncClient(timeout=15.0, limits=limits, trust_env=False) as client:
        http = HttpReader(client, options)
        deadline = time.monotonic() + options.settle_s
        while True:
            try:
                async with TopicReader(options) as reader:
                    return await settle(Evidence(reader, http, accepted), options)
            except KafkaError as error:  # not even connected: try again until the time is up
                if time.monotonic() >= deadline:
                    finding = Finding("source-missing", "", f"kafka ({type(error).__name__})")
                    return AuditReport((finding,), 0, 0, 0, options.settle_s)
                await asyncio.sleep(PAUSE_S)
