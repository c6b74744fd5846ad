"""The tables of issuance: YAML files in `data/`, each validated by the model beside its use."""

from importlib.resources import files
from typing import Any

import yaml


def read_table(name: str) -> Any:
    """The table `data/{name}.yaml` as plain values."""
    return yaml.safe_load(files("services.issuance").joinpath(f"data/{name}.yaml").read_text(encoding="utf-8"))
