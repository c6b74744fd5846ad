"""What the simulator is told, and what it answers."""

from collections import Counter
from dataclasses import dataclass, field

from pelangi.contracts.codes import OPEN_REQUEST_STATUSES, RequestStatus


@dataclass(frozen=True, slots=True)
class Chances:
    """How often things go otherwise than planned, as shares of 1.

    submitted: filed over Kafka instead of HTTP. duplicate: whether some ask for what another asked already (see `bodies`).
    completed: of the requests that say neither where nor whom to call. blanks_out: the desk starts with few blank cards.
    """

    visit_fails: float = 0.08
    item_deferred: float = 0.05
    item_rejected: float = 0.03
    item_withdrawn: float = 0.02
    request_withdrawn: float = 0.05
    sent_twice: float = 0.05
    submitted: float = 0.08
    duplicate: bool = True
    deceased: float = 0.02
    corrected: float = 0.04
    moved: float = 0.015
    moved_away: float = 0.005
    no_contact: float = 0.01
    completed: float = 0.5
    document_returned: float = 0.02
    document_superseded: float = 0.02
    document_revoked: float = 0.01
    blanks_out: bool = True


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """Who plays, how much, and against which services.

    run: names the run: the same run and number give the same idempotency key, so a repeated run files nothing twice.
    Empty: a fresh name, so that every run files its own requests.
    retry_s: how long one call is repeated (with the same key) while a service is away.
    poll_s: the shortest time between two looks at one request.
    kafka_bootstrap: where requests are submitted over Kafka; "": all go over HTTP.
    """

    requests: int = 100
    seed: int = 1
    run: str = ""
    intake_url: str = "http://127.0.0.1:8001"
    scheduling_url: str = "http://127.0.0.1:8002"
    issuance_url: str = "http://127.0.0.1:8003"
    kafka_bootstrap: str = ""
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


LONGEST_POLL_S = 4.0


@dataclass(slots=True)
class Followed:
    """A request that is being played. `number`: of this run; None where somebody else filed it. lived: its fate has happened."""

    request_id: str
    number: int | None = None
    status: str = ""
    withdrawn: bool = False
    lived: bool = False
    seen: str = "not looked at yet"
    due: float = 0.0
    pause_s: float = 0.0
    looks: int = 0

    def again(self, now: float, shortest_s: float, *, acted: bool) -> None:
        """When to look again: soon while things happen, later while nothing does."""
        self.pause_s = shortest_s if acted else min(max(self.pause_s * 1.6, shortest_s), LONGEST_POLL_S)
        self.due = now + self.pause_s


@dataclass(frozen=True, slots=True)
class Stuck:
    """A request that did not end in time, and the last that was seen of it (codes only)."""

    request_id: str
    why: str


@dataclass(slots=True)
class Report:
    """The result of a run. `problems`: answers that should not have been given, by code, and how often.

    lives: what happened beside the visits (deaths, corrections, …), and how often.
    """

    accepted: list[Accepted] = field(default_factory=list)
    stuck: list[Stuck] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    sent_twice: int = 0
    retries: int = 0
    visits: int = 0
    visits_failed: int = 0
    documents: int = 0
    lives: Counter[str] = field(default_factory=Counter)
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
