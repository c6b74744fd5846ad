"""Why an issued document is superseded or revoked (`data/withdrawals.yaml`; DOMAIN.md §2.4 "Correction after issuance")."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, StringConstraints

from services.issuance.tables import read_table

Outcome = Literal["SUPERSEDED", "REVOKED"]
Reason = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z_]{0,39}$")]


class Withdrawal(BaseModel):
    """One reason: what it can do to a document, and by which rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: Annotated[frozenset[Outcome], Field(min_length=1)]
    law: Annotated[str, Field(min_length=1, max_length=200)]


class Withdrawals(RootModel[dict[Reason, Withdrawal]]):
    """All reasons by their code."""

    def of(self, outcome: str) -> frozenset[str]:
        """The reasons that go with this outcome."""
        return frozenset(reason for reason, row in self.root.items() if outcome in row.to)


def load_withdrawals() -> Withdrawals:
    """The table as committed. Raises pydantic.ValidationError where it is malformed."""
    return Withdrawals.model_validate(read_table("withdrawals"))


WITHDRAWAL_REASONS = load_withdrawals()
