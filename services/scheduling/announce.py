"""What scheduling says about a request's visits: two public events and the restricted snapshot (CONTRACTS.md §3)."""

from datetime import date, datetime
from typing import Any

from pelangi.contracts.codes import ItemVisitOutcome, ScheduleStatus, ServiceKind, VisitKind, VisitOutcome, VisitStatus
from pelangi.contracts.encryption import KeyRing
from pelangi.contracts.events import Place, VisitCompleted, VisitDetails, VisitedItem, VisitScheduled, Window
from pelangi.contracts.public import PUBLIC_PLACE_KINDS, public_area_code, public_service_kind
from pelangi.contracts.reasons import REASON_CLASS, DeferralReason, ReasonClass
from pelangi.contracts.request import RequestPlace
from pelangi.contracts.sealing import seal_visits
from pelangi.contracts.snapshots import Visit, VisitItem, Visits
from services.scheduling.calendar import moment
from services.scheduling.case import Case, CaseVisit


def window(visit: CaseVisit) -> Window:
    """From when to when the team is there."""
    day = date.fromisoformat(visit["date"])
    return Window(start=moment(day, visit["start"]), end=moment(day, visit["end"]))


def reason_class(reason: str | None) -> ReasonClass | None:
    """All that a public event says of a reason."""
    return REASON_CLASS[reason] if reason else None


def visit_scheduled(case: Case, visit: CaseVisit, status: ScheduleStatus) -> VisitScheduled:
    """The public event: hour and place only where everybody may come (DOMAIN.md §6.3)."""
    kind = VisitKind(visit["visit_kind"])
    public = kind in PUBLIC_PLACE_KINDS
    kinds = {public_service_kind(ServiceKind(i["service_kind"])) for i in visit["items"]}
    return VisitScheduled(
        request_id=case["_id"],
        visit_id=visit["visit_id"],
        revision=visit["revision"],
        status=status,
        visit_kind=kind,
        area_code=public_area_code(kind, visit["village_code"]),
        date=date.fromisoformat(visit["date"]),
        window=window(visit) if public else None,
        place=Place(**visit["point"]) if public and visit["point"] else None,
        services=sorted(kinds),
        persons_count=len({i["person_ref"] for i in visit["items"]}),
        reason_class=reason_class(visit["reason"]),
    )


def visit_completed(case: Case, visit: CaseVisit, completed_at: datetime) -> VisitCompleted:
    """The public event: the outcome of each item of this request, the reason only by class."""
    kind = VisitKind(visit["visit_kind"])
    return VisitCompleted(
        request_id=case["_id"],
        visit_id=visit["visit_id"],
        outcome=VisitOutcome(visit["status"]),
        completed_at=completed_at,
        area_code=public_area_code(kind, visit["village_code"]),
        items=[
            VisitedItem(
                item_id=i["item_id"],
                service_kind=public_service_kind(ServiceKind(i["service_kind"])),
                outcome=ItemVisitOutcome(i["outcome"]),
                reason_class=reason_class(i.get("reason")),
            )
            for i in visit["items"]
        ],
    )


def place_of(case: Case, visit: CaseVisit) -> RequestPlace:
    """Where the team goes: the office's point where there is one, else where the request says."""
    known: dict[str, Any] = case.get("details", {}).get("place", {})
    where = {"visit_kind": visit["visit_kind"], "village_code": visit["village_code"]}
    point = visit["point"]
    if point and visit["visit_kind"] in PUBLIC_PLACE_KINDS:
        return RequestPlace(**where, address=point["name"], lat=point["lat"], lon=point["lon"])
    if any(known.get(name) != value for name, value in where.items()):  # corrected since: the visit keeps what it went for
        return RequestPlace(**where)
    return RequestPlace.model_validate(known)


def render_visits(case: Case, keys: KeyRing) -> VisitDetails | None:
    """The snapshot of a request's visits; None where the person was erased (a tombstone)."""
    if case.get("erased"):
        return None
    return seal_visits(case["_id"], Visits(visits=[_exact(case, v) for v in case.get("visits", [])]), keys)


def _exact(case: Case, visit: CaseVisit) -> Visit:
    return Visit(
        visit_id=visit["visit_id"],
        revision=visit["revision"],
        status=VisitStatus(visit["status"]),
        visit_kind=VisitKind(visit["visit_kind"]),
        date=date.fromisoformat(visit["date"]),
        window=window(visit),
        place=place_of(case, visit),
        team_id=visit["team_id"],
        reason=_reason(visit["reason"]),
        items=[
            VisitItem(
                item_id=i["item_id"],
                service_kind=ServiceKind(i["service_kind"]),
                outcome=ItemVisitOutcome(i["outcome"]) if i.get("outcome") else None,
                reason=_reason(i.get("reason")),
            )
            for i in visit["items"]
        ],
    )


def _reason(reason: str | None) -> DeferralReason | None:
    return DeferralReason(reason) if reason else None
