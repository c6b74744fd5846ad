"""First fit: the first day with room, at the first hour; a few days later only where the people are available then."""

from collections.abc import Iterator
from datetime import date
from itertools import islice

from pelangi.contracts.codes import VisitKind
from services.scheduling.case import Slot
from services.scheduling.day import Day
from services.scheduling.days import book, shared_visits
from services.scheduling.planner.interface import Ask, Horizon
from services.scheduling.reference import Reference, Team

PATIENCE = 5
"""How many dates later than the first with room a better hour for the people may be."""

WHOLE_DAY = (0, 24 * 60)


class FirstFit:
    """See `Planner`."""

    def choose(self, ask: Ask, horizon: Horizon, reference: Reference) -> Slot | None:
        """The first slot with room; within `PATIENCE` dates of it, and before the deadline, rather one in the availability."""
        dates = horizon.loaded(ask.earliest)
        for at, on in enumerate(dates):
            first = next(self._slots(ask, on, [WHOLE_DAY], horizon, reference), None)
            if first is None:
                continue
            later = [d for d in dates[at : at + PATIENCE + 1] if ask.deadline is None or d <= ask.deadline]
            better = (s for d in later for s in self._slots(ask, d, _hours(ask, d), horizon, reference))
            return next(better, first)
        return None

    def proposals(self, ask: Ask, horizon: Horizon, reference: Reference, count: int) -> list[Slot]:
        """The first slots of the first `count` dates with room."""
        dates = horizon.loaded(ask.earliest)
        slots = (next(self._slots(ask, d, [*_hours(ask, d), WHOLE_DAY], horizon, reference), None) for d in dates)
        return list(islice((s for s in slots if s), count))

    def _slots(self, ask: Ask, on: date, hours: list[tuple[int, int]], horizon: Horizon, reference: Reference) -> Iterator[Slot]:
        """What fits on a date: visits that others are in first, whosever they are; then a new one of each team."""
        day = horizon.day(on)
        teams = reference.serving(VisitKind(ask.visit_kind))
        for not_before, not_after in hours:
            alone = [slot_in(ask, on, team, reference, (not_before, not_after)) for team in teams]
            joining = [shared for slot in alone for shared in _joining(day, slot, ask)] if ask.joins else []
            for candidate in (*joining, *alone):
                after = book(day, candidate, reference)
                if after is not None:
                    visit = after["visits"][candidate["visit_id"]]
                    if not_before <= visit["start"] and visit["end"] <= not_after:
                        chosen: Slot = {**candidate, "start": visit["start"], "end": visit["end"]}
                        yield chosen


def session_for(ask: Ask, horizon: Horizon, reference: Reference, later: int) -> Slot | None:
    """A place in the first session that the office announced there: at most so many dates later than the first, by the deadline,
    in the people's hours.
    """
    for on in horizon.loaded(ask.earliest)[: later + 1]:
        day, hours = horizon.day(on), _hours(ask, on) if ask.availability else [WHOLE_DAY]
        for team in reference.serving(VisitKind(ask.visit_kind)) if ask.deadline is None or on <= ask.deadline else []:
            for slot in _joining(day, slot_in(ask, on, team, reference, WHOLE_DAY), ask):
                visit = day["visits"][slot["visit_id"]]
                suits = any(first <= visit["start"] and visit["end"] <= last for first, last in hours)
                if visit.get("session") and suits and book(day, slot, reference) is not None:
                    found: Slot = {**slot, "start": visit["start"], "end": visit["end"]}
                    return found
    return None


def _joining(day: Day, slot: Slot, ask: Ask) -> Iterator[Slot]:
    for visit_id, visit in shared_visits(day, slot):
        if visit_id not in ask.refused and visit["team_id"] == slot["team_id"]:
            joining: Slot = {**slot, "visit_id": visit_id, "visit_version": visit["version"]}
            yield joining


def slot_in(ask: Ask, on: date, team: Team, reference: Reference, hours: tuple[int, int]) -> Slot:
    """The slot of an ask in a team's day. What needs more than a day gets a whole one, so that nobody is left without.

    A visit that is moved with its members keeps its length: they could not follow it to a day of Ramadan too short for them.
    """
    moved_whole = ask.move and not ask.request_id
    most = max(ask.minutes, ask.block) if moved_whole else reference.longest_visit(team, ask.at, on, on)
    return {
        "placement_id": ask.placement_id,
        "request_id": ask.request_id,
        "visit_id": ask.visit_id,
        "day": on.isoformat(),
        "team_id": team.team_id,
        "minutes": min(ask.minutes, most),
        "block": min(ask.block, most),
        "not_before": hours[0],
        "not_after": hours[1],
        "visit_kind": ask.visit_kind,
        "village_code": ask.village_code,
        "point": ask.point,
        "at": ask.at,
        "kit": list(ask.kit),
        "blanks": list(ask.blanks),
        "items": list(ask.items),
        "joins": ask.joins,
        "move": ask.move,
        "reason": ask.reason,
        "visit_version": ask.visit_version,
        "place_keys": list(ask.place_keys),
    }


def _hours(ask: Ask, on: date) -> list[tuple[int, int]]:
    return [(start, end) for weekday, start, end in ask.availability if weekday == on.isoweekday()]
