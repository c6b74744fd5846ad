"""Our AsyncAPI documents are valid by AsyncAPI's own JSON Schema, which comes from npm (and stays in npm's cache)."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from pelangi.contracts.asyncapi import asyncapi
from pelangi.contracts.topics import SERVICES

PACKAGE = "@asyncapi/specs@6.11.1"


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Draft7Validator:
    folder = tmp_path_factory.mktemp("asyncapi")
    npm = shutil.which("npm")
    assert npm, "npm is needed: `make tools` installs it"
    options = ("--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--silent")
    done = subprocess.run(
        [npm, "install", "--prefix", folder, *options, PACKAGE], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    version = asyncapi()["asyncapi"]
    schema = json.loads((folder / "node_modules" / "@asyncapi" / "specs" / "schemas" / f"{version}.json").read_text())
    return Draft7Validator(schema)


def problems(validator: Draft7Validator, document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)]


@pytest.mark.parametrize("service", ["", *SERVICES])
def test_document_is_valid(validator: Draft7Validator, service: str) -> None:
    assert problems(validator, asyncapi(service)) == []


def test_committed_document_is_valid(validator: Draft7Validator) -> None:
    assert problems(validator, json.loads((Path(__file__).parents[2] / "contracts" / "asyncapi.json").read_text())) == []


def test_a_wrong_setting_is_found(validator: Draft7Validator) -> None:
    """The check looks into the Kafka bindings."""
    document = asyncapi()
    document["channels"]["item-closed.v1"]["bindings"]["kafka"]["topicConfiguration"]["retention.ms"] = "30 days"
    assert problems(validator, document)
