"""Many requests over HTTP by clients that never forget: each call is repeated, same key and body, until it is answered."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from pelangi.local.private import PrivateStack
from pelangi.local.up import REPLICA_STEP
from pelangi.simulate.draw import happens
from pelangi.simulate.filing import accepted
from pelangi.simulate.options import Accepted
from tests.faults.bodies import Fate, Json, body_of, corrected, fate_of
from tests.faults.wire import Answer, Door, LostError

KEYS = UUID("5f0c5e9a-2d0b-5d5c-9a53-1971a0de0005")
TWICE, BY_PORTAL = 0.1, 0.1
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
CLOSED = 409


@dataclass(frozen=True, slots=True)
class Way:
    """One way to intake: a replica of it, or the portal before it."""

    door: Door
    prefix: str = ""


@dataclass
class Load:
    """A load on one stack. accepted: what was answered with 201. problems: answers that should not have been given.

    repeated: calls sent again, by why. pause_s: what each of the clerks rests between two. enough: set it to file no more.
    """

    stack: PrivateStack
    seed: int
    requests: int
    concurrency: int = 24
    pause_s: float = 0.0
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    accepted: list[Accepted] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    repeated: Counter[str] = field(default_factory=Counter)
    filed_twice: int = 0

    def __post_init__(self) -> None:
        intake, portal = self.stack.ports["intake"], self.stack.ports["portal"]
        second = [Way(Door(intake + REPLICA_STEP))] if "intake-2" in self.stack.state()["programs"] else []
        self._replicas = [Way(Door(intake)), *second]
        self._portal = Way(Door(portal), "/api/intake")
        self._rng = random.Random(self.seed)

    async def run(self) -> None:
        """File all of them, each followed by what its fate says, `concurrency` at a time. Returns when all are answered."""
        numbers = iter(range(self.requests))

        async def clerk() -> None:
            for number in numbers:
                if self.enough.is_set():
                    return
                await self._one(number)
                await asyncio.sleep(self.pause_s)

        try:
            await asyncio.gather(*(clerk() for _ in range(self.concurrency)))
        finally:
            for way in (*self._replicas, self._portal):
                way.door.close()

    async def _one(self, number: int) -> None:
        fate = fate_of(self.seed, number)
        body = body_of(self.seed, number, fate)
        answer = await self._file(number, body)
        if answer.status != 201:
            self.problems[f"not accepted: {answer.status}"] += 1
            return
        known = accepted(number, body, json.loads(answer.content))
        self.accepted.append(known)
        await self._live(number, fate, known, answer.version)

    async def _file(self, number: int, body: Json) -> Answer:
        """The answer of the first call; some are sent to both replicas at once, and both must answer alike."""
        key = self._key(number, "file")
        if not happens(TWICE, self.seed, "twice", number):
            return await self._answered(
                "POST", "/v1/requests", key, body, by_portal=happens(BY_PORTAL, self.seed, "portal", number)
            )
        self.filed_twice += 1
        ways = (self._replicas[0], self._replicas[-1])
        one, other = await asyncio.gather(*(self._answered("POST", "/v1/requests", key, body, first=way) for way in ways))
        if (one.status, one.content) != (other.status, other.content):
            self.problems["one key got two answers"] += 1
        return one

    async def _live(self, number: int, fate: Fate, known: Accepted, version: int) -> None:
        if fate in (Fate.CORRECTED, Fate.COMPLETED, Fate.MOVED_AWAY):
            body = corrected(self.seed, number, fate)
            version = (await self._say(number, known, "details", body, version)).version
        if fate is Fate.DECEASED:
            await self._say(number, known, "deceased", {"person_ref": "1"}, version)
        if fate in (Fate.WITHDRAWN, Fate.CORRECTED, Fate.COMPLETED):
            said = await self._say(number, known, "withdrawal", {}, version)
            known.withdrawn = said.status == 200

    async def _say(self, number: int, known: Accepted, what: str, body: Json, version: int) -> Answer:
        """A call on a request, with its present version."""
        path = f"/v1/requests/{known.request_id}"
        while True:
            answer = await self._answered("POST", f"{path}/{what}", self._key(number, what), body, version=version)
            if answer.status != 412:
                break
            version = (await self._answered("GET", path)).version
        if answer.status != 200:
            self.problems[f"{what}: {answer.status}"] += 1
        return answer

    async def _answered(
        self,
        method: str,
        path: str,
        key: str = "",
        body: Any = None,
        *,
        version: int = 0,
        by_portal: bool = False,
        first: Way | None = None,
    ) -> Answer:
        """Asks, at any door, until there is an answer below 500."""
        headers = _headers(key, version)
        content = b"" if body is None else json.dumps(body).encode()
        way, pause = first or (self._portal if by_portal else self._rng.choice(self._replicas)), FIRST_PAUSE_S
        while True:
            self.calls += 1
            try:
                answer = await way.door.call(method, way.prefix + path, headers, content)
                if answer.status < 500 and answer.status != 429:
                    return answer
                self.repeated[str(answer.status)] += 1
            except LostError:
                self.repeated["no answer"] += 1
            await asyncio.sleep(pause)
            way, pause = self._rng.choice((*self._replicas, self._portal)), min(pause * 2, LONGEST_PAUSE_S)

    def _key(self, number: int, what: str) -> str:
        return str(uuid5(KEYS, f"{self.seed}|{number}|{what}"))


def _headers(key: str, version: int) -> Mapping[str, str]:
    headers = {"Idempotency-Key": key} if key else {}
    return headers | ({"If-Match": f'"{version}"'} if version else {})
