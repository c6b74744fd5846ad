"""A day's plan as one SVG: routes on a map, hours by team, who has no date. Pure.

It names nobody: no request, name or address is in it, and where people live is moved to a grid.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from html import escape
from textwrap import shorten, wrap
from typing import Any, NamedTuple

from pelangi.chassis.clock import JAKARTA
from pelangi.contracts.codes import VisitKind, VisitStatus
from pelangi.contracts.public import PUBLIC_PLACE_KINDS

Xy = tuple[float, float]

MARGIN, HEAD, SIDE, GAP = 24, 84, 440, 32
ROW, BAR, MINUTE = 56, 30, 1.7
"""Pixels: of a team, of its bars, of a minute: a number fits in the shortest visit, however long the day is."""
OPENS, CLOSES = 8 * 60, 15 * 60
GRID = 0.00225
"""Degrees, about 250 m: a dot at scale would be as good as an address."""
CLEAR = 24
"""Pixels between two numbers on the map."""
GOLDEN, LIGHTNESS = 137.508, (34, 26)
"""Degrees between the hues of neighbours, so that any number of them stays apart; dark enough for thin lines (3:1)."""
TEXTS_SHOWN = 5


class Look(NamedTuple):
    """How a status is drawn: strength of the team's colour, and a sign, since a shade alone says nothing to many."""

    words: str
    strength: float
    sign: str = ""


LOOKS: Mapping[str, Look] = {
    VisitStatus.PLANNED: Look("direncanakan / planned", 0),
    VisitStatus.EN_ROUTE: Look("di jalan / on the way", 0.12, "M-4,0h8M1,-3l3,3l-3,3"),
    VisitStatus.ON_SITE: Look("di tempat / on site", 0.25, "M-3,0a3,3 0 1,0 6,0a3,3 0 1,0 -6,0"),
    VisitStatus.DONE: Look("selesai / done", 0.5, "M-4,0l3,3l5,-6"),
    VisitStatus.PARTIAL: Look("sebagian / in part", 0.37, "M-4,0h8"),
    VisitStatus.FAILED: Look("gagal / failed", 0.06, "M-3,-3l6,6M3,-3l-6,6"),
}
OTHER_LOOK = Look("lain / other", 0, "M-3,0h1M0,0h1M3,0h1")

ROUND = "M-11,0a11,11 0 1,0 22,0a11,11 0 1,0 -22,0z"
SHAPES: Mapping[str, tuple[str, str]] = {
    VisitKind.HOME: ("rumah / home", ROUND),
    VisitKind.INSTITUTION: ("lembaga / institution", "M-10,-10h20v20h-20z"),
    VisitKind.COMMUNITY_POINT: ("titik layanan / community point", "M0,-14l14,14l-14,14l-14,-14z"),
    VisitKind.DISASTER_POST: ("posko bencana / disaster post", "M0,-16l14,24h-28z"),
    VisitKind.OFFICE_APPOINTMENT: ("di kantor / at the office", "M-6,-11h12l6,11l-6,11h-12l-6,-11z"),
}
REASONS: Mapping[str, str] = {
    "WAITING": "menunggu tempat / waiting for room",
    "REVIEW": "perlu dilihat petugas dahulu / an officer must look first",
    "NOT_BEFORE": "belum waktunya / not before a later date",
}


class Stop(NamedTuple):
    """A visit; minutes of the day, at in kilometres east and north."""

    label: str
    kind: str
    status: str
    start: int
    end: int
    travel: int
    village: str
    at: Xy | None

    @property
    def words(self) -> str:
        return f"{self.label} {_clock(self.start)}-{_clock(self.end)} {self.kind} {self.status} {self.village}".strip()


class Team(NamedTuple):
    """A team with its letter and colour, and its stops in the order of their hours."""

    letter: str
    name: str
    paint: str
    stops: Sequence[Stop]


