"""Intake and scheduling in memory for days on a clock that jumps: so many visits a day, to the first who asked."""

import asyncio
import heapq
import json
from collections import Counter
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

import httpx

from pelangi.contracts.request import RequestBody
from pelangi.simulate.clock import JAKARTA, at
from tests.unit.simulate.fake_city import uid

TURNS = 40
"""How often everybody else may go on before the clock jumps: nobody is left with something to do now."""


class JumpingClock:
    """Jumps to the next moment for which somebody waits, once nobody else goes on. Run `jump` beside the player."""

    def __init__(self, begins: datetime) -> None:
        self._now = begins
        self._waiting: list[tuple[datetime, int, asyncio.Event]] = []
        self._number = count()

    def now(self) -> datetime:
        return self._now

    async def until(self, moment: datetime) -> None:
        if moment > self._now:
            come = asyncio.Event()
            heapq.heappush(self._waiting, (moment, next(self._number), come))
            await come.wait()

    async def jump(self) -> None:
        while True:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            if self._waiting:
                self._now, _, come = heapq.heappop(self._waiting)
                come.set()


class FakeOffice:
    """capacity: visits a day. breaks: it moves a visit that was told, once. forgets: it loses a request."""

    def __init__(self, clock: JumpingClock, *, capacity: int = 8, breaks: bool = False, forgets: bool = False) -> None:
        self.clock, self.capacity, self.breaks, self.forgets = clock, capacity, breaks, forgets
        self.teams: dict[str, Any] = {
            "base": {"lat": -2.13, "lon": 106.11},
            "teams": [
                {"team_id": "a", "name": "A", "visit_kinds": ["HOME", "INSTITUTION"], "travel_minutes": 15, "officers": 2},
                {"team_id": "office", "name": "Loket", "visit_kinds": ["OFFICE_APPOINTMENT"], "travel_minutes": 0, "officers": 2},
            ],
        }
        self.requests: dict[str, dict[str, Any]] = {}
        self.visits: dict[str, dict[str, Any]] = {}
        self.plans_read: Counter[date] = Counter()
        self.played: list[tuple[str, datetime]] = []
        self.transport = httpx.MockTransport(self.handle)

    def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.split("/")[2:]
        if request.method == "GET":
            return self._read(request.url.port, path)
        return self._write(path, json.loads(request.content), request.headers.get("If-Match"))

    def _read(self, port: int | None, path: list[str]) -> httpx.Response:
        match (port, path):
            case (8002, ["teams"]):
                return httpx.Response(200, json=self.teams, headers={"ETag": '"1"'})
            case (8001, ["requests", id_]):
                return httpx.Response(200, json={}, headers={"ETag": f'"{self.requests[id_]["version"]}"'})
            case (8002, ["plans", on]):
                return httpx.Response(200, json=self._plan(date.fromisoformat(on)))
            case (8002, ["visits", id_]):
                return httpx.Response(200, json=self.visits[id_])
            case (8002, ["requests", id_]):
                return httpx.Response(200, json=self._seen(id_))
        return httpx.Response(404)

    def _write(self, path: list[str], body: Any, if_match: str | None) -> httpx.Response:
        match path:
            case ["teams"]:
                self.teams = body
                return httpx.Response(200 if if_match == '"1"' else 412, json=body)
            case ["requests"]:
                return self._file(body)
            case ["requests", id_, "withdrawal"]:
                return self._withdraw(id_, if_match)
            case ["visits", id_, step]:
                return self._step(self.visits[id_], step, body)
        return httpx.Response(404)

    def _file(self, body: Any) -> httpx.Response:
        place = RequestBody.model_validate(body).place
        id_ = uid("request", len(self.requests))
        self.requests[id_] = {"version": 1, "closed": False, "served": False, "at": [place.lat, place.lon]}
        if not (self.forgets and len(self.requests) == 3):
            self._place(id_)
        return httpx.Response(201, json={"request_id": id_})

    def _place(self, request_id: str) -> None:
        on = self.clock.now().astimezone(JAKARTA).date() + timedelta(days=1)
        while on.weekday() > 4 or len(self._on(on)) >= self.capacity:
            on += timedelta(days=1)
        start = 8 * 60 + 45 * len(self._on(on))
        id_ = uid("visit", len(self.visits))
        items = [{"item_id": uid(request_id, "item")}]
        self.visits[id_] = {
            "visit_id": id_, "date": on.isoformat(), "status": "PLANNED", "revision": 1, "at": self.requests[request_id]["at"],
            "window": {"start": at(on, start).isoformat(), "end": at(on, start + 30).isoformat()},
            "members": [{"request_id": request_id, "items": items}],
        }  # fmt: skip
        if self.breaks and len(self.visits) == 5:
            self.visits[id_]["revision"] = 2

    def _on(self, on: date) -> list[dict[str, Any]]:
        return [v for v in self.visits.values() if v["date"] == on.isoformat() and v["status"] != "CANCELLED"]

    def _plan(self, on: date) -> dict[str, Any]:
        self.plans_read[on] += 1
        base = [self.teams["base"]["lat"], self.teams["base"]["lon"]]
        teams = [{"team_id": "team-1", "visits": self._on(on)}, {"team_id": "team-2", "visits": []}]
        return {"date": on.isoformat(), "working_day": on.weekday() < 5, "base": base, "teams": teams}

    def _step(self, visit: dict[str, Any], step: str, body: Any) -> httpx.Response:
        wanted = {"depart": "PLANNED", "arrive": "EN_ROUTE", "complete": "ON_SITE", "fail": "ON_SITE"}[step]
        if visit["status"] != wanted:
            return httpx.Response(409, json={"title": "state"})
        visit["status"] = {"depart": "EN_ROUTE", "arrive": "ON_SITE", "complete": "DONE", "fail": "FAILED"}[step]
        request_id = visit["members"][0]["request_id"]
        if step == "complete":
            assert [i["item_id"] for i in body["items"]] == [uid(request_id, "item")]
            self.requests[request_id]["served"] = True
        elif step == "fail":
            assert body == {"reason": "NOT_AT_HOME"}
            self._place(request_id)
        self.played.append((step, self.clock.now()))
        return httpx.Response(200, json={})

    def _withdraw(self, request_id: str, if_match: str | None) -> httpx.Response:
        known = self.requests[request_id]
        if if_match != f'"{known["version"]}"':
            return httpx.Response(412)
        known.update(version=2, closed=True)
        for visit in self.visits.values():
            if visit["members"][0]["request_id"] == request_id and visit["status"] == "PLANNED":
                visit.update(status="CANCELLED", revision=visit["revision"] + 1)
        return httpx.Response(200, json={})

    def _seen(self, request_id: str) -> dict[str, Any]:
        visits = [v for v in self.visits.values() if v["members"][0]["request_id"] == request_id]
        return {"closed": self.requests[request_id]["closed"], "needs_visit": False, "review": False, "visits": visits}
