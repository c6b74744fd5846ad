"""Broken histories that only stores and restricted topics show: one per finding code, named by it (and by what is broken)."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

from pelangi.audit.history import History, Record, RequestHistory
from pelangi.audit.sealed import DeadLetter, Letters, Sealed, Submission
from pelangi.audit.stored import Lease, Shared, slot_of
from pelangi.contracts import topics
from pelangi.contracts.codes import DocumentKind
from tests.unit.audit import inside, stories

Break = Callable[[History], History]
ID = stories.uid
HOME, POINT, AHEAD = ID("home"), ID("point"), ID("ahead")
PLACED = ID("placement", AHEAD)
DAY = "2026-12-10"
DETAILS, VISITS = topics.REQUEST_DETAILS, topics.VISIT_DETAILS


def case(service: str, edit: Callable[[Any], object], id_: str = HOME) -> Break:
    """Change the case of a request in a store."""

    def broken(history: History) -> History:
        changed = deepcopy(history.cases[service][id_])
        edit(changed)
        return _stored(history, service, id_, changed)

    return broken


def _stored(history: History, service: str, id_: str, found: Any) -> History:
    others = {known: one for known, one in history.cases[service].items() if known != id_}
    history = replace(history, cases={**history.cases, service: others if found is None else {**others, id_: found}})
    request = history.requests.get(id_)
    return history if request is None else history.changed(replace(request, stored={**request.stored, service: found}))


def gone(service: str) -> Break:
    return lambda history: _stored(history, service, HOME, None)


def stranger(service: str, id_: str, **fields: Any) -> Break:
    """A case of a request that is not audited."""
    return lambda history: _stored(history, service, id_, {"_id": id_, "version": 1, "applied": {}, "outbox": [], **fields})


def day(edit: Callable[[Any], object], on: str = DAY) -> Break:
    """Change a day."""

    def days(shared: Shared) -> Shared:
        found = deepcopy(shared.days)
        edit(next(one for one in found if one["_id"] == on))
        return replace(shared, days=found)

    return _shared(days)


def blanks(edit: Callable[[Any], object]) -> Break:
    """Change the ledger of KTP blanks."""

    def ledger(shared: Shared) -> Shared:
        found = deepcopy(shared.blanks)
        edit(found[0])
        return replace(shared, blanks=found)

    return _shared(ledger)


def lease(found: Lease) -> Break:
    return _shared(lambda shared: replace(shared, leases={**shared.leases, "notify": found}))


def _shared(edit: Callable[[Shared], Shared]) -> Break:
    def broken(history: History) -> History:
        assert history.shared is not None
        return replace(history, shared=edit(history.shared))

    return broken


def sealed(edit: Callable[[RequestHistory, list[Sealed]], list[Sealed]], name: str = "home") -> Break:
    """Change the snapshots of a request: the first is of itself, the second of its visits."""

    def broken(history: History) -> History:
        request = history.requests[ID(name)]
        return history.changed(replace(request, sealed=tuple(edit(request, list(request.sealed or ())))))

    return broken


def first(**changes: Any) -> Break:
    return sealed(lambda _, found: [replace(found[0], **changes), *found[1:]])


def header(name: str, value: str) -> Break:
    def changed(record: Record) -> Record:
        return replace(record, headers=tuple((n, value.encode() if n == name else raw) for n, raw in record.headers))

    return sealed(lambda _, found: [replace(found[0], record=changed(found[0].record)), *found[1:]])


def letters(edit: Callable[[Letters], Letters]) -> Break:
    def broken(history: History) -> History:
        assert history.letters is not None
        return replace(history, letters=edit(history.letters))

    return broken


def dead(letter: DeadLetter) -> Break:
    return letters(lambda found: replace(found, dead={**found.dead, (letter.service, letter.coordinates): letter}))


def answers(*edits: dict[str, Any]) -> Break:
    """The answer to the submission, once for every edit of it."""
    return letters(lambda found: replace(found, answers=tuple(replace(found.answers[0], **edit) for edit in edits)))


def _visit(one: Any) -> Any:
    return one["visits"][AHEAD]


def _crowd(one: Any) -> None:
    for at in range(7):
        one["visits"][ID("crowd", at)] = {**_visit(one), "start": 600 + at, "end": 601 + at, "members": {}}


def _item(one: Any) -> str:
    return next(slot for slot in one["applied"] if slot.startswith("item-closed"))


def _another(one: Any) -> Any:
    return {**one["documents"][0], "document_id": ID("untold")}


BOOKED = {"request_id": HOME, "visit_id": "v", "minutes": 1}
CREATED = slot_of(topics.REQUEST_CREATED, HOME)
ROW = {"id": ID("row"), "type": topics.ITEM_CLOSED, "sequence": 9}
TAKING = {"take": "t", "request_id": HOME, "document_id": "d", "attempt": 1}
LETTER = DeadLetter("notify", "item-closed.v1-4-2", "handler", topics.ITEM_CLOSED, HOME)
KTP = DocumentKind.KTP

INSIDE: dict[str, Break] = {
    # lost
    "booking-missing": case("scheduling", lambda c: c["placement"]["held"].update(placement_id=ID("unbooked")), inside.NEIGHBOUR),
    "booking-missing planned": case("scheduling", lambda c: c.update(placement={}), inside.NEIGHBOUR),
    "booking-missing deleted": day(lambda d: d["bookings"].pop(PLACED)),
    "card-without-blank": case("issuance", lambda c: c["documents"][0].pop("blank"), POINT),
    "case-missing": gone("scheduling"),
    "dead-letter": dead(LETTER),
    "dead-letter of a submission by a bug": dead(replace(LETTER, service="intake", source=topics.REQUEST_SUBMITTED)),
    "effect-missing": case("scheduling", lambda c: c["applied"].pop(CREATED)),
    "effect-missing older": case("notify", lambda c: c["applied"].update({_item(c): 0})),
    "effect-missing snapshot": case("issuance", lambda c: c["applied"].pop(slot_of(DETAILS, HOME))),
    "fact-missing visit": case("scheduling", lambda c: c["visits"].append({**c["visits"][0], "visit_id": ID("untold")})),
    "fact-missing document": case("issuance", lambda c: c["documents"].append(_another(c))),
    "fact-missing item": case("issuance", lambda c: c["closed"].update({ID("untold"): "DONE"})),
    "fact-missing closing": case("intake", lambda c: c.update(closing={"status": "COMPLETED"}), ID("nowhere")),
    "key-missing": case("intake", lambda c: c.pop("created")),
    "request-unlisted": stranger("intake", ID("hidden"), body={"channel": "LETTER"}, created={"key": ID("hidden key")}),
    "snapshot-missing": sealed(lambda _, found: found[1:]),
    "snapshot-missing visits": sealed(lambda _, found: found[:1]),
    "submission-unanswered": answers(),
    "submission-unanswered repeat": letters(
        lambda found: replace(found, submissions=(*found.submissions, Submission("request-submitted.v1-3-5", inside.KEY)))
    ),
    "undecryptable": first(digest="", problem="undecryptable"),
    "undecryptable dead letter": dead(replace(LETTER, problem="undecryptable")),
    # doubled
    "blank-twice": case(
        "issuance", lambda c: c["documents"].append({**c["documents"][0], "document_kind": KTP, "blank": inside.BLANK})
    ),
    "booking-twice": day(lambda d: d["bookings"].update({PLACED: BOOKED}), "2026-11-27"),
    "capacity-exceeded": day(lambda d: d["bookings"][PLACED].update(minutes=61)),
    "capacity-exceeded overlap": day(lambda d: d["visits"].update({ID("other"): {**_visit(d), "start": 500, "members": {}}})),
    "capacity-exceeded homes": day(_crowd),
    "capacity-exceeded unguarded": day(lambda d: d.pop("version")),
    "case-unknown": stranger("notify", ID("invented")),
    "key-twice": case("intake", lambda c: c["created"].update(key=ID(POINT, "key"))),
    "message-id-twice": case("notify", lambda c: c["messages"].update(second={**next(iter(c["messages"].values()))})),
    "sent-unclaimed": case("notify", lambda c: next(iter(c["messages"].values())).pop("claim")),
    "submission-answered-twice": answers({}, {"id": ID("second answer")}),
    "visit-twice": day(lambda d: d["visits"].update({AHEAD: {**next(iter(d["visits"].values())), "team_id": "B"}}), "2026-11-27"),
    # differing
    "answer-differs intake": case("intake", lambda c: c.update(status="WITHDRAWN")),
    "answer-differs scheduling": case("scheduling", lambda c: c["visits"][0].update(revision=7)),
    "answer-differs issuance": case("issuance", lambda c: c.update(details_version=1)),
    "answer-differs notify": case("notify", lambda c: next(iter(c["messages"].values())).update(state="EXPIRED")),
    "answer-unfounded": answers({"request_id": ID("never filed")}),
    "blanks-differ": blanks(lambda stock: stock.update(used=2, on_hand=8)),
    "blanks-unbalanced": blanks(lambda stock: stock.update(on_hand=12)),
    "effect-unfounded": case("scheduling", lambda c: c["applied"].update({_item(c): 99})),
    "effect-unfounded never sent": case("notify", lambda c: c["applied"].update({slot_of(topics.ITEM_CLOSED, ID("no item")): 3})),
    "fact-ahead": case("scheduling", lambda c: c.update(version=2)),
    "fact-unfounded": case("scheduling", lambda c: c.update(visits=[])),
    "lease-wrong": lease(Lease(None)),
    "lease-wrong holder": lease(Lease({"_id": "leader", "holder": None, "version": 3})),
    "member-differs": day(lambda d: _visit(d)["members"].clear()),
    "member-differs items": day(lambda d: _visit(d)["members"][inside.NEIGHBOUR].update(items=[{"item_id": ID("other")}])),
    "member-differs status": day(lambda d: _visit(d).update(status="EN_ROUTE")),
    "member-differs unknown": case("scheduling", lambda c: c.update(visits=[]), inside.NEIGHBOUR),
    "same-id-differs sealed": sealed(lambda _, found: [*found, replace(found[0], digest="another")]),
    "same-id-differs tombstone": sealed(lambda _, found: [*found, replace(found[0], digest="")]),
    "same-id-differs answer": answers({}, {"digest": "another"}),
    "sequence-back sealed": sealed(lambda request, found: [*found, inside.snapshot(request, DETAILS, 1, found[0].said)]),
    "snapshot-stale": first(said={"version": 1, "status": "ACCEPTED", "items": {}}),
    "snapshot-stale visits": sealed(lambda _, found: [found[0], replace(found[1], said={})]),
    "tombstone-wrong": first(digest="", said=None),
    "tombstone-wrong erased": case("scheduling", lambda c: c.update(erased=True)),
    "envelope-broken sealed": header("ce_type", "request-details.v9"),
    "header-wrong sealed": header("ce_source", "/services/notify"),
    "wrong-id sealed": header("ce_id", ID("random")),
    "schema-broken sealed": first(digest="", problem="schema-broken"),
    "wrong-key sealed": first(digest="", problem="wrong-key"),
    "partition-differs sealed": sealed(lambda _, found: [_moved(found[0]), *found[1:]]),
    # stranded
    "booking-orphan": day(lambda d: d["bookings"].update({ID("orphan"): {**d["bookings"][PLACED], "minutes": 1}})),
    "booking-unfinished": case("scheduling", lambda c: c["placement"].update(wanted=c["placement"]["held"]), inside.NEIGHBOUR),
    "booking-unfinished release": case("scheduling", lambda c: c.update(releases=[{"placement_id": "p"}])),
    "due-wrong": case("notify", lambda c: c.update(due_since=stories.START)),
    "leader-missing": lease(Lease({"_id": "leader", "holder": "x", "version": 9}, 60.0)),
    "outbox-stranded": case("issuance", lambda c: c.update(outbox=[ROW], pending_since=stories.START)),
    "outbox-stranded of a refused submission": stranger("intake", ID("refused"), outbox=[ROW], pending_since=stories.START),
    "pending-wrong": case("issuance", lambda c: c.update(outbox=[ROW])),
    "pending-wrong null": case("issuance", lambda c: c.update(outbox=[ROW], pending_since=None)),
    "pending-wrong empty": case("issuance", lambda c: c.update(pending_since=stories.START)),
    "taking-left": blanks(lambda stock: stock.update(taking={"d:1": TAKING}, used=2, on_hand=8)),
    "visit-unspread": day(lambda d: d.update(unspread=[AHEAD])),
}  # fmt: skip


def _moved(one: Sealed) -> Sealed:
    return replace(one, record=replace(one.record, partition=11 - one.record.partition))
