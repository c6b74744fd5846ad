"""The life of a document as data (DOMAIN.md §5.4), and what each service yields (`data/services.yaml`)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, RootModel, model_validator

from pelangi.contracts.codes import DocumentKind, ServiceKind
from pelangi.contracts.reasons import DeferralReason, RejectionReason
from services.issuance.tables import read_table
from services.issuance.withdrawals import WITHDRAWAL_REASONS


class DocumentStatus(StrEnum):
    """Where a document stands. CANCELLED: it ended with its item before it was issued; nobody can ask for that.

    SUPERSEDED, REVOKED: it was issued and counts no more; its next edition, if it has one, is a document of its own.
    """

    OPEN = "OPEN"
    REQUIREMENTS_PENDING = "REQUIREMENTS_PENDING"
    DATA_ENTERED = "DATA_ENTERED"
    VERIFIED = "VERIFIED"
    SIGNED = "SIGNED"
    BIO_CAPTURED = "BIO_CAPTURED"
    AWAITING_CENTRE = "AWAITING_CENTRE"
    PRINT_READY = "PRINT_READY"
    PRINTED = "PRINTED"
    READY_FOR_HANDOVER = "READY_FOR_HANDOVER"
    HANDED_OVER = "HANDED_OVER"
    ON_HOLD = "ON_HOLD"
    RETURNED = "RETURNED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    SUPERSEDED = "SUPERSEDED"
    REVOKED = "REVOKED"


S = DocumentStatus

WITHDRAWALS = frozenset({S.SUPERSEDED, S.REVOKED})
"""What can become of an issued document at any time, also after it was handed over and its request closed."""

FINAL = frozenset({S.HANDED_OVER, S.REJECTED, S.CANCELLED, *WITHDRAWALS})


class Family(StrEnum):
    """How a result comes into the world."""

    A4 = "A4"
    CARD = "CARD"
    VISIT_ONLY = "VISIT_ONLY"


class FinishedBy(StrEnum):
    """What closes an item as DONE (CONTRACTS.md §3)."""

    HANDED_OVER = "HANDED_OVER"
    VISIT_DONE = "VISIT_DONE"


class InternalKind(StrEnum):
    """Documents that only vulnerable residents get: never named in a public event (CONTRACTS.md §3)."""

    SUBSTITUTE_IDENTITY_LETTER = "SUBSTITUTE_IDENTITY_LETTER"
    CIVIL_REGISTRATION_LETTER = "CIVIL_REGISTRATION_LETTER"


Steps = Mapping[DocumentStatus, frozenset[DocumentStatus]]


def _steps(**to: str) -> Steps:
    return {S(status): frozenset(S(t) for t in targets.split()) for status, targets in to.items()}


STEPS: Mapping[Family, Steps] = {
    Family.A4: _steps(
        OPEN="REQUIREMENTS_PENDING DATA_ENTERED",
        REQUIREMENTS_PENDING="DATA_ENTERED",
        DATA_ENTERED="VERIFIED RETURNED",
        VERIFIED="SIGNED RETURNED",
        SIGNED="PRINTED READY_FOR_HANDOVER",  # a signed file may be sent and printed by the resident (DOMAIN.md §2.5)
        PRINTED="READY_FOR_HANDOVER",
        READY_FOR_HANDOVER="HANDED_OVER",
        RETURNED="REQUIREMENTS_PENDING",
    ),
    Family.CARD: _steps(
        OPEN="BIO_CAPTURED",
        BIO_CAPTURED="AWAITING_CENTRE RETURNED",
        AWAITING_CENTRE="PRINT_READY RETURNED",
        PRINT_READY="PRINTED RETURNED",
        PRINTED="READY_FOR_HANDOVER",
        READY_FOR_HANDOVER="HANDED_OVER",
        RETURNED="BIO_CAPTURED",  # a refused enrolment is recorded again (DOMAIN.md §2.4)
    ),
    Family.VISIT_ONLY: {},
}
"""The way forward of each family. Holding, resuming and rejecting are the same for all: see `targets`."""

FROM_RECORD = _steps(OPEN="PRINT_READY", RETURNED="PRINT_READY")
"""The short way of a card whose holder's record exists: some services, and every next edition."""

ISSUED_BY: Mapping[Family, DocumentStatus] = {Family.A4: S.SIGNED, Family.CARD: S.PRINTED}
"""The step with which the legal document exists (DOMAIN.md §5.4); it needs a SIAK reference."""

REASONS: Mapping[DocumentStatus, frozenset[str]] = {
    S.ON_HOLD: frozenset(DeferralReason),
    S.RETURNED: frozenset(DeferralReason),
    S.REJECTED: frozenset(RejectionReason),
    **{to: WITHDRAWAL_REASONS.of(to) for to in WITHDRAWALS},
}
"""The steps that need a reason, and which."""

RECORD_AGAIN = frozenset({DeferralReason.BIOMETRIC_FAILED})
"""A card returned for one of these waits for another visit: only the person can be recorded (DOMAIN.md §5.5, second try)."""

WITHOUT_VISIT = frozenset({S.ON_HOLD, S.REJECTED})
"""What the desk may do before the requirements were collected at a visit."""


class ServiceRule(BaseModel):
    """What one service yields and what finishes its item."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: Family
    documents: list[DocumentKind | InternalKind]
    finished_by: FinishedBy
    from_record: bool = False

    @model_validator(mode="after")
    def _agree(self) -> Self:
        yields_nothing = self.family is Family.VISIT_ONLY
        if yields_nothing != (not self.documents) or yields_nothing != (self.finished_by is FinishedBy.VISIT_DONE):
            raise ValueError("a service without a document is VISIT_ONLY and finished by VISIT_DONE, and no other is")
        if self.from_record and self.family is not Family.CARD:
            raise ValueError("only a card is printed from a record")
        return self


class ServiceRules(RootModel[dict[ServiceKind, ServiceRule]]):
    """The rules of all services; a table that forgets one does not load."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if missing := sorted(set(ServiceKind) - self.root.keys()):
            raise ValueError(f"no rule for {', '.join(missing)}")
        return self


def load_rules() -> Mapping[ServiceKind, ServiceRule]:
    """The table in `data/services.yaml`. Raises pydantic.ValidationError where it is not complete or contradicts itself."""
    return ServiceRules.model_validate(read_table("services")).root


RULES = load_rules()


def is_public(kind: str) -> bool:
    """Whether public events may name documents of this kind."""
    return kind in set(DocumentKind)


def targets(
    rule: ServiceRule,
    status: DocumentStatus,
    *,
    issued: bool,
    held_from: DocumentStatus | None = None,
    recorded: bool = False,
) -> frozenset[DocumentStatus]:
    """Where a document may go from `status`.

    issued: it exists in law, so it can no longer be rejected, only withdrawn. held_from: where a document ON_HOLD came from and
    returns to. recorded: the person's record is known to exist.
    """
    if status in FINAL - {S.HANDED_OVER}:
        return frozenset()
    away = WITHDRAWALS if issued else frozenset({S.REJECTED})
    if status is S.HANDED_OVER:
        return away & WITHDRAWALS
    if status is S.ON_HOLD:
        return away | ({held_from} if held_from else frozenset())
    forward = STEPS[rule.family].get(status, frozenset())
    if rule.from_record or (recorded and rule.family is Family.CARD):
        forward |= FROM_RECORD.get(status, frozenset())
    return forward | away | {S.ON_HOLD}
