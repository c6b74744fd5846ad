"""From what intake found (`pointer`, `code`) to the field where a person can put it right."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic_core.core_schema import ErrorType

from portal.intake import Refused
from portal.texts import Words

_CONTACT = {"name": "name", "phone": "phone", "email": "email"}
_PERSON = {
    "name": "person_name",
    "aliases": "aliases",
    "nik": "nik",
    "nik_absence_reason": "nik_absence_reason",
    "family_card_number": "family_card_number",
    "birth_date": "birth_date",
    "birth_date_precision": "birth_date",
    "sex": "sex",
    "ever_married": "ever_married",
    "mother_name": "mother_name",
    "phone": "phone",
    "email": "email",
    "services": "services",
    "categories": "categories",
    "needs": "needs",
}
_PARTS: Mapping[str, Mapping[str, str]] = {
    "requester": {"kind": "kind", **_CONTACT},
    "companion": {"kind": "companion_kind", **_CONTACT},
    "guardian": {"relation": "relation", **_CONTACT},
    "place": {key: key for key in ("visit_kind", "village_code", "address", "landmark", "rt", "rw", "lat", "lon")},
    "availability": {"days": "days", "start": "start", "end": "end"},
    "deadline": {"date": "deadline", "reason": "deadline_reason"},
    "reach": {"channel": "reach_channel", "to": "reach_to"},
}
_SHAPES = frozenset(get_args(ErrorType))
_FIRST = {"requester": "kind", "companion": "kind", "guardian": "relation", "place": "village_code", "availability": "days"}


@dataclass(frozen=True, slots=True)
class Spot:
    """A field of the page: its id, the key of its words, and the number of the person (from 1; 0 = none)."""

    field_id: str
    words: str
    person: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """What a person reads and the id of the field it is about; no id when it is about the whole form."""

    text: str
    field_id: str = ""


def locate(pointer: str) -> Spot | None:
    """The field behind `#/persons/0/nik` and the like: the nearest one on the page, None when it is about no field."""
    steps = [step for step in pointer.removeprefix("#").split("/") if step]
    if steps[:1] == ["persons"]:
        return _locate_person(steps[1:])
    if steps[:1] == ["channel"] or steps[:1] == ["notes"]:
        return Spot(steps[0], steps[0])
    part = _PARTS.get(steps[0]) if steps else None
    if part is None:
        return None
    names = [step for step in steps[1:] if step in part]
    name = names[0] if names else _FIRST.get(steps[0], next(iter(part)))
    return Spot(f"{steps[0]}-{name}", part[name])


def _locate_person(steps: list[str]) -> Spot | None:
    number = int(steps[0]) if steps and steps[0].isdecimal() else 0
    prefix, person = f"persons-{number}-", number + 1
    if steps[1:2] == ["guardian"]:
        name = steps[2] if steps[2:] and steps[2] in _PARTS["guardian"] else _FIRST["guardian"]
        return Spot(f"{prefix}guardian-{name}", _PARTS["guardian"][name], person)
    name = steps[1] if steps[1:] and steps[1] in _PERSON else "services"
    return Spot(f"{prefix}{name.removesuffix('_precision')}", _PERSON[name], person)


def in_words(refused: Refused, words: Words, persons: int) -> list[Problem]:
    """Every error once, in the order of intake, said at the field it belongs to."""
    found: dict[Problem, None] = {}
    for error in refused.errors:
        code, spot = str(error.get("code", "")), locate(str(error.get("pointer", "")))
        if spot is None:
            found[whole_form(code, words)] = None
            continue
        text = words.error(code, spot.words, _own_detail(code, error), words.say(f"form.field.{spot.words}"))
        who = f"{words.say('form.person_n', n=spot.person)}: " if spot.person and persons > 1 else ""
        found[Problem(who + text, spot.field_id)] = None
    return list(found) or [whole_form(refused.reason, words)]


def whole_form(code: str, words: Words) -> Problem:
    """A problem that belongs to no field."""
    return Problem(words.label("whole", code))


def _own_detail(code: str, error: Mapping[str, Any]) -> str:
    """What intake itself says about a rule of its own; nothing for mere shapes, which its field explains better."""
    return "" if code in _SHAPES else str(error.get("detail") or "")
