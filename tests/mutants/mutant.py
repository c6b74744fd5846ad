"""Edits that break a rule of ARCHITECTURE.md §2; each must fail the named test. `make mutants` tries them all.

`old` must stand exactly once in its file: tests/mutants/test_list.py says when the code has moved on.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One edit, and the test that must see it."""

    name: str
    file: str
    old: str
    new: str
    test: str
