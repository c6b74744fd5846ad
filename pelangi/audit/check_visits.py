"""Do the announced visits add up, and does scheduling's own answer say the same?"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from pelangi.audit.fold import VisitState
from pelangi.audit.history import Finding, Json, RequestHistory
from pelangi.contracts import events, topics
from pelangi.contracts.codes import ItemVisitOutcome, RequestStatus, ScheduleStatus, ServiceKind, VisitOutcome, VisitStatus
from pelangi.contracts.public import public_service_kind

_OPEN = frozenset({VisitStatus.PLANNED, VisitStatus.CONFIRMED, VisitStatus.EN_ROUTE, VisitStatus.ON_SITE})


def check_visits(request: RequestHistory) -> Iterator[Finding]:
    """Findings about the visits of a request."""
    visits = request.state.visits
    if visits and _never_visited(request):
        yield request.finding("visit-not-allowed", request.status)
    open_visits = [visit_id for visit_id, visit in visits.items() if visit.open]
    if open_visits and request.state.closed is not None:
        yield request.finding("visit-left-open", ", ".join(open_visits))
    if len(open_visits) > 1:
        yield request.finding("two-visits-open", ", ".join(open_visits))
    for visit_id, visit in visits.items():
        yield from _life(request, visit_id, visit)
        if visit.completed is not None:
            yield from _completed(request, visit.completed)
    yield from _counts(request)
    yield from _revisions(request)
    yield from _answer(request)


def _never_visited(request: RequestHistory) -> bool:
    """Whether nobody should ever have been sent: nowhere to go, or outside the city from the beginning (some move away later)."""
    outside = request.accepted is not None and request.accepted.status_at_201 == RequestStatus.OUT_OF_AREA
    return request.status == RequestStatus.NEEDS_INFO or outside


def _life(request: RequestHistory, visit_id: str, visit: VisitState) -> Iterator[Finding]:
    if visit.schedule is None:
        yield request.finding("visit-unannounced", visit_id)
    elif visit.cancelled and visit.completed is not None:
        yield request.finding("visit-cancelled-and-completed", visit_id)


def _completed(request: RequestHistory, visit: events.VisitCompleted) -> Iterator[Finding]:
    outcomes = [item.outcome for item in visit.items]
    done = outcomes.count(ItemVisitOutcome.DONE)
    wrong = (
        not outcomes
        or (visit.outcome == VisitOutcome.DONE and done < len(outcomes))
        or (visit.outcome == VisitOutcome.FAILED and done > 0)
    )
    if wrong:
        yield request.finding("visit-outcome-wrong", f"{visit.visit_id} {visit.outcome}, {done} of {len(outcomes)} items done")
    for item in visit.items:
        kind = request.items.get(item.item_id)
        if kind is None:
            yield request.finding("item-unknown", f"{topics.VISIT_COMPLETED} {item.item_id}")
        elif item.service_kind != public_service_kind(ServiceKind(kind)):
            yield request.finding("service-kind-wrong", f"{topics.VISIT_COMPLETED} {item.item_id}")
        if (item.outcome == ItemVisitOutcome.DEFERRED) != (item.reason_class is not None):
            yield request.finding("reason-class-wrong", f"{topics.VISIT_COMPLETED} {item.item_id}")


def _counts(request: RequestHistory) -> Iterator[Finding]:
    """A visit ends once."""
    counts = Counter(fact.aggregate for fact in request.of_type(topics.VISIT_COMPLETED))
    for visit_id, count in counts.items():
        if count > 1:
            yield request.finding("visit-completed-twice", visit_id)


def _revisions(request: RequestHistory) -> Iterator[Finding]:
    """Every visit begins as SCHEDULED with revision 1; from there each change of date raises the revision by one."""
    lives: dict[str, list[events.VisitScheduled]] = defaultdict(list)
    for fact in sorted(request.of_type(topics.VISIT_SCHEDULED), key=lambda fact: fact.sequence):
        if isinstance(fact.data, events.VisitScheduled):
            lives[fact.aggregate].append(fact.data)
    for visit_id, life in lives.items():
        if (life[0].revision, life[0].status) != (1, ScheduleStatus.SCHEDULED):
            yield request.finding("visit-start-missing", f"{visit_id} begins as {life[0].status} {life[0].revision}")
        for earlier, later in pairwise(life):
            steps = (0, 1) if later.status == ScheduleStatus.CANCELLED else (1,)
            if later.revision - earlier.revision not in steps:
                yield request.finding("revision-gap", f"{visit_id} {earlier.revision} then {later.revision}")
            if earlier.status == ScheduleStatus.CANCELLED:
                yield request.finding("visit-after-cancelling", visit_id)


def _answer(request: RequestHistory) -> Iterator[Finding]:
    """Scheduling's HTTP answer equals the visits folded from its events."""
    if request.scheduling is None:
        return
    answered: dict[str, Json] = {visit["visit_id"]: visit for visit in request.scheduling.get("visits", [])}
    folded = request.state.visits
    for visit_id in sorted(answered.keys() | folded.keys()):
        if visit_id not in answered or visit_id not in folded:
            yield request.finding("visit-differs", f"{visit_id} is only {'on topics' if visit_id in folded else 'in HTTP'}")
        elif differing := _differences(folded[visit_id], answered[visit_id]):
            yield request.finding("visit-differs", f"{visit_id}: {', '.join(differing)}")


def _differences(folded: VisitState, answered: Json) -> list[str]:
    differing = [] if answered["status"] in _statuses(folded) else ["status"]
    if folded.schedule is not None:
        differing += [] if answered["date"] == folded.schedule.date.isoformat() else ["date"]
        differing += [] if answered["revision"] == folded.schedule.revision else ["revision"]
    if folded.completed is not None and not folded.cancelled:
        outcomes = {item.item_id: str(item.outcome) for item in folded.completed.items}
        if outcomes != {item["item_id"]: item["outcome"] for item in answered["items"]}:
            differing.append("items")
    return differing


def _statuses(folded: VisitState) -> frozenset[str]:
    """The statuses that scheduling may answer for a visit in this public state."""
    if folded.cancelled:
        return frozenset({VisitStatus.CANCELLED})
    return frozenset({str(folded.completed.outcome)}) if folded.completed is not None else _OPEN
