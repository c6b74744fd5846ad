"""What is odd about a name in a new record: only ever warnings, names that exist stay as they are (DOMAIN.md §2.4). Pure."""

import unicodedata
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from pelangi.contracts.codes import ServiceKind
from services.intake.tables import Table, load

TOO_LONG, CHARACTERS, ONE_WORD = "name_too_long", "name_characters", "name_one_word"


class Names(Table):
    """The columns of `data/names.yaml`."""

    new_records: list[ServiceKind]
    max_length: Annotated[int, Field(ge=1)]
    min_words: Annotated[int, Field(ge=1)]


TABLE = load(Names, "names")


def oddities(name: str, services: Sequence[ServiceKind]) -> list[str]:
    """Codes of what is odd about the name of somebody who asks for these services."""
    if not set(services) & set(TABLE.new_records):
        return []
    found = {
        TOO_LONG: len(name) > TABLE.max_length,
        CHARACTERS: not all(c == " " or _latin_letter(c) for c in name),
        ONE_WORD: len(name.split()) < TABLE.min_words,
    }
    return [code for code, is_so in found.items() if is_so]


def _latin_letter(character: str) -> bool:
    return character.isalpha() and unicodedata.name(character, "").startswith("LATIN ")
