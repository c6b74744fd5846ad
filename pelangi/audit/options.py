"""What the checker is told, and what it answers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pelangi.audit.history import Finding
from pelangi.audit.sealed import AuditKeys


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """Where to look, and how long to wait until everything is settled.

    settle_s: as long as something is still missing the checker looks again, up to this many seconds.
    quiet_s: a clean result must stay clean this long, with nothing new on the topics or in the mailbox.
    keys, restricted_user: open the restricted topics; without keys they are not read. stores: URI of the store of each service;
    without one it is not read. if_readable: what then does not let itself be read is left out as well, instead of being a
    finding. What is not read is named in the report.
    """

    intake_url: str = "http://127.0.0.1:8001"
    scheduling_url: str = "http://127.0.0.1:8002"
    issuance_url: str = "http://127.0.0.1:8003"
    notify_url: str = "http://127.0.0.1:8004"
    mailbox_url: str = "http://127.0.0.1:8025"
    kafka_bootstrap: str = "127.0.0.1:9092"
    kafka_user: str = "city.demo"
    kafka_password: str = "city.demo-dev"  # noqa: S105 - the development default of CONTRACTS.md §5
    keys: AuditKeys | None = field(default=None, repr=False)
    restricted_user: str = "admin"
    restricted_password: str = field(default="admin-dev", repr=False)
    stores: Mapping[str, str] = field(default_factory=dict, repr=False)
    if_readable: bool = False
    settle_s: float = 60.0
    quiet_s: float = 2.0
    concurrency: int = 16
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The result. `ok` means: nothing lost, doubled, differing or stranded, as far as was looked.

    sealed: records of restricted topics. cases: documents of all stores. unread: sources that nothing gave access to.
    dead_letters: how many stand in the dlqs, by reason.
    """

    findings: tuple[Finding, ...]
    requests: int
    records: int
    mails: int
    seconds: float
    sealed: int = 0
    cases: int = 0
    unread: tuple[str, ...] = ()
    dead_letters: Mapping[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there is no finding."""
        return not self.findings

    def by_code(self) -> dict[str, int]:
        """How many findings of each code, the most frequent first."""
        return dict(Counter(finding.code for finding in self.findings).most_common())
