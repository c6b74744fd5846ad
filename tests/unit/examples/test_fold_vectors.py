"""Both example subscribers reach the state written down in `examples/vectors`, from any order and any repetition."""

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pelangi.contracts.topics import TOPICS

PROJECT = Path(__file__).parents[3]
VECTORS = PROJECT / "examples" / "vectors"
FILES = sorted(path.name for path in VECTORS.glob("*.json"))
ENUMS = {  # what the fold knows: the type and the field that carry it
    "schedule": ("visit-scheduled.v1", "status"),
    "visit": ("visit-completed.v1", "outcome"),
    "item": ("item-closed.v1", "outcome"),
    "closing": ("request-closed.v1", "outcome"),
    "document": ("document-issued.v1", "document_kind"),
}


def load_fold() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_fold", PROJECT / "examples" / "subscriber_python" / "fold.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FOLD = load_fold()


def read(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def schema(type_: str) -> Any:
    return json.loads((PROJECT / "contracts" / "schemas" / f"{type_}.json").read_text())


@pytest.fixture(scope="module")
def in_node() -> Any:
    node = shutil.which("node") or shutil.which("nodejs")
    assert node, "Node.js is needed: `make tools` installs it"
    runner, fold = Path(__file__).with_name("fold_vectors.mjs"), PROJECT / "examples" / "subscriber_node" / "fold.mjs"
    done = subprocess.run([node, runner, fold, VECTORS], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", FILES)
def test_python_reaches_the_state_from_every_order(name: str) -> None:
    vector = read(name)
    for order in vector["orders"]:
        state: dict[str, Any] = {}
        for index in order:
            record = vector["records"][index]
            arguments = (record["topic"], record["sequence"], record["value"])
            state[record["key"]] = known = FOLD.apply(state.get(record["key"], {}), *arguments)
            assert FOLD.apply(known, *arguments) is known
        assert {key: FOLD.view(known) for key, known in state.items()} == vector["expected"], order


@pytest.mark.parametrize("name", FILES)
def test_node_reaches_the_state_from_every_order(name: str, in_node: Any) -> None:
    vector, views = read(name), in_node["result"][name]
    assert len(views) == len(vector["orders"])
    for order, seen in zip(vector["orders"], views, strict=True):
        assert seen == vector["expected"], order


@pytest.mark.parametrize("name", FILES)
def test_orders_hold_every_record_and_some_twice(name: str) -> None:
    vector = read(name)
    every = set(range(len(vector["records"])))
    assert len(vector["orders"]) >= 10
    assert all(set(order) == every for order in vector["orders"])
    assert any(len(order) > len(every) for order in vector["orders"])
    assert any(order != sorted(order) for order in vector["orders"])


@pytest.mark.parametrize("name", [name for name in FILES if "later-version" not in name])
def test_records_are_events_as_published(name: str) -> None:
    for record in read(name)["records"]:
        Draft202012Validator(schema(record["topic"])).validate(record["value"])
        assert record["key"] == record["value"]["request_id"]


def test_vectors_hold_every_public_type() -> None:
    seen = {record["topic"] for name in FILES for record in read(name)["records"]}
    assert seen >= {topic.name for topic in TOPICS if topic.public}
    assert len(FILES) >= 10


def test_both_examples_know_what_is_published(in_node: Any) -> None:
    assert {t.name: t.aggregate for t in TOPICS if t.public} == FOLD.AGGREGATE == in_node["AGGREGATE"]
    assert {name: sorted(values) for name, values in in_node["KNOWN"].items()} == {
        name: sorted(values) for name, values in FOLD.KNOWN.items()
    }
    for name, (type_, field) in ENUMS.items():
        published = schema(type_)
        enum = published["$defs"][published["properties"][field]["$ref"].rsplit("/", 1)[-1]]["enum"]
        assert FOLD.KNOWN[name] == set(enum), name
