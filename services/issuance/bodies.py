"""The bodies that the desk sends: their shape, and which field belongs to which step."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pelangi.chassis.web import FieldError
from pelangi.contracts.codes import RecipientClass
from pelangi.contracts.reasons import RejectionReason
from services.issuance.case import Recipient
from services.issuance.documents import REASONS, DocumentStatus
from services.issuance.model import Move

S = DocumentStatus
Code = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,39}$")]
"""A reason is a code, never prose: prose would carry persons into places where they must not be."""

TOLD_BY_CENTRE = frozenset({S.BIO_CAPTURED, S.AWAITING_CENTRE, S.PRINT_READY})
"""The steps at which the enrolment's status can be typed in."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class HandedOverTo(_Body):
    """Who took the document: the person, or a lawful proxy."""

    recipient_class: RecipientClass
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    relation: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class DocumentTransition(_Body):
    """The next status of a document. Every status of DOMAIN.md §5.4.

    enrolment_status: what the centre's operator screen says; any code, also one that nobody here knows.
    """

    to: Literal[
        S.OPEN,
        S.REQUIREMENTS_PENDING,
        S.DATA_ENTERED,
        S.VERIFIED,
        S.SIGNED,
        S.BIO_CAPTURED,
        S.AWAITING_CENTRE,
        S.PRINT_READY,
        S.PRINTED,
        S.READY_FOR_HANDOVER,
        S.HANDED_OVER,
        S.ON_HOLD,
        S.RETURNED,
        S.REJECTED,
        S.SUPERSEDED,
        S.REVOKED,
    ]
    siak_reference: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)] | None = None
    reason: Code | None = None
    handed_over_to: HandedOverTo | None = None
    enrolment_status: Code | None = None

    def errors(self) -> list[FieldError]:
        """What this step needs and lacks, or has and cannot keep."""
        found = _reason_errors(self.reason, REASONS.get(self.to))
        if self.to is S.HANDED_OVER and self.handed_over_to is None:
            found.append(missing("handed_over_to"))
        if self.to is not S.HANDED_OVER and self.handed_over_to is not None:
            found.append(_not_here("handed_over_to"))
        if self.to not in TOLD_BY_CENTRE and self.enrolment_status is not None:
            found.append(_not_here("enrolment_status"))
        return found

    def move(self) -> Move:
        """What the model is asked to do."""
        to = self.handed_over_to
        recipient = Recipient(recipient_class=to.recipient_class.value, name=to.name, relation=to.relation) if to else None
        return Move(self.to, self.siak_reference, self.reason, recipient, self.enrolment_status)


class ItemTransition(_Body):
    """How an item ends without a document: the office rejects it, or the resident no longer wants it."""

    to: Literal["REJECTED", "WITHDRAWN"]
    reason: Code | None = None

    def errors(self) -> list[FieldError]:
        """A rejection needs one of the reasons of DOMAIN.md §5.4; of somebody who withdraws no reason is demanded."""
        return _reason_errors(self.reason, frozenset(RejectionReason)) if self.to == "REJECTED" else []


def missing(field: str) -> FieldError:
    """A field that this step needs."""
    return FieldError(f"#/{field}", "missing", "Wajib diisi untuk langkah ini. / Required for this step.")


def _not_here(field: str) -> FieldError:
    return FieldError(f"#/{field}", "not_applicable", "Tidak berlaku untuk langkah ini. / Does not belong to this step.")


def _reason_errors(reason: str | None, allowed: frozenset[str] | None) -> list[FieldError]:
    if allowed is None:
        return [] if reason is None else [_not_here("reason")]
    if reason is None:
        return [missing("reason")]
    if reason not in allowed:
        return [FieldError("#/reason", "enum", "Bukan salah satu pilihan. / Not one of the choices.")]
    return []
