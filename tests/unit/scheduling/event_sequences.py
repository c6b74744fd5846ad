"""Random event sequences against the real scheduling workers, looked on by a watcher that shares no rule with them.

From a seed: a small city, then requests, corrections, closings, calls of teams and desk, changed tables and the clock in any
order, with planner's rounds in between. `python -m tests.unit.scheduling.event_sequences --sequences 10000` runs many.
"""

import argparse
import asyncio
import logging
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from pelangi.chassis.case import Fact
from pelangi.chassis.clock import JAKARTA
from pelangi.chassis.web import make_app
from pelangi.contracts.codes import (
    ClosingOutcome,
    ItemOutcome,
    Need,
    RequestStatus,
    ServiceKind,
    VisitKind,
    VulnerabilityCategory,
)
from pelangi.contracts.reasons import DeferralReason
from pelangi.contracts.request import RequestPlace
from services.scheduling.app import start
from services.scheduling.planner import solving
from services.scheduling.planner.questions import Answer, BadPlan, Question, without_misfits
from services.scheduling.planner.validator import validate
from services.scheduling.planner.worker import Inline
from services.scheduling.reference import Equipment, defaults
from services.scheduling.rolling import Announce
from services.scheduling.routes import routes
from services.scheduling.work import Work
from tests.unit.scheduling.city import NOW, City, closed, created, details, item_closed, item_id, request_id, tombstone
from tests.unit.scheduling.watcher import AHEAD, OPEN, Document, Fault, Finding, Tables, Watcher

PER_JOB, FEWEST = 5, 100
"""The engine's effort: what is looked at is whether plans keep the rules, not how short they are."""
POINTS = defaults()["points"]["value"]
VILLAGES = [p["village_code"] for p in POINTS["points"]][::6]
TAKEN_ALONG = [e for e in Equipment if e not in {Equipment.POWER, Equipment.KTP_BLANK, Equipment.KIA_BLANK}]
DRIVING = [VisitKind.HOME, VisitKind.COMMUNITY_POINT, VisitKind.INSTITUTION, VisitKind.DISASTER_POST]
NEEDS = [Need.BEDRIDDEN, Need.WHEELCHAIR, Need.SIGN_LANGUAGE, Need.RESTLESS, Need.HOSPITAL, Need.BLIND]
PUT_OFF = [DeferralReason.NOT_AT_HOME, DeferralReason.ADDRESS_NOT_FOUND, DeferralReason.NO_BLANK, DeferralReason.WEATHER_OR_FLOOD]


class Looking(Inline):
    """The planner in this process, with little effort; every plan is looked at by the validator once more."""

    def __init__(self) -> None:
        self.plans = 0
        self.watcher: Watcher | None = None

    async def plan(self, question: Question) -> Answer:
        """See `Solver`."""
        assert self.watcher is not None
        question = replace(question, per_job=PER_JOB)
        self.watcher.asked((j.job_id for j in question.jobs), (t.date for t in question.team_days))
        try:
            answer = await super().plan(question)
        except BadPlan as broken:
            self.watcher.found(Fault.PLAN, str(broken))
            raise
        good, _ = without_misfits(question)
        for violation in validate(answer.plan, good.jobs, good.team_days, good.travel):
            self.watcher.found(Fault.PLAN, str(violation))
        self.plans += 1
        return answer


@dataclass(slots=True)
class Report:
    """What came of sequences. events: by kind, those that were really applied."""

    sequences: int = 0
    events: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    plans: int = 0
    announced: int = 0
    moved: int = 0
    findings: list[tuple[int, Finding]] = field(default_factory=list)
    traces: dict[int, list[str]] = field(default_factory=dict)

    def add(self, other: "Report") -> None:
        """Take in what came of others."""
        self.sequences += other.sequences
        self.events += other.events
        self.rounds += other.rounds
        self.plans += other.plans
        self.announced += other.announced
        self.moved += other.moved
        self.findings += other.findings
        self.traces |= other.traces


