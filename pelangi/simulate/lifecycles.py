"""The lives of visits and documents as a player knows them: data, so that the player needs no rules of its own.

For each status the steps that may come next, the usual one first: where a service refuses one (409) the next is tried.
"""

CARDS = frozenset({"KTP", "KIA"})

CARD_STEPS: dict[str, tuple[str, ...]] = {
    "OPEN": ("BIO_CAPTURED", "AWAITING_CENTRE", "PRINT_READY"),
    "RETURNED": ("BIO_CAPTURED",),
    "ON_HOLD": ("PRINT_READY",),
    "BIO_CAPTURED": ("AWAITING_CENTRE", "PRINT_READY"),
    "AWAITING_CENTRE": ("PRINT_READY",),
    "PRINT_READY": ("PRINTED",),
    "PRINTED": ("READY_FOR_HANDOVER", "HANDED_OVER"),
    "READY_FOR_HANDOVER": ("HANDED_OVER",),
}
A4_STEPS: dict[str, tuple[str, ...]] = {
    "OPEN": ("REQUIREMENTS_PENDING", "DATA_ENTERED"),
    "RETURNED": ("REQUIREMENTS_PENDING",),
    "REQUIREMENTS_PENDING": ("DATA_ENTERED",),
    "DATA_ENTERED": ("VERIFIED",),
    "VERIFIED": ("SIGNED",),
    "SIGNED": ("PRINTED", "READY_FOR_HANDOVER", "HANDED_OVER"),
    "PRINTED": ("READY_FOR_HANDOVER", "HANDED_OVER"),
    "READY_FOR_HANDOVER": ("HANDED_OVER",),
}
NEEDS_REFERENCE = frozenset({"SIGNED", "PRINTED"})

LAST_DOCUMENT_STATUSES = frozenset({"HANDED_OVER", "REJECTED", "CANCELLED", "WITHDRAWN", "SUPERSEDED", "REVOKED"})
LAST_VISIT_STATUSES = frozenset({"DONE", "PARTIAL", "FAILED", "CANCELLED"})

VISIT_STEPS: dict[str, str] = {"PLANNED": "depart", "CONFIRMED": "depart", "EN_ROUTE": "arrive"}


def next_steps(document_kind: str, status: str) -> tuple[str, ...]:
    """The statuses that may come next for a document, the usual one first; none at the end of its life."""
    return (CARD_STEPS if document_kind in CARDS else A4_STEPS).get(status, ())
