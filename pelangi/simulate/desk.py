"""The desk: enters, has signed, prints and hands over what each item yields; refuses or drops a few."""

import hashlib
from typing import Any

from pelangi.simulate.api import Api, problem_code
from pelangi.simulate.draw import happens, stream
from pelangi.simulate.lifecycles import CARDS, LAST_DOCUMENT_STATUSES, NEEDS_REFERENCE, next_steps
from pelangi.simulate.options import Report, SimulateOptions
from pelangi.simulate.teams import OVERTAKEN

REJECTIONS = ("ALREADY_HAS_VALID_DOCUMENT", "COURT_RULING_REQUIRED", "NO_LEGAL_PROXY", "SERVICE_NOT_MOBILE")
WITHDRAWAL = "PERSON_REFUSED"

Json = dict[str, Any]


class Desk:
    """The desk. `settled` are items whose refusal was decided or could not be had: they are not asked about again."""

    def __init__(self, api: Api, options: SimulateOptions, report: Report) -> None:
        self._api = api
        self._options = options
        self._report = report
        self.settled: set[str] = set()

    async def documents(self, request_id: str) -> list[Json]:
        """The items of a request with their documents; none while issuance does not know it."""
        answer = await self._api.get(f"{self._options.issuance_url}/v1/requests/{request_id}/documents")
        return list(answer.json()["items"]) if answer.status_code == 200 else []

    async def refuse_some(self, items: list[Json]) -> bool:
        """Reject or withdraw the items that chance has chosen; True where something was done."""
        acted = False
        for item in items:
            decision = self._decision(item)
            if decision is not None:
                acted |= await self._end_item(item["item_id"], decision)
        return acted

    def _decision(self, item: Json) -> Json | None:
        seed, chances, item_id = self._options.seed, self._options.chances, item["item_id"]
        if item_id in self.settled or item["status"] != "OPEN":
            return None
        if happens(chances.item_rejected, seed, "rejected", item_id):
            return {"to": "REJECTED", "reason": stream(seed, "reason", item_id).choice(REJECTIONS)}
        if happens(chances.item_withdrawn, seed, "withdrawn", item_id):
            return {"to": "WITHDRAWN", "reason": WITHDRAWAL}
        return None

    async def _end_item(self, item_id: str, decision: Json) -> bool:
        self.settled.add(item_id)
        answer = await self._api.post(f"{self._options.issuance_url}/v1/items/{item_id}/transitions", decision)
        if not answer.is_success and answer.status_code not in OVERTAKEN:
            self._report.problems[f"item {decision['to']}: {problem_code(answer)}"] += 1
        return answer.is_success

    async def drive(self, items: list[Json], served: set[str]) -> bool:
        """Bring the documents of served items as far as they go; True where something was done."""
        acted = False
        for item in items:
            if item["item_id"] in served and item["status"] == "OPEN":
                for document in item.get("documents", []):
                    acted |= await self._drive(document)
        return acted

    async def _drive(self, document: Json) -> bool:
        """One document, step by step, until it is handed over or no step is allowed now."""
        status, acted = document["status"], False
        while status not in LAST_DOCUMENT_STATUSES:
            reached = await self._step(document, status)
            if reached is None:
                return acted
            status, acted = reached, True
            self._report.documents += status == "HANDED_OVER"
        return acted

    async def _step(self, document: Json, status: str) -> str | None:
        """The status after one step; None where every possible step was refused (another player, or not yet)."""
        id_, kind = document["document_id"], document["document_kind"]
        for to in next_steps(kind, status):
            url = f"{self._options.issuance_url}/v1/documents/{id_}/transitions"
            for body in transition_bodies(id_, kind, to):
                answer = await self._api.post(url, body)
                if answer.is_success:
                    return to
                if answer.status_code != 422:
                    break
            if answer.status_code not in OVERTAKEN:
                self._report.problems[f"document {kind} {status} to {to}: {problem_code(answer)}"] += 1
        return None


def transition_bodies(document_id: str, kind: str, to: str) -> list[Json]:
    """What to say at a step; for a hand-over a second, simpler way where the first is refused."""
    if to in NEEDS_REFERENCE:
        return [{"to": to, "siak_reference": f"SIM-{hashlib.sha256(document_id.encode()).hexdigest()[:8].upper()}"}]
    if to != "HANDED_OVER":
        return [{"to": to}]
    in_person: Json = {"recipient_class": "PERSON"}
    to_family: Json = {"recipient_class": "FAMILY", "relation": "CHILD"}
    to_family_first = kind not in CARDS and int(document_id[-1], 16) < 4
    return [{"to": to, "handed_over_to": who} for who in ([to_family, in_person] if to_family_first else [in_person])]
