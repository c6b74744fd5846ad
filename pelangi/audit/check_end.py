"""Did the request come in once, and did it reach its lawful end once?"""

from collections.abc import Iterator

from pelangi.audit.catalogue import BY_ITEMS, OUTCOMES
from pelangi.audit.history import Finding, RequestHistory
from pelangi.contracts import events, topics
from pelangi.contracts.codes import OPEN_REQUEST_STATUSES, ClosingOutcome, ItemOutcome, RequesterKind, RequestStatus, ServiceKind
from pelangi.contracts.public import CITY_CODE, public_requester_kind, public_service_kind

_OPEN = frozenset(str(status) for status in OPEN_REQUEST_STATUSES)


def check_end(request: RequestHistory) -> Iterator[Finding]:
    """Findings about the first and the last event of a request, and about what each service holds of it at the end."""
    if request.intake is None:
        yield request.finding("http-missing", "intake")
        return
    yield from _created(request)
    yield from _closed(request)
    yield from _outcome(request)
    yield from _withdrawal(request)
    yield from _freshness(request)


def _created(request: RequestHistory) -> Iterator[Finding]:
    created = request.of_type(topics.REQUEST_CREATED)
    if not created:
        yield request.finding("created-missing")
    elif len(created) > 1:
        yield request.finding("created-twice", f"{len(created)} facts")
    elif isinstance(data := created[0].data, events.RequestCreated):
        differing = _differences(request, data)
        if differing:
            yield request.finding("created-differs", ", ".join(differing))


def _differences(request: RequestHistory, data: events.RequestCreated) -> list[str]:
    """Fields of request-created that differ from what was sent; only the sender knows what was sent."""
    sent = request.accepted
    if sent is None:
        return []
    wanted = {
        "visit_kind": sent.visit_kind,
        "channel": sent.channel,
        "requester_kind": public_requester_kind(RequesterKind(sent.requester_kind)),
        "persons_count": sent.persons_count,
        "items_count": sent.items_count,
        "due_on": sent.due_on,
    }
    got = {**data.model_dump(), "due_on": data.due_on.isoformat()}
    differing = [name for name, value in wanted.items() if got[name] != value]
    services = {str(public_service_kind(ServiceKind(kind))) for kind in sent.services}
    if sorted(data.services) != sorted(services):
        differing.append("services")
    return differing


def _closed(request: RequestHistory) -> Iterator[Finding]:
    closed = request.of_type(topics.REQUEST_CLOSED)
    is_open = request.status in _OPEN
    if len(closed) > 1:
        yield request.finding("closed-twice", f"{len(closed)} facts")
    if is_open and closed:
        yield request.finding("closed-but-open", request.status)
    elif is_open and request.status != RequestStatus.NEEDS_INFO:
        yield request.finding("not-closed", request.status)
    elif not is_open and not closed:
        yield request.finding("closed-missing", request.status)
    if request.status == RequestStatus.NEEDS_INFO and (request.state.visits or request.state.documents):
        yield request.finding("needs-info-served")


def _outcome(request: RequestHistory) -> Iterator[Finding]:
    closed = request.state.closed
    now_at = str((request.intake or {}).get("place", {}).get("village_code", request.village_code))
    out_of_area = not now_at.startswith(f"{CITY_CODE}.")
    if out_of_area and (closed is None or closed.outcome != ClosingOutcome.OUT_OF_AREA):
        yield request.finding("area-not-refused", request.status)
    if closed is None or request.status in _OPEN:
        return
    if closed.outcome not in OUTCOMES.get(request.status, frozenset()):
        yield request.finding("outcome-wrong", f"{closed.outcome}, but intake says {request.status}")
    by_items = _by_items(request)
    if request.status in BY_ITEMS and by_items is not None and closed.outcome not in OUTCOMES[by_items]:
        yield request.finding("outcome-items", f"{closed.outcome}, but the items say {by_items}")


def _by_items(request: RequestHistory) -> str | None:
    """The status that the outcomes of the items lead to; None while one is missing (that is a finding of its own)."""
    outcomes = [item.outcome for item in request.state.items.values()]
    if not outcomes or len(outcomes) < len(request.items):
        return None
    done = outcomes.count(ItemOutcome.DONE)
    if done == len(outcomes):
        return RequestStatus.COMPLETED
    return RequestStatus.PARTIAL if done else RequestStatus.REJECTED


def _withdrawal(request: RequestHistory) -> Iterator[Finding]:
    """A withdrawal that was answered with success holds."""
    if request.accepted is not None and request.accepted.withdrawn and request.status != RequestStatus.WITHDRAWN:
        yield request.finding("withdrawal-lost", request.status)


def _freshness(request: RequestHistory) -> Iterator[Finding]:
    """Every reader holds the newest details."""
    answers = {"scheduling": request.scheduling, "issuance": request.issuance, "notify": request.notify}
    for service, answer in answers.items():
        if answer is None:
            yield request.finding("http-missing", service)
        elif answer.get("details_version") != request.intake_version:
            yield request.finding(
                "details-stale", f"{service} holds {answer.get('details_version')}, intake {request.intake_version}"
            )
