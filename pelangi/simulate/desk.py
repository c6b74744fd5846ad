"""The desk: enters, has signed, prints and hands over what each item yields; refuses or drops a few."""

import asyncio
import hashlib
from collections import Counter
from typing import Any

from pelangi.simulate.api import Api, problem_code, problem_title
from pelangi.simulate.draw import happens, stream
from pelangi.simulate.lifecycles import CARDS, LAST_DOCUMENT_STATUSES, NEEDS_REFERENCE, next_steps
from pelangi.simulate.options import Report, SimulateOptions
from pelangi.simulate.teams import OVERTAKEN

MOST_STEPS = 40
"""Of one document in one look: it may go back and forth while blanks come and go."""

REJECTIONS = ("ALREADY_HAS_VALID_DOCUMENT", "COURT_RULING_REQUIRED", "NO_LEGAL_PROXY", "SERVICE_NOT_MOBILE")
WITHDRAWAL = "PERSON_REFUSED"
RECORD_AGAIN = "BIOMETRIC_FAILED"
FEW_BLANKS = 20
"""How many blank cards of each kind a run begins with where they are to run out; a delivery brings as many."""

Json = dict[str, Any]


class Desk:
    """The desk. `settled` are items whose refusal was decided or could not be had: they are not asked about again.

    A document that was held or returned goes a way for the second time: those calls are other calls, with other keys.
    """

    def __init__(self, api: Api, options: SimulateOptions, report: Report) -> None:
        self._api = api
        self._options = options
        self._report = report
        self.settled: set[str] = set()
        self._asked: set[str] = set()
        self._detours: Counter[str] = Counter()
        self._deliveries = 0
        self._restocking = asyncio.Lock()

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
                    acted |= await self.drive_document(document)
        return acted

    async def ask_visits(self, request_id: str, planned: Json, items: list[Json]) -> bool:
        """Ask another visit where scheduling waits for a human's word, and for cards that must be recorded again."""
        past = planned.get("visits", [])
        open_ = {i["item_id"] for i in items if i["status"] == "OPEN"}
        wanted = [item_id for item_id in planned.get("review_items", []) if item_id in open_]
        again = [i["item_id"] for i in items if i["item_id"] in open_ - self._asked and _returned(i)]
        if not wanted and not again:
            return False
        reason = next((v["reason"] for v in reversed(past) if v.get("reason")), None) if wanted else None
        body = {"items": [*wanted, *(i for i in again if i not in wanted)], "reason": reason or RECORD_AGAIN}
        url = f"{self._options.scheduling_url}/v1/requests/{request_id}/visits"
        answer = await self._api.post(url, body, salt=str(len(past)))
        if answer.is_success:
            self._asked |= set(again)
            self._report.lives["another visit asked"] += 1
        elif answer.status_code not in OVERTAKEN and answer.status_code != 422:  # 422: an item has ended meanwhile
            self._report.problems[f"another visit: {problem_code(answer)}"] += 1
        return answer.is_success

    async def withdraw_document(self, document_id: str, body: Json) -> bool:
        """Supersede or revoke a document."""
        answer = await self._api.post(f"{self._options.issuance_url}/v1/documents/{document_id}/transitions", body)
        if not answer.is_success and answer.status_code not in OVERTAKEN:
            self._report.problems[f"document {body['to']}: {problem_code(answer)}"] += 1
        return answer.is_success

    async def keep_few_blanks(self) -> None:
        """Send most blank cards back, so that they run out during the run."""
        if not self._options.chances.blanks_out:
            return
        for blank in await self._blanks():
            surplus = blank["on_hand"] - FEW_BLANKS
            if surplus > 0:
                body = {"kind": blank["kind"], "change": "RETURNED", "count": surplus}
                await self._api.post(f"{self._options.issuance_url}/v1/blanks", body)

    async def _blanks(self) -> list[Json]:
        answer = await self._api.get(f"{self._options.issuance_url}/v1/blanks")
        return list(answer.json()["blanks"]) if answer.status_code == 200 else []

    async def _restock(self, kind: str) -> None:
        """A delivery, where none of a kind is left."""
        async with self._restocking:
            if any(blank["kind"] == kind and blank["on_hand"] > 0 for blank in await self._blanks()):
                return
            self._deliveries += 1
            body = {"kind": kind, "change": "RECEIVED", "count": FEW_BLANKS}
            await self._api.post(f"{self._options.issuance_url}/v1/blanks", body, salt=str(self._deliveries))
            self._report.lives["blanks delivered"] += 1

    async def drive_document(self, document: Json) -> bool:
        """One document, step by step, until it is handed over or no step is allowed now."""
        status, acted = document["status"], False
        for _ in range(MOST_STEPS):
            if status in LAST_DOCUMENT_STATUSES:
                break
            reached = await self._step(document, status)
            if reached is None:
                return acted
            status, acted = reached, True
            self._report.documents += status == "HANDED_OVER"
        return acted

    async def _step(self, document: Json, status: str) -> str | None:
        """The status after one step; None where every possible step was refused (another player, or not yet)."""
        id_, kind = document["document_id"], document["document_kind"]
        if status == "ON_HOLD":
            await self._restock(kind)
        elif self._is_returned(id_, kind, status):
            body = {"to": "RETURNED", "reason": RECORD_AGAIN}
            if await self.withdraw_document(id_, body):
                self._report.lives["returned by the centre"] += 1
                self._detours[id_] += 1
            return None
        for to in next_steps(kind, status):
            url = f"{self._options.issuance_url}/v1/documents/{id_}/transitions"
            for body in transition_bodies(id_, kind, to):
                detours = self._detours[id_]
                answer = await self._api.post(url, body, salt=str(detours or ""))
                if answer.is_success:
                    return to
                if problem_title(answer) == "no_blank":
                    return await self._hold(id_, url)
                if answer.status_code != 422:
                    break
            if answer.status_code not in OVERTAKEN:
                self._report.problems[f"document {kind} {status} to {to}: {problem_code(answer)}"] += 1
        return None

    async def _hold(self, document_id: str, url: str) -> str | None:
        """Put a card on hold until there is a blank; its status then."""
        self._detours[document_id] += 1
        body = {"to": "ON_HOLD", "reason": "NO_BLANK"}
        held = await self._api.post(url, body, salt=str(self._detours[document_id]))
        self._report.lives["held for a blank"] += held.is_success
        return "ON_HOLD" if held.is_success else None

    def _is_returned(self, document_id: str, kind: str, status: str) -> bool:
        """Whether the centre sends this card's record back, once."""
        if kind not in CARDS or status != "AWAITING_CENTRE" or document_id in self.settled:
            return False
        self.settled.add(document_id)
        return happens(self._options.chances.document_returned, self._options.seed, "returned", document_id)


def _returned(item: Json) -> bool:
    return any(d["status"] == "RETURNED" and d["document_kind"] in CARDS for d in item.get("documents", []))


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
