"""The case of a request and its transitions: `case -> case`, events on the way. Pure: no I/O, clock or randomness."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NotRequired, TypedDict, cast

from pelangi.chassis.case import BaseCase, emit, mark
from pelangi.chassis.clock import local_date
from pelangi.chassis.sabotage import sabotaged
from pelangi.contracts.codes import (
    ClosingOutcome,
    ItemOutcome,
    RequestStatus,
    ScheduleStatus,
    ServiceKind,
    VisitOutcome,
    VisitStatus,
)
from pelangi.contracts.events import RequestClosed, RequestCreated
from pelangi.contracts.public import public_area_code, public_requester_kind, public_service_kind
from pelangi.contracts.request import Person, RequestBody
from pelangi.contracts.topics import REQUEST_DETAILS
from services.intake import rules
from services.intake.catalogue import due_on


class Item(TypedDict):
    """One service for one person. withdrawn: a death or a correction ended it, whatever issuance says of it later."""

    item_id: str
    person_ref: str
    service_kind: str
    missing: list[dict[str, str]]
    withdrawn: NotRequired[bool]


class Also(TypedDict):
    """Who asked in a request that was closed as a duplicate of this one: told of its progress too."""

    receipt_code: str
    requester_kind: str
    requester: dict[str, Any]
    channel: str


class Heading(TypedDict):
    """This request is about to be closed as a duplicate of `to`; `claim` is the one who is at it (see `duplicates`)."""

    to: str
    claim: str


class Closing(TypedDict):
    """Why and when the request closed: `status` for the office, `outcome` for the public."""

    status: str
    outcome: str
    at: datetime


class Case(BaseCase, total=False):
    """What intake knows of a request. `body` is as received; the rest of the first block is fixed at receipt.

    content_version: the version at which what others see of it (body, status) last changed; its ETag and snapshot version.
    visits, visited, closed_items, documents: facts by id, newest only. status is derived from them (`derive_status`).
    deceased: day of death (or None) by person ref. match_keys: keyed digests by which a request about the same person is found.
    duplicate_of, to_join_since, also, heading: see `duplicates`.
    """

    body: dict[str, Any]
    receipt_code: str
    received_at: datetime
    filled_at: datetime
    due_on: str
    village_code: str
    items: list[Item]
    warnings: list[dict[str, str]]

    visits: dict[str, dict[str, Any]]
    visited: dict[str, str]
    under_way: list[str]
    closed_items: dict[str, str]
    documents: dict[str, dict[str, Any]]
    needs_info: bool
    content_version: int
    closing: Closing
    withdrawal_reason: str | None
    status: str

    deceased: dict[str, str | None]
    match_keys: list[str]
    duplicate_of: str
    to_join_since: datetime
    also: dict[str, Also]
    heading: Heading


@dataclass(frozen=True, slots=True)
class Draws:
    """Everything random about a new request: its receipt code and enough item ids."""

    receipt_code: str
    item_ids: list[str]


def submit(case: Case, body: RequestBody, draws: Draws, now: datetime) -> Case:
    """A received request: its request-created, its first snapshot, and its closing at once where it is outside the city."""
    today = local_date(now)
    items = [
        new_item(body, p, s, item_id, today)
        for item_id, (p, s) in zip(draws.item_ids, ((p, s) for p in body.persons for s in p.services), strict=False)
    ]
    received = cast(
        Case,
        {
            **case,
            "receipt_code": draws.receipt_code,
            "received_at": now,
            "filled_at": rules.filled_at(body, now),
            "items": items,
            "warnings": [{"pointer": w.pointer, "code": w.code, "detail": w.detail} for w in rules.warnings(body, now)],
        },
    )
    received = described(received, body)
    received = emit(received, request_created(received, body))
    if not rules.in_city(body.place.village_code):
        return close(received, RequestStatus.OUT_OF_AREA, ClosingOutcome.OUT_OF_AREA, now)
    return settle(received, now)


def new_item(body: RequestBody, person: Person, service: ServiceKind, item_id: str, today: date) -> Item:
    """One service for one person, and what is missing for it."""
    return {
        "item_id": item_id,
        "person_ref": str(person.ref),
        "service_kind": service,
        "missing": missing_for(body, person, service, today),
    }


def missing_for(body: RequestBody, person: Person, service: ServiceKind, today: date) -> list[dict[str, str]]:
    """What is missing for one service of one person, as it is stored and shown."""
    return [{"code": m.code, "detail": m.detail} for m in rules.missing(body, person, service, today)]


def described(case: Case, body: RequestBody) -> Case:
    """The case with this body and what follows from it and the items; the time allowed counts from receipt, always."""
    due = due_on(local_date(case["received_at"]), [ServiceKind(i["service_kind"]) for i in wanted_items(case)])
    return cast(
        Case,
        {
            **case,
            "body": body.model_dump(mode="json"),
            "village_code": body.place.village_code,
            "due_on": due.isoformat(),
            "needs_info": not (rules.has_contact(body) or rules.has_address(body)),
        },
    )


def wanted_items(case: Case) -> list[Item]:
    """The items that no death or correction has ended; all of them where none is left."""
    return [i for i in case["items"] if not i.get("withdrawn")] or case["items"]


def request_created(case: Case, body: RequestBody) -> RequestCreated:
    """What the public may know of a request: coarse codes and counts."""
    return RequestCreated(
        request_id=case["_id"],
        received_at=case["received_at"],
        area_code=body.place.village_code
        if sabotaged("wrong-area")
        else public_area_code(body.place.visit_kind, body.place.village_code),
        visit_kind=body.place.visit_kind,
        channel=body.channel,
        requester_kind=public_requester_kind(body.requester.kind),
        services=public_services(case),
        persons_count=len(body.persons),
        items_count=len(wanted_items(case)),
        due_on=date.fromisoformat(case["due_on"]),
    )


def public_services(case: Case) -> list[ServiceKind]:
    """The distinct services of the request as the public may know them, in the order asked."""
    return list(dict.fromkeys(public_service_kind(ServiceKind(i["service_kind"])) for i in wanted_items(case)))


def withdraw(case: Case, reason: str | None, now: datetime) -> Case:
    """The requester no longer wants it; no reason is demanded. Only an open request can be withdrawn."""
    return close({**case, "withdrawal_reason": reason}, RequestStatus.WITHDRAWN, ClosingOutcome.WITHDRAWN, now)


def is_open(case: Case) -> bool:
    """Whether anything can still happen to the request."""
    return "closing" not in case


def close(case: Case, status: RequestStatus, outcome: ClosingOutcome, now: datetime) -> Case:
    """The request closed: its one request-closed and a last snapshot."""
    hours = max(int((now - case["received_at"]).total_seconds() // 3600), 0)
    closed = cast(Case, {**case, "closing": {"status": status, "outcome": outcome, "at": now}, "status": status})
    event = RequestClosed(request_id=case["_id"], closed_at=now, outcome=outcome, turnaround_hours=hours)
    return show(emit(closed, event))


def show(case: Case) -> Case:
    """What others see has changed: a fresh snapshot goes out."""
    changed = cast(Case, {**case, "content_version": case["version"] + 1})
    if sabotaged("stale-detail") and not is_open(case):
        return changed
    return mark(changed, REQUEST_DETAILS)


def settle(case: Case, now: datetime) -> Case:
    """What follows from the facts known now: the status, and closing once every item is closed."""
    if "body" not in case or not is_open(case):
        return case
    outcome = final_outcome(case)
    if outcome is not None and not sabotaged("skip-close"):
        return close(case, RequestStatus(outcome.value), outcome, now)
    status = derive_status(case)
    if status == case.get("status"):
        return case
    return show(cast(Case, {**case, "status": status}))


def final_outcome(case: Case) -> ClosingOutcome | None:
    """How the request ends: all items done, some, or none (CONTRACTS.md §3); None while one is open."""
    outcomes = [case.get("closed_items", {}).get(item["item_id"]) for item in case["items"]]
    if None in outcomes:
        return None
    done = sum(outcome == ItemOutcome.DONE for outcome in outcomes)
    if done == len(outcomes):
        return ClosingOutcome.COMPLETED
    return ClosingOutcome.PARTIAL if done else ClosingOutcome.REJECTED


def derive_status(case: Case) -> RequestStatus:
    """The status of an open request from what is known of its visits, in whatever order it became known (DOMAIN.md §5.4)."""
    if case["needs_info"]:
        return RequestStatus.NEEDS_INFO
    visited = case.get("visited", {})
    planned = [
        visit_id
        for visit_id, visit in case.get("visits", {}).items()
        if visit["status"] != ScheduleStatus.CANCELLED and visit_id not in visited
    ]
    if any(visit_id in case.get("under_way", []) for visit_id in planned):
        return RequestStatus.IN_SERVICE
    if planned:
        return RequestStatus.SCHEDULED
    if any(outcome in (VisitOutcome.DONE, VisitOutcome.PARTIAL) for outcome in visited.values()):
        return RequestStatus.IN_SERVICE
    return RequestStatus.DEFERRED if visited else RequestStatus.ACCEPTED


UNDER_WAY = frozenset({VisitStatus.EN_ROUTE, VisitStatus.ON_SITE})
