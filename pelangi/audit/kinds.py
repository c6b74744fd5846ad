"""What each finding means, in the four words of the fault report: lost, doubled, differing, stranded."""

from collections import Counter
from collections.abc import Iterable

from pelangi.audit.history import Finding

LOST, DOUBLED, DIFFERING, STRANDED = KINDS = ("lost", "doubled", "differing", "stranded")
"""Lost: an effect that is owed is nowhere. Doubled: one cause had two effects. Stranded: it should have moved and did not.
Differing: two places, or two records, say different things, or one says what it must not."""

_NAMED: dict[str, str] = {
    LOST: (
        "area-not-refused closed-missing created-missing document-missing done-without-visit handover-without-issue "
        "http-missing item-not-closed item-not-handed-over mail-missing message-missing source-missing "
        "revision-gap visit-start-missing visit-unannounced withdrawal-lost withdrawal-without-issue"
    ),
    DOUBLED: (
        "closed-twice created-twice document-fact-twice document-twice item-closed-twice mail-doubled mail-of-unsent "
        "mail-unknown message-twice message-unexpected request-unknown two-visits-open visit-after-cancelling "
        "visit-cancelled-and-completed visit-completed-twice needs-info-served"
    ),
    DIFFERING: (
        "closed-but-open created-differs document-differs document-kind-wrong document-not-public "
        "document-of-unfinished-item envelope-broken handover-before-issue header-wrong item-differs item-unknown "
        "mail-id-wrong mail-personal message-audience outcome-items outcome-wrong partition-differs place-exposed "
        "reason-class-wrong replacement-wrong same-id-differs schema-broken sequence-back service-kind-wrong "
        "sixteen-digits visit-differs visit-not-allowed visit-outcome-wrong wrong-area wrong-id wrong-key"
    ),
    STRANDED: "details-stale message-unsettled not-closed visit-left-open",
}
CODES_OF: dict[str, tuple[str, ...]] = {kind: tuple(codes.split()) for kind, codes in _NAMED.items()}
_OF_CODE = {code: kind for kind, codes in CODES_OF.items() for code in codes}


def kind_of(code: str) -> str:
    """The kind of a finding code. Raises KeyError for one that is in no list."""
    return _OF_CODE[code]


def by_kind(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings of each kind; every kind is named."""
    counts = Counter(kind_of(finding.code) for finding in findings)
    return {kind: counts[kind] for kind in KINDS}