def colour(number: int) -> str:
    """The colour of a team."""
    return f"hsl({number * GOLDEN % 360:.0f},70%,{LIGHTNESS[number % len(LIGHTNESS)]}%)"


def draw(plan: Mapping[str, Any]) -> str:
    """The text of an SVG file from what `GET /v1/plans/{date}` answers."""
    teams = [_team(number, team, date.fromisoformat(plan["date"])) for number, team in enumerate(plan["teams"])]
    opens, closes = _hours(teams)
    left = MARGIN + SIDE + GAP
    map_, map_height = _map(teams, _kilometres(plan.get("base")))
    below = HEAD + max(map_height, 30 + ROW * len(teams)) + 30
    width = left + (closes - opens) * MINUTE + MARGIN
    foot, foot_height = _foot(plan, width - 2 * MARGIN)
    title, height = f"Rencana kunjungan {plan['date']} / Plan of visits", below + foot_height + MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" lang="id"'
        ' aria-labelledby="plan-title plan-desc" font-family="sans-serif" font-size="12" fill="#111">',
        f'<title id="plan-title">{_safe(title)}</title>',
        f'<desc id="plan-desc">{_safe(_told(plan, teams))}</desc>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>',
        _text((MARGIN, 34), title, 'font-size="20" font-weight="bold"'),
        *(_text((MARGIN, 54 + 17 * number), line) for number, line in enumerate(_counts(plan))),
        *_placed((MARGIN, HEAD), "map", map_),
        *_placed((left, HEAD), "hours", _gantt(teams, opens, closes)),
        *_placed((MARGIN, below), "legend", foot),
    ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _team(number: int, team: Mapping[str, Any], on: date) -> Team:
    letter = _letter(number)
    visits = sorted(team["visits"], key=lambda v: datetime.fromisoformat(v["window"]["start"]))
    stops = [_stop(f"{letter}{at}", visit, on) for at, visit in enumerate(visits, 1)]
    return Team(letter, shorten(str(team["team_id"]), 40, placeholder="…"), colour(number), stops)


