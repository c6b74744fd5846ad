"""What each finding means, in the four words of the fault report: lost, doubled, differing, stranded."""

from collections import Counter
from collections.abc import Iterable

from pelangi.audit.history import Finding

LOST, DOUBLED, DIFFERING, STRANDED = KINDS = ("lost", "doubled", "differing", "stranded")
"""Lost: an effect that is owed is nowhere. Doubled: one cause had two effects. Stranded: it should have moved and did not.
Differing: two places, or two records, say different things, or one says what it must not."""

_NAMED: dict[str, str] = {
    LOST: (
        "area-not-refused booking-missing card-without-blank case-missing closed-missing created-missing "
        "dead-letter document-missing done-without-visit effect-missing fact-missing handover-without-issue http-missing "
        "item-not-closed item-not-handed-over key-missing mail-missing message-missing request-unlisted revision-gap "
        "snapshot-missing source-missing submission-unanswered undecryptable visit-start-missing visit-unannounced "
        "withdrawal-lost withdrawal-without-issue"
    ),
    DOUBLED: (
        "blank-twice booking-twice capacity-exceeded case-unknown closed-twice created-twice document-fact-twice "
        "document-twice item-closed-twice key-twice mail-doubled mail-of-unsent mail-unknown message-id-twice message-twice "
        "message-unexpected needs-info-served request-unknown sent-unclaimed submission-answered-twice two-visits-open "
        "visit-after-cancelling visit-cancelled-and-completed visit-completed-twice visit-twice"
    ),
    DIFFERING: (
        "answer-differs answer-unfounded blanks-differ blanks-unbalanced closed-but-open created-differs document-differs "
        "document-kind-wrong document-not-public document-of-unfinished-item effect-unfounded envelope-broken fact-ahead "
        "fact-unfounded handover-before-issue header-wrong item-differs item-unknown lease-wrong "
        "mail-id-wrong mail-personal member-differs message-audience outcome-items outcome-wrong partition-differs place-exposed "
        "reason-class-wrong replacement-wrong same-id-differs schema-broken sequence-back service-kind-wrong "
        "sixteen-digits snapshot-stale tombstone-wrong visit-differs visit-not-allowed visit-outcome-wrong "
        "wrong-area wrong-id wrong-key"
    ),
    STRANDED: (
        "booking-orphan booking-unfinished details-stale due-wrong leader-missing message-unsettled not-closed "
        "outbox-stranded pending-wrong taking-left visit-left-open visit-unspread"
    ),
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
