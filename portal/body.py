"""From the fields of the form to the body of `POST /v1/requests`. What is wrong is for intake to say; here nothing is refused."""

import re
from collections.abc import Mapping
from typing import Any

from portal.form import Form

_SEPARATORS = re.compile(r"[\s.\-\u2010-\u2015\u2212]+")
_PHONE_SEPARATORS = re.compile(r"[\s.\-()/\u2010-\u2015\u2212]+")
_DEFAULT_DAYS = ("1", "2", "3", "4", "5")
_DEFAULT_START, _DEFAULT_END = "08:00", "15:00"
_CONTACT = ("name", "phone", "email")
_PERSON_TEXTS = ("name", "nik", "nik_absence_reason", "family_card_number", "sex", "mother_name", "phone", "email")
_PERSON_LISTS = ("categories", "needs", "services")
_PLACE = ("visit_kind", "village_code", "rt", "rw", "address", "landmark", "lat", "lon")


def request_body(form: Form) -> dict[str, Any]:
    """The JSON body this form asks intake to accept; what was left empty is left out."""
    body: dict[str, Any] = {
        "channel": form.one("channel") or "KELURAHAN_FORM",
        "requester": _part(form, "requester-", ("kind", *_CONTACT)),
        "persons": [_person(form, number) for number in range(form.persons)],
        "place": _part(form, "place-", _PLACE),
    }
    optional = {
        "companion": _part(form, "companion-", ("kind", *_CONTACT)),
        "availability": _availability(form),
        "deadline": _deadline(form),
        "reach": _part(form, "reach-", ("channel", "to")),
        "notes": form.one("notes"),
    }
    return body | {name: value for name, value in optional.items() if value}


def digits(value: str) -> str:
    """A number as people write it, without its spaces, dots and dashes."""
    return _SEPARATORS.sub("", value)


def phone(value: str) -> str:
    """An Indonesian phone number in international form; anything else stays as it is, for intake to refuse."""
    plain = _PHONE_SEPARATORS.sub("", value)
    if plain.startswith("0"):
        return f"+62{plain[1:]}"
    return f"+{plain}" if plain.startswith("62") else plain


def _degrees(value: str) -> float | str:
    try:
        return float(value.replace(",", ".").replace("\u2212", "-"))
    except ValueError:
        return value


def _three_digits(value: str) -> str:
    return value.zfill(3) if value.isdigit() else value


_CLEAN: Mapping[str, Any] = {
    "nik": digits,
    "family_card_number": digits,
    "phone": phone,
    "lat": _degrees,
    "lon": _degrees,
    "rt": _three_digits,
    "rw": _three_digits,
}


def _part(form: Form, prefix: str, names: tuple[str, ...]) -> dict[str, Any]:
    typed = {name: form.one(prefix + name) for name in names}
    return {name: _CLEAN.get(name, str)(value) for name, value in typed.items() if value}


def _person(form: Form, number: int) -> dict[str, Any]:
    prefix = f"persons-{number}-"
    person: dict[str, Any] = {"ref": str(number + 1)} | _part(form, prefix, _PERSON_TEXTS) | _birth_date(form, prefix)
    aliases = [alias.strip() for alias in form.one(f"{prefix}aliases").split(",") if alias.strip()]
    if aliases:
        person["aliases"] = aliases
    if married := form.one(f"{prefix}ever_married"):
        person["ever_married"] = married == "yes"
    if guardian := _part(form, f"{prefix}guardian-", ("relation", *_CONTACT)):
        person["guardian"] = guardian
    return person | {name: form.many(prefix + name) for name in _PERSON_LISTS}


def _birth_date(form: Form, prefix: str) -> dict[str, str]:
    """A date that is only partly known becomes the office's placeholder for it, with the precision that says so."""
    day, month, year = (form.one(f"{prefix}birth_date-{part}") for part in ("day", "month", "year"))
    if not (day or month or year):
        return {}
    precision = "EXACT" if day else "MONTH" if month else "YEAR"
    if form.one(f"{prefix}birth_date-estimated"):
        precision = "ESTIMATED"
    if not day and not month:
        day, month = "1", "7"
    return {"birth_date": _iso(year, month, day or "1"), "birth_date_precision": precision}


def _iso(year: str, month: str, day: str) -> str:
    return f"{year}-{month.zfill(2)}-{day.zfill(2)}"


def _deadline(form: Form) -> dict[str, str]:
    day, month, year = (form.one(f"deadline-date-{part}") for part in ("day", "month", "year"))
    found = {"date": _iso(year, month, day)} if day or month or year else {}
    return found | _part(form, "deadline-", ("reason",))


def _availability(form: Form) -> list[dict[str, Any]]:
    """The same hours on each chosen day; only days means office hours, only hours means Monday to Friday."""
    days, start, end = form.many("availability-days"), form.one("availability-start"), form.one("availability-end")
    if not (days or start or end):
        return []
    hours = {"start": _time(start) or _DEFAULT_START, "end": _time(end) or _DEFAULT_END}
    return [{"weekday": int(day) if day.isdigit() else day, **hours} for day in days or _DEFAULT_DAYS]


def _time(value: str) -> str:
    """`9`, `9.30` and `09:30` as people write them."""
    match = re.fullmatch(r"([0-9]{1,2})(?:[.:]([0-9]{2}))?", value.removesuffix("WIB").strip())
    return f"{match[1].zfill(2)}:{match[2] or '00'}" if match else value
