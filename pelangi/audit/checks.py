"""All checks over the evidence. Pure: a history in, findings out."""

from pelangi.audit.check_end import check_end
from pelangi.audit.check_items import check_items
from pelangi.audit.check_messages import check_mails, check_messages
from pelangi.audit.check_records import check_records
from pelangi.audit.check_visits import check_visits
from pelangi.audit.history import Finding, History

CODES = frozenset(
    {
        "area-not-refused",
        "closed-but-open",
        "closed-missing",
        "closed-twice",
        "created-differs",
        "created-missing",
        "created-twice",
        "details-stale",
        "document-differs",
        "document-fact-twice",
        "document-kind-wrong",
        "document-missing",
        "document-not-public",
        "document-of-unfinished-item",
        "document-twice",
        "done-without-visit",
        "envelope-broken",
        "handover-before-issue",
        "handover-without-issue",
        "header-wrong",
        "http-missing",
        "item-closed-twice",
        "item-differs",
        "item-not-closed",
        "item-not-handed-over",
        "item-unknown",
        "mail-doubled",
        "mail-id-wrong",
        "mail-missing",
        "mail-of-unsent",
        "mail-personal",
        "mail-unknown",
        "message-audience",
        "message-missing",
        "message-twice",
        "message-unexpected",
        "message-unsettled",
        "needs-info-served",
        "not-closed",
        "outcome-items",
        "outcome-wrong",
        "partition-differs",
        "place-exposed",
        "reason-class-wrong",
        "replacement-wrong",
        "request-unknown",
        "revision-gap",
        "same-id-differs",
        "schema-broken",
        "sequence-back",
        "service-kind-wrong",
        "sixteen-digits",
        "source-missing",
        "two-visits-open",
        "visit-after-cancelling",
        "visit-cancelled-and-completed",
        "visit-completed-twice",
        "visit-differs",
        "visit-left-open",
        "visit-not-allowed",
        "visit-outcome-wrong",
        "visit-start-missing",
        "visit-unannounced",
        "withdrawal-lost",
        "withdrawal-without-issue",
        "wrong-area",
        "wrong-id",
        "wrong-key",
    }
)
"""Every finding code; a test breaks a healthy history once for each."""


def check(history: History) -> list[Finding]:
    """All findings, none of them twice, in the order of requests."""
    findings = [Finding("source-missing", "", source) for source in history.missing]
    findings += [Finding("request-unknown", request_id, "has events") for request_id in sorted(history.strangers)]
    for request in history:
        for one in (check_records, check_end, check_visits, check_items, check_messages):
            findings += one(request)
    findings += check_mails(history)
    return list(dict.fromkeys(findings))
