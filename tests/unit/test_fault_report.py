"""The page of the faults says no more than was tried, and the command fails where anything is missing."""

import json
from pathlib import Path

import pytest

from tests.faults import __main__ as command
from tests.faults.report import RANDOM, Result, at_random, keep, read, render, shortfalls

ENOUGH = [Result(f"{RANDOM}, many requests", 150, 30_000, seed=1), Result(f"{RANDOM}, whole lives", 50, 20_000, seed=2)]


def test_nothing_is_short_of_two_hundred_random_kills_and_fifty_thousand_requests_without_a_finding() -> None:
    assert shortfalls(ENOUGH) == []


@pytest.mark.parametrize(
    ("one_more", "missing"),
    [
        (Result("poison", 1, 1, lost=2), "2 lost"),
        (Result("poison", 1, 1, doubled=1), "1 doubled"),
        (Result("poison", 1, 1, differing=1), "1 differing"),
        (Result("poison", 1, 1, stranded=3), "3 stranded"),
    ],
)
def test_a_finding_of_any_class_is_said(one_more: Result, missing: str) -> None:
    assert shortfalls([*ENOUGH, one_more]) == [missing]
    assert missing in render([*ENOUGH, one_more])


def test_other_classes_help_the_count_of_requests_only() -> None:
    others = [Result("poison", 500, 20_000)]
    assert at_random(others) == []
    assert shortfalls([*ENOUGH[:1], *others]) == ["150 random kills of 200"]
    assert len(shortfalls(ENOUGH[:1])) == 2


def test_the_page_has_sums_seeds_metrics_and_where_it_was_tried() -> None:
    page = render([*ENOUGH, Result("full disk", 1, 4, metrics={"pelangi_ready": -1})], {"commit": "abc"})
    assert "* commit: abc" in page
    said = "**200 processes killed at random (over 50000 requests) and 1 other faults, over 50004 requests in all: 0 lost, "
    assert f"{said}0 doubled, 0 differing, 0 stranded.**" in page
    assert f"| {RANDOM}, many requests | 150 | 30000 | 0 | 0 | 0 | 0 | 1 |" in page
    assert "| **all** | **201** | **50004** | **0** | **0** | **0** | **0** | |" in page
    assert "| full disk | `pelangi_ready` | -1 |" in page
    assert "Not proven" not in page
    assert "Not proven: 150 random kills of 200, 30000 requests of 50000" in render(ENOUGH[:1])


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(command, "KEPT", tmp_path / "faults")
    (tmp_path / "faults").mkdir()
    return tmp_path / "faults"


def kept(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, results: list[Result], *, passed: bool = True) -> None:
    monkeypatch.setenv("PELANGI_FAULTS_OUT", str(folder / f"{name}.jsonl"))
    for result in results:
        keep(result)
    assert read(folder / f"{name}.jsonl")[-len(results) :] == results
    facts = {"passed": passed, "seconds": 60, "at": "2026-11-25T00:00:00+00:00", "commit": "abc", "machine": {"processors": 2}}
    (folder / f"{name}.json").write_text(json.dumps(facts))


def test_the_command_renders_what_was_kept_and_fails_while_anything_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    monkeypatch.setattr(command, "PAGE", page)
    monkeypatch.setattr(command, "PROJECT", tmp_path)
    kept(folder, monkeypatch, "random_kills", ENOUGH[:1])
    assert command.main([], only_render=True) == 1
    kept(folder, monkeypatch, "random_kills", ENOUGH[1:])
    assert command.main([], only_render=True) == 0
    kept(folder, monkeypatch, "cluster", [Result("three brokers", 2, 10, lost=1)], passed=False)
    assert command.main([], only_render=True) == 1
    assert command.main(["random_kills"], only_render=True) == 0
    assert command.main(["cluster"], only_render=True) == 1
    assert "* failed: cluster" in page.read_text()
    assert "* not tried: " in page.read_text()


def test_every_module_of_the_folder_is_a_class_and_random_kills_come_last() -> None:
    names = list(command.classes())
    assert names[-1] == "random_kills"
    assert {"cluster", "everyday", "relay_fencing", "consumer_crashes"} <= set(names)
    assert all(path.exists() for path in command.classes().values())
