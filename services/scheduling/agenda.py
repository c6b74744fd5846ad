"""What is still to be done for a request: which items may be visited, which wait for a human, and what was corrected since."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from pelangi.contracts.codes import ItemVisitOutcome, VisitKind, VisitStatus
from pelangi.contracts.reasons import REASONS, DeferralReason
from services.scheduling.case import (
    NOT_STARTED,
    Case,
    CaseVisit,
    Item,
    is_over,
    is_plannable,
    live_items,
    open_visit,
    stands_elsewhere,
)

MAX_ATTEMPTS = 3
"""An item put off so often goes to a human; never a rejection (DOMAIN.md §5.4)."""

AT_ONCE, NEVER = "", "9999-12-31"
"""As ISO dates: less than any (`plan_from` of what may be visited on the next working day), and more than any."""


class Review(StrEnum):
    """Why a human must look before an item is visited again."""

    THIRD_FAILURE = "THIRD_FAILURE"
    NEEDS_DESK = "NEEDS_DESK"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An item at one visit. at: the how-manieth visit of the request it was. terms: of the request as the team knew it."""

    at: int
    on: str
    outcome: str
    reason: str | None
    terms: dict[str, str] | None


def terms_of(case: Case) -> dict[str, str]:
    """Digests of what decides whether a visit can succeed: place, companion, hours, needs. Equal where nothing changed."""
    details = case.get("details", {})
    return {
        "place": _digest({k: v for k, v in details.get("place", {}).items() if v is not None}),
        "companion": _digest(details.get("companion")),
        "hours": _digest(details.get("availability")),
        "needs": _digest(sorted((p["ref"], sorted(p["needs"])) for p in details.get("persons", []) if p["needs"])),
    }


def errands_of(case: Case) -> str:
    """Digest of the items that a visit could serve."""
    return _digest(sorted((i["item_id"], i.get("not_before", "")) for i in items_to_visit(case)))


def place_keys(place: dict[str, Any]) -> list[str]:
    """By what two requests of one institution are recognised: the same written place, or the same coordinates to 4 decimals."""
    if place["visit_kind"] != VisitKind.INSTITUTION:
        return []
    keys: list[str] = []
    written = [" ".join((place.get(name) or "").casefold().split()) for name in ("address", "landmark")]
    if any(written):
        keys.append(_digest(["text", place["village_code"], *written]))
    if place.get("lat") is not None and place.get("lon") is not None:
        keys.append(_digest(["point", place["village_code"], f"{place['lat']:.4f}", f"{place['lon']:.4f}"]))
    return keys


def failed_attempts(case: Case) -> int:
    """Visits that ended without serving all their items of this request; a card that had to wait for a birthday is no failure."""
    return sum(
        v["status"] == VisitStatus.FAILED or (v["status"] == VisitStatus.PARTIAL and any(_failed(i) for i in v["items"]))
        for v in case.get("visits", [])
    )


def unserved_items(case: Case) -> list[Item]:
    """Live items that no visit has served since the desk last asked for them."""
    tried = _attempts(case)
    served = {i for i, tries in tried.items() if any(_serves(case, i, t) for t in tries)}
    return [i for i in live_items(case) if i["item_id"] not in served]


def held_items(case: Case) -> dict[str, Review]:
    """Unserved items that a human must look at first, and why: until the desk asks or a correction may change the outcome."""
    tried, terms = _attempts(case), terms_of(case)
    why = ((i["item_id"], _held(case, i, tried.get(i["item_id"], []), terms)) for i in unserved_items(case))
    return {item_id: review for item_id, review in why if review}


def items_to_visit(case: Case) -> list[Item]:
    """Unserved items that the planner may place, some perhaps only from a date on."""
    held = held_items(case)
    return [i for i in unserved_items(case) if i["item_id"] not in held]


def items_ahead(case: Case) -> list[Item]:
    """What a visit that takes the place of the open one is for: all that may be visited, and what the open one is for."""
    visit = open_visit(case)
    mine = {i["item_id"] for i in visit["items"]} if visit else set()
    held = held_items(case).keys() - mine
    return [i for i in unserved_items(case) if i["item_id"] not in held]


