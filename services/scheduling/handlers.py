"""What each incoming fact means for a case. Pure; every order and repetition ends in the same facts and decisions."""

from datetime import datetime
from typing import Any, cast

from pelangi.chassis.case import Fact, Handler, mark
from pelangi.contracts.events import ItemClosed, RequestClosed, RequestCreated
from pelangi.contracts.sealing import Opened
from pelangi.contracts.snapshots import Planning
from pelangi.contracts.topics import ITEM_CLOSED, REQUEST_CLOSED, REQUEST_CREATED, REQUEST_DETAILS, VISIT_DETAILS
from services.scheduling.case import Case
from services.scheduling.model import erase, settle


def request_created(case: Case, fact: Fact[RequestCreated], now: datetime) -> Case:
    """The public part; planning waits for the snapshot, which alone says where and what."""
    received = fact.data.model_dump(mode="json", include={"received_at", "visit_kind", "area_code", "due_on", "persons_count"})
    return settle(cast(Case, {**case, "received": received, "trace": fact.traceparent}), now)


def request_details(case: Case, fact: Fact[Opened[Planning] | None], now: datetime) -> Case:
    """The newest snapshot replaces the one before; a tombstone erases."""
    if fact.data is None:
        return erase(case, now)
    if case.get("erased"):
        return cast(Case, {**case})
    opened = fact.data
    before = case.get("details", {}).get("place")
    details: dict[str, Any] = opened.part.model_dump(mode="json") | {"trace": fact.traceparent}
    after = cast(
        Case,
        {**case, "details": details, "details_version": opened.request.version, "status": str(opened.request.status)},
    )
    if after.get("visits") and details["place"] != before:
        after = mark(after, VISIT_DETAILS)  # the visits snapshot names the place
    return settle(after, now)


def item_closed(case: Case, fact: Fact[ItemClosed], now: datetime) -> Case:
    """A finished item needs no visit."""
    closed_items = {**case.get("closed_items", {}), fact.data.item_id: str(fact.data.outcome)}
    return settle(cast(Case, {**case, "closed_items": closed_items}), now)


def request_closed(case: Case, fact: Fact[RequestClosed], now: datetime) -> Case:
    """Closed wins over everything: an open visit is cancelled and its place in the day let go, in this write."""
    return settle(cast(Case, {**case, "closed": str(fact.data.outcome)}), now)


HANDLERS: dict[str, Handler[Any]] = {
    REQUEST_CREATED: request_created,
    REQUEST_DETAILS: request_details,
    ITEM_CLOSED: item_closed,
    REQUEST_CLOSED: request_closed,
}
