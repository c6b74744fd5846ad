"""The shape of scheduling's case, and questions about it. Facts first, then what was decided, then what follows from both."""

from datetime import datetime
from typing import Any, NotRequired, TypedDict

from pelangi.chassis.case import BaseCase
from pelangi.contracts.codes import OPEN_REQUEST_STATUSES, RequestStatus, VisitStatus
from pelangi.contracts.public import PUBLIC_PLACE_KINDS
from services.scheduling.travel import Coordinates


class Item(TypedDict):
    """One service for one person, as a visit knows it. not_before: the date before which a visit is of no use to it."""

    item_id: str
    person_ref: str
    service_kind: str
    not_before: NotRequired[str]
    outcome: NotRequired[str]
    reason: NotRequired[str | None]


class Asked(TypedDict):
    """The desk wants an item visited (again), and why. after: how many visits of the request had ended by then."""

    reason: str
    after: int


class Slot(TypedDict):
    """A place in a day for one request. `placement_id` is random and never used twice.

    not_before, not_after: minutes of the day between which a new visit must lie. block: length of a new visit, where it is
    longer than this request (a visit at a point is shared). joins: whether it may enter a visit that others are in; of one that
    moves: with the others.
    move: it replaces where the open visit stands now, with the same visit_id; else it is a new visit of the request.
    visit_version: of the visit when this slot opens it. start, end: minutes of the day, known once the day has booked it.
    at: where. kit, blanks: what the team must have, see `equipment`. place_keys: an institution by which others of the same
    place are recognised. asked: why the desk asked for it. why: why on this date, see `explain.Reason`.
    not_earlier: the date to which the office had moved the visit. terms, errands: what the request was when the slot was
    chosen, see `agenda`. session: the visit stands without members too. walk_in: they came to the visit without a date, and
    are there from this minute of the day on. status: of the visit when the day booked a walk-in.
    """

    placement_id: str
    request_id: str
    visit_id: str
    day: str
    team_id: str
    minutes: int
    block: int
    not_before: int
    not_after: int
    visit_kind: str
    village_code: str
    point: dict[str, Any] | None
    at: Coordinates
    kit: NotRequired[list[str]]
    blanks: NotRequired[list[int]]
    items: list[Item]
    joins: bool
    move: bool
    reason: str | None
    visit_version: int
    start: NotRequired[int]
    end: NotRequired[int]
    place_keys: NotRequired[list[str]]
    asked: NotRequired[str | None]
    not_earlier: NotRequired[str | None]
    terms: NotRequired[dict[str, str] | None]
    errands: NotRequired[str | None]
    why: NotRequired[dict[str, str] | None]
    session: NotRequired[bool]
    walk_in: NotRequired[int]
    status: NotRequired[str]


class Placement(TypedDict):
    """Where the request stands in the days, and where it is about to."""

    held: Slot | None
    wanted: Slot | None


class Release(TypedDict):
    """A booking that this case no longer needs: to be taken out of its day."""

    placement_id: str
    day: str


class CaseVisit(TypedDict):
    """One attempt at this request. start, end: minutes of the day. version: of the visit in its day, as applied here.

    terms, errands: the request as the visit takes it into account; another than the present one was corrected since.
    walk_in: they came to it without a date, wherever the request says that they live.
    """

    visit_id: str
    status: str
    revision: int
    date: str
    start: int
    end: int
    team_id: str
    visit_kind: str
    village_code: str
    point: dict[str, Any] | None
    items: list[Item]
    reason: str | None
    version: int
    asked: NotRequired[str | None]
    not_earlier: NotRequired[str | None]
    terms: NotRequired[dict[str, str] | None]
    errands: NotRequired[str | None]
    why: NotRequired[dict[str, str] | None]
    walk_in: NotRequired[bool]


