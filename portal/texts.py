"""All words a person reads: messages, labels of codes, dates. Read once; a gap is found at start, not on a page."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import yaml

from pelangi.contracts import codes, public

LANGUAGES = ("id", "en")
JAKARTA = ZoneInfo("Asia/Jakarta")
OTHER = "?"
CODE_LISTS: tuple[type[StrEnum], ...] = (
    codes.ServiceKind,
    codes.VulnerabilityCategory,
    codes.Need,
    codes.Channel,
    codes.RequesterKind,
    codes.CompanionKind,
    codes.GuardianRelation,
    codes.DeadlineReason,
    codes.ReachChannel,
    codes.ReachTo,
    codes.VisitKind,
    codes.NikAbsenceReason,
    codes.BirthDatePrecision,
    codes.Sex,
)

Table: TypeAlias = Mapping[str, Mapping[str, str]]


def _read(name: str) -> Any:
    return yaml.safe_load((files("portal") / "data" / name).read_text(encoding="utf-8"))


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": str(value)}
    return flat


def check_tables(tables: Mapping[str, Table]) -> None:
    """Raises ValueError when a code has no words, a word has no code, or a language is missing."""
    for codes_of in CODE_LISTS:
        different = set(tables[codes_of.__name__]) ^ {code.value for code in codes_of}
        if different:
            raise ValueError(f"labels of {codes_of.__name__} and its codes differ: {sorted(different)}")
    for name, table in tables.items():
        incomplete = [code for code, words in table.items() if set(words) != set(LANGUAGES) or not all(words.values())]
        if incomplete:
            raise ValueError(f"labels of {name} need every language: {incomplete}")


@cache
def tables() -> dict[str, Table]:
    """Every table of words by name: the code lists, what intake answers with, and `error`, `field`, `warning`."""
    read: dict[str, Table] = {**_read("labels.yaml"), **_read("outcomes.yaml"), **_read("problems.yaml")}
    check_tables(read)
    return read


@cache
def messages() -> dict[str, dict[str, str]]:
    """The sentences of each language by dotted key; both languages have the same keys."""
    read = {language: _flat(_read(f"messages.{language}.yaml")) for language in LANGUAGES}
    different = set(read["id"]) ^ set(read["en"])
    if different:
        raise ValueError(f"messages differ between languages: {sorted(different)}")
    return read


@dataclass(frozen=True, slots=True)
class Words:
    """Everything said in one language."""

    language: str

    @property
    def other(self) -> str:
        """The language to change to."""
        return LANGUAGES[1 - LANGUAGES.index(self.language)]

    def say(self, key: str, **values: object) -> str:
        """The sentence with that key; KeyError when there is none."""
        return messages()[self.language][key].format(**values)

    def label(self, table: str, code: str) -> str:
        """What a person reads instead of the code; never the code itself where the table may meet unknown ones."""
        entries = tables()[table]
        return (entries.get(code) or entries[OTHER])[self.language]

    def public_service(self, code: str) -> str:
        """A service as anybody with the receipt code may see it: data collection of vulnerable residents is advice."""
        known = set(codes.ServiceKind)
        kind = codes.ServiceKind(code) if code in known else codes.ServiceKind.CONSULTATION
        return self.label("ServiceKind", public.public_service_kind(kind))

    def options(self, table: str) -> list[tuple[str, str]]:
        """All codes of a list with their labels, in its order."""
        return [(code, words[self.language]) for code, words in tables()[table].items()]

    def error(self, code: str, field: str, detail: str, label: str) -> str:
        """What is wrong, said so that it can be put right; the same words stand at the field and in the summary.

        detail: what the service says, as `Indonesian / English`; used where there are no words of our own for the code.
        """
        problems = tables()
        if code not in problems["error"] and " / " in detail:
            return self.half(detail)
        words = problems["error"].get(code) or problems["field"].get(field) or problems["error"][OTHER]
        return words[self.language].format(label=label)

    def warning(self, code: str, detail: str, label: str) -> str:
        """What to look at again, although the request was accepted; `detail` as for an error."""
        if code not in tables()["warning"] and " / " in detail:
            return self.half(detail)
        return self.label("warning", code).format(label=label)

    def requirement(self, code: str, detail: str) -> str:
        """What to get ready: as the service says it (with its alternatives and conditions), else the label of its code."""
        return self.half(detail) if " / " in detail else self.label("Requirement", code)

    def half(self, both: str) -> str:
        """The half of `Indonesian / English`; the whole, where it has no halves."""
        indonesian, _, english = both.partition(" / ")
        return english if self.language == "en" and english else indonesian

    def date(self, value: str | dt.date | None) -> str:
        """`24 November 2026`; a moment is read on the clock of Pangkalpinang; empty when it is no date."""
        day = _day(value)
        return f"{day.day} {self.say(f'month.{day.month}')} {day.year}" if day else ""

    def weekday_date(self, value: str | dt.date | None) -> str:
        """`Selasa, 24 November 2026`."""
        day = _day(value)
        return f"{self.say(f'day.{day.isoweekday()}')}, {self.date(day)}" if day else ""


def _day(value: str | dt.date | None) -> dt.date | None:
    if not isinstance(value, str):
        return value
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.astimezone(JAKARTA).date() if moment.tzinfo else moment.date()
