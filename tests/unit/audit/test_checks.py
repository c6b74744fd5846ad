"""The checker finds nothing in healthy histories, and every kind of broken promise in broken ones."""

import json
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from pelangi.audit.checks import CODES, check
from pelangi.audit.history import History, Mail, Record, RequestHistory, mail_id
from pelangi.contracts import topics
from pelangi.contracts.envelope import event_id
from tests.unit.audit import stories
from tests.unit.audit.breaks_inside import INSIDE

Break = Callable[[History], History]


def of(history: History, name: str) -> RequestHistory:
    return history.requests[stories.uid(name)]


def codes(history: History) -> set[str]:
    return {finding.code for finding in check(history)}


def records(name: str, edit: Callable[[list[Record]], Iterable[Record]]) -> Break:
    """Break the records of a request."""

    def broken(history: History) -> History:
        request = of(history, name)
        return history.changed(replace(request, records=tuple(edit(list(request.records)))))

    return broken


def drop(name: str, type_: str, at: int = 0) -> Break:
    def edit(found: list[Record]) -> Iterable[Record]:
        del found[[i for i, record in enumerate(found) if record.topic == type_][at]]
        return found

    return records(name, edit)


def edited(name: str, type_: str, at: int = 0, *, header: tuple[str, str] | None = None, **data: Any) -> Break:
    """Change a header or the data of one record."""

    def edit(found: list[Record]) -> Iterable[Record]:
        index = [i for i, record in enumerate(found) if record.topic == type_][at]
        found[index] = changed(found[index], header, **data)
        return found

    return records(name, edit)


def changed(record: Record, header: tuple[str, str] | None = None, **data: Any) -> Record:
    headers = tuple((n, header[1].encode() if header and n == header[0] else v) for n, v in record.headers)
    value = json.dumps({**json.loads(record.value), **data}).encode() if data else record.value
    return replace(record, headers=headers, value=value)


def again(name: str, type_: str, **data: Any) -> Break:
    """The same thing once more as a new fact: a higher sequence, a new id."""

    def edit(found: list[Record]) -> Iterable[Record]:
        record = next(r for r in found if r.topic == type_)
        aggregate = str({**json.loads(record.value), **data}[topics.BY_NAME[type_].aggregate])
        second = changed(record, ("ce_sequence", f"{77:010d}"), **data)
        second = changed(second, ("ce_id", event_id(type_, record.request_id, aggregate, 77)))
        return [*found, replace(second, offset=99)]

    return records(name, edit)


def http(name: str, service: str, edit: Callable[[Any], Any]) -> Break:
    """Change what a service answers."""

    def broken(history: History) -> History:
        request = of(history, name)
        answer = deepcopy(getattr(request, service))
        edit(answer)
        return history.changed(replace(request, **{service: answer}))

    return broken


def row(name: str, purpose: str, /, **fields: Any) -> Break:
    return http(name, "notify", lambda a: next(r for r in a["messages"] if r["purpose"] == purpose).update(fields))


def mail(name: str, purpose: str, edit: Callable[[dict[str, Mail], str], object]) -> Break:
    def broken(history: History) -> History:
        message = next(r for r in of(history, name).messages if r["purpose"] == purpose)
        mails = dict(history.mails)
        edit(mails, mail_id(message["message_id"]))
        return replace(history, mails=mails)

    return broken


def request(name: str, /, **fields: Any) -> Break:
    return lambda history: history.changed(replace(of(history, name), **fields))


def both(*breaks: Break) -> Break:
    def broken(history: History) -> History:
        for one in breaks:
            history = one(history)
        return history

    return broken


def accepted(name: str, **fields: Any) -> Break:
    def broken(history: History) -> History:
        known: Any = of(history, name).accepted
        return history.changed(replace(of(history, name), accepted=replace(known, **fields)))

    return broken


T = topics
ID = stories.uid
STATUS = {
    "open": http("home", "intake", lambda a: a.update(status="IN_SERVICE")),
    "needs-info": http("home", "intake", lambda a: a.update(status="NEEDS_INFO")),
}

