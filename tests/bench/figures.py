"""What a part of the benchmark hands over."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    name: what it is, in words. value, unit: the figure ("" for a ratio). goal: such as ">= 0.80"; "" where there is none.
    met: None where there is no goal. note: what the reader must know: the two sides of the ratio, sizes, where the time goes.
    """

    name: str
    value: float
    unit: str = ""
    goal: str = ""
    met: bool | None = None
    note: str = ""


def at_least(name: str, value: float, goal: float, *, unit: str = "", note: str = "") -> Figure:
    """A figure whose goal is a lower bound."""
    return Figure(name, value, unit, f">= {goal:g}", value >= goal, note)


def at_most(name: str, value: float, goal: float, *, unit: str = "", note: str = "") -> Figure:
    """A figure whose goal is an upper bound."""
    return Figure(name, value, unit, f"<= {goal:g}", value <= goal, note)


Say = Callable[[str], None]
"""Progress for whoever waits."""