class Story:
    """One sequence: its people, its city, and everything that happens there."""

    def __init__(self, seed: int, city: City, solver: Looking) -> None:
        self.rng = random.Random(seed)
        self.city, self.solver = city, solver
        self.report = Report(sequences=1)
        self.trace: list[str] = []
        self.wishes: dict[int, dict[str, Any]] = {}
        self.ended: set[int] = set()
        for collection in city.store.collections.values():
            collection.documents.clear()
        city.clock.at = NOW
        self._place_tables()
        announce = self.rng.choice(list(Announce))
        city.work = Work.of(city.runtime, solver, announce=announce)
        solver.watcher = self.watcher = Watcher(self.tables(), NOW)
        self._say(f"{announce}, teams {self._value('teams')['teams']}, hours {self._value('calendar')}")
        self._days: dict[str, Any] = {}
        self._cases: dict[str, Any] = {}

        async def saw(_: str) -> None:
            self.saw()

        for name in ("days", "cases"):
            city.store.collection(name).after_write = saw

    # --- the city

    def _place_tables(self) -> None:
        rng = self.rng
        teams = [self._team(f"team-{n}") for n in range(1, rng.randint(2, 5))]
        if rng.random() < 0.8:  # in some cities nobody has everything
            teams[-1] |= {"equipment": None, "visit_kinds": DRIVING, "ktp_blanks": rng.choice([None, 3])}
        counter = {"team_id": "office", "name": "Loket", "visit_kinds": [VisitKind.OFFICE_APPOINTMENT], "officers": 2}
        teams.append(counter | {"travel_minutes": 0, "home_visits_per_day": 0, "point_minutes": 0} | _STOCK)
        opens, closes = rng.choice([("08:00:00", "15:00:00"), ("08:00:00", "12:30:00"), ("07:30:00", "16:00:00")])
        breaks = [{"weekday": 5, "start": "11:30:00", "end": "13:30:00"}] if closes > "13" else []
        if closes > "13" and rng.random() < 0.4:
            breaks += [{"weekday": d, "start": "12:00:00", "end": "12:45:00"} for d in range(1, 5)]
        hours = {"open": opens, "close": closes, "breaks": breaks, "closed_days": []}
        base = {"lat": -2.1293, "lon": 106.1137}
        for name, value in (("teams", {"base": base, "teams": teams}), ("calendar", hours), ("points", POINTS)):
            self.city.store.collection("reference").documents[name] = {"_id": name, "version": 1, "value": value}

    def _team(self, team_id: str) -> dict[str, Any]:
        rng = self.rng
        every = rng.random() < 0.5
        return {
            "team_id": team_id,
            "name": team_id,
            "visit_kinds": DRIVING if rng.random() < 0.8 else [VisitKind.HOME, VisitKind.INSTITUTION],
            "officers": 2,
            "travel_minutes": rng.choice([5, 10, 15]),
            "home_visits_per_day": rng.randint(1, 6),
            "point_minutes": rng.choice([60, 120, 180]),
            "equipment": None if every else self._equipment(),
            "ktp_blanks": rng.choice([None, 0, 1, 2, 4]),
            "kia_blanks": rng.choice([None, 0, 1, 3]),
        }

    def _equipment(self) -> list[Equipment]:
        return [e for e in Equipment if e not in set(self.rng.sample(TAKEN_ALONG, self.rng.randint(1, 4)))]

    def _value(self, name: str) -> Any:
        return self.city.store.collection("reference").documents[name]["value"]

    def tables(self) -> Tables:
        """As they stand."""
        return Tables(self._value("teams"), self._value("points"), self._value("calendar"))

    # --- the people

    def _wish(self) -> dict[str, Any]:
        rng = self.rng
        kind = rng.choices([*DRIVING, VisitKind.OFFICE_APPOINTMENT], [60, 10, 16, 3, 11])[0]
        return {
            "kinds": rng.sample(list(ServiceKind), rng.choice([1, 1, 2, 3])),
            "persons": rng.choice([1, 1, 1, 2, 4] if kind != VisitKind.INSTITUTION else [1, 3, 8]),
            "withdrawn": [],
            "needs": rng.sample(NEEDS, rng.choice([0, 0, 0, 1, 2])),
            "categories": rng.choice([[], [], [VulnerabilityCategory.SEVERE_ILLNESS], [VulnerabilityCategory.ELDERLY]]),
            "not_before": {0: self._on(rng.randint(2, 9))} if rng.random() < 0.15 else {},
            "filled_at": self.city.clock.at - timedelta(days=rng.randint(0, 20)),
            "place": self._place(kind),
            "availability": self._hours() if rng.random() < 0.3 else [],
            "deadline": {"date": self._on(rng.randint(1, 12)).isoformat(), "reason": "AID"} if rng.random() < 0.15 else None,
            "companion": None,
            "status": RequestStatus.ACCEPTED,
            "version": 1,
        }

    def _place(self, kind: VisitKind) -> RequestPlace:
        rng = self.rng
        village = rng.choice(VILLAGES)
        if kind == VisitKind.INSTITUTION:
            number = rng.randint(0, 2)
            point = (-2.10 - number / 50, 106.10 + number / 50) if number else (None, None)
            return _place(kind, VILLAGES[number], f"Panti {number}", point)
        if kind != VisitKind.HOME or rng.random() < 0.2:
            return _place(kind, village, "Jalan Karangan 1", (None, None))
        return _place(kind, village, "Jalan Karangan 1", (-2.13 + rng.uniform(-0.06, 0.06), 106.11 + rng.uniform(-0.06, 0.06)))

    def _hours(self) -> list[dict[str, Any]]:
        days = sorted(self.rng.sample(range(1, 6), self.rng.randint(1, 3)))
        return [dict(zip(("weekday", "start", "end"), (d, *self.rng.choice(_TIMES)), strict=True)) for d in days]

    def _on(self, days: int) -> date:
        return self.city.clock.at.astimezone(JAKARTA).date() + timedelta(days=days)

    # --- what happens; each says whether it did

    async def asks(self) -> bool:
        """A new request."""
        n = len(self.wishes) + 1
        self.wishes[n] = self._wish()
        first = [created(n)] if self.rng.random() < 0.8 else []
        await self.fold(n, *first, self._details(n))
        return True

    async def corrects(self) -> bool:
        """A request is corrected."""
        if (n := self._somebody()) is None:
            return False
        wish, rng = self.wishes[n], self.rng
        what = rng.choice(
            ["needs", "availability", "more", "withdrawn", "place", "coordinates", "not_before", "deadline", "status"]
        )
        match what:
            case "needs":
                wish["needs"] = rng.sample(NEEDS, rng.randint(0, 2))
            case "availability":
                wish["availability"] = self._hours()
            case "more" if wish["persons"] == 1:
                wish["kinds"] = [*wish["kinds"], rng.choice([k for k in ServiceKind if k not in wish["kinds"]])]
            case "more":
                wish["persons"] += 1
            case "withdrawn":
                wish["withdrawn"] = [*wish["withdrawn"], rng.randrange(self._items(n))]
            case "place":
                wish["place"] = self._place(rng.choice([VisitKind(wish["place"].visit_kind), VisitKind.HOME, *DRIVING]))
            case "coordinates":
                kind = VisitKind(wish["place"].visit_kind)
                wish["place"] = self._place(kind).model_copy(update={"village_code": wish["place"].village_code})
            case "not_before":
                wish["not_before"] = {rng.randrange(self._items(n)): self._on(rng.randint(1, 9))}
            case "deadline":
                wish["deadline"] = {"date": self._on(rng.randint(1, 9)).isoformat(), "reason": "AID"}
            case _:
                wish["status"] = RequestStatus.NEEDS_INFO if wish["status"] == RequestStatus.ACCEPTED else RequestStatus.ACCEPTED
        wish["version"] += 1
        self._say(f"{n}: {what}")
        await self.fold(n, self._details(n))
        return True

    async def is_withdrawn(self) -> bool:
        """Somebody no longer wants anything, or is served elsewhere, or erased."""
        if (n := self._somebody()) is None:
            return False
        self.ended.add(n)
        fact = tombstone(n) if self.rng.random() < 0.2 else closed(n, self.rng.choice(list(ClosingOutcome)))
        await self.fold(n, fact)
        return True

    async def closes_item(self) -> bool:
        """An item was decided at the office."""
        if (n := self._somebody()) is None:
            return False
        await self.fold(n, item_closed(n, self.rng.randrange(self._items(n)), self.rng.choice(list(ItemOutcome))))
        return True

    async def departs(self) -> bool:
        """A team sets out; where the visit is not today, on the morning of its day."""
        return await self._call("depart", self._visit("PLANNED", soon=True))

    async def arrives(self) -> bool:
        """A team is there."""
        return await self._call("arrive", self._visit("EN_ROUTE"))

    async def completes(self) -> bool:
        """Everybody was served, or some were put off."""
        if (found := self._visit("ON_SITE")) is None:
            return False
        items = [i["item_id"] for m in found[2]["members"].values() for i in m["items"] if not m.get("gone")]
        put_off = {i: self.rng.choice(PUT_OFF) for i in items if self.rng.random() < 0.15}
        body = [
            {"item_id": i, "outcome": "DEFERRED", "reason": put_off[i]} if i in put_off else {"item_id": i, "outcome": "DONE"}
            for i in items
        ]
        return await self._call("complete", found, {"items": body})

    async def fails(self) -> bool:
        """Nobody there, or known to be in vain."""
        return await self._call("fail", self._visit(*OPEN), {"reason": self.rng.choice(PUT_OFF)})

    async def is_rescheduled(self) -> bool:
        """The office moves a visit."""
        body: dict[str, Any] = {"reason": self.rng.choice([DeferralReason.VEHICLE_FAILURE, DeferralReason.WEATHER_OR_FLOOD])}
        if self.rng.random() < 0.5:
            body["date"] = self._on(self.rng.randint(0, 8)).isoformat()
        return await self._call("reschedule", self._visit("PLANNED"), body)

    async def asks_again(self) -> bool:
        """The desk wants items visited (again)."""
        if (n := self._somebody()) is None:
            return False
        items = [item_id(1000 * n + at) for at in range(self._items(n)) if self.rng.random() < 0.7]
        body = {"items": items, "reason": DeferralReason.NOT_AT_HOME}
        return bool(items) and await self.post(f"/v1/requests/{request_id(n)}/visits", body, [request_id(n)], "asked")

    async def agrees(self) -> bool:
        """The desk agrees on a place by phone, of those offered or of its own: later, tomorrow or yet today."""
        rng, on = self.rng, self._on(self.rng.choice([0, 0, 1, 1, 2, 4]))
        if rng.random() < 0.6:
            await self.asks()  # who is on the phone just now has no date yet
        assert self.city.http is not None
        offered = (await self.city.http.get(f"/v1/plans/{on}/holes")).json()["candidates"] if rng.random() < 0.7 else []
        if offered:
            candidate = rng.choice(offered)
            name, start = candidate["request_id"], datetime.fromisoformat(candidate["window"]["start"])
            body = {"date": str(on), "team_id": candidate["team_id"], "start": f"{start:%H:%M}"}
        elif (n := self._somebody()) is not None:
            team = rng.choice(self._value("teams")["teams"])["team_id"]
            name, body = (
                request_id(n),
                {"date": str(on), "team_id": team, "start": f"{rng.randint(7, 15):02}:{rng.choice(['00', '25'])}"},
            )
        else:
            return False
        self._say(f"  {body} {name[-2:]} {bool(offered)}")
        return await self.post(f"/v1/requests/{name}/appointments", body | {"agreed": rng.random() < 0.9}, [name], "agreed")

    async def opens_session(self) -> bool:
        """The office announces a team at a place, nobody in it yet; today, too."""
        start = self.rng.choice([8, 9, 10, 13]) * 60 + self.rng.choice([10, 30, 50])
        return await self._opens(self._on(self.rng.choice([0, 0, 1, 1, 2, 3])), start)

    async def walks_in(self) -> bool:
        """Somebody comes to a place where a team is or will be today: filed on the spot, or while they wait for a date."""
        if not (places := self._open_places()):
            local = self.city.clock.at.astimezone(JAKARTA)
            await self._opens(local.date(), local.hour * 60 + local.minute + self.rng.randint(5, 40))
            places = self._open_places()
        n = self._somebody()
        if places and self.rng.random() < 0.8:
            await self.asks()
            n = len(self.wishes)
        if not places or n is None:
            return False
        on, _, start, team, visit_id = self.rng.choice(places)
        self._say(f"  {n} to {on} {team} {start}")
        return await self.post(f"/v1/visits/{visit_id}/walk-ins", {"request_id": request_id(n)}, [request_id(n)], "walked in")

    async def _opens(self, on: date, start: int) -> bool:
        rng, end = self.rng, start + self.rng.choice([30, 60, 90, 120])
        body = {
            "team_id": rng.choice([t["team_id"] for t in self._value("teams")["teams"] if t["team_id"] != "office"]),
            "visit_kind": rng.choice([VisitKind.COMMUNITY_POINT, VisitKind.COMMUNITY_POINT, VisitKind.DISASTER_POST]),
            "village_code": rng.choice(VILLAGES),
            "start": f"{start // 60 % 24:02}:{start % 60:02}",
            "end": f"{end // 60 % 24:02}:{end % 60:02}",
        }
        self._say(f"  {on} {body}")
        return await self.post(f"/v1/plans/{on}/sessions", body, [], "opened")

    def _open_places(self) -> list[tuple[str, bool, int, str, str]]:
        """(date, not there yet, start, team, visit) where anybody may come today."""
        today = self._on(0).isoformat()
        return sorted(
            (on, v["status"] != "ON_SITE", v["start"], v["team_id"], visit_id)
            for on, day in self._days.items()
            for visit_id, v in day.get("visits", {}).items()
            if v["visit_kind"] in {VisitKind.COMMUNITY_POINT, VisitKind.DISASTER_POST} and on == today and v["status"] in OPEN
        )

    async def is_out(self) -> bool:
        """A team cannot go out, all day or from an hour on."""
        on = self._on(self.rng.choice([0, 1, 1, 2, 3])).isoformat()
        team = self.rng.choice([t["team_id"] for t in self._value("teams")["teams"]])
        since = self.rng.choice([None, None, "10:00", "12:15"])
        theirs = [v for v in self._days.get(on, {}).get("visits", {}).values() if v["team_id"] == team and v["status"] in AHEAD]
        members = sorted({request_id for visit in theirs for request_id in visit["members"]})
        self._say(f"  {on} {team} {since} of {[int(m[-12:], 16) for m in members]}")
        body = {"team_id": team, "since": since, "reason": DeferralReason.VEHICLE_FAILURE}
        done = await self.post(f"/v1/plans/{on}/outages", body, members, "outage")
        await self.city.work.finish()  # the leader's next second: those who move are booked before time goes by
        return done

    async def is_back(self) -> bool:
        """It can go out again."""
        outs = sorted((on, out["team_id"]) for on, day in self._days.items() for out in day.get("out", []))
        if not outs:
            return False
        on, team = self.rng.choice(outs)
        return await self.post(f"/v1/plans/{on}/returns", {"team_id": team}, [], "back")

    async def changes_teams(self) -> bool:
        """A team is gone, another is there, or one has other things or hours of its own."""
        value, rng = self._value("teams"), self.rng
        teams = [dict(team) for team in value["teams"]]
        driving = [t for t in teams if t["team_id"] != "office"]
        team = rng.choice(driving)
        change = rng.choice(["gone", "new", "equipment", "ktp_blanks", "home_visits_per_day", "visit_kinds", "travel_minutes"])
        if change == "gone" and len(driving) > 1:
            teams.remove(team)
        elif change in {"gone", "new"}:
            known = {t["team_id"] for t in teams}
            teams.insert(0, self._team(next(f"team-{n}" for n in range(1, 50) if f"team-{n}" not in known)))
        else:
            team[change] = self._team(team["team_id"])[change]
        self._say(f"{change} {team['team_id']}")
        return await self.put("teams", {**value, "teams": teams[-6:]})

    async def changes_calendar(self) -> bool:
        """A day off, or other hours."""
        value, rng = dict(self._value("calendar")), self.rng
        if rng.random() < 0.6:
            value["closed_days"] = sorted({*value["closed_days"], self._on(rng.randint(1, 6)).isoformat()})
        else:
            value["open"] = rng.choice(["07:30:00", "08:00:00", "09:00:00"])
            value["close"] = rng.choice(["12:00:00", "14:00:00", "15:00:00", "16:00:00"])
        self._say(f"{value}")
        return await self.put("calendar", value)

    async def waits(self) -> bool:
        """Time goes by: some hours, into the evening, to the next days."""
        local = self.city.clock.at.astimezone(JAKARTA)
        evening, morning = local.replace(hour=17, minute=5), (local + timedelta(days=1)).replace(hour=8, minute=10)
        later = local + timedelta(hours=self.rng.randint(1, 4))
        until = self.rng.choice([later, morning, evening if evening > local else morning, evening + timedelta(days=1)])
        self.set_clock(until)
        self.city.work.planner._not_before.clear()  # who had no date is looked at again
        return True

    # --- how

    async def run(self, events: int) -> Report:
        """So many events with rounds in between; and a last evening and a last morning."""
        for _ in range(self.rng.randint(3, 8)):
            await self._happens("asks")
        await self.round()
        for _ in range(events):
            await self._happens(self.rng.choices(list(EVENTS), list(EVENTS.values()))[0])
            if self.rng.random() < 0.6:
                await self.round()
        self.set_clock(self.city.clock.at.astimezone(JAKARTA).replace(hour=17, minute=30))
        await self.round()
        self.set_clock(self.city.clock.at + timedelta(hours=15))
        await self.round()
        self.report.announced, self.report.moved = self.watcher.announced, self.watcher.moved
        return self.report

    async def _happens(self, name: str) -> None:
        self._say(f"{name} at {self.city.clock.at:%m-%d %H:%M}")
        event: Callable[[], Awaitable[bool]] = getattr(self, name)
        if await event():
            self.report.events[name] += 1
        else:
            self._say("  ... did not")
        self.watcher.looked()

    async def round(self) -> None:
        """All the leader's timers, a minute later."""
        self.set_clock(self.city.clock.at + timedelta(minutes=1))
        before = self.solver.plans
        try:
            await self.city.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            self.watcher.found(Fault.CRASHED, repr(error))
        self.report.rounds += 1
        self.report.plans += self.solver.plans - before
        self._say("round")
        self.watcher.rested()

    def outcome(self) -> list[str]:
        """Every visit of every request, without its ids."""
        cases = [(n, self._cases.get(request_id(n), {})) for n in self.wishes]
        shown = [(n, v["status"], v["date"], v["team_id"], v["start"], v["end"]) for n, c in cases for v in c.get("visits", [])]
        return [str(one) for one in shown]

    def set_clock(self, at: datetime) -> None:
        """It is later, and plans may be made again."""
        self.city.clock.at = self.watcher.now = at.astimezone(UTC)
        planner = self.city.work.planner
        if planner._rolling is not None:
            planner._rolling._last = None

    async def fold(self, n: int, *facts: Fact[Any]) -> None:
        """Facts about a request."""
        self.watcher.cause([request_id(n)], "fact")
        await self.city.fold(*facts)

    async def post(self, path: str, body: Any, request_ids: Sequence[str], what: str) -> bool:
        """A call that names these requests; whether it was done. It may be refused."""
        assert self.city.http is not None
        known = self.watcher.cause(request_ids, what)
        key = str(UUID(int=self.rng.getrandbits(128), version=4))
        response = await self.city.http.post(path, json=body, headers={"Idempotency-Key": key})
        if response.status_code in {200, 202}:
            return True
        self.watcher.refused(known, what)
        if response.status_code not in {409, 422}:
            self.watcher.found(Fault.CRASHED, f"{path} {response.status_code} {response.text}")
        return False

    async def put(self, name: str, value: Any) -> bool:
        """A table is otherwise from now on."""
        assert self.city.http is not None
        version = self.city.store.collection("reference").documents[name]["version"]
        headers = {"Idempotency-Key": str(UUID(int=self.rng.getrandbits(128), version=4)), "If-Match": f'"{version}"'}
        response = await self.city.http.put(f"/v1/{name}", json=value, headers=headers)
        if response.status_code != 200:
            self.watcher.found(Fault.CRASHED, f"{name} {response.status_code} {response.text}")
        self.watcher.tables = self.tables()
        self.city.work.planner._not_before.clear()
        return True

    def saw(self) -> None:
        """Show the watcher what was written just now."""
        for shown, name, look in (
            (self._days, "days", self.watcher.saw_day),
            (self._cases, "cases", self.watcher.saw_case),
        ):
            for key, document in self.city.store.collection(name).documents.items():
                if shown.get(key) is not document:
                    shown[key] = document
                    look(document)

    async def _call(self, what: str, found: tuple[str, str, Document] | None, body: Any = None) -> bool:
        if found is None:
            return False
        on, visit_id, visit = found
        local = self.city.clock.at.astimezone(JAKARTA)
        if what == "depart" and local.date().isoformat() < on:
            self.set_clock(datetime.combine(date.fromisoformat(on), local.replace(hour=8, minute=0).timetz()))
        whose = sorted(int(i[-12:], 16) for i in visit["members"])
        self._say(f"  {what} {on} {visit['team_id']} {visit['start']} of {whose}")
        return await self.post(f"/v1/visits/{visit_id}/{what}", body or {}, list(visit["members"]), what)

    def _visit(self, *statuses: str, soon: bool = False) -> tuple[str, str, Document] | None:
        found = sorted(
            ((on, v["start"], v["team_id"], visit_id, v)
             for on, day in self._days.items()
             for visit_id, v in day.get("visits", {}).items()
             if v["status"] in statuses),
            key=lambda f: f[:3],
        )  # fmt: skip
        if not found:
            return None
        on, _, _, visit_id, visit = found[0] if soon else self.rng.choice(found)
        return on, visit_id, visit

    def _somebody(self) -> int | None:
        alive = [n for n in self.wishes if n not in self.ended]
        return self.rng.choice(alive) if alive else None

    def _items(self, n: int) -> int:
        return len(self.wishes[n]["kinds"]) * int(self.wishes[n]["persons"])

    def _details(self, n: int) -> Fact[Any]:
        self._say(f"  {n}: {self.wishes[n]}")
        return details(n, visit_kind=self.wishes[n]["place"].visit_kind, **self.wishes[n])

    def _say(self, what: str) -> None:
        self.trace.append(what)