BREAKS: dict[str, Break] = {
    "area-not-refused": http("home", "intake", lambda a: a["place"].update(village_code="19.04.01.2005")),
    "closed-but-open": STATUS["open"],
    "closed-missing": drop("home", T.REQUEST_CLOSED),
    "closed-twice": again("home", T.REQUEST_CLOSED),
    "created-differs": accepted("home", persons_count=2),
    "created-missing": drop("withdrawn", T.REQUEST_CREATED),
    "created-twice": again("home", T.REQUEST_CREATED),
    "document-differs": http("home", "issuance", lambda a: a["items"][0]["documents"][0].update(status="READY_FOR_HANDOVER")),
    "document-fact-twice": again("home", T.DOCUMENT_HANDED_OVER),
    "document-kind-wrong": edited("home", T.DOCUMENT_ISSUED, document_kind="KTP"),
    "document-missing": both(drop("home", T.DOCUMENT_ISSUED), drop("home", T.DOCUMENT_HANDED_OVER)),
    "document-not-public": edited("home", T.DOCUMENT_ISSUED, item_id=ID("home", "item", 1)),
    "document-of-unfinished-item": edited("home", T.ITEM_CLOSED, 1, outcome="REJECTED", reason_class="OFFICE"),
    "document-twice": again("home", T.DOCUMENT_ISSUED, document_id=ID("another document")),
    "done-without-visit": drop("home", T.VISIT_COMPLETED),
    "envelope-broken": edited("home", T.ITEM_CLOSED, header=("ce_type", "item-closed.v9")),
    "handover-before-issue": edited("home", T.DOCUMENT_HANDED_OVER, handed_over_at="2026-11-01T00:00:00Z"),
    "item-not-handed-over": drop("home", T.DOCUMENT_HANDED_OVER),
    "handover-without-issue": drop("home", T.DOCUMENT_ISSUED),
    "header-wrong": edited("home", T.REQUEST_CLOSED, header=("ce_source", "/services/notify")),
    "http-missing": request("home", issuance=None),
    "item-closed-twice": again("home", T.ITEM_CLOSED),
    "item-differs": http("home", "issuance", lambda a: a["items"][0].update(status="OPEN")),
    "item-not-closed": drop("home", T.ITEM_CLOSED),
    "item-unknown": edited("home", T.ITEM_CLOSED, item_id=ID("somebody else's item")),
    "mail-id-wrong": row("home", "ACCEPTED", mail_message_id="<other@pelangi.invalid>"),
    "mail-missing": mail("home", "CLOSED", lambda mails, id_: mails.pop(id_)),
    "mail-of-unsent": mail("refused", "ACCEPTED", lambda mails, id_: mails.update({id_: Mail(id_)})),
    "mail-personal": mail("home", "CLOSED", lambda mails, id_: mails.update({id_: Mail(id_, 1, True)})),
    "mail-doubled": mail("home", "CLOSED", lambda mails, id_: mails.update({id_: Mail(id_, 2)})),
    "mail-unknown": lambda history: replace(history, mails={**history.mails, "x@pelangi.invalid": Mail("x@pelangi.invalid")}),
    "message-audience": row("home", "HANDED_OVER", audience="REQUESTER"),
    "message-missing": http("home", "notify", lambda a: a["messages"].pop()),
    "message-twice": http("home", "notify", lambda a: a["messages"].append({**a["messages"][0], "message_id": ID("second")})),
    "message-unexpected": row("nowhere", "ACCEPTED", purpose="CLOSED"),
    "message-unsettled": row("home", "CLOSED", state="UNKNOWN"),
    "needs-info-served": STATUS["needs-info"],
    "not-closed": both(drop("home", T.REQUEST_CLOSED), STATUS["open"]),
    "outcome-items": edited("home", T.ITEM_CLOSED, outcome="REJECTED", reason_class="OFFICE"),
    "outcome-wrong": edited("home", T.REQUEST_CLOSED, outcome="PARTIAL"),
    "partition-differs": records("home", lambda found: [replace(found[0], partition=11 - found[0].partition), *found[1:]]),
    "place-exposed": edited("home", T.VISIT_SCHEDULED, place={"name": "Rumah", "lat": -2.1, "lon": 106.1}),
    "reason-class-wrong": edited("home", T.ITEM_CLOSED, reason_class="OFFICE"),
    "replacement-wrong": edited("corrected", T.DOCUMENT_ISSUED, 1, edition=3),
    "request-unknown": lambda history: replace(history, strangers=frozenset({ID("nobody")})),
    "revision-gap": edited("home", T.VISIT_SCHEDULED, 1, revision=3),
    "same-id-differs": records("home", lambda found: [*found, changed(found[-1], ("ce_traceparent", stories.TRACE[:-1] + "0"))]),
    "schema-broken": edited("home", T.REQUEST_CLOSED, nik="x"),
    "sequence-back": records("home", lambda found: [found[0], found[2], found[1], *found[3:]]),
    "service-kind-wrong": edited("point", T.ITEM_CLOSED, 1, service_kind="VULNERABLE_DATA_COLLECTION"),
    "sixteen-digits": edited("point", T.VISIT_SCHEDULED, place={"name": "1971042902609001", "lat": -2.1, "lon": 106.1}),
    "source-missing": lambda history: replace(history, missing=("mailbox",)),
    "details-stale": http("home", "scheduling", lambda a: a.update(details_version=1)),
    "two-visits-open": both(drop("point", T.VISIT_COMPLETED), drop("point", T.VISIT_COMPLETED)),
    "visit-after-cancelling": again("withdrawn", T.VISIT_SCHEDULED, status="RESCHEDULED", revision=3),
    "visit-cancelled-and-completed": again("home", T.VISIT_SCHEDULED, status="CANCELLED", revision=3),
    "visit-completed-twice": again("home", T.VISIT_COMPLETED),
    "visit-differs": http("home", "scheduling", lambda a: a["visits"][0].update(date="2027-01-04")),
    "visit-left-open": drop("withdrawn", T.VISIT_SCHEDULED, 1),
    "visit-not-allowed": STATUS["needs-info"],
    "visit-outcome-wrong": edited("point", T.VISIT_COMPLETED, 1, outcome="DONE"),
    "visit-start-missing": drop("home", T.VISIT_SCHEDULED),
    "visit-unannounced": drop("partial", T.VISIT_SCHEDULED),
    "withdrawal-lost": accepted("home", withdrawn=True),
    "withdrawal-without-issue": drop("corrected", T.DOCUMENT_ISSUED),
    "wrong-area": edited("home", T.VISIT_COMPLETED, area_code="19.71.04.1009"),
    "wrong-id": edited("home", T.REQUEST_CLOSED, header=("ce_id", ID("random"))),
    "wrong-key": edited("home", T.REQUEST_CLOSED, request_id=ID("withdrawn")),
}


