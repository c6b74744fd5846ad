"""`pelangi plan draw`: every visit is drawn and numbered, and nothing in the picture tells who is visited."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
import typer
from typer.testing import CliRunner

from pelangi.cli import plan as command
from pelangi.cli.plan_picture import LOOKS, SHAPES, draw
from pelangi.contracts.codes import VisitKind, VisitStatus

BASE = [-2.1293, 106.1137]
FULL = {"why": "FULL", "text": "Semua tim penuh.", "text_en": "All teams are full.", "remedy": "", "remedy_en": ""}


def visit(hour: float, kind: str = "HOME", status: str = "PLANNED", **other: Any) -> dict[str, Any]:
    minute = round(hour * 60)
    start, end = (f"2026-12-01T{m // 60:02}:{m % 60:02}:00+07:00" for m in (minute, minute + 40))
    known = {"visit_id": f"visit-of-{hour}", "visit_kind": kind, "status": status, "window": {"start": start, "end": end}}
    at = [BASE[0] + hour / 500, BASE[1] - hour / 700]
    return {**known, "travel_minutes": 15, "village_code": "19.71.01.1004", "at": at, "requests": 2, "items": 3, **other}


def a_plan(*teams: list[dict[str, Any]], **other: Any) -> dict[str, Any]:
    shown = [{"team_id": f"team-{number}", "visits": visits} for number, visits in enumerate(teams, 1)]
    return {"date": "2026-12-01", "working_day": True, "base": BASE, "teams": shown, "not_placed": [], **other}


def parts(svg: str, name: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(svg).findall(f".//{{*}}g[@class='{name}']")


def numbers(svg: str, name: str) -> list[str]:
    return [part.findtext("{*}text", "") for part in parts(svg, name)]


def spots(svg: str, name: str) -> list[tuple[float, float]]:
    found = (re.fullmatch(r"translate\((.+),(.+)\)", part.get("transform", "")) for part in parts(svg, name))
    return [(float(m[1]), float(m[2])) for m in found if m]


def test_every_visit_has_a_bar_and_a_number_on_the_map_in_the_order_of_visiting() -> None:
    svg = draw(a_plan([visit(11), visit(8.25), visit(9.5)], [visit(10), visit(13)]))
    assert numbers(svg, "visit") == numbers(svg, "stop") == ["A1", "A2", "A3", "B1", "B2"]
    assert "A1 08:15-08:55 HOME PLANNED 19.71.01.1004" in svg
    assert "2 tim, 5 kunjungan, 10 permohonan, 15 layanan; 0 belum mendapat tanggal" in svg
    xs = [x for x, _ in spots(svg, "visit")]
    assert xs[:3] == sorted(xs[:3])


def test_the_same_plan_gives_the_same_picture() -> None:
    drawn = [draw(a_plan([visit(8.25), visit(9.5)], not_placed=[{"request_id": "r", "reason": "REVIEW"}])) for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_it_says_in_words_what_it_shows() -> None:
    root = ElementTree.fromstring(draw(a_plan([visit(8.25)])))
    assert root.get("role") == "img"
    named = {child.get("id"): child.text or "" for child in root if child.get("id")}
    assert set((root.get("aria-labelledby") or "").split()) == set(named)
    assert "2026-12-01" in named["plan-title"]
    assert "A1 08:15-08:55 HOME" in named["plan-desc"]


def test_nothing_tells_who_is_visited() -> None:
    private: dict[str, Any] = {
        "members": [{"name": "Sarinah", "address": "Jalan Mawar 5"}],
        "visit_id": "0199c0de-visit",
        "why": FULL,
    }
    waits = [{"request_id": "0199c0de-request", "reason": "WAITING", "why": FULL, "review_reason": "Jalan Mawar 5"}]
    svg = draw(a_plan([visit(8.25, **private)], not_placed=waits))
    assert not [word for word in ("Sarinah", "Mawar", "0199c0de", "visit-of") if word in svg]


def test_where_people_live_is_moved_to_a_grid_and_a_public_place_is_not() -> None:
    def place(kind: str, north: float) -> tuple[float, float]:
        far = visit(10, "COMMUNITY_POINT", at=[-2.08, 106.15])
        return spots(draw(a_plan([visit(9, kind, at=[-2.1305 + north, 106.13]), far])), "stop")[0]

    for kind in ("HOME", "INSTITUTION"):
        assert place(kind, 0) == place(kind, 0.0004)
    assert place("COMMUNITY_POINT", 0) != place("COMMUNITY_POINT", 0.0004)


def test_numbers_at_one_place_do_not_cover_each_other() -> None:
    drawn = spots(draw(a_plan([visit(8.25 + n / 4, at=BASE) for n in range(20)])), "stop")
    apart = [abs(complex(*a) - complex(*b)) for n, a in enumerate(drawn) for b in drawn[:n]]
    assert len(drawn) == 20
    assert min(apart) > 23


def test_a_visit_without_coordinates_and_one_at_the_office_stand_below_the_map() -> None:
    office = visit(9, "OFFICE_APPOINTMENT", travel_minutes=0)
    svg = draw(a_plan([visit(8.25, at=None), visit(10), visit(11, at=[None, None])], [office]))
    assert (numbers(svg, "visit"), numbers(svg, "stop")) == (["A1", "A2", "A3", "B1"], ["A2"])
    assert "Tanpa titik / Without coordinates: A1, A3<" in svg
    assert "Di kantor / At the office: B1<" in svg


def test_every_status_has_its_own_look_and_every_kind_its_own_shape() -> None:
    assert len({(look.strength, look.sign) for look in LOOKS.values()}) == len(LOOKS)
    assert len({path for _, path in SHAPES.values()}) == len(SHAPES) == len(VisitKind)
    svg = draw(a_plan([visit(8 + n, status=status) for n, status in enumerate(LOOKS)]))
    for bar, (status, look) in zip(parts(svg, "visit"), LOOKS.items(), strict=True):
        assert bar.find(f"{{*}}rect[@fill-opacity='{look.strength}']") is not None
        assert (bar.find(f"{{*}}path[@d='{look.sign}']") is not None) == (status != VisitStatus.PLANNED)


def test_what_it_does_not_know_is_drawn_as_other() -> None:
    svg = draw(a_plan([visit(9, "ELSEWHERE", "CONFIRMED")], not_placed=[{"request_id": "r", "reason": "NEW"}]))
    assert numbers(svg, "visit") == numbers(svg, "stop") == ["A1"]
    assert "1 × lain / other" in svg


def test_a_day_is_as_long_as_its_visits_and_the_way_to_them() -> None:
    assert (">08:00<" in (usual := draw(a_plan([visit(9)]))), ">15:00<" in usual, ">07:00<" in usual) == (True, True, False)
    assert ">07:00<" in draw(a_plan([visit(8.1)]))
    assert ">17:00<" in draw(a_plan([visit(16)]))


def test_travel_is_a_line_that_begins_where_the_visit_before_has_ended() -> None:
    svg = draw(a_plan([visit(9), visit(9.75), visit(9.75 + 40 / 60)]))
    lines = ElementTree.fromstring(svg).findall(".//{*}path[@class='travel']")
    lengths = [float(m[2]) - float(m[1]) for m in (re.match(r"M(.+),34H(.+)", line.get("d", "")) for line in lines) if m]
    assert lengths == pytest.approx([15 * 1.7, 5 * 1.7])


@pytest.mark.parametrize("base", [BASE, None])
def test_an_empty_day_is_a_picture_too(base: list[float] | None) -> None:
    svg = draw(a_plan([], [], base=base, working_day=False))
    assert (numbers(svg, "visit"), numbers(svg, "stop"), len(parts(svg, "team"))) == ([], [], 2)
    assert "Hari libur. 2 tim, 0 kunjungan" in svg
    assert draw(a_plan())


def test_who_has_no_date_is_counted_by_reason() -> None:
    waits = [{"request_id": f"r{n}", "reason": "WAITING", "why": {**FULL, "text": f"Sebab {min(n // 2, 6)}."}} for n in range(15)]
    others = [{"request_id": "a", "reason": "NOT_BEFORE", "why": None}, {"request_id": "b", "reason": "REVIEW"}]
    (legend,) = parts(draw(a_plan([], not_placed=[*others, *waits])), "legend")
    lines = [text.text or "" for text in legend.findall("{*}text")]
    assert lines[:3] == [
        "Belum mendapat tanggal / Not placed: 17",
        "15 × menunggu tempat / waiting for room",
        "3 × Sebab 6. / All teams are full.",
    ]
    assert lines[-3:] == [
        "4 × sebab lain / other causes",
        "1 × belum waktunya / not before a later date",
        "1 × perlu dilihat petugas dahulu / an officer must look first",
    ]


def test_hostile_text_stays_text() -> None:
    bad = '</title><script>alert("1")</script>&\0\x1b\u202e\ud800'
    shown = a_plan([visit(9, bad, bad, village_code=bad)], not_placed=[{"request_id": bad, "reason": bad, "why": FULL}])
    shown["teams"][0]["team_id"] = bad
    shown["not_placed"].append({"request_id": bad, "reason": "WAITING", "why": {**FULL, "text": bad}})
    svg = draw(shown)
    root = ElementTree.fromstring(svg.encode())
    assert not root.findall(".//{*}script")
    assert not re.search("[\0\x1b\u202e\ud800]", svg)


def test_teams_keep_their_own_letter_however_many_there_are() -> None:
    drawn = numbers(draw(a_plan(*([visit(9)] for _ in range(30)))), "visit")
    assert (drawn[0], drawn[25], drawn[26], len(set(drawn))) == ("A1", "Z1", "AA1", 30)


def run(monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception, *arguments: str) -> tuple[int, str, list[str]]:
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(command, "_client", lambda url: httpx.Client(base_url=url, transport=httpx.MockTransport(handle)))
    app = typer.Typer()
    app.add_typer(command.plan, name="plan")
    done = CliRunner().invoke(app, ["plan", "draw", *arguments], env={"COLUMNS": "200", "TERM": "dumb"})
    return done.exit_code, done.output, asked


def test_the_command_draws_the_date_to_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = a_plan([visit(9)])
    code, output, asked = run(monkeypatch, httpx.Response(200, json=shown), "2026-12-01", "--scheduling-url", "http://there:1")
    assert (code, output, asked) == (0, draw(shown), ["http://there:1/v1/plans/2026-12-01"])


def test_the_command_writes_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    target = tmp_path / "plan.svg"
    answer = httpx.Response(200, json=a_plan([visit(9)]))
    assert run(monkeypatch, answer, "2026-12-01", "--output", str(target))[:2] == (0, f"{target}\n")
    assert numbers(target.read_text(encoding="utf-8"), "visit") == ["A1"]
    code, output, _ = run(monkeypatch, answer, "2026-12-01", "--output", str(tmp_path / "none" / "plan.svg"))
    assert (code, output.startswith("refused: ")) == (1, True)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, json={"type": "not-found"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"status": "ok"}),
        httpx.ConnectError("refused"),
    ],
)
def test_without_a_plan_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception) -> None:
    code, output, _ = run(monkeypatch, answer, "2026-12-01")
    assert (code, output.startswith("refused: http://127.0.0.1:8002 "), len(output.splitlines())) == (1, True, 1)


def test_a_date_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, httpx.Response(200), "tomorrow")[::2] == (2, [])
