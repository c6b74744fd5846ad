"""The four services in memory, as strict as CONTRACTS.md §4 about keys, versions and transitions, and as unreliable as told."""

import json
from collections import Counter
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import httpx

from pelangi.contracts.request import RequestBody

NO_DOCUMENT = {"KTP_RECORDING", "IKD_ACTIVATION", "CONSULTATION", "DATA_CONSOLIDATION"}
KINDS = {
    "KTP_NEW": "KTP",
    "KTP_REISSUE": "KTP",
    "KIA": "KIA",
    "VULNERABLE_DATA_COLLECTION": "SUBSTITUTE_IDENTITY_LETTER",
    "BIRTH_CERT": "BIRTH_CERT",
    "BIODATA_REGISTRATION": "BIODATA",
}
A4 = ["OPEN", "REQUIREMENTS_PENDING", "DATA_ENTERED", "VERIFIED", "SIGNED", "PRINTED", "READY_FOR_HANDOVER", "HANDED_OVER"]
CARD = ["OPEN", "BIO_CAPTURED", "AWAITING_CENTRE", "PRINT_READY", "PRINTED", "READY_FOR_HANDOVER", "HANDED_OVER"]


def uid(*names: object) -> str:
    return str(uuid5(NAMESPACE_URL, "|".join(map(str, names))))


