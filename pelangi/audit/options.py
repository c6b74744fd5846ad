"""What the checker is told, and what it answers."""

from collections import Counter
from dataclasses import dataclass

from pelangi.audit.history import Finding


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """Where to look, and how long to wait until everything is settled.

    settle_s: as long as something is still missing the checker looks again, up to this many seconds.
    quiet_s: a clean result must stay clean this long, with nothing new on the topics or in the mailbox.
    """

    intake_url: str = "http://127.0.0.1:8001"
    scheduling_url: str = "http://127.0.0.1:8002"
    issuance_url: str = "http://127.0.0.1:8003"
    notify_url: str = "http://127.0.0.1:8004"
    mailbox_url: str = "http://127.0.0.1:8025"
    kafka_bootstrap: str = "127.0.0.1:9092"
    kafka_user: str = "city.demo"
    kafka_password: str = "city.demo-dev"  # noqa: S105 - the development default of CONTRACTS.md §5
    settle_s: float = 60.0
    quiet_s: float = 2.0
    concurrency: int = 16
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The result. `ok` means: nothing lost, doubled, differing or stranded."""

    findings: tuple[Finding, ...]
    requests: int
    records: int
    mails: int
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether there is no finding."""
        return not self.findings

    def by_code(self) -> dict[str, int]:
        """How many findings of each code, the most frequent first."""
        return dict(Counter(finding.code for finding in self.findings).most_common())