_STOCK: dict[str, Any] = {"equipment": None, "ktp_blanks": None, "kia_blanks": None}
_TIMES = [("08:00", "10:30"), ("09:00", "13:00"), ("10:00", "15:00")]

EVENTS = {
    "asks": 28,
    "corrects": 16,
    "is_withdrawn": 4,
    "closes_item": 4,
    "departs": 10,
    "arrives": 14,
    "completes": 14,
    "fails": 5,
    "is_rescheduled": 8,
    "asks_again": 12,
    "agrees": 8,
    "opens_session": 8,
    "walks_in": 12,
    "is_out": 5,
    "is_back": 4,
    "changes_teams": 4,
    "changes_calendar": 3,
    "waits": 10,
}
"""What happens, and how often."""


def _place(kind: VisitKind, village: str, address: str, at: tuple[float, float] | tuple[None, None]) -> RequestPlace:
    return RequestPlace(visit_kind=kind, village_code=village, address=address, lat=at[0], lon=at[1])


@asynccontextmanager
async def stage() -> AsyncIterator[tuple[City, Looking]]:
    """A city with its routes, for one story after the other; the engine makes little effort meanwhile."""

    async def ready() -> tuple[bool, dict[str, str]]:
        return True, {}

    city, effort, level = City(), solving.FEWEST, logging.getLogger("services").level
    await start(city.runtime)
    app = make_app("scheduling", lifespan=None, asyncapi={}, ready=ready, live=lambda: True)
    app.include_router(routes(city.runtime))
    logging.getLogger("services").setLevel(logging.CRITICAL)
    solving.FEWEST = FEWEST
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://scheduling") as http:
            city.http = http
            yield city, Looking()
    finally:
        solving.FEWEST = effort
        logging.getLogger("services").setLevel(level)