def _letter(number: int) -> str:
    return (_letter(number // 26 - 1) if number >= 26 else "") + chr(ord("A") + number % 26)


def _stop(label: str, visit: Mapping[str, Any], on: date) -> Stop:
    kind, status = str(visit["visit_kind"]), str(visit["status"])
    at = None if kind == VisitKind.OFFICE_APPOINTMENT else _kilometres(visit.get("at"), exact=kind in PUBLIC_PLACE_KINDS)
    start, end = (_minute(visit["window"][edge], on) for edge in ("start", "end"))
    return Stop(label, kind, status, start, max(start, end), visit["travel_minutes"], str(visit.get("village_code") or ""), at)


def _minute(moment: str, on: date) -> int:
    midnight = datetime.combine(on, time(), JAKARTA)
    return min(24 * 60, max(0, int((datetime.fromisoformat(moment) - midnight).total_seconds() // 60)))


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _kilometres(at: Sequence[float] | None, *, exact: bool = True) -> Xy | None:
    """On a plane that is true enough near the equator."""
    if not at or None in at:
        return None
    lat, lon = at if exact else (round(degrees / GRID) * GRID for degrees in at)
    return lon * 111.32, lat * 110.57


def _counts(plan: Mapping[str, Any]) -> Iterator[str]:
    visits = [visit for team in plan["teams"] for visit in team["visits"]]
    requests, items = (sum(visit[what] for visit in visits) for what in ("requests", "items"))
    teams, without = len(plan["teams"]), len(plan["not_placed"])
    day = "" if plan["working_day"] else "Hari libur. "
    day_en = "" if plan["working_day"] else "Not a working day. "
    yield f"{day}{teams} tim, {len(visits)} kunjungan, {requests} permohonan, {items} layanan; {without} belum mendapat tanggal"
    yield f"{day_en}{teams} teams, {len(visits)} visits, {requests} requests, {items} services; {without} not placed"


def _told(plan: Mapping[str, Any], teams: Iterable[Team]) -> str:
    """All of the picture in words, for those who do not see it."""
    rows = (f"{team.letter} {team.name}: {'; '.join(stop.words for stop in team.stops) or '-'}." for team in teams)
    return " ".join([*(f"{line}." for line in _counts(plan)), *rows, *(f"{words}." for _, words in _not_placed(plan))])


def _map(teams: Sequence[Team], base: Xy | None) -> tuple[list[str], int]:
    """The map, and how high it is with what stands below it."""
    shown = [(team, stop, stop.at) for team in teams for stop in team.stops if stop.at]
    points = [at for _, _, at in shown] + ([base] if base else [])
    place, kilometre = _scale(points)
    drawn = [f'<rect width="{SIDE}" height="{SIDE}" fill="#f7f7f5" stroke="#999"/>']
    for team in teams:
        route = [place(stop.at) for stop in team.stops if stop.at]
        ends = [place(base)] if base and route else []
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (*ends, *route, *ends))
        drawn += [f'<polyline fill="none" stroke="{team.paint}" stroke-width="1.5" points="{path}"/>'] if route else []
    taken = [place(base)] if base else []
    drawn += [f'<circle class="base" cx="{x:.1f}" cy="{y:.1f}" r="6" fill="#000"/>' for x, y in taken]
    spots = _apart([place(at) for _, _, at in shown], taken)
    drawn += [_leader(team, place(at), spot) for (team, _, at), spot in zip(shown, spots, strict=True) if place(at) != spot]
    drawn += [_number(team, stop, spot) for (team, stop, _), spot in zip(shown, spots, strict=True)]
    y, notes = SIDE + 16, list(_notes(teams))
    drawn.append(f'<path class="scale" d="M0,{y - 4}v4h{kilometre:.1f}v-4" fill="none" stroke="#111"/>')
    drawn.append(_text((kilometre + 8, y + 2), "1 km"))
    drawn += [_text((0, y + 20 + 16 * number), line) for number, line in enumerate(notes)]
    return drawn, y + 20 + 16 * len(notes)


def _scale(points: Sequence[Xy]) -> tuple[Any, float]:
    """Where a point is drawn, and the pixels of a kilometre."""
    east, north = [p[0] for p in points] or [0], [p[1] for p in points] or [0]
    factor = (SIDE - 60) / max(max(east) - min(east), max(north) - min(north), 2)
    middle = (min(east) + max(east)) / 2, (min(north) + max(north)) / 2

    def place(point: Xy) -> Xy:
        return SIDE / 2 + (point[0] - middle[0]) * factor, SIDE / 2 - (point[1] - middle[1]) * factor

    return place, factor


def _apart(places: Iterable[Xy], taken: Sequence[Xy]) -> list[Xy]:
    """Near each place a spot that no other number covers; the place itself where there is none."""
    spots = list(taken)
    for place in places:
        free = (s for s in _around(place) if all(math.dist(s, other) >= CLEAR for other in spots))
        spots.append(next(free, place))
    return spots[len(taken) :]


def _around(place: Xy) -> Iterator[Xy]:
    yield place
    for ring in range(1, 16):
        for step in range(8 * ring):
            angle = math.tau * step / (8 * ring)
            x, y = place[0] + ring * CLEAR / 2 * math.cos(angle), place[1] + ring * CLEAR / 2 * math.sin(angle)
            if min(x, y) >= CLEAR / 2 and max(x, y) <= SIDE - CLEAR / 2:
                yield x, y


def _leader(team: Team, place: Xy, spot: Xy) -> str:
    (x, y), (to_x, to_y) = place, spot
    line = f'<path d="M{x:.1f},{y:.1f}L{to_x:.1f},{to_y:.1f}" stroke="{team.paint}" stroke-dasharray="2 2"/>'
    return f'{line}<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{team.paint}"/>'


def _number(team: Team, stop: Stop, spot: Xy) -> str:
    return (
        f'<g class="stop" transform="translate({spot[0]:.1f},{spot[1]:.1f})"><title>{_safe(stop.words)}</title>'
        f'<path d="{_shape(stop.kind)}" fill="#fff" stroke="{team.paint}" stroke-width="2"/>'
        f"{_text((0, 3.5), stop.label, _BOLD)}</g>"
    )


_BOLD = 'font-size="10" font-weight="bold" text-anchor="middle"'


def _shape(kind: str) -> str:
    return SHAPES.get(kind, ("", ROUND))[1]


def _notes(teams: Sequence[Team]) -> Iterator[str]:
    """How to read the map, what it does not show, and what it shows only nearly."""
    yield "Utara di atas / North up. Titik hitam / Black dot: pangkalan / base"
    stops = [stop for team in teams for stop in team.stops]
    office = [stop.label for stop in stops if stop.kind == VisitKind.OFFICE_APPOINTMENT]
    lost = [stop.label for stop in stops if not stop.at and stop.kind != VisitKind.OFFICE_APPOINTMENT]
    for words, labels in (("Di kantor / At the office", office), ("Tanpa titik / Without coordinates", lost)):
        if labels:
            yield from wrap(f"{words}: {', '.join(labels)}", 70)
    if any(stop.at and stop.kind not in PUBLIC_PLACE_KINDS for stop in stops):
        yield "Rumah dan lembaga: digeser ke kisi 250 m / moved to a grid of 250 m"


def _hours(teams: Sequence[Team]) -> tuple[int, int]:
    """Whole hours that hold every visit and the way to it."""
    stops = [stop for team in teams for stop in team.stops]
    first = min([OPENS, *(stop.start - stop.travel for stop in stops)])
    last = max([CLOSES, *(stop.end for stop in stops)])
    return max(0, first // 60 * 60), -(-last // 60) * 60


def _gantt(teams: Sequence[Team], opens: int, closes: int) -> Iterator[str]:
    bottom = 24 + ROW * len(teams)
    for hour in range(opens, closes + 1, 60):
        x = (hour - opens) * MINUTE
        yield f'<path d="M{x:.0f},16V{bottom}" stroke="#ddd"/>'
        yield _text((x, 10), _clock(hour), 'font-size="11" text-anchor="middle"')
    for number, team in enumerate(teams):
        y = 24 + ROW * number
        yield f'<g class="team" transform="translate(0,{y})">'
        yield f'<rect width="12" height="12" y="3" fill="{team.paint}"/>'
        yield _text((18, 13), f"{team.letter}  {team.name}: {len(team.stops)} kunjungan / visits")
        free = 0
        for stop in team.stops:
            leaves = max(free, opens, stop.start - stop.travel)
            if leaves < stop.start:
                x, to = ((minute - opens) * MINUTE for minute in (leaves, stop.start))
                yield f'<path class="travel" d="M{x:.1f},{19 + BAR / 2:.0f}H{to:.1f}" stroke="{team.paint}" stroke-width="1.5"/>'
            yield _bar(team, stop, opens)
            free = max(free, stop.end)
        yield "</g>"


def _bar(team: Team, stop: Stop, opens: int) -> str:
    look = LOOKS.get(stop.status, OTHER_LOOK)
    width = max(24.0, (stop.end - stop.start) * MINUTE)
    return (
        f'<g class="visit" transform="translate({(stop.start - opens) * MINUTE:.1f},19)"><title>{_safe(stop.words)}</title>'
        f"{_box(width, team.paint, look)}{_text((width / 2, 12), stop.label, _BOLD)}"
        f'<path transform="translate({width / 2 - (7 if look.sign else 0):.1f},22) scale(.38)" d="{_shape(stop.kind)}"'
        ' fill="#fff" stroke="#111" stroke-width="2.6"/>'
        f"{_sign(look, width / 2 + 7, 22)}</g>"
    )


def _box(width: float, paint: str, look: Look) -> str:
    box = f'<rect width="{width:.1f}" height="{BAR}" rx="2" '
    return f'{box}fill="#fff"/>{box}fill="{paint}" fill-opacity="{look.strength}" stroke="{paint}" stroke-width="1.5"/>'


def _sign(look: Look, x: float, y: float) -> str:
    sign = f'<path transform="translate({x:.1f},{y:.1f})" d="{look.sign}" fill="none" stroke="#111" stroke-width="1.6"/>'
    return sign if look.sign else ""


def _foot(plan: Mapping[str, Any], width: float) -> tuple[list[str], float]:
    """The legend and who has no date, and how high they are."""
    paint = "#555"
    looks = [*LOOKS.values(), OTHER_LOOK]
    statuses = [(f"{_box(30, paint, look)}{_sign(look, 15, 15)}", look.words) for look in looks]
    kinds = [
        (f'<path transform="translate(15,15) scale(.8)" d="{d}" fill="#fff" stroke="{paint}" stroke-width="2"/>', words)
        for words, d in SHAPES.values()
    ]
    travel = [(f'<path d="M0,15h30" stroke="{paint}" stroke-width="1.5"/>', "perjalanan / travel")]
    drawn, y = _flow([*statuses, *travel], width, 0)
    more, y = _flow(kinds, width, y)
    y += 14
    drawn += [*more, _text((0, y), f"Belum mendapat tanggal / Not placed: {len(plan['not_placed'])}", 'font-weight="bold"')]
    for indent, words in _not_placed(plan):
        y += 18
        drawn.append(_text((16 + 24 * indent, y), words))
    return drawn, y


def _flow(items: Iterable[tuple[str, str]], width: float, y: float) -> tuple[list[str], float]:
    """Keys with their words in as many lines as they need, and where the next line begins."""
    drawn, x = [], 0.0
    for key, words in items:
        takes = 38 + 7.0 * len(words) + 18
        if x and x + takes > width:
            x, y = 0.0, y + BAR + 8
        drawn.append(f'<g transform="translate({x:.0f},{y:.0f})">{key}{_text((38, 19), words)}</g>')
        x += takes
    return drawn, y + BAR + 8


def _not_placed(plan: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """How many wait for which reason; below a reason (1) what the planner says of them, the most frequent first."""
    texts: dict[str, Counter[str]] = {}
    for entry in plan["not_placed"]:
        why = entry.get("why")
        said = f"{why['text']} / {why['text_en']}" if why else ""
        texts.setdefault(REASONS.get(entry["reason"], "lain / other"), Counter())[said] += 1
    for reason, counts in sorted(texts.items(), key=lambda pair: -pair[1].total()):
        yield 0, f"{counts.total()} × {reason}"
        said_of = [(said, n) for said, n in counts.most_common() if said]
        for said, n in said_of[:TEXTS_SHOWN]:
            yield 1, f"{n} × {shorten(said, 160, placeholder='…')}"
        if rest := sum(n for _, n in said_of[TEXTS_SHOWN:]):
            yield 1, f"{rest} × sebab lain / other causes"


def _placed(at: Xy, name: str, lines: Iterable[str]) -> list[str]:
    return [f'<g class="{name}" transform="translate({at[0]:.0f},{at[1]:.0f})">', *lines, "</g>"]


def _text(at: Xy, words: str, style: str = "") -> str:
    return f'<text x="{at[0]:.1f}" y="{at[1]:.1f}"{" " + style if style else ""}>{_safe(words)}</text>'


def _safe(words: str) -> str:
    """Escaped, without what XML forbids or what turns the direction of writing."""
    return escape("".join(c if c.isprintable() else "\ufffd" for c in words))
