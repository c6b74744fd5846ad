"""The evidence so far: gathered from all sources, again where something is new or was wrong the last time."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from pelangi.audit.history import AcceptedRequest, History, Json, Mail, Record, RequestHistory
from pelangi.audit.http_reader import Answers, HttpReader
from pelangi.audit.sealed import DeadLetter, Letters, Opened, Sealed, Submission, SubmissionAnswer
from pelangi.audit.store_reader import Stores

R_co = TypeVar("R_co", covariant=True)

UNREAD_TOPICS, UNREAD_STORES = "restricted topics", "stores"


class Topics(Protocol[R_co]):
    """Whoever gives the new records of some topics."""

    async def read_new(self) -> Sequence[R_co]: ...


@dataclass(frozen=True)
class Sources:
    """Where the evidence comes from. `restricted`, `stores`: None where nothing gives access to them."""

    topics: Topics[Record]
    http: HttpReader
    restricted: Topics[Opened] | None = None
    stores: Stores | None = None

    @property
    def unread(self) -> tuple[str, ...]:
        """What will not be looked at."""
        gaps = ((UNREAD_TOPICS, self.restricted), (UNREAD_STORES, self.stores))
        return tuple(name for name, source in gaps if source is None)


@dataclass
class _Desk:
    """Submissions, answers and dead letters so far."""

    submissions: list[Submission] = field(default_factory=list)
    answers: list[SubmissionAnswer] = field(default_factory=list)
    dead: dict[tuple[str, str], DeadLetter] = field(default_factory=dict)

    def letters(self) -> Letters:
        return Letters(tuple(self.submissions), tuple(self.answers), dict(self.dead))


class Evidence:
    """Each `refresh` reads what is new, and again what was wrong the last time."""

    def __init__(self, sources: Sources, accepted: Sequence[AcceptedRequest] | None) -> None:
        self._from = sources
        self._accepted = None if accepted is None else {request.request_id: request for request in accepted}
        self._records: dict[str, list[Record]] = defaultdict(list)
        self._sealed: dict[str, list[Sealed]] = defaultdict(list)
        self._desk = _Desk()
        self._cases: dict[str, dict[str, Json]] = {}
        self._answers: dict[str, Answers] = {}
        self._histories: dict[str, RequestHistory] = {}
        self._changed: set[str] = set()
        self.records = 0
        self.sealed = 0

    @property
    def cases(self) -> int:
        """How many documents of stores are known."""
        return sum(len(cases) for cases in self._cases.values())

    @property
    def unread(self) -> tuple[str, ...]:
        """What is not looked at."""
        return self._from.unread

    def dead_letters(self) -> Mapping[str, int]:
        """How many stand in the dlqs, by reason."""
        return dict(Counter(letter.reason for letter in self._desk.dead.values() if not letter.gone))

    async def refresh(self, doubtful: Iterable[str]) -> History:
        """The history as of now. Raises Unreadable, TimeoutError or a KafkaError where a source is away."""
        self._changed |= {*doubtful} - {""}
        await self._read_topics()
        if self._from.stores is not None:
            await self._read_stores(self._from.stores)
        known = await self._from.http.request_ids()
        wanted = list(self._accepted if self._accepted is not None else dict.fromkeys(known))
        stale = [id_ for id_ in wanted if id_ in self._changed or id_ not in self._answers]
        await self._answer(stale)
        self._changed.clear()
        self._histories |= {id_: self._request(id_) for id_ in stale}
        requests = {id_: self._histories[id_] for id_ in wanted}
        mails = await self._from.http.mails()
        strangers = await self._strangers((self._records.keys() | self._sealed.keys()) - set(known) - requests.keys())
        return History(
            requests,
            mails,
            strangers,
            await self._other_rows(requests, mails, known),
            cases=self._cases,
            listed=frozenset(known),
            shared=None if self._from.stores is None else await self._from.stores.shared(),
            letters=None if self._from.restricted is None else self._desk.letters(),
        )

    async def _read_topics(self) -> None:
        new = await self._from.topics.read_new()
        self.records += len(new)
        for record in new:
            self._records[record.request_id].append(record)
            self._changed.add(record.request_id)
        for opened in await self._from.restricted.read_new() if self._from.restricted is not None else ():
            self.sealed += 1
            self._file(opened)

    def _file(self, opened: Opened) -> None:
        if isinstance(opened, Sealed):
            self._keep(self._sealed[opened.record.request_id], opened)
            self._changed.add(opened.record.request_id)
        elif isinstance(opened, Submission):
            self._desk.submissions.append(opened)
        elif isinstance(opened, SubmissionAnswer):
            self._desk.answers.append(opened)
        else:
            self._desk.dead[opened.service, opened.coordinates] = opened

    @staticmethod
    def _keep(known: list[Sealed], new: Sealed) -> None:
        """Only the newest snapshot of each type is compared with a store."""
        for at, old in enumerate(known):
            if old.record.topic == new.record.topic and old.said is not None and (old.sequence or 0) <= (new.sequence or 0):
                known[at] = replace(old, said=None)
        known.append(new)

    async def _read_stores(self, stores: Stores) -> None:
        for service, read in (await stores.cases(self._changed)).items():
            known = self._cases.setdefault(service, {})
            for id_, case in read.items():
                if case is None:
                    known.pop(id_, None)
                else:
                    known[id_] = case
                self._changed.add(id_)

    async def _answer(self, request_ids: Sequence[str]) -> None:
        answers = await asyncio.gather(*(self._from.http.answers(id_) for id_ in request_ids))
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
            sealed=None if self._from.restricted is None else tuple(self._sealed.get(request_id, ())),
            stored={service: cases.get(request_id) for service, cases in self._cases.items()},
        )

    async def _strangers(self, request_ids: set[str]) -> frozenset[str]:
        """Those that intake really does not know: one may have come in after the list was read."""
        suspects = sorted(request_ids)
        known = await asyncio.gather(*(self._from.http.knows(id_) for id_ in suspects))
        return frozenset(id_ for id_, is_known in zip(suspects, known, strict=True) if not is_known)

    async def _other_rows(
        self, requests: dict[str, RequestHistory], mails: dict[str, Mail], known: Iterable[str]
    ) -> frozenset[str]:
        """Message-IDs of other requests' messages, asked for only where a mail is nobody's so far."""
        owned = {f"{row['message_id']}@pelangi.invalid" for request in requests.values() for row in request.messages}
        others = [id_ for id_ in known if id_ not in requests]
        if not others or not mails.keys() - owned:
            return frozenset()
        return frozenset(await self._from.http.message_ids(others))
