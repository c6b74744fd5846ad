"""The standard times of the services, from `data/services.yaml`."""

from datetime import date
from functools import cache
from importlib.resources import files
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pelangi.chassis.calendar import add_working_days
from pelangi.contracts.codes import ServiceKind


class Catalogue(BaseModel):
    """The table; every service must be in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    standard_working_days: dict[ServiceKind, Annotated[int, Field(ge=1, le=60)]]

    @model_validator(mode="after")
    def _complete(self) -> "Catalogue":
        if missing := set(ServiceKind) - self.standard_working_days.keys():
            raise ValueError(f"no standard time for {sorted(missing)}")
        return self


@cache
def catalogue() -> Catalogue:
    """The table as committed."""
    return Catalogue.model_validate(yaml.safe_load((files(__package__) / "data" / "services.yaml").read_text(encoding="utf-8")))


def due_on(received: date, services: list[ServiceKind]) -> date:
    """When the office promises to be done: the longest standard time of the services, in working days (CONTRACTS.md §3)."""
    days = catalogue().standard_working_days
    return add_working_days(received, max(days[s] for s in services))
