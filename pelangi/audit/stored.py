"""What the stores hold, as far as the checker looks, written down a second time on purpose: it must not read the code it checks.

Names of people, addresses, phones and texts are not among the fields that are read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pelangi.contracts import topics

Json = dict[str, Any]

CASES, DAYS, REFERENCE, BLANKS, LEASE = "cases", "days", "reference", "blanks", "lease"
"""Collections: one case per request in each service; days and tables in scheduling; the ledger in issuance; who leads."""

LEADER = "leader"
"""The one lease of a service."""

_OUTBOX = ("outbox.id", "outbox.type", "outbox.aggregate", "outbox.sequence")
_EVERY_CASE = ("version", "applied", "pending_since", *_OUTBOX)
_PLACED = ("placement_id", "visit_id", "day", "team_id")

CASE_FIELDS: Mapping[str, tuple[str, ...]] = {
    topics.INTAKE: (
        *_EVERY_CASE,
        *("created.key", "body.channel", "status", "content_version", "closing.status", "items.item_id", "items.withdrawn"),
    ),
    topics.SCHEDULING: (
        *_EVERY_CASE,
        *(f"placement.held.{name}" for name in _PLACED),
        *(f"placement.wanted.{name}" for name in _PLACED),
        *(f"visits.{name}" for name in ("visit_id", "status", "revision", "date", "start", "end", "team_id", "version")),
        *("visits.items.item_id", "visits.items.outcome", "releases.placement_id", "details_version", "erased"),
    ),
    topics.ISSUANCE: (
        *_EVERY_CASE,
        *(f"documents.{name}" for name in ("document_id", "item_id", "document_kind", "status", "issued_at", "blank")),
        *("documents.history.status", "closed", "details_version", "to_open_since"),
    ),
    topics.NOTIFY: (*_EVERY_CASE, "messages", "details_version", "due_since"),
}

APPLIES: Mapping[str, tuple[str, ...]] = {
    service: tuple(name for name in topics.read_by(service) if name != topics.REQUEST_SUBMITTED) for service in topics.SERVICES
}
"""The topics whose records every service must have applied (CONTRACTS.md §1, "Who reads what")."""


def slot_of(type_: str, aggregate: str) -> str:
    """Under which name a case remembers the newest sequence that it applied."""
    return f"{type_.replace('.', '_')}:{aggregate}"


@dataclass(frozen=True, slots=True)
class Lease:
    """Who leads a service. unchanged_s: for how long its version has been seen not to move."""

    document: Json | None
    unchanged_s: float = 0.0


@dataclass(frozen=True)
class Shared:
    """What is about no single request. leases: by service."""

    days: tuple[Json, ...] = ()
    teams: Mapping[str, Json] = field(default_factory=dict)
    blanks: tuple[Json, ...] = ()
    leases: Mapping[str, Lease] = field(default_factory=dict)
