"""How long the team is with people, and how much of a long list fits into one visit. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from pelangi.contracts.codes import VisitKind
from services.scheduling.case import Item
from services.scheduling.reference import Reference, service_minutes
from services.scheduling.travel import Coordinates


def minutes_for(items: Iterable[Item], details: dict[str, Any]) -> int:
    """Time on site: per service and person, three times as long for who is slow to serve (DOMAIN.md §2.2)."""
    table = service_minutes()
    slow = {p["ref"] for p in details["persons"] if set(p["needs"]) & set(table.slow_needs)}
    minutes: dict[str, int] = {str(kind): m for kind, m in table.minutes.items()}
    return sum(minutes[i["service_kind"]] * (table.slow_factor if i["person_ref"] in slow else 1) for i in items)


SOON = timedelta(weeks=4)
"""A list is cut before its date is known: to what fits on each date of so long. Else, just before Ramadan, the people of a long
one would wait until it is over; and if the shortest hours in the table counted, they would be visited twice all year round."""


def most_minutes(kind: str, at: Coordinates, reference: Reference, on: date, within: timedelta = timedelta()) -> int:
    """The longest visit of this kind that a team can make there without a break, on a date and on each one so long after."""
    teams = reference.serving(VisitKind(kind))
    return max((reference.longest_visit(team, at, on, on + within) for team in teams), default=0)


def first_that_fit(items: Sequence[Item], details: dict[str, Any], most: int) -> list[Item]:
    """As many persons' items, in the order of the list, as fit into so many minutes; nobody by halves."""
    by_person: dict[str, list[Item]] = {}
    for item in items:
        by_person.setdefault(item["person_ref"], []).append(item)
    chosen: list[Item] = []
    for person in by_person.values():
        if minutes_for(chosen + person, details) > most:
            break
        chosen += person
    return chosen


def share_of(items: Sequence[Item], details: dict[str, Any], most: int) -> list[Item]:
    """What the next visit of a list does: all, or what fits into a day by person; of somebody who alone needs more, by item."""
    if minutes_for(items, details) <= most:
        return list(items)
    chosen = first_that_fit(items, details, most)
    if chosen:
        return chosen
    for at in range(len(items), 1, -1):
        if minutes_for(items[:at], details) <= most:
            return list(items[:at])
    return list(items[:1])
