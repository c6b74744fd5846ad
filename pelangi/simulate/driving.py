"""How long teams drive in the plan of a day, at the planner's slowest speed (services/scheduling/travel.py)."""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

Point = tuple[float, float]

EARTH_KM, DETOUR, KM_AN_HOUR, LEAST = 6371.0088, 1.35, 20.0, 5
"""Haversine times 1.35 at 20 km/h, at least 5 minutes (services/scheduling/travel.py, `by_air`)."""


def minutes(a: Point, b: Point) -> int:
    """Whole minutes from a point to another, rounded up."""
    lat_a, lat_b = math.radians(a[0]), math.radians(b[0])
    half = math.sin((lat_b - lat_a) / 2) ** 2
    half += math.cos(lat_a) * math.cos(lat_b) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    kilometres = 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))
    return max(LEAST, math.ceil(kilometres * DETOUR / KM_AN_HOUR * 60 - 1e-9))


def driven(plan: Mapping[str, Any]) -> int:
    """Minutes that all teams drive in a day's plan (`GET /v1/plans/{date}`): from the base, in order, and back."""
    base = tuple(plan["base"])
    return sum(_round(base, [tuple(v["at"]) for v in team["visits"]]) for team in plan["teams"] if team["visits"])


def _round(base: Point, stops: Iterable[Point]) -> int:
    return sum(minutes(a, b) for a, b in pairwise([base, *stops, base]))
