"""How long a team drives, by the distance; what was measured on the roads takes its place in `roads.driving`."""

import math
from collections.abc import Callable, Mapping

Coordinates = tuple[float, float]
"""Latitude and longitude in degrees."""
Travel = Callable[[Coordinates, Coordinates], int]
"""Whole minutes from a point to another, rounded up."""

EARTH_KM = 6371.0088
DETOUR = 1.35
"""Road kilometres per kilometre as the crow flies (SCHEDULING.md §7)."""
SPEEDS: Mapping[int, float] = {7: 20.0, 8: 24.0, 11: 24.0, 12: 20.0, 13: 24.0, 15: 20.0}
"""Kilometres an hour on the city's roads from that hour of the day on: slower on the way to school, at noon, after work."""
LEAST = 5
"""Minutes to pack, park and walk, even next door."""


def kilometres(a: Coordinates, b: Coordinates) -> float:
    """As the crow flies (haversine)."""
    lat_a, lat_b = math.radians(a[0]), math.radians(b[0])
    half = math.sin((lat_b - lat_a) / 2) ** 2
    half += math.cos(lat_a) * math.cos(lat_b) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))


def slowest(opens: int, closes: int, speeds: Mapping[int, float] = SPEEDS) -> float:
    """The lowest speed between two minutes of the day: with it no plan is too tight at any hour."""
    before = [hour for hour in speeds if hour * 60 <= opens]
    hours = [*([max(before)] if before else []), *(hour for hour in speeds if opens < hour * 60 < closes)]
    return min((speeds[hour] for hour in hours), default=min(speeds.values()))


def by_air(speed: float, *, least: int = LEAST) -> Travel:
    """Travel from the distance as the crow flies, at so many kilometres an hour; `least` also where it stays at one point."""

    def minutes(a: Coordinates, b: Coordinates) -> int:
        return max(least, math.ceil(kilometres(a, b) * DETOUR / speed * 60 - 1e-9))

    return minutes
