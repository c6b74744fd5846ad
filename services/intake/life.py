"""What happens to a request after its receipt, by somebody's call: corrected, a death, nobody to be reached, a duplicate. Pure.

Items that end this way are marked withdrawn. While others are open, issuance closes them as WITHDRAWN; where none is left, the
request closes at once. Which it is depends on the calls alone, never on facts that may have arrived already: so the end is the
same in whatever order facts come.
"""

from dataclasses import asdict
from datetime import date, datetime
from typing import cast

from pelangi.chassis.clock import local_date
from pelangi.contracts.codes import ClosingOutcome, RequestStatus, ServiceKind
from pelangi.contracts.request import Person, RequestBody
from services.intake import rules
from services.intake.model import Also, Case, Item, close, described, missing_for, new_item, settle, show

OFFER = (ServiceKind.DEATH_CERT,)
"""What is offered after a death, and the only service that a death does not end."""

WITHOUT_CONTACT = frozenset({RequestStatus.NEEDS_INFO, RequestStatus.DEFERRED})
"""Where a request can be given up because nobody can be reached."""


def correct(case: Case, body: RequestBody, item_ids: list[str], now: datetime) -> Case:
    """The request as it should have been filed: items match by person ref and service; what is derived is derived anew."""
    changed = cast(
        Case,
        {
            **case,
            "filled_at": rules.filled_at(body, case["received_at"]) if body.filled_at else case["filled_at"],
            "items": _items(case, body, item_ids, local_date(now)),
            "warnings": _warnings(case, body, now),
        },
    )
    corrected = show(described(changed, body))
    if _all_ended(corrected):
        return _close_deceased(corrected, now)
    if not rules.in_city(body.place.village_code):
        return close(corrected, RequestStatus.OUT_OF_AREA, ClosingOutcome.OUT_OF_AREA, now)
    return settle(corrected, now)


def _items(case: Case, body: RequestBody, item_ids: list[str], today: date) -> list[Item]:
    """The known items, withdrawn where nobody asks for them any more, then the new ones. A withdrawn item never comes back."""
    asked = {(str(p.ref), s): p for p in body.persons for s in p.services}
    known = [_known(item, body, asked.get(_pair(item)), today) for item in case["items"]]
    live = {_pair(item) for item in known if not item.get("withdrawn")}
    dead = case.get("deceased", {})
    new = [
        (person, service)
        for (ref, service), person in asked.items()
        if (ref, service) not in live and (ref not in dead or service in OFFER)
    ]
    return known + [new_item(body, p, s, item_id, today) for item_id, (p, s) in zip(item_ids, new, strict=False)]


def _known(item: Item, body: RequestBody, person: Person | None, today: date) -> Item:
    if item.get("withdrawn"):
        return item
    if person is None:
        return _withdrawn(item)
    return {**item, "missing": missing_for(body, person, ServiceKind(item["service_kind"]), today)}


def _pair(item: Item) -> tuple[str, ServiceKind]:
    return item["person_ref"], ServiceKind(item["service_kind"])


def _withdrawn(item: Item) -> Item:
    return {**item, "missing": [], "withdrawn": True}


def _warnings(case: Case, body: RequestBody, now: datetime) -> list[dict[str, str]]:
    """What is odd now; only the time of filling is held against the receipt."""
    filling = [w for w in rules.warnings(body, case["received_at"]) if w.pointer == "#/filled_at"]
    return [asdict(w) for w in (*filling, *(w for w in rules.warnings(body, now) if w.pointer != "#/filled_at"))]


def decease(case: Case, ref: str, on: date | None, now: datetime) -> Case:
    """A person has died: their items end, except a death certificate. Nothing more happens for a person already marked."""
    deceased = case.get("deceased", {})
    if ref in deceased:
        return case
    items = [
        _withdrawn(i) if i["person_ref"] == ref and i["service_kind"] not in OFFER and not i.get("withdrawn") else i
        for i in case["items"]
    ]
    marked = cast(Case, {**case, "items": items, "deceased": {**deceased, ref: on.isoformat() if on else None}})
    return _close_deceased(marked, now) if _all_ended(marked) else show(marked)


def _all_ended(case: Case) -> bool:
    """Only deaths end everything: a corrected body asks for something, of the living or of the dead."""
    return all(item.get("withdrawn") for item in case["items"])


def _close_deceased(case: Case, now: datetime) -> Case:
    return close(case, RequestStatus.DECEASED, ClosingOutcome.OTHER, now)


def may_give_up(case: Case) -> bool:
    """Whether the office may close it because it reaches nobody."""
    return case["status"] in WITHOUT_CONTACT


def give_up(case: Case, now: datetime) -> Case:
    """The office could not reach anybody."""
    return close(case, RequestStatus.CLOSED_NO_CONTACT, ClosingOutcome.OTHER, now)


def close_as_duplicate(case: Case, original: str, now: datetime) -> Case:
    """An officer says it is the same as `original`, which is still to learn of it (`to_join_since`)."""
    rest = {k: v for k, v in case.items() if k != "heading"}
    marked = cast(Case, {**rest, "duplicate_of": original, "to_join_since": now})
    return close(marked, RequestStatus.DUPLICATE, ClosingOutcome.DUPLICATE, now)


def passed_on(case: Case) -> dict[str, Also]:
    """Who is to be told by the original: the requester of this duplicate, and those of its own duplicates; by request id."""
    body = RequestBody.model_validate(case["body"])
    requester = {"name": body.requester.name, "phone": body.requester.phone, "email": body.requester.email}
    own: Also = {
        "receipt_code": case["receipt_code"],
        "requester_kind": body.requester.kind,
        "requester": requester,
        "channel": body.reach.channel,
    }
    return {**case.get("also", {}), case["_id"]: own}


def learn(case: Case, others: dict[str, Also], now: datetime) -> Case:
    """The original of duplicates knows their requesters; where it was closed as a duplicate itself, it passes them on."""
    known = case.get("also", {})
    new = {request_id: also for request_id, also in others.items() if request_id not in known}
    if not new or "body" not in case:
        return case
    learnt = cast(Case, {**case, "also": {**known, **new}})
    if "duplicate_of" in learnt:
        learnt = cast(Case, {**learnt, "to_join_since": case.get("to_join_since", now)})
    return show(learnt)


def joined(case: Case, seen: int) -> Case:
    """The original knows; unless this case has learnt of more since version `seen`."""
    if "to_join_since" not in case or case["version"] != seen:
        return case
    return cast(Case, {k: v for k, v in case.items() if k != "to_join_since"})