def usable(items: Sequence[Item], on: str) -> list[Item]:
    """Those of the items for which a visit on a date is of use."""
    return [i for i in items if i.get("not_before", AT_ONCE) <= on]


def in_review(case: Case) -> list[str]:
    """Items that wait for a human and are in no visit that lies ahead."""
    visit = open_visit(case)
    ahead = {i["item_id"] for i in visit["items"]} if visit else set()
    return [] if is_over(case) else [i for i in held_items(case) if i not in ahead]


def review_reason(case: Case) -> Review | None:
    """Why the request is in review, if it is; of several reasons the graver."""
    held = held_items(case)
    why = {held[i] for i in in_review(case)}
    return next((r for r in Review if r in why), None)


def is_corrected(case: Case, visit: CaseVisit) -> bool:
    """Whether the request is no longer as its visit takes it into account."""
    return visit.get("terms") != terms_of(case) or visit.get("errands") != errands_of(case)


def needs_visit(case: Case) -> bool:
    """Whether the planner has something to do: no visit ahead and something to serve, or one to look at after a correction."""
    if not is_plannable(case):
        return False
    visit = open_visit(case)
    if visit is None:
        return bool(items_to_visit(case))
    return stands_elsewhere(case, visit) or (visit["status"] in NOT_STARTED and is_corrected(case, visit))


def plan_from(case: Case) -> str:
    """The first date on which a visit is of use, as far as the items know."""
    if open_visit(case):
        return AT_ONCE
    return min((i.get("not_before", AT_ONCE) for i in items_to_visit(case)), default=AT_ONCE)


def asked_reason(case: Case, items: Sequence[Item]) -> str | None:
    """Why the desk asked for a visit of these items, unless they have been visited since."""
    tried = _attempts(case)
    for item in items:
        asked = case.get("asked", {}).get(item["item_id"])
        if asked and all(t.at < asked["after"] for t in tried.get(item["item_id"], [])):
            return asked["reason"]
    return None


def _attempts(case: Case) -> dict[str, list[Attempt]]:
    tried: dict[str, list[Attempt]] = {}
    for at, visit in enumerate(case.get("visits", [])):
        for item in visit["items"]:
            if outcome := item.get("outcome"):
                attempt = Attempt(at, visit["date"], outcome, item.get("reason"), visit.get("terms"))
                tried.setdefault(item["item_id"], []).append(attempt)
    return tried


def _asked_since(case: Case, item_id: str, attempt: Attempt) -> bool:
    asked = case.get("asked", {}).get(item_id)
    return asked is not None and asked["after"] > attempt.at


def _serves(case: Case, item_id: str, attempt: Attempt) -> bool:
    return attempt.outcome == ItemVisitOutcome.DONE and not _asked_since(case, item_id, attempt)


def _held(case: Case, item: Item, tries: Sequence[Attempt], terms: dict[str, str]) -> Review | None:
    put_off = [t for t in tries if t.outcome == ItemVisitOutcome.DEFERRED]
    last = put_off[-1] if put_off else None
    if last is None or (last.terms is not None and last.terms != terms):  # never tried, or corrected since
        return None
    failures = [t for t in put_off if t.at >= case.get("looked", 0) and not _too_early(t, item)]
    if len(failures) >= MAX_ATTEMPTS:
        return Review.THIRD_FAILURE
    return None if _asked_since(case, item["item_id"], last) or _by_itself(last.reason, item) else Review.NEEDS_DESK


def _too_early(attempt: Attempt, item: Item) -> bool:
    """Whether a card had to wait for a birthday: nobody's failure, unless that had come."""
    return attempt.reason == DeferralReason.UNDER_17_CARD_LATER and attempt.on < item.get("not_before", NEVER)


def _by_itself(reason: str | None, item: Item) -> bool:
    """Whether an item that was put off is visited again without a human's word. A card for a birthday not known has to wait."""
    if reason == DeferralReason.UNDER_17_CARD_LATER:
        return "not_before" in item
    return reason is None or REASONS.deferral[DeferralReason(reason)].auto_reschedule


def _failed(item: Item) -> bool:
    return item.get("outcome") == ItemVisitOutcome.DEFERRED and item.get("reason") != DeferralReason.UNDER_17_CARD_LATER


def _digest(value: Any) -> str:
    return blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=8).hexdigest()
