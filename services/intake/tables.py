"""The tables of the registry's rules: one YAML file each, read once and validated by its model when the service starts."""

from importlib.resources import files
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict

T = TypeVar("T", bound="Table")


class Table(BaseModel):
    """Base: an unknown column is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def load(model: type[T], name: str) -> T:
    """`data/{name}.yaml` as its model. Raises pydantic.ValidationError where it is wrong or has a gap."""
    text = (files("services.intake") / "data" / f"{name}.yaml").read_text(encoding="utf-8")
    content: Any = yaml.safe_load(text)
    return model.model_validate(content)