class FakeCity:
    """`lose`: each n-th answer is lost after the call took effect; `fail`: each n-th call is a 503 before it does."""

    def __init__(self, *, lose: int = 0, fail: int = 0, shared_points: bool = True) -> None:
        self.lose, self.fail, self.shared_points = lose, fail, shared_points
        self.calls = 0
        self.requests: dict[str, dict[str, Any]] = {}
        self.visits: dict[str, dict[str, Any]] = {}
        self.documents: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, tuple[str, httpx.Response]] = {}
        self.effects: Counter[str] = Counter()
        self.keys_of_posts: list[str] = []
        self.stuck = False
        self.transport = httpx.MockTransport(self.handle)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        if self.fail and self.calls % self.fail == 0:
            return httpx.Response(503)
        answer = self._once(request)
        if self.lose and self.calls % self.lose == 0:
            raise httpx.ReadError("the line broke", request=request)
        return answer

    def _once(self, request: httpx.Request) -> httpx.Response:
        """A POST with a known key has no second effect."""
        if request.method == "GET":
            return self._get(request)
        key = request.headers["Idempotency-Key"]
        UUID(key)
        self.keys_of_posts.append(key)
        seen = f"{request.url.path} {request.content.decode()}"
        if key in self.answers:
            known, answer = self.answers[key]
            return answer if known == seen else httpx.Response(422, json={"errors": [{"code": "key_reused"}]})
        answer = self._post(request, json.loads(request.content))
        if answer.is_success:
            self.answers[key] = (seen, answer)
            self.effects[key] += 1
        return answer

    def _get(self, request: httpx.Request) -> httpx.Response:
        match (request.url.port, request.url.path.split("/")[2:]):
            case (8001, ["requests"]):
                ids = [i for i, r in self.requests.items() if r["status"] == request.url.params.get("status", r["status"])]
                start = int(request.url.params.get("cursor", 0))
                more = start + 2 < len(ids)
                query = {"status": request.url.params.get("status", ""), "cursor": str(start + 2)}
                link = {"Link": f'</v1/requests?{httpx.QueryParams(query)}>; rel="next"'} if more else {}
                return httpx.Response(200, json={"requests": [{"request_id": i} for i in ids[start : start + 2]]}, headers=link)
            case (8001, ["requests", id_]) if id_ in self.requests:
                case_ = self.requests[id_]
                return httpx.Response(200, json={"status": case_["status"]}, headers={"ETag": f'"{case_["version"]}"'})
            case (8002, ["requests", id_]) if id_ in self.requests:
                return httpx.Response(200, json={"request_id": id_, "visits": self._visits_of(id_)})
            case (8002, ["visits", id_]) if id_ in self.visits:
                return httpx.Response(200, json=self.visits[id_])
            case (8003, ["requests", id_, "documents"]) if id_ in self.requests:
                return httpx.Response(200, json={"items": self._items_of(id_)})
        return httpx.Response(404)

    def _visits_of(self, request_id: str) -> list[dict[str, Any]]:
        mine = [v for v in self.visits.values() if any(m["request_id"] == request_id for m in v["members"])]
        own = {i["item_id"] for i in self.requests[request_id]["items"]}
        return [{**v, "items": [i for i in v["items"] if i["item_id"] in own]} for v in mine]

    def _items_of(self, request_id: str) -> list[dict[str, Any]]:
        items = self.requests[request_id]["items"]
        return [{**i, "documents": [d for d in self.documents.values() if d["item_id"] == i["item_id"]]} for i in items]

    def _post(self, request: httpx.Request, body: Any) -> httpx.Response:
        match (request.url.port, request.url.path.split("/")[2:]):
            case (8001, ["requests"]):
                return self._file(request.headers["Idempotency-Key"], RequestBody.model_validate(body))
            case (8001, ["requests", id_, "withdrawal"]):
                return self._withdraw(self.requests[id_], request.headers.get("If-Match"))
            case (8002, ["visits", id_, step]):
                return self._visit(self.visits[id_], step, body)
            case (8003, ["items", id_, "transitions"]):
                return self._item(id_, body)
            case (8003, ["documents", id_, "transitions"]):
                return self._document(self.documents[id_], body)
        return httpx.Response(404)

    def _file(self, key: str, body: RequestBody) -> httpx.Response:
        id_ = uid("request", key)
        items = [
            {"item_id": uid(id_, p.ref, s), "person_ref": p.ref, "service_kind": str(s), "status": "OPEN"}
            for p in body.persons
            for s in p.services
        ]
        people = [body.requester, body.companion, *body.persons, *(p.guardian for p in body.persons)]
        reachable = any(p is not None and (p.phone or p.email) for p in people)
        findable = body.place.address or body.place.landmark or body.place.lat is not None
        status = "RECEIVED"
        if not body.place.village_code.startswith("19.71."):
            status = "OUT_OF_AREA"
        elif not (reachable or findable):
            status = "NEEDS_INFO"
        self.requests[id_] = {"status": status, "version": 1, "items": items, "kind": body.place.visit_kind}
        if status == "RECEIVED" and not self.stuck:
            self._plan(id_)
        answer = {"request_id": id_, "receipt_code": "ABCDE-FGHJK-M", "status": status, "due_on": "2026-12-14", "items": items}
        return httpx.Response(201, json=answer)

    def _plan(self, request_id: str) -> None:
        case_ = self.requests[request_id]
        items = [{**i, "outcome": None} for i in case_["items"] if i["status"] == "OPEN" and not self._served(i["item_id"])]
        if not items:
            return
        member = {"request_id": request_id, "items": items}
        case_.update(status="SCHEDULED", version=case_["version"] + 1)
        open_points = [v for v in self.visits.values() if v["visit_kind"] == "COMMUNITY_POINT" and v["status"] == "PLANNED"]
        if case_["kind"] == "COMMUNITY_POINT" and open_points and self.shared_points:
            open_points[0]["members"].append(member)
            open_points[0]["items"] += items
            return
        visit_id = uid("visit", len(self.visits))
        day = f"2026-12-{len(self.visits) % 28 + 1:02}"
        self.visits[visit_id] = {
            "visit_id": visit_id, "date": day, "status": "PLANNED", "version": 1, "revision": 1, "team_id": "A",
            "visit_kind": str(case_["kind"]), "members": [member], "items": [*items],
        }  # fmt: skip

    def _served(self, item_id: str) -> bool:
        return any(i["item_id"] == item_id and i["outcome"] == "DONE" for v in self.visits.values() for i in v["items"])

    def _withdraw(self, case_: dict[str, Any], if_match: str | None) -> httpx.Response:
        if if_match != f'"{case_["version"]}"':
            return httpx.Response(412 if if_match else 428)
        if case_["status"] not in {"RECEIVED", "SCHEDULED"}:
            return httpx.Response(409, json={"code": "state"})
        case_.update(status="WITHDRAWN", version=case_["version"] + 1)
        for visit in self.visits.values():
            if visit["status"] in {"PLANNED", "EN_ROUTE", "ON_SITE"}:
                visit["members"] = [m for m in visit["members"] if self.requests[m["request_id"]] is not case_]
                visit["items"] = [i for m in visit["members"] for i in m["items"]]
                visit["status"] = visit["status"] if visit["members"] else "CANCELLED"
        return httpx.Response(200, json={})

    def _visit(self, visit: dict[str, Any], step: str, body: Any) -> httpx.Response:
        wanted = {"depart": "PLANNED", "arrive": "EN_ROUTE", "complete": "ON_SITE", "fail": "ON_SITE"}[step]
        if visit["status"] != wanted:
            return httpx.Response(409, json={"code": "state"})
        if step in {"depart", "arrive"}:
            visit["status"] = "EN_ROUTE" if step == "depart" else "ON_SITE"
            return httpx.Response(200, json={})
        if step == "complete" and sorted(i["item_id"] for i in body["items"]) != sorted(i["item_id"] for i in visit["items"]):
            return httpx.Response(422, json={"errors": [{"code": "items_incomplete"}]})
        outcomes = {i["item_id"]: i["outcome"] for i in body.get("items", [])}
        for item in visit["items"]:
            item["outcome"] = outcomes.get(item["item_id"], "DEFERRED")
        done = [i["outcome"] == "DONE" for i in visit["items"]]
        visit["status"] = "FAILED" if step == "fail" else "DONE" if all(done) else "PARTIAL"
        for member in visit["members"]:
            self._after_visit(member)
        return httpx.Response(200, json={})

    def _after_visit(self, member: dict[str, Any]) -> None:
        for item in self.requests[member["request_id"]]["items"]:
            if item["status"] == "OPEN" and self._served(item["item_id"]):
                if item["service_kind"] in NO_DOCUMENT:
                    item["status"] = "DONE"
                elif not any(d["item_id"] == item["item_id"] for d in self.documents.values()):
                    id_ = uid("document", item["item_id"])
                    kind = KINDS.get(item["service_kind"], "KK")
                    self.documents[id_] = {
                        "document_id": id_, "item_id": item["item_id"], "document_kind": kind, "edition": 1, "status": "OPEN",
                    }  # fmt: skip
        self._close(member["request_id"])
        if self.requests[member["request_id"]]["status"] == "SCHEDULED":
            self._plan(member["request_id"])

    def _item(self, item_id: str, body: Any) -> httpx.Response:
        request_id, item = next((r, i) for r, case_ in self.requests.items() for i in case_["items"] if i["item_id"] == item_id)
        if item["status"] != "OPEN" or self.requests[request_id]["status"] != "SCHEDULED" or not body["reason"]:
            return httpx.Response(409, json={"code": "state"})
        item["status"] = body["to"]
        for visit in self.visits.values():
            if visit["status"] in {"PLANNED", "EN_ROUTE", "ON_SITE"}:
                visit["items"] = [i for i in visit["items"] if i["item_id"] != item_id]
                for member in visit["members"]:
                    member["items"] = [i for i in member["items"] if i["item_id"] != item_id]
                visit["members"] = [m for m in visit["members"] if m["items"]]
                visit["status"] = visit["status"] if visit["members"] else "CANCELLED"
        self._close(request_id)
        return httpx.Response(200, json={})

    def _document(self, document: dict[str, Any], body: Any) -> httpx.Response:
        chain = CARD if document["document_kind"] in {"KTP", "KIA"} else A4
        at = chain.index(document["status"])
        if at + 1 == len(chain) or chain[at + 1] != body["to"]:
            return httpx.Response(409, json={"code": "state"})
        if body["to"] == ("PRINTED" if chain is CARD else "SIGNED") and not body.get("siak_reference"):
            return httpx.Response(422, json={"errors": [{"code": "missing"}]})
        if body["to"] == "HANDED_OVER" and not body.get("handed_over_to"):
            return httpx.Response(422, json={"errors": [{"code": "missing"}]})
        document["status"] = body["to"]
        if body["to"] == "HANDED_OVER":
            request_id, item = next(
                (r, i) for r, case_ in self.requests.items() for i in case_["items"] if i["item_id"] == document["item_id"]
            )
            item["status"] = "DONE"
            self._close(request_id)
        return httpx.Response(200, json={})

    def _close(self, request_id: str) -> None:
        case_ = self.requests[request_id]
        statuses = [i["status"] for i in case_["items"]]
        if case_["status"] == "SCHEDULED" and "OPEN" not in statuses:
            done = statuses.count("DONE")
            status = "COMPLETED" if done == len(statuses) else "PARTIAL" if done else "REJECTED"
            case_.update(status=status, version=case_["version"] + 1)
