"""What breaks readers is found, what does not is let through: committed pairs, each in both directions."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from typer.testing import CliRunner

from pelangi.cli.main import app
from pelangi.contracts.compatibility import breaks, load

PROJECT = Path(__file__).parents[2]
CONTRACTS, RELEASED = PROJECT / "contracts", PROJECT / "contracts" / "released" / "v1"
PAIRS = sorted(p.name for p in (Path(__file__).parent / "pairs").iterdir())


def read(pair: str, name: str) -> Any:
    return json.loads((Path(__file__).parent / "pairs" / pair / f"{name}.json").read_text())


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("direction", ["forward", "reversed"])
def test_pair(pair: str, direction: str) -> None:
    first, second = ("old", "new") if direction == "forward" else ("new", "old")
    assert sorted(breaks(read(pair, first), read(pair, second))) == sorted(read(pair, "expected")[direction])


@pytest.mark.parametrize("pair", PAIRS)
def test_pair_differs_and_breaks_nothing_of_itself(pair: str) -> None:
    old, new = read(pair, "old"), read(pair, "new")
    assert old != new
    assert breaks(old, old) == breaks(new, new) == []


def test_pairs_hold_both_kinds() -> None:
    expected = [read(pair, "expected")[direction] for pair in PAIRS for direction in ("forward", "reversed")]
    assert len(PAIRS) >= 20
    assert sum(not lines for lines in expected) >= 10
    assert sum(bool(lines) for lines in expected) >= 30


def test_present_contracts_break_nothing_of_the_released_ones() -> None:
    assert breaks(load(RELEASED), load(CONTRACTS)) == []


def test_every_released_file_is_looked_at() -> None:
    """Each schema, example and topic, hurt one at a time, is found."""
    old = load(RELEASED)
    for path in old:
        new = copy.deepcopy(old)
        if path.startswith("schemas/"):
            new[path]["properties"].popitem()
        elif path.startswith("examples/"):
            new[path]["headers"].popitem()
        else:
            continue
        assert breaks(old, new), path
    for topic in old["asyncapi.json"]["channels"]:
        new = copy.deepcopy(old)
        del new["asyncapi.json"]["channels"][topic]
        assert breaks(old, new) == [f"topic {topic}: removed"]


@pytest.mark.parametrize("path", [p for p in load(RELEASED) if p.startswith("schemas/")])
def test_records_of_the_released_writers_are_valid_today(path: str) -> None:
    """Old records lie on a topic for 30 days: the present schemas still describe them, and the old ones the present examples."""
    old, new, example = load(RELEASED), load(CONTRACTS), path.replace("schemas", "examples")
    Draft202012Validator(new[path], format_checker=FormatChecker()).validate(old[example]["value"])
    Draft202012Validator(old[path], format_checker=FormatChecker()).validate(new[example]["value"])


def test_an_empty_folder_agrees_with_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path)


def test_command_fails_for_a_break(tmp_path: Path) -> None:
    for path, document in load(CONTRACTS).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        if path == "asyncapi.json":
            document["channels"]["gone.v1"] = document["channels"]["item-closed.v1"]
        (tmp_path / path).write_text(json.dumps(document))
    good = CliRunner().invoke(app, ["contracts", "check", str(CONTRACTS), "--against", str(RELEASED)])
    assert good.exit_code == 0, good.output
    bad = CliRunner().invoke(app, ["contracts", "check", str(CONTRACTS), "--against", str(tmp_path)])
    assert bad.exit_code == 1
    assert "breaks topic gone.v1: removed" in bad.output