async def told(seed: int, city: City, solver: Looking) -> Report:
    """The story of a seed, with what it did to the residents as its trace."""
    story = Story(seed, city, solver)
    report = await story.run(story.rng.randint(15, 40))
    report.findings = [(seed, finding) for finding in story.watcher.findings]
    report.traces[seed] = [*story.trace, *story.outcome()]
    return report


async def run(seeds: Iterable[int]) -> Report:
    """The stories of these seeds; traces only of those with findings."""
    report = Report()
    async with stage() as (city, solver):
        for seed in seeds:
            one = await told(seed, city, solver)
            if not one.findings:
                one.traces.clear()
            report.add(one)
    return report


def _chunk(seeds: Sequence[int]) -> Report:
    return asyncio.run(run(seeds))


def main() -> int:
    """Run many, say how it goes, and fail where anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=200)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--trace", action="store_true", help="print the whole story of the first seed with a finding")
    given = parser.parse_args()
    began, total = time.monotonic(), Report()
    seeds = range(given.first_seed, given.first_seed + given.sequences)
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
        for report in pool.imap_unordered(_chunk, chunks):
            total.add(report)
            _print(f"{total.sequences} of {len(seeds)}, {len(total.findings)} findings, {time.monotonic() - began:.0f} s")
    _summary(total, time.monotonic() - began)
    if given.trace and total.traces:
        first = min(total.traces)
        _print(f"seed {first}", *total.traces[first])
    return 1 if total.findings else 0


CHUNK = 50


def _summary(total: Report, seconds: float) -> None:
    moves = sum(finding.fault == Fault.UNEXPLAINED for _, finding in total.findings)
    _print(
        f"sequences                 {total.sequences}",
        *(f"  {name:<24}{total.events[name]}" for name in EVENTS),
        f"planner rounds            {total.rounds}",
        f"plans validated           {total.plans}",
        f"visits announced          {total.announced}",
        f"  to another place, asked {total.moved}",
        f"hard violations           {len(total.findings) - moves}",
        f"unexplained moves         {moves}",
        f"seconds                   {seconds:.0f} ({seconds / max(1, total.sequences):.3f} a sequence)",
        *(f"seed {seed}: {finding.fault} {finding.where}" for seed, finding in sorted(total.findings)[:40]),
    )


def _print(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
