"""Healthy histories for the checker's tests: each story is one request from its 201 to its lawful end."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from pelangi.audit.history import History, Mail, Record, RequestHistory, mail_id
from pelangi.contracts import events, topics
from pelangi.contracts.codes import RequesterKind, VisitKind
from pelangi.contracts.envelope import Envelope, event_id, to_headers
from pelangi.contracts.public import PUBLIC_PLACE_KINDS, public_area_code, public_requester_kind

START = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PUBLIC_KIND = {"VULNERABLE_DATA_COLLECTION": "CONSULTATION"}


def uid(*names: object) -> str:
    return str(uuid5(NAMESPACE_URL, "|".join(map(str, names))))


@dataclass(frozen=True)
class Sent:
    """What a filer remembers of a 201."""

    request_id: str
    status_at_201: str
    withdrawn: bool
    visit_kind: str
    village_code: str
    channel: str
    requester_kind: str
    services: tuple[str, ...]
    persons_count: int
    items_count: int
    due_on: str


class Story:
    def __init__(
        self, name: str, *services: str, kind: str = "HOME", village: str = "19.71.04.1009", requester: str = "RT_RW",
        status: str = "RECEIVED",
    ) -> None:  # fmt: skip
        self.name, self.kind, self.village, self.requester = name, kind, village, requester
        self.id = uid(name)
        self.services = services
        self.items = {uid(name, "item", at): service for at, service in enumerate(services)}
        self.status_at_201, self.status, self.withdrawn = status, status, False
        self.versions: Counter[str] = Counter()
        self.records: list[Record] = []
        self.offsets: Counter[str] = Counter()
        self.now = START
        self.visits: list[dict[str, Any]] = []
        self.documents: dict[str, list[dict[str, Any]]] = {item: [] for item in self.items}
        self.item_status = dict.fromkeys(self.items, "OPEN")
        self.messages: list[dict[str, Any]] = []
        self._create()

    def item(self, at: int) -> str:
        return list(self.items)[at]

    @property
    def area(self) -> str:
        return public_area_code(VisitKind(self.kind), self.village)

    def emit(self, type_: str, **fields: Any) -> None:
        """One event, as a service would send it."""
        self.now += timedelta(minutes=7)
        topic = topics.BY_NAME[type_]
        self.versions[topic.owner] += 1
        data = events.MODELS[type_].model_validate({"request_id": self.id, **fields})
        aggregate, sequence = events.aggregate_id(type_, data), self.versions[topic.owner]
        envelope = Envelope(
            type_, event_id(type_, self.id, aggregate, sequence), f"/services/{topic.owner}", self.id, aggregate,
            self.now, sequence, TRACE, events.encode(type_, data),
        )  # fmt: skip
        offset = self.offsets[type_]
        self.offsets[type_] += 2
        headers = tuple(to_headers(envelope))
        self.records.append(Record(type_, int(self.id[0], 16) % 12, offset, self.id.encode(), headers, envelope.data))

    def tell(self, purpose: str, state: str = "SENT", *, audience: str = "REQUESTER", visit: str = "", revision: int = 0) -> None:
        message_id = uid(self.name, "message", purpose, visit, revision, audience)
        self.messages.append(
            {
                "message_id": message_id,
                "purpose": purpose,
                "visit_id": visit or None,
                "revision": revision or None,
                "document_id": None,
                "edition": None,
                "audience": audience,
                "channel": "VIA_KELURAHAN",
                "state": state,
                "mail_message_id": f"<{mail_id(message_id)}>" if state == "SENT" else None,
            }
        )

    def _create(self) -> None:
        self.emit(
            topics.REQUEST_CREATED,
            received_at=self.now,
            area_code=self.area,
            visit_kind=self.kind,
            channel="KELURAHAN_FORM",
            requester_kind=public_requester_kind(RequesterKind(self.requester)),
            services=sorted({PUBLIC_KIND.get(s, s) for s in self.services}),
            persons_count=1,
            items_count=len(self.services),
            due_on="2026-12-14",
        )

    def schedule(self, day: str, *, status: str = "SCHEDULED", reason: str | None = None) -> str:
        """A new visit, or the newest one changed or cancelled."""
        if status == "SCHEDULED":
            items = [{"item_id": i, "service_kind": s, "outcome": None} for i, s in self.items.items()]
            visit_id = uid(self.name, "visit", len(self.visits))
            self.visits.append({"visit_id": visit_id, "revision": 0, "items": items, "team_id": "A"})
        visit = self.visits[-1]
        visit |= {"date": day, "revision": visit["revision"] + 1, "status": "CANCELLED" if status == "CANCELLED" else "PLANNED"}
        shown = VisitKind(self.kind) in PUBLIC_PLACE_KINDS
        self.emit(
            topics.VISIT_SCHEDULED,
            visit_id=visit["visit_id"],
            revision=visit["revision"],
            status=status,
            visit_kind=self.kind,
            area_code=self.area,
            date=day,
            window={"start": f"{day}T09:00:00+07:00", "end": f"{day}T11:00:00+07:00"} if shown else None,
            place={"name": "Balai", "lat": -2.1, "lon": 106.1} if shown else None,
            services=sorted({PUBLIC_KIND.get(s, s) for s in self.services}),
            persons_count=1,
            reason_class=reason,
        )
        return str(visit["visit_id"])

    def visit(self, outcome: str, *deferred: int) -> str:
        """The newest visit takes place; with FAILED every item is put off."""
        visit = self.visits[-1]
        visit["status"] = outcome
        for at, item in enumerate(visit["items"]):
            item["outcome"] = "DEFERRED" if outcome == "FAILED" or at in deferred else "DONE"
        self.emit(
            topics.VISIT_COMPLETED,
            visit_id=visit["visit_id"],
            outcome=outcome,
            completed_at=self.now,
            area_code=self.area,
            items=[
                {
                    "item_id": i["item_id"],
                    "service_kind": PUBLIC_KIND.get(i["service_kind"], i["service_kind"]),
                    "outcome": i["outcome"],
                    "reason_class": "RESIDENT" if i["outcome"] == "DEFERRED" else None,
                }
                for i in visit["items"]
            ],
        )
        return str(visit["visit_id"])

    def issue(self, at: int, document_kind: str, *, hand_over: bool = True, edition: int = 1) -> None:
        """A public document is issued and handed over."""
        item_id = self.item(at)
        document_id = uid(self.name, "document", at, len(self.documents[item_id]))
        known = {"item_id": item_id, "document_id": document_id, "document_kind": document_kind}
        status = "HANDED_OVER" if hand_over else "SIGNED"
        self.documents[item_id].append(
            {
                "document_id": document_id,
                "document_kind": document_kind,
                "edition": edition,
                "status": status,
                "handed_over": hand_over,
            }
        )
        self.emit(
            topics.DOCUMENT_ISSUED, **known, service_kind=self.items[item_id], edition=edition, issued_at=self.now,
            area_code=self.area, turnaround_hours=1,
        )  # fmt: skip
        if hand_over:
            self.emit(topics.DOCUMENT_HANDED_OVER, **known, handed_over_at=self.now, recipient_class="PERSON")

    def withdraw_document(self, at: int, reason: str) -> None:
        """The newest document of an item is superseded by the one that is issued next, or revoked."""
        item_id = self.item(at)
        known = self.documents[item_id][-1]
        known["status"] = reason
        replaced_by = uid(self.name, "document", at, len(self.documents[item_id])) if reason == "SUPERSEDED" else None
        self.emit(
            topics.DOCUMENT_WITHDRAWN, item_id=item_id, document_id=known["document_id"], document_kind=known["document_kind"],
            edition=known["edition"], withdrawn_at=self.now, reason=reason, replaced_by=replaced_by,
        )  # fmt: skip

    def close_item(self, at: int, outcome: str = "DONE") -> None:
        item_id = self.item(at)
        self.item_status[item_id] = outcome
        service = self.items[item_id]
        self.emit(
            topics.ITEM_CLOSED, item_id=item_id, service_kind=PUBLIC_KIND.get(service, service), outcome=outcome,
            closed_at=self.now, reason_class=None if outcome == "DONE" else "RESIDENT",
        )  # fmt: skip

    def close(self, status: str, outcome: str = "") -> None:
        self.status = status
        self.emit(topics.REQUEST_CLOSED, closed_at=self.now, outcome=outcome or status, turnaround_hours=2)

    def history(self) -> RequestHistory:
        version = self.versions["intake"] + 3
        intake = {
            "request_id": self.id,
            "status": self.status,
            "requester": {"kind": self.requester},
            "place": {"visit_kind": self.kind, "village_code": self.village},
            "reach": {"channel": "VIA_KELURAHAN", "to": "REQUESTER"},
            "items": [{"item_id": i, "person_ref": "1", "service_kind": s, "missing": []} for i, s in self.items.items()],
        }
        items = [
            {"item_id": i, "service_kind": s, "status": self.item_status[i], "documents": self.documents[i]}
            for i, s in self.items.items()
        ]
        known = {"request_id": self.id, "details_version": version}
        sent = Sent(
            self.id, self.status_at_201, self.withdrawn, self.kind, self.village, "KELURAHAN_FORM", self.requester,
            tuple(sorted(set(self.services))), 1, len(self.services), "2026-12-14",
        )  # fmt: skip
        return RequestHistory(
            self.id, tuple(self.records), intake, version, {**known, "visits": self.visits}, {**known, "items": items},
            {**known, "messages": self.messages}, sent,
        )  # fmt: skip


def home() -> Story:
    """A family card and a recording at home; the date was changed once."""
    story = Story("home", "KK_CHANGE", "KTP_RECORDING")
    story.tell("ACCEPTED")
    visit = story.schedule("2026-11-26")
    story.tell("SCHEDULED", visit=visit, revision=1)
    story.schedule("2026-11-27", status="RESCHEDULED", reason="OFFICE")
    story.tell("CHANGED", visit=visit, revision=2)
    story.visit("DONE")
    story.tell("VISIT_DONE", visit=visit)
    story.close_item(1)
    story.issue(0, "KK")
    story.tell("HANDED_OVER", audience="PERSON")
    story.close_item(0)
    story.close("COMPLETED")
    story.tell("CLOSED")
    return story


def point() -> Story:
    """At a community point; nobody was there at first, then one item was put off."""
    story = Story("point", "KTP_NEW", "VULNERABLE_DATA_COLLECTION", kind="COMMUNITY_POINT", requester="SELF")
    story.tell("ACCEPTED")
    for outcome, deferred in (("FAILED", ()), ("PARTIAL", (1,)), ("DONE", ())):
        visit = story.schedule("2026-12-01")
        story.tell("SCHEDULED", "EXPIRED", visit=visit, revision=1)
        story.visit(outcome, *deferred)
        story.tell("VISIT_DONE", "EXPIRED" if outcome == "FAILED" else "SENT", visit=visit)
    story.issue(0, "KTP")
    story.tell("READY")
    story.tell("HANDED_OVER")
    story.close_item(0)
    story.documents[story.item(1)] = [
        {"document_id": uid("skpti"), "document_kind": "SUBSTITUTE_IDENTITY_LETTER", "edition": 1, "status": "HANDED_OVER"}
    ]
    story.close_item(1)
    story.close("COMPLETED")
    story.tell("CLOSED")
    return story


def partial() -> Story:
    """A certificate was refused, another item served."""
    story = Story("partial", "BIRTH_CERT", "CONSULTATION")
    story.tell("ACCEPTED")
    story.close_item(0, "REJECTED")
    visit = story.schedule("2026-12-02")
    story.tell("SCHEDULED", visit=visit, revision=1)
    story.visit("DONE")
    story.tell("VISIT_DONE", visit=visit)
    story.close_item(1)
    story.close("PARTIAL")
    story.tell("CLOSED")
    return story


def refused() -> Story:
    """Everything was refused, so the visit was cancelled."""
    story = Story("refused", "DIVORCE_CERT")
    story.tell("ACCEPTED", "EXPIRED")
    story.schedule("2026-12-02")
    story.close_item(0, "REJECTED")
    story.close("REJECTED")
    story.schedule("2026-12-02", status="CANCELLED", reason="RESIDENT")
    story.tell("CLOSED")
    return story


def withdrawn() -> Story:
    """Withdrawn while a visit was planned."""
    story = Story("withdrawn", "KTP_REISSUE")
    story.tell("ACCEPTED")
    visit = story.schedule("2026-12-02")
    story.tell("SCHEDULED", visit=visit, revision=1)
    story.withdrawn = True
    story.close("WITHDRAWN")
    story.schedule("2026-12-02", status="CANCELLED", reason="RESIDENT")
    story.item_status[story.item(0)] = "ENDED"
    story.tell("CLOSED")
    return story


def out_of_area() -> Story:
    story = Story("abroad", "KK_NEW", village="19.01.01.1001")
    story.tell("ACCEPTED", "EXPIRED")
    story.close("OUT_OF_AREA")
    story.tell("CLOSED")
    return story


def needs_info() -> Story:
    story = Story("nowhere", "KK_NEW", status="NEEDS_INFO")
    story.tell("ACCEPTED")
    return story


def corrected() -> Story:
    """An error was found after the closing: the act was issued again; the new one was revoked."""
    story = Story("corrected", "BIRTH_CERT")
    story.tell("ACCEPTED")
    visit = story.schedule("2026-12-02")
    story.tell("SCHEDULED", visit=visit, revision=1)
    story.visit("DONE")
    story.tell("VISIT_DONE", visit=visit)
    story.issue(0, "BIRTH_CERT")
    story.close_item(0)
    story.close("COMPLETED")
    story.tell("READY", "EXPIRED", audience="PERSON")
    story.tell("HANDED_OVER", audience="PERSON")
    story.tell("CLOSED")
    story.withdraw_document(0, "SUPERSEDED")
    story.issue(0, "BIRTH_CERT", edition=2)
    story.withdraw_document(0, "REVOKED")
    return story


STORIES = (corrected, home, point, partial, refused, withdrawn, out_of_area, needs_info)


@cache
def healthy() -> History:
    """All stories, with the mailbox that belongs to them; who breaks it changes a copy."""
    requests = {story.id: story.history() for story in (make() for make in STORIES)}
    rows = [row for request in requests.values() for row in request.messages]
    mails = {mail_id(row["message_id"]): Mail(mail_id(row["message_id"])) for row in rows if row["state"] == "SENT"}
    return History(requests, mails)
