"""What the office decides and may change: teams, points, hours; and the minutes per service. Data files with their models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from enum import StrEnum
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Annotated, Any, Self, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pelangi.chassis.store import Collection, Document
from pelangi.contracts.codes import Need, ServiceKind, VisitKind
from services.scheduling import calendar
from services.scheduling.calendar import Calendar, Opening, minute_of
from services.scheduling.roads import Roads, driving
from services.scheduling.travel import Coordinates, slowest

REFERENCE = "reference"
ENOUGH = 9999
"""Blanks a day, where nobody counts them."""


class Equipment(StrEnum):
    """What a team can take along (DOMAIN.md §2.8); blanks are counted."""

    BIO_KIT = "BIO_KIT"
    CARD_PRINTER = "CARD_PRINTER"
    KTP_BLANK = "KTP_BLANK"
    KIA_BLANK = "KIA_BLANK"
    A4_PRINTER = "A4_PRINTER"
    SCANNER = "SCANNER"
    UPLINK = "UPLINK"
    POWER = "POWER"
    BACKDROP_RED = "BACKDROP_RED"
    BACKDROP_BLUE = "BACKDROP_BLUE"
    WHEELCHAIR_ACCESS = "WHEELCHAIR_ACCESS"
    SIGN_INTERPRETER = "SIGN_INTERPRETER"


class Table(BaseModel):
    """Base: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Team(Table):
    """Who goes out, or sits at the counter.

    travel_minutes: at least so many before every visit. point_minutes: length of a visit at a point, which many requests share.
    equipment: what it takes along; none given means everything. ktp_blanks, kia_blanks: blank cards for a day; none given means
    enough.
    """

    team_id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,30}$")]
    name: Annotated[str, Field(min_length=1, max_length=100)]
    visit_kinds: Annotated[list[VisitKind], Field(min_length=1)]
    officers: Annotated[int, Field(ge=1, le=50)]
    travel_minutes: Annotated[int, Field(ge=0, le=120)]
    home_visits_per_day: Annotated[int, Field(ge=0, le=50)]
    point_minutes: Annotated[int, Field(ge=0, le=720)]
    equipment: list[Equipment] | None = None
    ktp_blanks: Annotated[int, Field(ge=0, le=ENOUGH)] | None = None
    kia_blanks: Annotated[int, Field(ge=0, le=ENOUGH)] | None = None

    @property
    def kit(self) -> frozenset[str]:
        """The equipment it takes along."""
        return frozenset(map(str, Equipment if self.equipment is None else self.equipment))

    @property
    def stock(self) -> tuple[int, int]:
        """Blank cards of each kind for a day, see `equipment.BLANKS`."""
        ktp, kia = (ENOUGH if blanks is None else blanks for blanks in (self.ktp_blanks, self.kia_blanks))
        return ktp, kia


class Base(Table):
    """Where the teams start and end their days."""

    lat: Annotated[float, Field(ge=-90, le=90)]
    lon: Annotated[float, Field(ge=-180, le=180)]


class Teams(Table):
    """base: none means the first of the points."""

    base: Base | None = None
    teams: Annotated[list[Team], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _distinct(self) -> "Teams":
        if len({t.team_id for t in self.teams}) < len(self.teams):
            raise ValueError("a team_id occurs twice")
        return self


class Point(Table):
    """A public place of the office's own list: the only kind of place that a public event may name."""

    point_id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,30}$")]
    village_code: Annotated[str, Field(pattern=r"^[0-9]{2}\.[0-9]{2}\.[0-9]{2}\.[0-9]{4}$")]
    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^0-9]*([0-9]{1,5}[^0-9]+)*[0-9]{0,5}$")]
    lat: Annotated[float, Field(ge=-90, le=90)]
    lon: Annotated[float, Field(ge=-180, le=180)]


class Points(Table):
    points: Annotated[list[Point], Field(max_length=1000)]

    def of(self, village_code: str) -> dict[str, Any] | None:
        """Name and coordinates (5 decimals) of the point of a kelurahan; None where none is listed."""
        for point in self.points:
            if point.village_code == village_code:
                return {"name": point.name, "lat": round(point.lat, 5), "lon": round(point.lon, 5)}
        return None


class Break(Table):
    """No visit may touch it. weekday: ISO, 1 = Monday."""

    weekday: Annotated[int, Field(ge=1, le=7)]
    start: time
    end: time


