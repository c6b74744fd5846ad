"""Minutes measured on the roads between known points, from a file; where nothing is known, the distance counts."""

import csv
import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.scheduling.travel import EARTH_KM, LEAST, Coordinates, Travel, by_air, kilometres

NEAR_KM = 0.3
"""A place counts as the known point nearest to it, if that is no farther."""
_NEAR_DEGREES = 1.001 * math.degrees(NEAR_KM / EARTH_KM)
LONGEST = 180
"""Minutes: no way in a city takes longer, and seconds are not taken for minutes."""

Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]


class BadMatrix(ValueError):
    """The file of measured minutes cannot be used; its argument says why, and in which line."""


@dataclass(frozen=True, slots=True)
class Roads:
    """points: in order of latitude. minutes: from a point to another, by their numbers; the way back is a pair of its own."""

    points: Sequence[Coordinates] = ()
    minutes: Mapping[tuple[int, int], int] = field(default_factory=dict)

    def nearest(self, place: Coordinates) -> int | None:
        """The number of the point that a place counts as: of two as near the first; None where none is near."""
        first = bisect_left(self.points, (place[0] - _NEAR_DEGREES, -math.inf))
        last = bisect_left(self.points, (place[0] + _NEAR_DEGREES, math.inf))
        near = ((kilometres(place, self.points[n]), n) for n in range(first, last))
        distance, number = min(near, default=(math.inf, 0))
        return number if distance <= NEAR_KM else None

    def between(self, places: Iterable[Coordinates]) -> "Roads":
        """Only what is measured between these places: the same answers for them, and little to hand to another process."""
        kept = sorted({n for place in places if (n := self.nearest(place)) is not None})
        pairs = ((new, old) for new in enumerate(kept) for old in enumerate(kept))
        minutes = {(i, j): self.minutes[a, b] for (i, a), (j, b) in pairs if (a, b) in self.minutes}
        return Roads([self.points[n] for n in kept], minutes)


def driving(speed: float, *, least: int = LEAST, roads: Roads) -> Travel:
    """The one function by which days, planner and validator reckon: as measured, else by air; `least` in any case."""
    air, nearest = by_air(speed, least=least), cache(roads.nearest)

    def minutes(a: Coordinates, b: Coordinates) -> int:
        start, end = nearest(a), nearest(b)
        measured = roads.minutes.get((start, end)) if start is not None and end is not None else None
        return air(a, b) if measured is None else max(least, measured)

    return minutes if roads.points else air


class _Line(BaseModel):
    """A line of the file; minutes may be fractions and are rounded up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_lat: Latitude
    from_lon: Longitude
    to_lat: Latitude
    to_lon: Longitude
    minutes: Annotated[float, Field(ge=0, le=LONGEST, allow_inf_nan=False)]


def read_roads(path: Path) -> Roads:
    """The minutes in a CSV file with the header `from_lat,from_lon,to_lat,to_lon,minutes`. Raises BadMatrix."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            measured = _measured(path.name, csv.DictReader(file, restkey="more", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeError) as error:
        raise BadMatrix(f"{path.name} cannot be read: {error}") from error
    points = sorted({point for pair in measured for point in pair})
    number = {point: at for at, point in enumerate(points)}
    # within 300 m of one point nothing is known of the way, whatever the file says of a point and itself
    return Roads(points, {(number[a], number[b]): minutes for (a, b), minutes in measured.items() if a != b})


def _measured(name: str, lines: "csv.DictReader[str]") -> dict[tuple[Coordinates, Coordinates], int]:
    measured: dict[tuple[Coordinates, Coordinates], int] = {}
    try:
        if lines.fieldnames is None or list(lines.fieldnames) != list(_Line.model_fields):
            raise BadMatrix(f"{name}, line 1: the header is not {','.join(_Line.model_fields)}")
        for fields in lines:
            line = _Line.model_validate(fields)
            pair = (line.from_lat, line.from_lon), (line.to_lat, line.to_lon)
            if pair in measured:
                raise BadMatrix(f"{name}, line {lines.line_num}: this pair has minutes already")
            measured[pair] = math.ceil(line.minutes)
    except (ValidationError, csv.Error) as error:
        raise BadMatrix(f"{name}, line {lines.line_num}: {_what(error)}") from error
    if not measured:
        raise BadMatrix(f"{name}, line 1: no pair follows")
    return measured


def _what(error: ValidationError | csv.Error) -> str:
    if isinstance(error, csv.Error):
        return str(error)
    return "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors(include_url=False))
