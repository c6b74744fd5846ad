"""Which other request may be about the same person: a suggestion, never a decision (DOMAIN.md §5.5). Pure.

Found by keyed digests, so that no index holds a NIK or a name. Same NIK; else same name, birth year and kelurahan, unless both
know the mother's name and it differs.
"""

import hmac
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

from pelangi.chassis.clock import local_date
from pelangi.contracts.request import Person, RequestBody
from services.intake.eligibility import birth_date
from services.intake.model import Case
from services.intake.tables import Table, load

DIGEST_LENGTH = 32


class Spellings(Table):
    """The columns of `data/spellings.yaml`: one spelling per name, words that are no name, letters of the old spelling."""

    same: dict[str, list[str]]
    titles: list[str]
    letters: dict[str, str]


TABLE = load(Spellings, "spellings")
_ONE_SPELLING = {other: name for name, others in TABLE.same.items() for other in others}
_TITLES = frozenset(TABLE.titles)


@dataclass(frozen=True, slots=True)
class Likeness:
    """One person as the search knows them: digests of the NIK and of each name with birth year and kelurahan."""

    nik: str | None
    names: frozenset[str]
    mother: str | None


def normalised(name: str) -> str:
    """One spelling of a name: no case, accents, punctuation, titles or degrees; usual variants as one."""
    plain = unicodedata.normalize("NFKD", name.partition(",")[0]).casefold()
    words = re.findall(r"[^\W_]+", "".join(c for c in plain if not unicodedata.combining(c)))
    return " ".join(_spelt(w) for w in [w for w in words if w not in _TITLES] or words)


def _spelt(word: str) -> str:
    if word in _ONE_SPELLING:
        return _ONE_SPELLING[word]
    for old, new in TABLE.letters.items():
        word = word.replace(old, new)
    return _ONE_SPELLING.get(word, word)


def likenesses(case: Case, secret: str, body: RequestBody | None = None) -> list[Likeness]:
    """The persons of a request. body: its body, where it is at hand as a model."""
    body = body or RequestBody.model_validate(case["body"])
    received_on = local_date(case["received_at"])
    return [_likeness(p, body.place.village_code, received_on, secret) for p in body.persons]


def _likeness(person: Person, village_code: str, received_on: date, secret: str) -> Likeness:
    born = birth_date(person, received_on)
    names = {normalised(n) for n in (person.name, *person.aliases) if n} - {""} if born else set()
    return Likeness(
        _digest(secret, "nik", person.nik) if person.nik else None,
        frozenset(_digest(secret, "person", name, str(born.year), village_code) for name in names) if born else frozenset(),
        normalised(person.mother_name) if person.mother_name else None,
    )


def _digest(secret: str, *parts: str) -> str:
    return hmac.digest(secret.encode(), "|".join(("match", *parts)).encode(), "sha256").hex()[:DIGEST_LENGTH]


def match_keys(people: Sequence[Likeness]) -> list[str]:
    """The digests by which these persons are found."""
    return sorted({p.nik for p in people if p.nik}.union(*(p.names for p in people)))


def keyed(case: Case, secret: str, body: RequestBody | None = None) -> Case:
    """The case with the digests by which others find it; to be called wherever its body may have changed. body: see above."""
    if "body" not in case:
        return case
    keys = match_keys(likenesses(case, secret, body))
    return case if keys == case.get("match_keys") else cast(Case, {**case, "match_keys": keys})


def why(mine: Sequence[Likeness], theirs: Sequence[Likeness]) -> list[str]:
    """Why two requests may be about one person: NIK, PERSON, both or nothing."""
    same_nik = bool({p.nik for p in mine if p.nik} & {p.nik for p in theirs})
    same_person = any(a.names & b.names and not (a.mother and b.mother and a.mother != b.mother) for a in mine for b in theirs)
    return [code for code, found in (("NIK", same_nik), ("PERSON", same_person)) if found]
