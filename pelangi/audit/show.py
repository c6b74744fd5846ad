"""The report for people: ids and codes only."""

from collections import defaultdict

from rich.console import Console
from rich.table import Table

from pelangi.audit.history import Finding
from pelangi.audit.kinds import by_kind, kind_of
from pelangi.audit.options import AuditReport

EXAMPLES = 3


def show(report: AuditReport, console: Console) -> None:
    """Print one line per finding code with a few examples, the sums by kind, the totals, and what was not read."""
    totals = f"{report.requests} requests, {report.records} records, {report.mails} mails, {report.seconds:.1f} s"
    if report.ok:
        console.print(f"audit: nothing lost, doubled, differing or stranded ({totals})", highlight=False)
    else:
        console.print(_table(report, totals))
        sums = by_kind(report.findings).items()
        console.print(f"audit: {', '.join(f'{count} {kind}' for kind, count in sums)}", highlight=False)
    _sources(report, console)


def _table(report: AuditReport, totals: str) -> Table:
    grouped: dict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        grouped[finding.code].append(finding)
    table = Table(title=f"audit: {len(report.findings)} findings ({totals})")
    for name in ("finding", "kind", "count", "request"):
        table.add_column(name, no_wrap=True)
    table.add_column("detail", overflow="fold")
    for code in report.by_code():
        for at, finding in enumerate(grouped[code][:EXAMPLES]):
            head = (code, kind_of(code), str(len(grouped[code]))) if at == 0 else ("", "", "")
            table.add_row(*head, finding.request_id, finding.detail)
    return table


def _sources(report: AuditReport, console: Console) -> None:
    """What else was read, and what was not."""
    more = [f"{report.sealed} restricted records"] if report.sealed else []
    more += [f"{report.cases} stored cases"] if report.cases else []
    more += [f"dead letters {reason} {count}" for reason, count in sorted(report.dead_letters.items())]
    if more:
        console.print(f"  also {', '.join(more)}", highlight=False)
    if report.unread:
        console.print(f"  not read: {', '.join(report.unread)}", highlight=False)
