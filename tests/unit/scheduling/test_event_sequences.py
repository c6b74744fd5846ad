"""Random event sequences break no hard rule and move nobody unasked (SCHEDULING.md §8, M13, M15); and the watcher would see it.

`python -m tests.unit.scheduling.event_sequences --sequences 10000` is the long form. That a question has the same answer in two
processes: test_worker.py and test_engine.py; here, that a whole story has.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from typing import Any

import pytest

from pelangi.contracts.codes import ServiceKind, VisitKind
from services.scheduling.planner import questions
from services.scheduling.planner.jobs import Plan, Seat
from services.scheduling.planner.solving import make_plan
from tests.unit.scheduling import event_sequences
from tests.unit.scheduling.city import NOW, TOMORROW, City, closed, details, request_id
from tests.unit.scheduling.event_sequences import EVENTS, Report, Story, run, stage
from tests.unit.scheduling.watcher import Fault, Tables, Watcher

EACH = 30
LEAST = {
    "asks": 250, "corrects": 70, "is_withdrawn": 10, "closes_item": 12, "departs": 35, "arrives": 12, "completes": 4,
    "fails": 10, "is_rescheduled": 15, "asks_again": 10, "agrees": 5, "is_out": 10, "is_back": 2,
    "opens_session": 6, "walks_in": 8, "changes_teams": 10, "changes_calendar": 6, "waits": 40,
}  # fmt: skip
"""How often each must really have happened in so many sequences."""


@pytest.mark.parametrize("first", range(0, 4 * EACH, EACH))
async def test_no_rule_is_broken_and_nobody_is_moved_unasked(first: int) -> None:
    report = await run(range(first, first + EACH))
    assert not report.findings
    assert LEAST.keys() == EVENTS.keys()
    assert {name: report.events[name] for name in EVENTS if report.events[name] < LEAST[name]} == {}
    assert (report.sequences, report.rounds > 400, report.plans > 200) == (EACH, True, True)
    assert report.announced > 250
    assert report.moved > 25


async def test_a_story_is_the_same_again() -> None:
    async with stage() as (city, solver):
        traces = [(await event_sequences.told(seed, city, solver)).traces[seed] for seed in (1, 2, 1, 2)]
    assert traces[:2] == traces[2:]
    assert traces[0] != traces[1]


def test_a_story_has_the_same_plans_in_two_processes() -> None:
    program = (
        "import asyncio\nfrom tests.unit.scheduling import event_sequences as es\n"
        "async def main():\n  async with es.stage() as (city, solver):\n"
        "    print('\\n'.join((await es.told(8, city, solver)).traces[8]))\n"
        "asyncio.run(main())\n"
    )
    one, other = (subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True) for _ in range(2))
    assert one.stdout == other.stdout
    assert one.stdout.count("PLANNED") + one.stdout.count("DONE") > 3


# --- what is wrong is seen

Documents = dict[str, Any]


@pytest.fixture
async def honest(city: City) -> AsyncIterator[City]:
    """Three visits: two at home for cards, one at an institution."""
    cards = [ServiceKind.KTP_NEW, ServiceKind.KK_CHANGE]
    teams = city.store.collection("reference").documents["teams"]
    teams["value"]["teams"] = [t for t in teams["value"]["teams"] if t["team_id"] != "team-2"]
    await city.fold(*(details(n, kinds=cards) for n in (1, 2)), details(3, visit_kind=VisitKind.INSTITUTION))
    await city.run()
    yield city


def tables(city: City) -> Tables:
    documents = deepcopy(city.store.collection("reference").documents)
    return Tables(documents["teams"]["value"], documents["points"]["value"], documents["calendar"]["value"])


def shown(city: City, change: Callable[[Documents, Documents, Tables], None], now: Any = NOW) -> set[Fault]:
    """What is found in the history of the city after a change."""
    days, cases = deepcopy(city.store.collection("days").documents), deepcopy(city.store.collection("cases").documents)
    given = tables(city)
    change(days, cases, given)
    watcher = Watcher(given, now)
    watcher.asked(cases, [TOMORROW])
    for day in days.values():
        watcher.saw_day(day)
    for case in cases.values():
        watcher.saw_case(case)
    watcher.rested()
    return {finding.fault for finding in watcher.findings}


def visits(days: Documents) -> list[Any]:
    [day] = days.values()
    return sorted(day["visits"].values(), key=lambda v: v["start"])


def booking(days: Documents, n: int = 1) -> Any:
    [day] = days.values()
    return next(b for b in day["bookings"].values() if b["request_id"] == request_id(n))


def at(visit: Any, start: int, end: int | None = None) -> None:
    visit.update(start=start, end=start + visit["end"] - visit["start"] if end is None else end)


async def test_an_honest_history_has_no_fault(honest: City) -> None:
    assert shown(honest, lambda days, cases, given: None) == set()
    assert [v["team_id"] for v in visits(honest.store.collection("days").documents)] == ["team-1"] * 3


def _overlaps(days: Documents, cases: Documents, given: Tables) -> None:
    first, second, _ = visits(days)
    at(second, first["start"] + 5)


def _too_close(days: Documents, cases: Documents, given: Tables) -> None:
    first, second, _ = visits(days)
    at(second, first["end"] + 4)


def _too_close_to_the_base(days: Documents, cases: Documents, given: Tables) -> None:
    at(visits(days)[0], 8 * 60 + 4)


def _before_opening(days: Documents, cases: Documents, given: Tables) -> None:
    at(visits(days)[0], 7 * 60)


def _over_the_break(days: Documents, cases: Documents, given: Tables) -> None:
    given.hours["breaks"].append({"weekday": TOMORROW.isoweekday(), "start": "08:20:00", "end": "08:30:00"})


def _on_a_day_off(days: Documents, cases: Documents, given: Tables) -> None:
    given.hours["closed_days"].append(TOMORROW.isoformat())


def _team(field: str, value: Any) -> Callable[[Documents, Documents, Tables], None]:
    def change(days: Documents, cases: Documents, given: Tables) -> None:
        given.teams["teams"][0][field] = value

    return change


def _case(field: str, value: Any) -> Callable[[Documents, Documents, Tables], None]:
    def change(days: Documents, cases: Documents, given: Tables) -> None:
        cases[request_id(1)]["details"][field] = value

    return change


def _booked(minutes: int) -> Callable[[Documents, Documents, Tables], None]:
    return lambda days, cases, given: booking(days).update(minutes=minutes)


def _birthday(days: Documents, cases: Documents, given: Tables) -> None:
    cases[request_id(1)]["details"]["items"][0]["not_before"] = "2026-11-30"


def _elsewhere(days: Documents, cases: Documents, given: Tables) -> None:
    place = next(v for v in visits(days) if request_id(1) in v["members"])
    place["at"] = [place["at"][0] + 1e-4, place["at"][1]]


def _not_booked(days: Documents, cases: Documents, given: Tables) -> None:
    [day] = days.values()
    day["bookings"] = {k: b for k, b in day["bookings"].items() if b["request_id"] != request_id(1)}


def _of_nobody(days: Documents, cases: Documents, given: Tables) -> None:
    cases.pop(request_id(1))


def _other_hour(days: Documents, cases: Documents, given: Tables) -> None:
    cases[request_id(1)]["visits"][0]["start"] += 1


def _two(days: Documents, cases: Documents, given: Tables) -> None:
    case = cases[request_id(1)]
    case["visits"].append({**case["visits"][0], "visit_id": "another"})


def _booked_twice(days: Documents, cases: Documents, given: Tables) -> None:
    [day] = days.values()
    days["2026-11-30"] = {**deepcopy(day), "_id": "2026-11-30"}


def _wanting(days: Documents, cases: Documents, given: Tables) -> None:
    cases[request_id(1)]["placement"]["wanted"] = cases[request_id(1)]["placement"]["held"]


def _unspread(days: Documents, cases: Documents, given: Tables) -> None:
    [day] = days.values()
    day["unspread"] = ["one"]


@pytest.mark.parametrize(
    ("fault", "change"),
    [
        (Fault.OVERLAP, _overlaps),
        (Fault.TRAVEL, _too_close),
        (Fault.TRAVEL, _too_close_to_the_base),
        (Fault.TRAVEL, _team("travel_minutes", 30)),
        (Fault.WORKING_TIME, _before_opening),
        (Fault.WORKING_TIME, _over_the_break),
        (Fault.WORKING_TIME, _on_a_day_off),
        (Fault.NO_SUCH_TEAM, _team("team_id", "other")),
        (Fault.NO_SUCH_TEAM, _team("visit_kinds", ["HOME"])),
        (Fault.KIT, _team("equipment", ["POWER"])),
        (Fault.KIT, _case("persons", [{"ref": "1", "categories": [], "needs": ["WHEELCHAIR"]}])),
        (Fault.BLANKS, _team("ktp_blanks", 1)),
        (Fault.HOME_VISITS, _team("home_visits_per_day", 1)),
        (Fault.ROOM, _booked(300)),
        (Fault.MINUTES, _booked(14)),
        (Fault.MINUTES, _case("persons", [{"ref": "1", "categories": [], "needs": ["BEDRIDDEN"]}])),
        (Fault.HOURS, _case("availability", [{"weekday": 3, "start": "14:00:00", "end": "15:00:00"}])),
        (Fault.TOO_EARLY, _birthday),
        (Fault.PLACE, _elsewhere),
        (Fault.MISMATCH, _not_booked),
        (Fault.MISMATCH, _of_nobody),
        (Fault.MISMATCH, _other_hour),
        (Fault.TWO_VISITS, _two),
        (Fault.TWO_VISITS, _booked_twice),
        (Fault.LEFT_OVER, _wanting),
        (Fault.LEFT_OVER, _unspread),
    ],
)
async def test_each_broken_history_is_reported(
    honest: City, fault: Fault, change: Callable[[Documents, Documents, Tables], None]
) -> None:
    if change.__qualname__.startswith("_case") and fault == Fault.KIT:
        honest.store.collection("reference").documents["teams"]["value"]["teams"][0]["equipment"] = [
            "A4_PRINTER", "BACKDROP_BLUE", "BACKDROP_RED", "BIO_KIT", "CARD_PRINTER", "POWER", "UPLINK",
        ]  # fmt: skip
        assert shown(honest, lambda days, cases, given: None) == set()
    assert fault in shown(honest, change)


async def test_a_visit_placed_today_or_before_is_reported(honest: City) -> None:
    assert Fault.NOT_AHEAD in shown(honest, lambda days, cases, given: None, NOW.replace(day=25))


@pytest.mark.parametrize(("end", "fault"), [("next", Fault.TRAVEL), (901, Fault.WORKING_TIME)])
async def test_a_visit_that_grows_too_long_is_reported(honest: City, end: Any, fault: Fault) -> None:
    [day] = honest.store.collection("days").documents.values()
    watcher = Watcher(tables(honest), NOW)
    watcher.saw_day(day)
    longer = deepcopy(day)
    first, second, last = visits({"": longer})
    (first if end == "next" else last)["end"] = second["start"] - 1 if end == "next" else end
    watcher.saw_day(longer)
    assert [finding.fault for finding in watcher.findings] == [fault]


async def test_a_visit_is_judged_by_the_tables_of_its_booking(honest: City) -> None:
    [day] = honest.store.collection("days").documents.values()
    watcher = Watcher(tables(honest), NOW)
    watcher.saw_day(day)
    watcher.tables.teams["teams"].clear()
    watcher.tables = Tables({"base": None, "teams": []}, watcher.tables.points, {**watcher.tables.hours, "open": "14:00:00"})
    watcher.saw_day(deepcopy(day))
    assert watcher.findings == []


def looked_on(city: City) -> Watcher:
    """A watcher of everything that is written from now on."""
    watcher = Watcher(tables(city), NOW)

    async def saw(_: str) -> None:
        for day in city.store.collection("days").documents.values():
            watcher.saw_day(day)
        for case in city.store.collection("cases").documents.values():
            watcher.saw_case(case)

    for name in ("days", "cases"):
        city.store.collection(name).after_write = saw
    return watcher


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("what", ["moved", "failed", "closed"])
async def test_what_nobody_asked_for_is_reported_and_what_somebody_asked_for_is_not(city: City, what: str, asked: bool) -> None:
    watcher = looked_on(city)
    await city.fold(details(1), details(2))
    await city.run()
    assert watcher.announced == 2
    watcher.cause([request_id(1 if asked else 2)], what)
    if what == "closed":
        await city.fold(closed(1))
    else:
        await city.call(*(("reschedule", 1, {"reason": "UNSAFE"}) if what == "moved" else ("fail", 1, {"reason": "UNSAFE"})))
    watcher.looked()
    assert {finding.fault for finding in watcher.findings} == (set() if asked else {Fault.UNEXPLAINED})
    assert watcher.moved == (what == "moved")


async def test_a_visit_that_moves_or_vanishes_silently_is_reported_and_a_cause_holds_only_until_the_next_round(
    honest: City,
) -> None:
    for change in ("start", "team_id", "status"):
        watcher = Watcher(tables(honest), NOW)
        for name, look in (("days", watcher.saw_day), ("cases", watcher.saw_case)):
            for document in honest.store.collection(name).documents.values():
                look(document)
        watcher.cause([request_id(n) for n in (1, 2, 3)], "a correction that is dealt with")
        watcher.rested()
        [day] = deepcopy(list(honest.store.collection("days").documents.values()))
        visits({"": day})[2][change] = {"start": 840, "team_id": "team-2", "status": "CANCELLED"}[change]
        watcher.saw_day(day)
        watcher.looked()
        assert Fault.UNEXPLAINED in {finding.fault for finding in watcher.findings}


def too_early(*asked: Any, **how: Any) -> Plan:
    """A plan in which everybody sits at midnight."""
    plan = make_plan(*asked, **how)
    return Plan({i: Seat(s.team_id, s.date, 0, s.end - s.start) for i, s in plan.seats.items()}, plan.left_out)


async def test_a_plan_that_is_refused_and_a_round_that_fails_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails() -> None:
        raise ValueError

    async with stage() as (city, solver):
        monkeypatch.setattr(questions, "make_plan", too_early)
        story = Story(1, city, solver)
        await story.asks()
        await story.asks()
        await story.round()
        monkeypatch.setattr(city, "run", fails)
        await story.round()
    assert {finding.fault for finding in story.watcher.findings} == {Fault.PLAN, Fault.CRASHED}


async def test_the_validator_looks_at_every_plan_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the planner did not ask it."""
    monkeypatch.setattr(questions, "check", lambda plan, question: None)
    monkeypatch.setattr(questions, "make_plan", too_early)
    async with stage() as (city, solver):
        story = Story(2, city, solver)
        for _ in range(4):
            await story.asks()
        await story.round()
    assert Fault.PLAN in {finding.fault for finding in story.watcher.findings}


def test_reports_add_up() -> None:
    report = Report()
    for _ in range(2):
        report.add(Report(1, Counter({"asks": 3}), 4, 5, 6, 7))
    assert (report.sequences, report.events["asks"], report.rounds, report.plans) == (2, 6, 8, 10)
    assert (report.announced, report.moved) == (12, 14)
