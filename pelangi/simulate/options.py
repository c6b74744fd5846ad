"""What the simulator is told, and what it answers."""

from collections import Counter
from dataclasses import dataclass, field

from pelangi.contracts.codes import OPEN_REQUEST_STATUSES, RequestStatus


@dataclass(frozen=True, slots=True)
class Chances:
    """How often things go otherwise than planned, as shares of 1."""

    visit_fails: float = 0.08
    item_deferred: float = 0.05
    item_rejected: float = 0.03
    item_withdrawn: float = 0.02
    request_withdrawn: float = 0.05
    sent_twice: float = 0.05


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """Who plays, how much, and against which services.

    run: names the run: the same run and number give the same idempotency key, so a repeated run files nothing twice.
    Empty: a fresh name, so that every run files its own requests.
    retry_s: how long one call is repeated (with the same key) while a service is away.
    poll_s: the shortest time between two looks at one request.
    """

    requests: int = 100
    seed: int = 1
    run: str = ""
    intake_url: str = "http://127.0.0.1:8001"
    scheduling_url: str = "http://127.0.0.1:8002"
    issuance_url: str = "http://127.0.0.1:8003"
    concurrency: int = 8
    timeout_s: float = 900.0
    retry_s: float = 180.0
    poll_s: float = 0.3
    chances: Chances = field(default_factory=Chances)
    quiet: bool = False


@dataclass(slots=True)
class Accepted:
    """One accepted request: what its 201 said and what of its body an event may repeat; nothing personal.

    withdrawn: the withdrawal was answered with success. status: the last one seen.
    """

    number: int
    request_id: str
    receipt_code: str
    status_at_201: str
    due_on: str
    visit_kind: str
    village_code: str
    channel: str
    requester_kind: str
    services: tuple[str, ...]
    persons_count: int
    items_count: int
    withdrawn: bool = False
    status: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more is to happen: closed, or waiting for information that nobody sends."""
        return ended(self.status)


def ended(status: str) -> bool:
    """Whether a request in this status needs no player any more."""
    return bool(status) and (status == RequestStatus.NEEDS_INFO or status not in set(map(str, OPEN_REQUEST_STATUSES)))


@dataclass(frozen=True, slots=True)
class Stuck:
    """A request that did not end in time, and the last that was seen of it (codes only)."""

    request_id: str
    why: str


@dataclass(slots=True)
class Report:
    """The result of a run. `problems`: answers that should not have been given, by code, and how often."""

    accepted: list[Accepted] = field(default_factory=list)
    stuck: list[Stuck] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    sent_twice: int = 0
    retries: int = 0
    visits: int = 0
    visits_failed: int = 0
    documents: int = 0
    filing_s: float = 0.0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every request was accepted and has ended, and no answer was odd."""
        return not self.stuck and not self.problems

    @property
    def filed_per_second(self) -> float:
        """Accepted requests per second of filing."""
        return len(self.accepted) / self.filing_s if self.filing_s else 0.0

    def by_status(self) -> dict[str, int]:
        """How many requests ended (or stand) in each status."""
        return dict(sorted(Counter(request.status or request.status_at_201 for request in self.accepted).items()))
