"""The checker: looks only at topics, HTTP and the mailbox, and finds what was lost, doubled, differs or is stranded."""

from pelangi.audit.history import AcceptedRequest, Finding
from pelangi.audit.options import AuditOptions, AuditReport
from pelangi.audit.show import show

__all__ = ["AcceptedRequest", "AuditOptions", "AuditReport", "Finding", "show"]