class Times(Table):
    """When the teams are out on a working day."""

    open: time
    close: time
    breaks: Annotated[list[Break], Field(max_length=100)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.open >= self.close or any(b.start >= b.end for b in self.breaks):
            raise ValueError("ends before it starts")
        return self

    def opening(self) -> Opening:
        """These hours in minutes of the day."""
        breaks = tuple((b.weekday, minute_of(b.start), minute_of(b.end)) for b in self.breaks)
        return Opening(minute_of(self.open), minute_of(self.close), breaks)


class Period(Times):
    """Dates on which these hours and breaks take the place of the ordinary ones: Ramadan (Perpres 21/2023 art. 4)."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    first: date
    last: date

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.first > self.last:
            raise ValueError("ends before it starts")
        return self


class Hours(Times):
    """The teams' hours; and what is otherwise than in the joint decree of the ministers (SKB 3 Menteri) that the chassis knows.

    closed_days: days off beside it. working_days: worked although it says holiday, cuti bersama or weekend. decree: by which.
    """

    closed_days: Annotated[list[date], Field(max_length=1000)]
    working_days: Annotated[list[date], Field(max_length=1000)] = []
    periods: Annotated[list[Period], Field(max_length=50)] = []
    decree: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @model_validator(mode="after")
    def _without_contradiction(self) -> Self:
        if any(one.last >= following.first for one, following in pairwise(self.periods)):
            raise ValueError("periods overlap or are not in order")
        if set(self.closed_days) & set(self.working_days):
            raise ValueError("a date is closed and worked")
        return self

    def calendar(self) -> Calendar:
        """The calendar of these hours."""
        periods = tuple(calendar.Period(p.first, p.last, p.opening()) for p in self.periods)
        return Calendar(self.opening(), periods, frozenset(self.closed_days), frozenset(self.working_days))


class ServiceMinutes(Table):
    """Minutes on site and equipment per service and person; every service must be in it.

    slow_factor: how many times as long for who has one of the slow_needs. always, for_needs: further equipment.
    """

    minutes: dict[ServiceKind, Annotated[int, Field(ge=1, le=240)]]
    slow_factor: Annotated[int, Field(ge=1, le=10)]
    slow_needs: list[Need]
    equipment: dict[ServiceKind, list[Equipment]]
    always: list[Equipment]
    for_needs: dict[Need, list[Equipment]]

    @model_validator(mode="after")
    def _complete(self) -> "ServiceMinutes":
        if missing := set(ServiceKind) - (self.minutes.keys() & self.equipment.keys()):
            raise ValueError(f"no minutes or no equipment for {sorted(missing)}")
        named = {e for taken in (*self.equipment.values(), self.always, *self.for_needs.values()) for e in taken}
        if unused := set(Equipment) - named:
            raise ValueError(f"no service needs {sorted(unused)}")
        return self


@dataclass(frozen=True, slots=True)
class Reference:
    """The tables as they stand now; and what was measured on the roads."""

    teams: Teams
    points: Points
    calendar: Calendar
    speed: float
    roads: Roads = field(default_factory=Roads)

    @property
    def base(self) -> Coordinates:
        """Where the teams start and end their days."""
        if self.teams.base:
            return self.teams.base.lat, self.teams.base.lon
        return next(((p.lat, p.lon) for p in self.points.points), (0.0, 0.0))

    def where(self, place: Mapping[str, Any]) -> Coordinates:
        """A place of a request: as given, else the office's point of its kelurahan, else the base."""
        if place.get("lat") is not None and place.get("lon") is not None:
            return place["lat"], place["lon"]
        point = self.points.of(place["village_code"])
        return (point["lat"], point["lon"]) if point else self.base

    @property
    def least_minutes(self) -> int:
        """Minutes that every team needs at least before a visit."""
        return max((team.travel_minutes for team in self.teams.teams), default=0)

    def point_minutes(self, kind: VisitKind) -> int:
        """Length of a visit at a point."""
        return max((team.point_minutes for team in self.serving(kind)), default=0)

    def travel(self, team: Team, a: Coordinates, b: Coordinates) -> int:
        """Minutes that a team needs from a point to the next visit."""
        return driving(self.speed, least=team.travel_minutes, roads=self.roads)(a, b)

    def longest_visit(self, team: Team, at: Coordinates, first: date, last: date) -> int:
        """Minutes that a team can be at a place without a break on whatever date between two, after the way there."""
        return self.calendar.longest(first, last) - self.travel(team, self.base, at)

    def serving(self, kind: VisitKind) -> list[Team]:
        """The teams that make visits of this kind, in the order of the table."""
        return [t for t in self.teams.teams if kind in t.visit_kinds]

    def team(self, team_id: str) -> Team | None:
        """The team, if it still exists."""
        return next((t for t in self.teams.teams if t.team_id == team_id), None)


TABLES: dict[str, type[Table]] = {"teams": Teams, "points": Points, "calendar": Hours}
"""The tables that can be changed over HTTP, by name."""


@cache
def service_minutes() -> ServiceMinutes:
    """The minutes per service as committed."""
    return ServiceMinutes.model_validate(_file("services"))


@cache
def defaults() -> dict[str, Document]:
    """The documents that a new deployment starts with."""
    return {
        name: {"_id": name, "version": 1, "value": model.model_validate(_file(name)).model_dump(mode="json")}
        for name, model in TABLES.items()
    }


async def seed(collection: Collection) -> None:
    """Put the tables there unless they are; what the office changed since stays."""
    known = await collection.get_many(list(TABLES))
    for name, document in defaults().items():
        if name not in known:
            await collection.insert(document)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a reference comes from: the collection of the tables, and the minutes that were read when the service started."""

    tables: Collection
    roads: Roads = field(default_factory=Roads)


async def read_reference(sources: Sources) -> Reference:
    """The tables as they stand; the committed ones where they are not stored yet."""
    return as_reference({**defaults(), **await sources.tables.get_many(list(TABLES))}, sources.roads)


def as_reference(documents: Mapping[str, Document], roads: Roads | None = None) -> Reference:
    """The tables in these documents."""
    teams, points, hours = (_table(name, documents[name]["value"]) for name in ("teams", "points", "calendar"))
    known = cast(Hours, hours).calendar()
    # one speed for all dates, as the planner has one matrix for them: the slowest, so that it is too tight on none
    speed = min(slowest(opening.open, opening.close) for opening in known.openings)
    return Reference(cast(Teams, teams), cast(Points, points), known, speed, roads or Roads())


_validated: dict[str, tuple[Any, Table]] = {}


def _table(name: str, value: Any) -> Table:
    """The table of a value; the one before where that is the same: they are read in every round and seldom changed."""
    known = _validated.get(name)
    if known is None or known[0] != value:
        known = _validated[name] = value, TABLES[name].model_validate(value)
    return known[1]


def _file(name: str) -> Any:
    return yaml.safe_load((files(__package__) / "data" / f"{name}.yaml").read_text(encoding="utf-8"))


service_minutes()  # a gap in the table stops the start, not the first visit