class Case(BaseCase, total=False):
    """What scheduling knows of a request.

    Facts: received (request-created), details (the planning part of the newest snapshot), details_version, status,
    closed_items (outcome by item), closed (outcome), erased, trace (trace context of the request).
    Decided: placement, visits (oldest first), releases, asked (what the desk wants visited, by item), looked (how many visits
    had ended when the desk last looked: earlier attempts no longer count), left_out (why no date has room, see
    `explain.Reason`).
    Derived by `settle`: needs_visit_since with plan_from (ISO date from which a visit is of use; empty: at once), review_since
    with review_reason, releases_since; wanted_since goes with placement.wanted.
    """

    received: dict[str, Any]
    details: dict[str, Any]
    details_version: int
    status: str
    closed_items: dict[str, str]
    closed: str
    erased: bool
    trace: str

    placement: Placement
    visits: list[CaseVisit]
    releases: list[Release]
    asked: dict[str, Asked]
    looked: int
    left_out: dict[str, str]

    needs_visit_since: datetime
    plan_from: str
    review_since: datetime
    review_reason: str
    releases_since: datetime
    wanted_since: datetime


OPEN_VISIT = frozenset({VisitStatus.PLANNED, VisitStatus.CONFIRMED, VisitStatus.EN_ROUTE, VisitStatus.ON_SITE})
NOT_STARTED = frozenset({VisitStatus.PLANNED, VisitStatus.CONFIRMED})


def is_over(case: Case) -> bool:
    """Whether nothing more may be planned: closed, by the fact or by the status of the newest snapshot, or erased."""
    status = case.get("status", RequestStatus.ACCEPTED)
    return "closed" in case or bool(case.get("erased")) or (status in list(RequestStatus) and status not in OPEN_REQUEST_STATUSES)


def open_visit(case: Case) -> CaseVisit | None:
    """The visit that is still ahead or under way; at most one per request."""
    return next((v for v in case.get("visits", []) if v["status"] in OPEN_VISIT), None)


def find_visit(case: Case, visit_id: str) -> CaseVisit | None:
    """The request's visit with this id."""
    return next((v for v in case.get("visits", []) if v["visit_id"] == visit_id), None)


def held(case: Case) -> Slot | None:
    return case["placement"]["held"] if "placement" in case else None


def wanted(case: Case) -> Slot | None:
    return case["placement"]["wanted"] if "placement" in case else None


def live_items(case: Case) -> list[Item]:
    """Items that nobody withdrew or finished."""
    ended = case.get("closed_items", {})
    return [_item(i) for i in case.get("details", {}).get("items", []) if not i["withdrawn"] and i["item_id"] not in ended]


def _item(planned: dict[str, Any]) -> Item:
    item: Item = {k: planned[k] for k in ("item_id", "person_ref", "service_kind")}  # type: ignore[assignment]
    if planned.get("not_before"):
        item["not_before"] = planned["not_before"]
    return item


def is_plannable(case: Case) -> bool:
    """Whether enough is known to go there: details, and a status that says so."""
    return "details" in case and not is_over(case) and case.get("status") in OPEN_REQUEST_STATUSES - {RequestStatus.NEEDS_INFO}


def stands_elsewhere(case: Case, visit: CaseVisit) -> bool:
    """Whether a correction moved the request away from where its visit goes, before the team has left.

    Never of a walk-in: they are where the visit goes.
    """
    return visit["status"] in NOT_STARTED and not visit.get("walk_in") and is_elsewhere(case, visit)


def is_elsewhere(case: Case, visit: CaseVisit) -> bool:
    """Whether the request is for another place than its visit."""
    place = case.get("details", {}).get("place")
    return place is not None and (place["visit_kind"], place["village_code"]) != (visit["visit_kind"], visit["village_code"])


def must_part(case: Case, visit: CaseVisit) -> bool:
    """Whether the corrected request cannot take its visit along: others are in it, or would be in the new one."""
    kinds = {visit["visit_kind"], case["details"]["place"]["visit_kind"]} if "details" in case else set()
    return stands_elsewhere(case, visit) and bool(kinds & PUBLIC_PLACE_KINDS)


def trace_of(case: Case) -> str:
    """The trace context of the request, so that one trace covers form, visit, document and message."""
    return case.get("trace") or str(case.get("details", {}).get("trace", ""))
