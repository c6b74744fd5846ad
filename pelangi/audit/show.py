"""The report for people: ids and codes only."""

from collections import defaultdict

from rich.console import Console
from rich.table import Table

from pelangi.audit.history import Finding
from pelangi.audit.options import AuditReport

EXAMPLES = 3


def show(report: AuditReport, console: Console) -> None:
    """Print one line per finding code with a few examples, and the totals."""
    totals = f"{report.requests} requests, {report.records} records, {report.mails} mails, {report.seconds:.1f} s"
    if report.ok:
        console.print(f"audit: nothing lost, doubled, differing or stranded ({totals})", highlight=False)
        return
    grouped: dict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        grouped[finding.code].append(finding)
    table = Table("finding", "count", "request", "detail", title=f"audit: {len(report.findings)} findings ({totals})")
    for code in report.by_code():
        for at, finding in enumerate(grouped[code][:EXAMPLES]):
            count = str(len(grouped[code])) if at == 0 else ""
            table.add_row(code if at == 0 else "", count, finding.request_id, finding.detail)
    console.print(table)
