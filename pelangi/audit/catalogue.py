"""What finishes an item, per service, written down a second time on purpose: a checker must not read the code it checks."""

from pelangi.contracts.codes import ClosingOutcome, DocumentKind, RequestStatus, ServiceKind

_ANY_RECORD = frozenset(
    {
        DocumentKind.BIODATA,
        DocumentKind.KK,
        DocumentKind.BIRTH_CERT,
        DocumentKind.DEATH_CERT,
        DocumentKind.MARRIAGE_CERT,
        DocumentKind.DIVORCE_CERT,
    }
)

DOCUMENTS: dict[ServiceKind, frozenset[DocumentKind]] = {
    ServiceKind.BIODATA_REGISTRATION: frozenset({DocumentKind.BIODATA}),
    ServiceKind.KK_NEW: frozenset({DocumentKind.KK}),
    ServiceKind.KK_CHANGE: frozenset({DocumentKind.KK}),
    ServiceKind.KK_REISSUE: frozenset({DocumentKind.KK}),
    ServiceKind.KTP_NEW: frozenset({DocumentKind.KTP}),
    ServiceKind.KTP_REISSUE: frozenset({DocumentKind.KTP}),
    ServiceKind.KIA: frozenset({DocumentKind.KIA}),
    ServiceKind.BIRTH_CERT: frozenset({DocumentKind.BIRTH_CERT}),
    ServiceKind.DEATH_CERT: frozenset({DocumentKind.DEATH_CERT}),
    ServiceKind.MARRIAGE_CERT: frozenset({DocumentKind.MARRIAGE_CERT}),
    ServiceKind.DIVORCE_CERT: frozenset({DocumentKind.DIVORCE_CERT}),
    ServiceKind.MOVE_OUT: frozenset({DocumentKind.MOVE_OUT_LETTER}),
    ServiceKind.MOVE_IN: frozenset({DocumentKind.KK}),
    ServiceKind.MOVE_WITHIN: frozenset({DocumentKind.KK}),
    ServiceKind.DATA_CORRECTION: _ANY_RECORD,
}
"""Services finished by handing over a public document, and which kinds that may be (DOMAIN.md §2.2)."""

VISIT_DONE = frozenset(
    {ServiceKind.KTP_RECORDING, ServiceKind.IKD_ACTIVATION, ServiceKind.CONSULTATION, ServiceKind.DATA_CONSOLIDATION}
)
"""Services finished by the visit itself (CONTRACTS.md §3)."""

CARDS = frozenset({DocumentKind.KTP, DocumentKind.KIA})
"""Issued when printed; every other document when signed."""

ISSUED_STATUSES = frozenset({"SIGNED", "PRINTED", "READY_FOR_HANDOVER", "HANDED_OVER"})
"""Statuses that come only after a document was issued (SIGNED does not occur in the life of a card)."""

NOT_YET_ISSUED = frozenset(
    {"OPEN", "REQUIREMENTS_PENDING", "DATA_ENTERED", "VERIFIED", "BIO_CAPTURED", "AWAITING_CENTRE", "PRINT_READY"}
)
"""Statuses of a document that does not exist in law yet."""

OUTCOMES: dict[str, frozenset[ClosingOutcome]] = {
    RequestStatus.COMPLETED: frozenset({ClosingOutcome.COMPLETED}),
    RequestStatus.PARTIAL: frozenset({ClosingOutcome.PARTIAL}),
    RequestStatus.WITHDRAWN: frozenset({ClosingOutcome.WITHDRAWN}),
    RequestStatus.DUPLICATE: frozenset({ClosingOutcome.DUPLICATE}),
    RequestStatus.OUT_OF_AREA: frozenset({ClosingOutcome.OUT_OF_AREA}),
    RequestStatus.DECEASED: frozenset({ClosingOutcome.OTHER}),
    RequestStatus.CLOSED_NO_CONTACT: frozenset({ClosingOutcome.OTHER}),
    # a rejection for a personal reason shows as OTHER
    RequestStatus.REJECTED: frozenset({ClosingOutcome.REJECTED, ClosingOutcome.OTHER}),
}
"""The public outcomes that a closed request's status allows."""

BY_ITEMS = frozenset({RequestStatus.COMPLETED, RequestStatus.PARTIAL, RequestStatus.REJECTED})
"""Closed because its items were; every other closing ends the open items without an item-closed."""
