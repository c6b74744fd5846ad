"""All checks over the evidence. Pure: a history in, findings out."""

from collections.abc import Iterator, Mapping

from pelangi.audit.check_cases import check_case, check_outboxes, check_owners
from pelangi.audit.check_days import check_days
from pelangi.audit.check_end import check_end
from pelangi.audit.check_items import check_items
from pelangi.audit.check_ledgers import check_ledgers, check_letters
from pelangi.audit.check_messages import check_mails, check_messages
from pelangi.audit.check_records import check_records
from pelangi.audit.check_sealed import check_sealed
from pelangi.audit.check_visits import check_visits
from pelangi.audit.history import Finding, History, RequestHistory
from pelangi.audit.kinds import CODES_OF

CODES = frozenset(code for codes in CODES_OF.values() for code in codes)
"""Every finding code; a test breaks a healthy history once for each."""

_OF_REQUEST = (check_records, check_sealed, check_end, check_visits, check_items, check_messages, check_case)
_OF_ALL = (check_mails, check_outboxes, check_owners, check_days, check_ledgers, check_letters)


def check(history: History) -> list[Finding]:
    """All findings, none of them twice, in the order of requests."""
    return Checker().check(history)


class Checker:
    """Checks a history again and again: a request whose evidence is the same object as before is not checked again."""

    def __init__(self) -> None:
        self._known: Mapping[str, tuple[RequestHistory, tuple[Finding, ...]]] = {}

    def check(self, history: History) -> list[Finding]:
        """All findings, none of them twice, in the order of requests."""
        findings = [Finding("source-missing", "", source) for source in history.missing]
        findings += [Finding("request-unknown", request_id, "has events") for request_id in sorted(history.strangers)]
        self._known = {request.request_id: (request, self._of_request(request)) for request in history}
        findings += [finding for _, found in self._known.values() for finding in found]
        findings += [finding for one in _OF_ALL for finding in one(history)]
        return list(dict.fromkeys(findings))

    def _of_request(self, request: RequestHistory) -> tuple[Finding, ...]:
        known = self._known.get(request.request_id)
        if known is not None and known[0] is request:
            return known[1]
        found = tuple(_all_of(request))
        request.let_go()
        return found


def _all_of(request: RequestHistory) -> Iterator[Finding]:
    for one in _OF_REQUEST:
        yield from one(request)
