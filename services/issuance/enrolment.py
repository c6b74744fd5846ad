"""What the statuses of the centre's enrolment mean (`data/enrolment.yaml`); an unknown one is kept and means nothing."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import RootModel

from services.issuance.tables import read_table


class Meaning(StrEnum):
    """What the desk does about it: wait, print, record again, or have it resolved."""

    UNDER_WAY = "UNDER_WAY"
    READY = "READY"
    FAILED = "FAILED"
    BLOCKED = "BLOCKED"


class Enrolments(RootModel[dict[str, Meaning]]):
    """The known statuses."""


KNOWN: Mapping[str, Meaning] = Enrolments.model_validate(read_table("enrolment")).root
