"""What a visit takes along, and whether a team has it. Pure (DOMAIN.md §2.2, §2.8)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pelangi.contracts.codes import Need, ServiceKind, VisitKind
from services.scheduling.case import Item
from services.scheduling.reference import Equipment, Reference, service_minutes

BLANKS = (Equipment.KTP_BLANK, Equipment.KIA_BLANK)
"""Equipment that is used up: counted, in this order."""


def needed_for(items: Iterable[Item], details: Mapping[str, Any]) -> Counter[Equipment]:
    """What the team must take along for these items; of what is used up, how many."""
    table, needed = service_minutes(), Counter(service_minutes().always)
    needs = {p["ref"]: p["needs"] for p in details["persons"]}
    for item in items:
        for equipment in table.equipment[ServiceKind(item["service_kind"])]:
            needed[equipment] = needed[equipment] + 1 if equipment in BLANKS else 1
        for need in needs.get(item["person_ref"], ()):
            needed.update({e: 1 for e in table.for_needs.get(Need(need), ()) if not needed[e]})
    return needed


def with_blanks(items: Sequence[Item], visit_kind: str, reference: Reference) -> list[Item]:
    """The items without those for which no team has a single blank, unless there are no others (DOMAIN.md §10, trap 17)."""
    stocks = [team.stock for team in reference.serving(VisitKind(visit_kind))]
    out = {kind for at, kind in enumerate(BLANKS) if not any(stock[at] for stock in stocks)}
    table = service_minutes().equipment
    return [i for i in items if not out & set(table[ServiceKind(i["service_kind"])])] or list(items)


def kit_of(needed: Counter[Equipment]) -> tuple[str, ...]:
    """What must be there, without what is counted; in order."""
    return tuple(sorted(str(e) for e in needed if e not in BLANKS))


def blanks_of(needed: Counter[Equipment]) -> tuple[int, ...]:
    """How many of each kind of blank."""
    return tuple(needed[kind] for kind in BLANKS)
