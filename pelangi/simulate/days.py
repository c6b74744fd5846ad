"""Many working days of a city: people ask through the day, teams go out at the hours of the plan, some change their mind.

Unlike the other players this one follows the business clock: a visit is played on its date and at its hours, not at once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from pelangi.simulate import driving
from pelangi.simulate.api import CALL_TIMEOUT_S, Api, Unreachable, problem_code, request_key, version_of
from pelangi.simulate.clock import BusinessClock, at
from pelangi.simulate.days_record import Asked, DayPlayed, DaysOptions, DaysRun, standing
from pelangi.simulate.homes import CLOSES, Home, home, home_body, is_away, withdrawal_minute
from pelangi.simulate.lifecycles import LAST_VISIT_STATUSES
from pelangi.simulate.teams import items_of, members_of

MORNING = 5 * 60
"""The minute of the day at which the teams read their plan."""
AWAY = {"reason": "NOT_AT_HOME"}
TRIES = 10
LOOKS, LOOK_PAUSE_S = 40, 0.5
"""How often a request is looked at in the end until scheduling knows of everything that happened."""
PLANNER_METRICS = (
    "pelangi_visits_told_total",
    "pelangi_visits_placed_total",
    "pelangi_visits_unplanned_total",
    "pelangi_bookings_refused_total",
    "pelangi_requests_without_a_day_total",
    "pelangi_planner_seconds_sum",
    "pelangi_planner_seconds_count",
)

Json = dict[str, Any]
Told = Callable[[str], None]


async def simulate_days(
    options: DaysOptions, clock: BusinessClock, told: Told = lambda _: None, transport: httpx.AsyncBaseTransport | None = None
) -> DaysRun:
    """Play `options.days` working days from `options.first` on; `told` hears of each."""
    run = options.run or uuid4().hex
    async with _api(options, run, transport) as api:
        city = _Days(api, options, clock, run)
        await city.set_teams()
        on = options.first
        while clock.now() > at(on, MORNING):  # the system took longer to start: the same weekday of a later week
            on += timedelta(weeks=1)
        while len(city.result.days) < options.days:
            await clock.until(at(on, MORNING))
            plan = await city.plan(on)
            if plan["working_day"]:
                told(str(await city.day(on, plan)))
            on += timedelta(days=1)
        await city.look_at_all()
        city.result.planner = await city.planner_metrics()
        city.result.retries = api.retries
        return city.result


class _Days:
    """The city while it is played."""

    def __init__(self, api: Api, options: DaysOptions, clock: BusinessClock, run: str) -> None:
        self.result = DaysRun()
        self._api = api
        self._options = options
        self._clock = clock
        self._run = run
        self._asked: dict[str, Asked] = {}

    async def set_teams(self) -> None:
        """So many teams that drive, for which time is short and not the number of visits; whoever else there is stays."""
        url = f"{self._options.scheduling_url}/v1/teams"
        answer = await self._api.get(url)
        table = answer.json()
        mobile = next(team for team in table["teams"] if "HOME" in team["visit_kinds"])
        others = [team for team in table["teams"] if "HOME" not in team["visit_kinds"]]
        limits = {"travel_minutes": driving.LEAST, "home_visits_per_day": self._options.home_visits_a_day}
        numbers = range(1, self._options.teams + 1)
        teams = [{**mobile, **limits, "team_id": f"team-{n}", "name": f"Tim Keliling {n}"} for n in numbers]
        done = await self._api.put(url, {**table, "teams": [*teams, *others]}, if_match=version_of(answer))
        if not done.is_success:
            raise RuntimeError(f"teams: {problem_code(done)}")

    async def plan(self, on: date) -> Json:
        """The plan of a date."""
        answer = await self._api.get(f"{self._options.scheduling_url}/v1/plans/{on.isoformat()}")
        if answer.status_code != 200:
            raise RuntimeError(f"plan: {problem_code(answer)}")
        return dict(answer.json())

    async def day(self, on: date, plan: Json) -> DayPlayed:
        """A working day from its morning to its end: everybody who asks, calls off or is visited."""
        day = DayPlayed(on, planned=len(_visits(plan)))
        self.result.days.append(day)
        number = len(self.result.days) - 1
        visits = await self._read(_visits(plan))
        today = {request_id for visit in visits for request_id in members_of(visit)}
        first = number * self._options.requests_a_day
        async with asyncio.TaskGroup() as group:
            for visit in visits:
                group.create_task(self._survive(self._visit(visit, on, day)))
            for asked in [a for a in self._asked.values() if a.request_id not in today and a.calls_off_on(number)]:
                group.create_task(self._survive(self._call_off(asked, on, day)))
            for asking in range(first, first + self._options.requests_a_day):
                comes = home(self._options.seed, asking, number, self._options.shares)
                group.create_task(self._survive(self._file(comes, on, day)))
        await self._clock.until(at(on, CLOSES))
        plan = await self._play_late(on, await self.plan(on), {visit["visit_id"] for visit in visits}, day)
        day.visits, day.driven = len(_visits(plan)), driving.driven(plan)
        day.ended = self._minute(on)
        return day

    async def look_at_all(self) -> None:
        """What became of every request, as scheduling has it."""
        slots = asyncio.Semaphore(self._options.concurrency)
        last = self.result.days[-1].on

        async def look(asked: Asked) -> None:
            url = f"{self._options.scheduling_url}/v1/requests/{asked.request_id}"
            async with slots:
                for attempt in range(LOOKS):
                    answer = await self._api.get(url)
                    seen = answer.json() if answer.status_code == 200 else {}
                    if standing(asked, seen, last) or attempt == LOOKS - 1:
                        break
                    await asyncio.sleep(LOOK_PAUSE_S)
                asked.close(seen, last)

        async with asyncio.TaskGroup() as group:
            for asked in self.result.asked:
                group.create_task(self._survive(look(asked)))

    async def planner_metrics(self) -> dict[str, float]:
        """What scheduling counted of its planning."""
        answer = await self._api.get(f"{self._options.scheduling_url}/metrics")
        lines = answer.text.splitlines() if answer.status_code == 200 else []
        found = (line.rpartition(" ") for line in lines if line.startswith(PLANNER_METRICS))
        return {name: float(value) for name, _, value in found}

    async def _file(self, comes: Home, on: date, day: DayPlayed) -> None:
        await self._clock.until(at(on, comes.minute))
        body = home_body(self._options.seed, comes, on, self._options.shares)
        key = request_key(self._run, comes.number)
        answer = await self._api.post(f"{self._options.intake_url}/v1/requests", body, key=key)
        if answer.status_code != 201:
            self._problem("not accepted", answer)
            return
        asked = Asked(comes, str(answer.json()["request_id"]), on)
        self._asked[asked.request_id] = asked
        self.result.asked.append(asked)
        day.asked += 1

    async def _call_off(self, asked: Asked, on: date, day: DayPlayed) -> None:
        await self._clock.until(at(on, withdrawal_minute(self._options.seed, asked.home.number)))
        await self._withdraw(asked, day)

    async def _withdraw(self, asked: Asked, day: DayPlayed) -> None:
        url = f"{self._options.intake_url}/v1/requests/{asked.request_id}"
        for _ in range(TRIES):
            version = version_of(await self._api.get(url))
            answer = await self._api.post(f"{url}/withdrawal", {}, if_match=version)
            if answer.is_success:
                asked.withdrawn = True
                day.withdrawn += 1
                return
            if answer.status_code != 412:
                break
        self._problem("withdrawal", answer)

    async def _read(self, planned: Iterable[Json]) -> list[Json]:
        """Whom these visits are for."""
        url = f"{self._options.scheduling_url}/v1/visits"
        answers = await asyncio.gather(*(self._api.get(f"{url}/{visit['visit_id']}") for visit in planned))
        for answer in answers:
            if answer.status_code != 200:
                self._problem("visit", answer)
        return [answer.json() for answer in answers if answer.status_code == 200]

    async def _visit(self, visit: Json, on: date, day: DayPlayed) -> None:
        """One visit at its hours; where its people call off in the last moment, there is none."""
        members = [self._asked[request_id] for request_id in members_of(visit) if request_id in self._asked]
        if visit["status"] in LAST_VISIT_STATUSES or not members:
            return
        for asked in members:
            if asked.home.withdrawn_after is not None and not asked.withdrawn:
                await self._withdraw(asked, day)
        if all(asked.withdrawn for asked in members):
            return
        url = f"{self._options.scheduling_url}/v1/visits/{visit['visit_id']}"
        await self._clock.until(datetime.fromisoformat(visit["window"]["start"]))
        for step in "depart", "arrive":
            if not await self._step(url, step, {}):
                return
        await self._clock.until(datetime.fromisoformat(visit["window"]["end"]))
        away = all(is_away(self._options.seed, a.home.number, a.failed, self._options.shares) for a in members)
        done: Json = {"items": [{"item_id": item, "outcome": "DONE"} for item in items_of(visit)]}
        if not await self._step(url, "fail" if away else "complete", AWAY if away else done):
            return
        day.failed += away
        for asked in members:
            asked.visited(on, away=away)

    async def _step(self, url: str, step: str, body: Json) -> bool:
        answer = await self._api.post(f"{url}/{step}", body)
        if not answer.is_success:
            self._problem(f"visit {step}", answer)
        return answer.is_success

    async def _play_late(self, on: date, plan: Json, known: set[str], day: DayPlayed) -> Json:
        """The plan at the end of the day, after the visits that it did not have in the morning were played."""
        late = [visit for visit in _visits(plan) if visit["visit_id"] not in known]
        if not late:
            return plan
        day.late += len(late)
        for visit in await self._read(late):
            await self._survive(self._visit(visit, on, day))
        return await self.plan(on)

    async def _survive(self, work: Awaitable[None]) -> None:
        """A call that finds no answer is a problem of the run, and ends nothing else."""
        try:
            await work
        except Unreachable as error:
            self.result.problems[f"unreachable: {error}"] += 1

    def _problem(self, what: str, answer: httpx.Response) -> None:
        self.result.problems[f"{what}: {problem_code(answer)}"] += 1

    def _minute(self, on: date) -> int:
        return int((self._clock.now() - at(on, 0)).total_seconds() // 60)


def _visits(plan: Json) -> list[Json]:
    return [visit for team in plan["teams"] for visit in team["visits"]]


@asynccontextmanager
async def _api(options: DaysOptions, run: str, transport: httpx.AsyncBaseTransport | None) -> AsyncIterator[Api]:
    limits = httpx.Limits(max_connections=options.concurrency)
    async with httpx.AsyncClient(timeout=CALL_TIMEOUT_S, limits=limits, transport=transport, trust_env=False) as client:
        yield Api(client, run, options.retry_s)
