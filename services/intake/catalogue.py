"""The standard times of the services, from `data/services.yaml`."""

from datetime import date
from functools import lru_cache
from typing import Annotated, Self

from pydantic import Field, model_validator

from pelangi.chassis.calendar import add_working_days
from pelangi.contracts.codes import ServiceKind
from services.intake.tables import Table, load


class Catalogue(Table):
    """The table; every service must be in it."""

    standard_working_days: dict[ServiceKind, Annotated[int, Field(ge=1, le=60)]]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if missing := set(ServiceKind) - self.standard_working_days.keys():
            raise ValueError(f"no standard time for {sorted(missing)}")
        return self


TABLE = load(Catalogue, "services")


def due_on(received: date, services: list[ServiceKind]) -> date:
    """When the office promises to be done: the longest standard time of the services, in working days (CONTRACTS.md §3)."""
    return _after(received, max(TABLE.standard_working_days[s] for s in services))


@lru_cache(maxsize=256)
def _after(received: date, working_days: int) -> date:
    return add_working_days(received, working_days)
