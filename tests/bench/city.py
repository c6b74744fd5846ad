"""A city that is driven as fast as it goes: residents file at a steady rate, teams and the desk follow events, nobody errs.

Each request is the shortest honest life with a document: one person, one KK_REISSUE. It is filed over HTTP; when Kafka says that
its visit has a date, the team departs, arrives and completes; the desk reads its document and takes it through data entry,
verification, signature and handover; intake closes it, and notify mails at every step. Three of four are home visits, each of
its own; one of four comes to a point of its kelurahan, where the team waits `GATHER_S` for others to join.
"""

import asyncio
import json
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4, uuid5

from pelangi.contracts.regions import villages
from pelangi.contracts.topics import VISIT_SCHEDULED
from pelangi.local.private import PrivateStack
from tests.bench.subscribing import Subscriber
from tests.bench.wire import Reply, Wire

KEYS = UUID("7a0a0f4e-1f53-5a0c-9c5b-1971c1a1be0c")
GATHER_S = 1.0
FIRST_PAUSE_S, LAST_PAUSE_S = 0.1, 2.0
AT_ONCE = 48
"""Calls to one service at once by teams and desk; residents wait for nobody."""
STEPS = ("DATA_ENTERED", "VERIFIED", "SIGNED", "READY_FOR_HANDOVER", "HANDED_OVER")
_VILLAGES = sorted(villages())

Json = dict[str, Any]


def request(number: int) -> Json:
    """The body of a request: like no other, and of nobody."""
    home = number % 4 != 3
    return {
        "channel": "KELURAHAN_FORM",
        "requester": {"kind": "SELF", "name": f"Warga Contoh {_letters(number)}", "email": f"warga-{number}@pelangi.invalid"},
        "persons": [{"name": f"Warga Contoh {_letters(number)}", "birth_date": "1971-07-01", "services": ["KK_REISSUE"]}],
        "place": {
            "visit_kind": "HOME" if home else "COMMUNITY_POINT",
            "village_code": _VILLAGES[number % len(_VILLAGES)],
            "address": "Jalan Contoh",
            "landmark": f"rumah {_letters(number)}",
        },
        "reach": {"channel": "EMAIL", "to": "REQUESTER"},
    }


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number:06}")


@dataclass(slots=True)
class City:
    """Residents, teams and the desk of one stack. `filed`: when each request was due, wall time, by id."""

    stack: PrivateStack
    filed: dict[str, float] = field(default_factory=dict)
    refused: int = 0
    _items: dict[str, list[str]] = field(default_factory=dict)
    _visits: dict[str, set[str]] = field(default_factory=dict)
    _early: dict[str, str] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _wires: dict[str, Wire] = field(default_factory=dict)
    _gates: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    async def live(self, rate: float, until: asyncio.Event) -> None:
        """File `rate` requests a second until the event, and play everything that follows from it, for ever."""
        loop = asyncio.get_running_loop()
        for service in ("intake", "scheduling", "issuance"):
            self._wires[service] = Wire(self.stack.ports[service])
            self._gates[service] = asyncio.Semaphore(AT_ONCE)

        def note(message: Any, _: float) -> None:
            loop.call_soon_threadsafe(self._scheduled, json.loads(message.value()))

        with Subscriber(self.stack.bootstrap, (VISIT_SCHEDULED,), note):
            await self._file(rate, until)
            await asyncio.Event().wait()

    async def give_up(self) -> None:
        """End what is still played."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for wire in self._wires.values():
            wire.close()

    async def _file(self, rate: float, until: asyncio.Event) -> None:
        start, number = time.monotonic(), 0
        while not until.is_set():
            due = start + number / rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            self._spawn(self._resident(number, time.time() - (time.monotonic() - due)))
            number += 1

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            self.refused += 1

    async def _resident(self, number: int, due: float) -> None:
        reply = await self._until(201, "intake", "/v1/requests", request(number), str(uuid4()), gated=False)
        answer = json.loads(reply.body)
        request_id = answer["request_id"]
        self.filed[request_id] = due
        self._items[request_id] = [item["item_id"] for item in answer["items"]]
        if (visit_id := self._early.pop(request_id, None)) is not None:
            self._join(request_id, visit_id)

    def _scheduled(self, event: Json) -> None:
        if event["status"] != "SCHEDULED":
            return
        if event["request_id"] in self._items:
            self._join(event["request_id"], event["visit_id"])
        else:
            self._early[event["request_id"]] = event["visit_id"]  # faster than the 201

    def _join(self, request_id: str, visit_id: str) -> None:
        members = self._visits.setdefault(visit_id, set())
        members.add(request_id)
        if len(members) == 1:
            self._spawn(self._team(visit_id))

    async def _team(self, visit_id: str) -> None:
        """Go there; once under way nobody joins any more, so the list of a shared visit is read then."""
        path = f"/v1/visits/{visit_id}"
        day = await self._until(200, "scheduling", path)
        shared = json.loads(day.body)["visit_kind"] != "HOME"
        if shared:
            await asyncio.sleep(GATHER_S)
        await self._until(200, "scheduling", f"{path}/depart", {})
        await self._until(200, "scheduling", f"{path}/arrive", {})
        members = json.loads((await self._until(200, "scheduling", path)).body if shared else day.body)["members"]
        items = [item["item_id"] for member in members for item in member["items"]]
        outcomes = [{"item_id": item_id, "outcome": "DONE"} for item_id in items]
        await self._until(200, "scheduling", f"{path}/complete", {"items": outcomes})
        self._visits.pop(visit_id)
        for member in members:
            self._spawn(self._desk(member["request_id"]))

    async def _desk(self, request_id: str) -> None:
        for document_id in await self._documents(request_id):
            for to in STEPS:
                body: Json = {"to": to}
                if to == "SIGNED":
                    body["siak_reference"] = f"BENCH-{document_id[-8:].upper()}"
                elif to == "HANDED_OVER":
                    body["handed_over_to"] = {"recipient_class": "PERSON"}
                await self._until(200, "issuance", f"/v1/documents/{document_id}/transitions", body)

    async def _documents(self, request_id: str) -> list[str]:
        """The documents of a request, once issuance has heard of it."""
        pause = FIRST_PAUSE_S
        while True:
            reply = await self._until(200, "issuance", f"/v1/requests/{request_id}/documents")
            found = [d["document_id"] for item in json.loads(reply.body)["items"] for d in item["documents"]]
            if found:
                return found
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_PAUSE_S)

    async def _until(
        self, wanted: int, service: str, path: str, body: Json | None = None, key: str = "", *, gated: bool = True
    ) -> Reply:
        """The answer, asked for until it is the wanted one: a service may not have heard yet of what makes a step allowed."""
        raw = None if body is None else json.dumps(body).encode()
        key, pause, wire = key or str(uuid5(KEYS, f"{path} {raw!r}")), FIRST_PAUSE_S, self._wires[service]
        while True:
            try:
                if gated:
                    async with self._gates[service]:
                        reply = await (wire.get(path) if raw is None else wire.post(path, raw, key))
                else:
                    reply = await (wire.get(path) if raw is None else wire.post(path, raw, key))
                if reply.status == wanted:
                    return reply
                assert reply.status in {404, 409, 503}, (path, reply)
            except (OSError, EOFError):
                pass
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST_PAUSE_S)
