"""Every topic of the system, declared once (CONTRACTS.md §1). `pelangi topics apply` makes them; nothing else does."""

from dataclasses import dataclass

DATA_PARTITIONS = 12
"""Frozen with the version in a topic's name: another count would move keys."""

INTAKE, SCHEDULING, ISSUANCE, NOTIFY = SERVICES = ("intake", "scheduling", "issuance", "notify")

DAY_MS = 24 * 3600 * 1000
MAX_MESSAGE_BYTES = 3 * 1024 * 1024

_PUBLIC = {"cleanup.policy": "delete", "retention.ms": str(30 * DAY_MS)}
_SNAPSHOT = {
    "cleanup.policy": "compact",
    "max.compaction.lag.ms": str(DAY_MS),
    "segment.ms": str(DAY_MS),
    "delete.retention.ms": str(30 * DAY_MS),
    "max.message.bytes": str(MAX_MESSAGE_BYTES),
}
_SUBMISSION = {"cleanup.policy": "delete", "retention.ms": str(14 * DAY_MS), "max.message.bytes": str(MAX_MESSAGE_BYTES)}
_DEAD_LETTERS = {"cleanup.policy": "compact", "max.message.bytes": str(MAX_MESSAGE_BYTES)}
_STAMPED = {"message.timestamp.type": "LogAppendTime"}


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    owner: the service that writes it; "" where other systems do (`writers`).
    readers: service users that may read it. A public topic may be read by every `city.*` user as well.
    aggregate: the data field that names what a record is about, beside its request (CONTRACTS.md §2).
    """

    name: str
    owner: str
    readers: tuple[str, ...]
    config: dict[str, str]
    aggregate: str = "request_id"
    public: bool = False
    writers: tuple[str, ...] = ()
    partitions: int = DATA_PARTITIONS


def _public(name: str, owner: str, readers: tuple[str, ...], aggregate: str = "request_id") -> Topic:
    return Topic(name, owner, readers, _PUBLIC | _STAMPED, aggregate, public=True)


REQUEST_CREATED = "request-created.v1"
VISIT_SCHEDULED = "visit-scheduled.v1"
VISIT_COMPLETED = "visit-completed.v1"
DOCUMENT_ISSUED = "document-issued.v1"
DOCUMENT_HANDED_OVER = "document-handed-over.v1"
DOCUMENT_WITHDRAWN = "document-withdrawn.v1"
ITEM_CLOSED = "item-closed.v1"
REQUEST_CLOSED = "request-closed.v1"
REQUEST_DETAILS = "request-details.v1"
VISIT_DETAILS = "visit-details.v1"
REQUEST_SUBMITTED = "request-submitted.v1"
SUBMISSION_ANSWERED = "submission-answered.v1"

TOPICS: tuple[Topic, ...] = (
    _public(REQUEST_CREATED, INTAKE, (SCHEDULING, ISSUANCE, NOTIFY)),
    _public(VISIT_SCHEDULED, SCHEDULING, (INTAKE, ISSUANCE, NOTIFY), "visit_id"),
    _public(VISIT_COMPLETED, SCHEDULING, (INTAKE, ISSUANCE, NOTIFY), "visit_id"),
    _public(DOCUMENT_ISSUED, ISSUANCE, (INTAKE, NOTIFY), "document_id"),
    _public(DOCUMENT_HANDED_OVER, ISSUANCE, (INTAKE, NOTIFY), "document_id"),
    _public(DOCUMENT_WITHDRAWN, ISSUANCE, (INTAKE, NOTIFY), "document_id"),
    _public(ITEM_CLOSED, ISSUANCE, (INTAKE, SCHEDULING, NOTIFY), "item_id"),
    _public(REQUEST_CLOSED, INTAKE, (SCHEDULING, ISSUANCE, NOTIFY)),
    Topic(REQUEST_DETAILS, INTAKE, (SCHEDULING, ISSUANCE, NOTIFY), _SNAPSHOT | _STAMPED),
    Topic(VISIT_DETAILS, SCHEDULING, (ISSUANCE, NOTIFY, INTAKE), _SNAPSHOT | _STAMPED),
    Topic(REQUEST_SUBMITTED, "", (INTAKE,), _SUBMISSION | _STAMPED, "", writers=("form",)),
    Topic(SUBMISSION_ANSWERED, INTAKE, ("form",), _SUBMISSION | _STAMPED, "submission_id"),
    *(Topic(f"{s}.dlq", s, (s,), _DEAD_LETTERS | _STAMPED, "", partitions=1) for s in SERVICES),
)

BY_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}


def read_by(service: str) -> tuple[str, ...]:
    """Names of the topics a service consumes, its own dead letters excepted."""
    return tuple(t.name for t in TOPICS if service in t.readers and not t.name.endswith(".dlq"))


def written_by(service: str) -> tuple[str, ...]:
    """Names of the topics a service writes, dead letters included."""
    return tuple(t.name for t in TOPICS if t.owner == service)
