"""Routes on a map, as SVG: one small map per day, one colour per team."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

Point = tuple[float, float]

SIDE, MARGIN, HEAD = 260, 12, 44
COLUMNS = 3
GOLDEN = 137.508
"""Degrees between the hues of neighbouring numbers: however many there are, they stay apart."""
LIGHTNESS = (38, 50)


class Panel(NamedTuple):
    """One map. routes: by team, from the start back to it, empty where the team stays; dots: who is on the map in no route."""

    caption: str
    routes: Sequence[Sequence[Point]]
    dots: Sequence[Point] = ()


def colour(number: int) -> str:
    """The colour of a team."""
    return f"hsl({number * GOLDEN % 360:.0f},70%,{LIGHTNESS[number % len(LIGHTNESS)]}%)"


def draw(title: str, panels: Sequence[Panel]) -> str:
    """The text of an SVG file. Points in any planar unit, north up."""
    columns = min(COLUMNS, max(1, len(panels)))
    rows = -(-len(panels) // columns)
    width, height = columns * (SIDE + MARGIN) + MARGIN, HEAD + rows * (SIDE + HEAD) + MARGIN
    scale = _scale([point for panel in panels for points in (*panel.routes, panel.dots) for point in points])
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" font-family="sans-serif">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{MARGIN}" y="28" font-size="16">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        x, y = MARGIN + number % columns * (SIDE + MARGIN), HEAD + number // columns * (SIDE + HEAD)
        lines += [f'<g transform="translate({x},{y})">', *_panel(panel, scale), "</g>"]
    return "\n".join([*lines, "</svg>"]) + "\n"


class _Scale(NamedTuple):
    left: float
    top: float
    factor: float

    def place(self, point: Point) -> str:
        return f"{(point[0] - self.left) * self.factor:.1f},{(self.top - point[1]) * self.factor:.1f}"


def _scale(points: Sequence[Point]) -> _Scale:
    if not points:
        return _Scale(0, 0, 1)
    across, up = [p[0] for p in points], [p[1] for p in points]
    span = max(max(across) - min(across), max(up) - min(up)) or 1
    edge = span * 0.03
    return _Scale(min(across) - edge, max(up) + edge, SIDE / (span + 2 * edge))


def _panel(panel: Panel, scale: _Scale) -> Iterator[str]:
    yield f'<text y="14" font-size="12">{escape(panel.caption)}</text>'
    yield '<g transform="translate(0,20)">'
    yield f'<rect width="{SIDE}" height="{SIDE}" fill="#f7f7f5" stroke="#ccc"/>'
    for point in panel.dots:
        yield _dot(scale.place(point), 2.5, 'fill="none" stroke="#777"')
    for number, route in enumerate(panel.routes):
        if not route:
            continue
        places = [scale.place(point) for point in route]
        yield f'<g fill="{colour(number)}" stroke="{colour(number)}">'
        yield f"<title>team {number + 1}: {len(route) - 2}</title>"
        yield f'<polyline fill="none" stroke-width="1.4" points="{" ".join(places)}"/>'
        yield from (_dot(place, 2.2, 'stroke="none"') for place in places[1:-1])
        yield "</g>"
    start = next((route[0] for route in panel.routes if route), None)
    if start:
        yield _dot(scale.place(start), 4, 'fill="#000"')
    yield "</g>"


def _dot(place: str, radius: float, style: str) -> str:
    x, _, y = place.partition(",")
    return f'<circle cx="{x}" cy="{y}" r="{radius}" {style}/>'
