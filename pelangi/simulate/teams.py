"""Teams: they drive out, arrive, serve everybody on the list or find nobody, and say so over HTTP."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any

from pelangi.simulate.api import Api, problem_code
from pelangi.simulate.draw import happens, stream
from pelangi.simulate.lifecycles import LAST_VISIT_STATUSES, VISIT_STEPS
from pelangi.simulate.options import Report, SimulateOptions

FAILURES = (
    "NOT_AT_HOME",
    "COMPANION_ABSENT",
    "WEATHER_OR_FLOOD",
    "VEHICLE_FAILURE",
    "PERSON_UNSETTLED",
    "INSTITUTION_CLOSED",
    "ADDRESS_NOT_FOUND",
    "PERSON_HOSPITALISED",
    "UNSAFE",
)
DEFERRALS = (
    "KIT_FAILURE",
    "NO_UPLINK",
    "SIAK_DOWN",
    "BIOMETRIC_FAILED",
    "INCOMPLETE_REQUIREMENTS",
    "NO_BLANK",
    "AWAITING_EXCEPTION_APPROVAL",
)
MOST_BAD_VISITS = 3
"""After a third failed attempt a human decides: here the desk always asks another visit, and that one goes well."""

TRIES = 8
OVERTAKEN = frozenset({404, 409, 412})
"""Answers that mean: it moved on meanwhile. Read it again."""

Json = dict[str, Any]


class Teams:
    """All teams. `bad_visits` and `deferred` remember what went wrong so far, so that every request ends."""

    def __init__(self, api: Api, options: SimulateOptions, report: Report) -> None:
        self._api = api
        self._options = options
        self._report = report
        self.bad_visits: Counter[str] = Counter()
        self.deferred: set[str] = set()

    def remember(self, request_id: str, visits: Iterable[Json]) -> None:
        """Take in what scheduling says of a request's past visits."""
        past = list(visits)
        bad = sum(1 for visit in past if visit["status"] in {"FAILED", "PARTIAL"})
        self.bad_visits[request_id] = max(self.bad_visits[request_id], bad)
        self.deferred |= {i["item_id"] for visit in past for i in visit.get("items", []) if i.get("outcome") == "DEFERRED"}

    async def play(self, visit_id: str) -> bool:
        """Play one visit as far as it goes; True when it ended here. Another player may be faster: then nothing is done."""
        url = f"{self._options.scheduling_url}/v1/visits/{visit_id}"
        refused = ""
        for attempt in range(TRIES):
            answer = await self._api.get(url)
            if answer.status_code != 200:
                return False
            visit: Json = answer.json()
            if visit["status"] in LAST_VISIT_STATUSES:
                return False
            step, body = self._next(visit)
            done = await self._api.post(f"{url}/{step}", body)
            if done.is_success and step in {"complete", "fail"}:
                self._count(visit, step, body)
                return True
            refused = "" if done.is_success or done.status_code in OVERTAKEN else f"visit {step}: {problem_code(done)}"
            if not done.is_success:
                await asyncio.sleep(0.05 * attempt)
        if refused:
            self._report.problems[refused] += 1
        return False

    def _next(self, visit: Json) -> tuple[str, Json]:
        """The step that the visit's status asks for, and its body."""
        step = VISIT_STEPS.get(visit["status"])
        if step is not None:
            return step, {}
        items = items_of(visit)
        if not items or self._fails(visit):
            reason = stream(self._options.seed, "reason", visit["visit_id"]).choice(FAILURES)
            return "fail", {"reason": reason}
        return "complete", {"items": [self._outcome(visit, item_id) for item_id in items]}

    def _may_go_wrong(self, visit: Json) -> bool:
        return all(self.bad_visits[request_id] < MOST_BAD_VISITS for request_id in members_of(visit))

    def _fails(self, visit: Json) -> bool:
        share = self._options.chances.visit_fails
        return self._may_go_wrong(visit) and happens(share, self._options.seed, "fails", visit["visit_id"])

    def _outcome(self, visit: Json, item_id: str) -> Json:
        """Mostly DONE; each item is put off once at most."""
        seed, share = self._options.seed, self._options.chances.item_deferred
        if self._may_go_wrong(visit) and item_id not in self.deferred and happens(share, seed, "deferred", item_id):
            reason = stream(seed, "reason", item_id).choice(DEFERRALS)
            return {"item_id": item_id, "outcome": "DEFERRED", "reason": reason}
        return {"item_id": item_id, "outcome": "DONE"}

    def _count(self, visit: Json, step: str, body: Json) -> None:
        self._report.visits += 1
        self._report.visits_failed += step == "fail"
        put_off = {item["item_id"] for item in body.get("items", []) if item["outcome"] == "DEFERRED"}
        self.deferred |= put_off
        if step == "fail" or put_off:
            self.bad_visits.update(members_of(visit))


def items_of(visit: Json) -> list[str]:
    """Every item of a visit once, of all requests in it."""
    found = [item["item_id"] for member in visit.get("members", []) for item in member.get("items", [])]
    return list(dict.fromkeys(found)) or [item["item_id"] for item in visit.get("items", [])]


def members_of(visit: Json) -> list[str]:
    """The requests that a visit serves."""
    return [member["request_id"] for member in visit.get("members", [])]