def test_healthy_histories_have_no_findings() -> None:
    assert check(stories.healthy()) == []


def test_every_code_has_a_broken_history() -> None:
    assert BREAKS.keys() | {name.partition(" ")[0] for name in INSIDE} == CODES


@pytest.mark.parametrize("code", sorted(BREAKS))
def test_a_broken_promise_is_found(code: str) -> None:
    assert code in codes(BREAKS[code](stories.healthy()))


SABOTAGES: dict[str, tuple[Break, str]] = {
    "lose-event": (drop("point", T.DOCUMENT_HANDED_OVER), "item-not-handed-over"),
    "double-message": (BREAKS["mail-doubled"], "mail-doubled"),
    "skip-close": (BREAKS["not-closed"], "not-closed"),
    "stale-detail": (BREAKS["details-stale"], "details-stale"),
    "wrong-area": (edited("home", T.REQUEST_CREATED, area_code="19.71.04.1009"), "wrong-area"),
}


@pytest.mark.parametrize("name", SABOTAGES)
def test_each_sabotage_is_found(name: str) -> None:
    broken, code = SABOTAGES[name]
    assert code in codes(broken(stories.healthy()))


ALL_RECORDS = [(make.__name__, at) for make in stories.STORIES for at in range(len(make().records))]


@pytest.mark.parametrize(("name", "at"), ALL_RECORDS)
def test_no_event_can_be_lost_unseen(name: str, at: int) -> None:
    story = next(make for make in stories.STORIES if make.__name__ == name)()
    broken = records(story.name, lambda found: [*found[:at], *found[at + 1 :]])
    assert codes(broken(stories.healthy()))


@pytest.mark.parametrize(("name", "at"), ALL_RECORDS)
def test_an_exact_repetition_is_no_finding(name: str, at: int) -> None:
    story = next(make for make in stories.STORIES if make.__name__ == name)()
    repeated = records(story.name, lambda found: [*found, replace(found[at], offset=500)])
    assert codes(repeated(stories.healthy())) == set()


ALL_ROWS = [(make.__name__, at) for make in stories.STORIES for at in range(len(make().messages))]


@pytest.mark.parametrize(("name", "at"), ALL_ROWS)
def test_no_message_can_be_lost_or_doubled_unseen(name: str, at: int) -> None:
    story = next(make for make in stories.STORIES if make.__name__ == name)()
    lost = http(story.name, "notify", lambda answer: answer["messages"].pop(at))
    doubled = http(
        story.name, "notify", lambda answer: answer["messages"].append({**answer["messages"][at], "message_id": ID(1)})
    )
    if story.messages[at]["purpose"] != "READY":  # something else may have overtaken it
        assert codes(lost(stories.healthy()))
    assert codes(doubled(stories.healthy()))


def test_no_finding_holds_more_than_ids_and_codes() -> None:
    findings = [f for code in BREAKS for f in check(BREAKS[code](stories.healthy()))]
    assert not any("Rumah" in f.detail or "1971042902609001" in f.detail for f in findings)


def test_without_a_memory_of_the_201_intake_says_what_is_right() -> None:
    history = stories.healthy()
    forgotten = {id_: replace(request, accepted=None) for id_, request in history.requests.items()}
    history = replace(history, requests=forgotten)
    assert check(history) == []
    assert "wrong-area" in codes(BREAKS["wrong-area"](history))


def test_who_walks_in_may_do_so_in_another_kelurahan() -> None:
    elsewhere = edited("point", T.VISIT_SCHEDULED, area_code="19.71.01.1004")(stories.healthy())
    assert "wrong-area" in codes(elsewhere)
    walked_in = http("point", "scheduling", lambda a: a["visits"][0].update(walked_in_at="19.71.01.1004"))(elsewhere)
    assert "wrong-area" not in codes(walked_in)
