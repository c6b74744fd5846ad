"""One look at one request, and everything that its teams, desk and requester do about it then."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pelangi.simulate.api import Api, version_of
from pelangi.simulate.desk import Desk
from pelangi.simulate.life import Life
from pelangi.simulate.lifecycles import LAST_VISIT_STATUSES
from pelangi.simulate.options import Followed, Report, SimulateOptions, ended
from pelangi.simulate.teams import Teams

EVERY_FOURTH = 4
"""Intake hears of a visit from scheduling: before it has, scheduling itself is asked only at every fourth look."""
_UNPLANNED = frozenset({"RECEIVED", "ACCEPTED"})

Json = dict[str, Any]


class City:
    """Teams, desk and requesters, playing through the public API."""

    def __init__(self, api: Api, options: SimulateOptions, report: Report, today: date, filed: Mapping[int, str]) -> None:
        self._api = api
        self._options = options
        self._decided: set[str] = set()
        self.life = Life(api, options, report, today, filed)
        self.teams = Teams(api, options, report)
        self.desk = Desk(api, options, report)

    async def look(self, request: Followed) -> list[Json]:
        """Read where a request stands; do what its requester and the desk have to do; give its open visits."""
        answer = await self._api.get(f"{self._options.intake_url}/v1/requests/{request.request_id}")
        if answer.status_code != 200:
            request.seen = f"intake answers {answer.status_code}"
            return []
        request.status = str(answer.json()["status"])
        if self.is_over(request) or await self.life.act(request, version_of(answer)):
            return []
        request.looks += 1
        request.seen = request.status
        if request.status in _UNPLANNED and request.looks % EVERY_FOURTH:
            return []
        planned = await self._planned(request.request_id)
        visits: list[Json] = planned.get("visits", [])
        self.teams.remember(request.request_id, visits)
        served = _served(visits)
        wanted = served or planned.get("review") or request.request_id not in self._decided
        items = await self.desk.documents(request.request_id) if wanted else []
        request.seen = _summary(request.status, visits, items)
        if items:
            self._decided.add(request.request_id)
        refused = await self.desk.refuse_some(items)
        driven = await self.desk.drive(items, served)
        asked = await self.desk.ask_visits(request.request_id, planned, items)
        if refused or driven or asked:
            request.pause_s = 0.0
        return [visit for visit in visits if visit["status"] not in LAST_VISIT_STATUSES]

    def is_over(self, request: Followed) -> bool:
        """Whether nothing more will happen to the request: it is closed, or is left waiting for information."""
        return ended(request.status) and self.life.is_over(request)

    async def _planned(self, request_id: str) -> Json:
        answer = await self._api.get(f"{self._options.scheduling_url}/v1/requests/{request_id}")
        return dict(answer.json()) if answer.status_code == 200 else {}


def _served(visits: list[Json]) -> set[str]:
    """Items that a team has done."""
    return {item["item_id"] for visit in visits for item in visit.get("items", []) if item.get("outcome") == "DONE"}


def _summary(status: str, visits: list[Json], items: list[Json]) -> str:
    """Where a request stands, in codes."""
    seen_visits = " ".join(visit["status"] for visit in visits) or "none"
    seen_items = " ".join(
        f"{item['service_kind']}:{item['status']}" + "".join(f"/{document['status']}" for document in item.get("documents", []))
        for item in items
    )
    return f"{status}; visits: {seen_visits}; items: {seen_items or 'none'}"
