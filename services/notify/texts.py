"""What a message says: Indonesian, then English, short and plain; no category, document number or name (DOMAIN.md §6.4)."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

import yaml

from pelangi.chassis.clock import JAKARTA
from pelangi.contracts.regions import villages
from pelangi.contracts.snapshots import Contact
from services.notify.messages import Tell
from services.notify.model import Case, contact_of, date_of
from services.notify.rows import Row

_HERE = files("services.notify")
_SUBJECT = "Subject: "


@dataclass(frozen=True, slots=True)
class Mail:
    """A text and where it goes."""

    address: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Writer:
    """Puts messages into words.

    desk_address: of a kelurahan's desk, with `{village_code}` in it; office_address: for places outside the city.
    """

    desk_address: str
    office_address: str
    track_url: str

    def write(self, case: Case, row: Row, tell: Tell) -> Mail:
        """The mail of a message; for the desk, with the request to pass it on."""
        contact = contact_of(case)
        code = shown(row.get("also") or contact.receipt_code)
        values = _values(case, row) | {"code": code, "track": self.track_url + code}
        subject, body = _filled(tell.template, values)
        text = f"{body}\n\n{_template('footer')[1].substitute(values)}"
        if tell.address:
            return Mail(tell.address, subject, text)
        whom = _phrases()["audiences"][_whom(contact, tell)]
        asked, request = _filled("via_kelurahan", {"subject": subject, "code": code} | _both("whom", whom))
        return Mail(self.desk_of(contact.village_code), asked, f"{request}\n\n{text}")

    def desk_of(self, village_code: str) -> str:
        """The address of the desk that can reach people there."""
        return self.desk_address.format(village_code=village_code) if village_code in villages() else self.office_address


def shown(code: str) -> str:
    """A receipt code as people see it: `ABCDE-FGHJK-M` (CONTRACTS.md §4)."""
    plain = code.replace("-", "")
    return f"{plain[:5]}-{plain[5:10]}-{plain[10:]}"


def _whom(contact: Contact, tell: Tell) -> str:
    return tell.audience if tell.audience in _phrases()["audiences"] else contact.to.value


def _values(case: Case, row: Row) -> dict[str, str]:
    values: dict[str, str] = {}
    if (visit := case.get("visits", {}).get(row.get("visit_id", ""))) is not None:
        for language in ("id", "en"):
            words = _phrases()[language]
            values[f"when_{language}"] = _day(case, row, words) + _hours(case, row, words)
            values[f"where_{language}"] = words["place"].format(place=visit["place"]) if visit["place"] else ""
    if "closed" in case:
        outcomes = _phrases()["outcomes"]
        values |= _both("outcome", outcomes.get(case["closed"], outcomes["OTHER"]))
    return values


def _day(case: Case, row: Row, words: dict[str, Any]) -> str:
    day = date_of(case["visits"][row["visit_id"]])
    return f"{words['weekdays'][day.weekday()]}, {day.day} {words['months'][day.month - 1]} {day.year}"


def _hours(case: Case, row: Row, words: dict[str, Any]) -> str:
    """The hours, where the snapshot with those of this revision is here; they are nice to have and not waited for."""
    window = case.get("windows", {}).get(row["visit_id"])
    if window is None or window["revision"] != case["visits"][row["visit_id"]]["revision"]:
        return ""
    start, end = (window[edge].astimezone(JAKARTA).strftime(words["clock"]) for edge in ("start", "end"))
    return str(words["hours"].format(start=start, end=end))


def _both(name: str, phrase: dict[str, str]) -> dict[str, str]:
    return {f"{name}_id": phrase["id"], f"{name}_en": phrase["en"]}


def _filled(name: str, values: dict[str, str]) -> tuple[str, str]:
    subject, body = _template(name)
    return subject.substitute(values), body.substitute(values)


@cache
def _template(name: str) -> tuple[Template, Template]:
    """Subject and body of a file in `templates/`."""
    text = (_HERE / "templates" / f"{name}.txt").read_text(encoding="utf-8").strip()
    if not text.startswith(_SUBJECT):
        return Template(""), Template(text)
    subject, _, body = text.partition("\n")
    return Template(subject.removeprefix(_SUBJECT)), Template(body.strip())


@cache
def _phrases() -> dict[str, Any]:
    phrases: dict[str, Any] = yaml.safe_load((_HERE / "data" / "phrases.yaml").read_text(encoding="utf-8"))
    return phrases
