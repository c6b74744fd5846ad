"""Kelurahan, team and desk: calls over HTTP that are sent again, under their key, until somebody answers them."""

from dataclasses import dataclass, field
from typing import Any

from pelangi.simulate.desk import transition_bodies
from pelangi.simulate.lifecycles import next_steps
from tests.properties.machine.tally import TALLY
from tests.properties.machine.world import World
from tests.support.bodies import body

STEPS = {"PLANNED": ("depart", "reschedule", "fail"), "EN_ROUTE": ("arrive", "fail"), "ON_SITE": ("complete", "complete", "fail")}
OPEN_VISIT = frozenset(STEPS)


@dataclass
class Call:
    """One idempotent call. answers: every final one that it got, of whichever replica."""

    service: str
    path: str
    body: Any
    key: str
    if_match: int | None = None
    answers: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        return {"Idempotency-Key": self.key} | ({"If-Match": f'"{self.if_match}"'} if self.if_match is not None else {})

    @property
    def done(self) -> bool:
        """Whether it had its effect."""
        return any(status < 300 for status, _ in self.answers)


class People:
    """What they have asked for so far. The draws are the world's."""

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.rng
        self.calls: list[Call] = []
        self.under_way = 0

    def filing(self) -> Call:
        """A new request: at home, or in an institution where others live."""
        n = len(self.calls)
        address = f"Jalan Contoh {n}"
        place = {"visit_kind": "HOME", "village_code": "19.71.04.1009", "address": address}
        if self.rng.random() < 0.4:
            place |= {"visit_kind": "INSTITUTION", "address": "Panti Contoh"}
        kinds = self.rng.choice((["KTP_RECORDING"], ["KK_CHANGE"], ["KTP_RECORDING", "KK_CHANGE"]))
        persons = [{"name": f"Kakek Contoh {n}-{p}", "services": kinds} for p in range(self.rng.choice((1, 1, 2)))]
        return self._new("intake", "/v1/requests", body(place=place, persons=persons))

    def filed(self) -> list[Call]:
        """Filings that were accepted or may have been."""
        return [c for c in self.calls if c.path == "/v1/requests"]

    def on_request(self, request_id: str, what: str) -> Call | None:
        """A kelurahan's call on a request, with the version that it has seen."""
        case = self.world.cases("intake").get(request_id)
        if case is None or "body" not in case:
            return None
        values: dict[str, Any] = {
            "withdrawal": {},
            "deceased": {"person_ref": str(case["body"]["persons"][0]["ref"])},
            "details": self._corrected(case["created"]["key"]),
        }
        return self._new("intake", f"/v1/requests/{request_id}/{what}", values[what], if_match=case["content_version"])

    def _corrected(self, key: str) -> Any:
        first = next((c.body for c in self.calls if c.key == key), None) or body()
        village = self.rng.choice(("19.71.04.1009", "19.71.01.1004"))
        return first | {"place": {**first["place"], "village_code": village, "landmark": f"dekat {self.rng.randrange(5)}"}}

    def of_team(self, *, well: bool = False) -> Call | None:
        """A team's next call on some visit; `well`: on the one that is furthest, and all goes as planned."""
        standing = [
            (i, v) for d in self.world.days().values() for i, v in d.get("visits", {}).items() if v["status"] in OPEN_VISIT
        ]
        if not standing:
            return None
        standing.sort(key=lambda pair: (list(STEPS)[::-1].index(pair[1]["status"]), pair[0]))
        visit_id, visit = standing[0] if well else self.rng.choice(standing)
        what = STEPS[visit["status"]][0] if well else self.rng.choice(STEPS[visit["status"]])
        items = [i["item_id"] for m in visit["members"].values() for i in m["items"]]
        outcomes = [{"item_id": i, "outcome": "DONE"} for i in items]
        if outcomes and not well and self.rng.random() < 0.3:
            outcomes[0] |= {"outcome": "DEFERRED", "reason": "NO_UPLINK"}
        values = {"complete": {"items": outcomes}, "fail": {"reason": "NO_UPLINK"}, "reschedule": {"reason": "NO_UPLINK"}}
        return self._new("scheduling", f"/v1/visits/{visit_id}/{what}", values.get(what, {}))

    def of_desk(self) -> Call | None:
        """The next step of some document."""
        documents = [d for c in self.world.cases("issuance").values() for d in c.get("documents", [])]
        steps = [(d, to) for d in documents for to in next_steps(d["document_kind"], d["status"])[:2]]
        if not steps:
            return None
        document, to = self.rng.choice(sorted(steps, key=lambda pair: (pair[0]["document_id"], pair[1])))
        value = transition_bodies(document["document_id"], document["document_kind"], to)[-1]
        return self._new("issuance", f"/v1/documents/{document['document_id']}/transitions", value)

    def _new(self, service: str, path: str, value: Any, *, if_match: int | None = None) -> Call:
        call = Call(service, path, value, str(self.world.uuid(4)), if_match)
        self.calls.append(call)
        return call

    def make(self, call: Call, *replicas: int) -> None:
        """Begin to send it, to each of the replicas; nobody waits for the answer."""
        for replica in replicas:
            self.world.loop.create_task(self._send(call, replica))

    async def _send(self, call: Call, replica: int) -> None:
        self.under_way += 1
        try:
            answer = await self.world.processes[call.service, replica].post(call.path, call.body, call.headers)
        except ConnectionError:
            return
        finally:
            self.under_way -= 1
        TALLY[f"{call.path.split('/')[-1]} {answer.status_code}"] += 1
        if answer.status_code < 500:
            call.answers.append((answer.status_code, answer.content))
        else:
            assert answer.status_code == 503, answer.text

    def repeat_unanswered(self) -> bool:
        """Send again what nobody has answered; whether there was any."""
        left = [call for call in self.calls if not call.answers]
        for call in left:
            self.make(call, 0)
        return bool(left)
