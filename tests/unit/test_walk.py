"""The walk names files and functions that exist, and no more than twelve."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| \d+ \| `([^`]+)` \| `([^`]+)` \|", re.MULTILINE)


def test_every_step_is_there() -> None:
    steps = ROW.findall((ROOT / "docs" / "walk.md").read_text(encoding="utf-8"))
    assert len({file for file, _ in steps}) == len(steps) == 12
    for file, function in steps:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert function in names, (file, function)
