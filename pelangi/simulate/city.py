"""One look at one request, and everything that its teams, desk and requester do about it then."""

from dataclasses import dataclass
from typing import Any

from pelangi.simulate.api import Api, version_of
from pelangi.simulate.desk import Desk
from pelangi.simulate.draw import happens
from pelangi.simulate.lifecycles import LAST_VISIT_STATUSES
from pelangi.simulate.options import Report, SimulateOptions, ended
from pelangi.simulate.teams import Teams

LONGEST_POLL_S = 4.0
EVERY_FOURTH = 4
"""Intake hears of a visit from scheduling: before it has, scheduling itself is asked only at every fourth look."""
WITHDRAWAL_TRIES = 10
_UNPLANNED = frozenset({"RECEIVED", "ACCEPTED"})

Json = dict[str, Any]


@dataclass(slots=True)
class Followed:
    """A request that is being played. `number`: of this run; None where somebody else filed it."""

    request_id: str
    number: int | None = None
    status: str = ""
    withdrawn: bool = False
    seen: str = "not looked at yet"
    due: float = 0.0
    pause_s: float = 0.0
    looks: int = 0

    def again(self, now: float, shortest_s: float, *, acted: bool) -> None:
        """When to look again: soon while things happen, later while nothing does."""
        self.pause_s = shortest_s if acted else min(max(self.pause_s * 1.6, shortest_s), LONGEST_POLL_S)
        self.due = now + self.pause_s


class City:
    """Teams, desk and requesters, playing through the public API."""

    def __init__(self, api: Api, options: SimulateOptions, report: Report) -> None:
        self._api = api
        self._options = options
        self._decided: set[str] = set()
        self.teams = Teams(api, options, report)
        self.desk = Desk(api, options, report)

    async def look(self, request: Followed) -> list[Json]:
        """Read where a request stands; do what its requester and the desk have to do; give its open visits."""
        answer = await self._api.get(f"{self._options.intake_url}/v1/requests/{request.request_id}")
        if answer.status_code != 200:
            request.seen = f"intake answers {answer.status_code}"
            return []
        request.status = str(answer.json()["status"])
        if ended(request.status) or await self._withdraw(request, version_of(answer)):
            return []
        request.looks += 1
        request.seen = request.status
        if request.status in _UNPLANNED and request.looks % EVERY_FOURTH:
            return []
        visits = await self._visits(request.request_id)
        self.teams.remember(request.request_id, visits)
        served = _served(visits)
        items = await self.desk.documents(request.request_id) if served or request.request_id not in self._decided else []
        request.seen = _summary(request.status, visits, items)
        if items:
            self._decided.add(request.request_id)
        refused = await self.desk.refuse_some(items)
        driven = await self.desk.drive(items, served)
        if refused or driven:
            request.pause_s = 0.0
        return [visit for visit in visits if visit["status"] not in LAST_VISIT_STATUSES]

    async def _visits(self, request_id: str) -> list[Json]:
        answer = await self._api.get(f"{self._options.scheduling_url}/v1/requests/{request_id}")
        return list(answer.json()["visits"]) if answer.status_code == 200 else []

    async def _withdraw(self, request: Followed, version: int | None) -> bool:
        """Withdraw the few requests of our own that chance has chosen: half at once, half when a visit is planned."""
        seed, share = self._options.seed, self._options.chances.request_withdrawn
        if request.number is None or request.withdrawn or not happens(share, seed, "withdrawn", request.number):
            return False
        if happens(0.5, seed, "withdrawn late", request.number) and request.status not in {"SCHEDULED", "DEFERRED"}:
            return False
        url = f"{self._options.intake_url}/v1/requests/{request.request_id}"
        for _ in range(WITHDRAWAL_TRIES):
            answer = await self._api.post(f"{url}/withdrawal", {}, if_match=version)
            if answer.is_success:
                request.withdrawn = True
                request.pause_s = 0.0
                return True
            if answer.status_code != 412:
                return False
            version = version_of(await self._api.get(url))
        return False


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
