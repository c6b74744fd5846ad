"""The request form as typed: what a browser posted, kept whole so that a page can show it again."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

MAX_PERSONS = 100
_MAX_FIELDS = 20_000
_PERSON_FIELD = re.compile(r"persons-([0-9]{1,6})-(.+)")


class TooMuch(ValueError):
    """More fields or persons than a request can have."""


@dataclass(slots=True)
class Form:
    """Field names and values as typed. Fields of a person are `persons-{n}-…`, numbered from 0 without gaps."""

    values: dict[str, list[str]] = field(default_factory=dict)
    persons: int = 1

    @classmethod
    def blank(cls) -> Self:
        """An empty form with a key of its own."""
        return cls({"idempotency_key": [str(uuid4())], "channel": ["KELURAHAN_FORM"]})

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """The form of an `application/x-www-form-urlencoded` body; TooMuch when it is larger than any real one."""
        try:
            pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
        except ValueError as error:
            raise TooMuch from error
        found = sorted({int(match[1]) for name, _ in pairs if (match := _PERSON_FIELD.fullmatch(name))})
        if len(found) > MAX_PERSONS:
            raise TooMuch
        new_number = {old: new for new, old in enumerate(found)}
        form = cls(persons=max(1, len(found)))
        for name, value in pairs:
            match = _PERSON_FIELD.fullmatch(name)
            renumbered = f"persons-{new_number[int(match[1])]}-{match[2]}" if match else name
            form.values.setdefault(renumbered, []).append(value)
        return form

    def one(self, name: str) -> str:
        """The value without spaces around it; empty when there is none."""
        return next(iter(self.values.get(name, ())), "").strip()

    def many(self, name: str) -> list[str]:
        """All ticked values of a group, in the order of the page."""
        return self.values.get(name, [])

    def any_of(self, prefix: str, names: Iterable[str]) -> bool:
        """True when one of these fields holds something."""
        return any(self.one(f"{prefix}{name}") for name in names)

    def typed(self, name: str) -> str:
        """The value exactly as typed, to be shown again."""
        return next(iter(self.values.get(name, ())), "")

    @property
    def key(self) -> str | None:
        """The key that makes a second click harmless; None when the page did not send a proper one."""
        try:
            return str(UUID(self.one("idempotency_key")))
        except ValueError:
            return None

    def renew_key(self) -> None:
        """Gives the form a key of its own again."""
        self.values["idempotency_key"] = [str(uuid4())]

    def add_person(self) -> None:
        """One more empty person, up to as many as a request can have."""
        self.persons = min(MAX_PERSONS, self.persons + 1)

    def remove_person(self, number: int) -> None:
        """Takes out the person with this number; the last one stays, but empty."""
        if not 0 <= number < self.persons:
            return
        kept: dict[str, list[str]] = {}
        for name, values in self.values.items():
            match = _PERSON_FIELD.fullmatch(name)
            at = int(match[1]) if match else -1
            if at == number:
                continue
            kept[f"persons-{at - 1}-{match[2]}" if match and at > number else name] = values
        self.values = kept
        self.persons = max(1, self.persons - 1)
