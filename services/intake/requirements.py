"""What to bring for a service, from `data/requirements.yaml` (DOMAIN.md §2.3). Nothing here blocks anybody. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import Annotated, Self

from pydantic import Field, model_validator

from pelangi.contracts.codes import GuardianRelation, Need, NikAbsenceReason, ServiceKind, VulnerabilityCategory
from pelangi.contracts.request import Person
from services.intake.eligibility import birth_date
from services.intake.nik import age_on
from services.intake.tables import Table, load

_C, _N = VulnerabilityCategory, Need


@dataclass(frozen=True, slots=True)
class Missing:
    """Something the person should bring or tell: a code and plain words."""

    code: str
    detail: str


class Words(Table):
    """A part of a sentence in both languages; the two are later joined by ` / `."""

    id: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _separable(self) -> Self:
        if " / " in self.id + self.en:
            raise ValueError("' / ' separates the languages")
        return self


class Requirements(Table):
    """One service; the columns are explained in the table."""

    required: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    vulnerable: str | None = None
    evidence: tuple[str, ...] = ()
    fallback: dict[str, str] = Field(default_factory=dict)
    conditional: dict[str, str] = Field(default_factory=dict)
    unless: dict[str, str] = Field(default_factory=dict)
    only_if: dict[str, str] = Field(default_factory=dict)
    before: tuple[str, ...] = ()
    state: str | None = None
    in_person: bool = False
    side_outputs: tuple[str, ...] = ()

    def codes(self) -> set[str]:
        """Every requirement that the service names."""
        vulnerable = [self.vulnerable] if self.vulnerable else []
        pairs = (*self.fallback.items(), *((c, c) for m in (self.conditional, self.unless, self.only_if) for c in m))
        lists = (*self.required, *self.also, *self.any_of, *vulnerable, *self.evidence, *self.before)
        return {*lists, *(c for pair in pairs for c in pair)}

    def conditions(self) -> set[str]:
        """Every condition that the service names."""
        return {*self.conditional.values(), *self.unless.values(), *self.only_if.values()}


class Catalogue(Table):
    """The whole table; every service is in it, and everything it names has words."""

    codes: dict[str, Words]
    conditions: dict[str, Words]
    made_by: dict[str, ServiceKind]
    everybody: dict[str, str]
    services: dict[ServiceKind, Requirements]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        codes = set().union(*(r.codes() for r in self.services.values()), self.everybody, self.made_by)
        conditions = set().union(*(r.conditions() for r in self.services.values()), self.everybody.values())
        gaps = {*codes ^ self.codes.keys(), *conditions ^ self.conditions.keys(), *conditions ^ CONDITIONS.keys()}
        gaps |= set(ServiceKind) - self.services.keys()
        if gaps:
            raise ValueError(f"the table and what it names differ: {sorted(gaps)}")
        return self


@dataclass(frozen=True, slots=True)
class Case:
    """What a requirement may depend on: coarse enough to be the same for many persons. guardian: a relation, if it was told."""

    age: int | None
    services: tuple[ServiceKind, ...]
    has_nik: bool
    has_phone: bool
    has_email: bool
    absence: NikAbsenceReason | None
    ever_married: bool | None
    guardian: GuardianRelation | None
    categories: tuple[VulnerabilityCategory, ...]
    needs: tuple[Need, ...]

    @classmethod
    def of(cls, person: Person, today: date) -> Self:
        """The person as of today."""
        born, guardian = birth_date(person, today), person.guardian
        return cls(
            age=None if born is None else age_on(born, today),
            services=tuple(person.services),
            has_nik=bool(person.nik),
            has_phone=bool(person.phone),
            has_email=bool(person.email),
            absence=person.nik_absence_reason,
            ever_married=person.ever_married,
            guardian=guardian.relation if guardian else None,
            categories=tuple(person.categories),
            needs=tuple(person.needs),
        )


def _age_is(case: Case, at_least: int) -> bool | None:
    return None if case.age is None else case.age >= at_least


def _foundling(case: Case) -> bool | None:
    if case.absence is NikAbsenceReason.FOUNDLING:
        return True
    unsure = _C.NEGLECTED_CHILD in case.categories and case.absence is None and not case.has_nik
    return None if unsure else False


def _ever_married(case: Case) -> bool | None:
    if case.ever_married is not None:
        return case.ever_married
    return False if case.age is not None and case.age < 16 else None


def _perhaps_if_married(case: Case) -> bool | None:
    return False if _ever_married(case) is False else None


def _never_told(_: Case) -> None:
    return None


def _without_parent(case: Case) -> bool | None:
    if case.age is None or case.age >= 17:
        return False
    if _foundling(case) or case.guardian not in (None, GuardianRelation.PARENT):
        return True
    return False if case.guardian is GuardianRelation.PARENT else None


def _in_institution(case: Case) -> bool | None:
    if case.guardian is GuardianRelation.INSTITUTION_HEAD:
        return True
    return bool({_C.CARE_HOME_RESIDENT, _C.INMATE} & set(case.categories))


def _exception(case: Case) -> bool | None:
    needs = set(case.needs)
    if _N.BIOMETRIC_EXCEPTION in needs:
        return True
    return None if {_N.BEDRIDDEN, _N.RESTLESS, _N.BLIND, _N.CANNOT_SIGN} & needs else False


CONDITIONS: Mapping[str, Callable[[Case], bool | None]] = {
    "AGE_5_OR_OLDER": lambda case: _age_is(case, 5),
    "ADULT": lambda case: _age_is(case, 17),
    "FOUNDLING": _foundling,
    "EVER_MARRIED": _ever_married,
    "MARRIED_WITHOUT_BOOK": _perhaps_if_married,
    "WIDOWED": _perhaps_if_married,
    "DIVORCED": _perhaps_if_married,
    "LIVES_WITH_OTHERS": _never_told,
    "CHILD_STAYS_BEHIND": _never_told,
    "CHILD_WITHOUT_PARENT": _without_parent,
    "IN_INSTITUTION": _in_institution,
    "BIOMETRIC_EXCEPTION": _exception,
}
"""Whether a condition holds; None where the form cannot tell."""

TABLE = load(Catalogue, "requirements")


def to_bring(person: Person, service: ServiceKind, today: date) -> Sequence[Missing]:
    """What this person should have ready for this service; each code once, the certain ones first."""
    return _to_bring(Case.of(person, today), service)


@lru_cache(maxsize=4096)
def _to_bring(case: Case, service: ServiceKind) -> Sequence[Missing]:
    rules = TABLE.services[service]
    given = {
        "PHONE": case.has_phone,
        "EMAIL": case.has_email,
        **{code: maker in case.services and maker is not service for code, maker in TABLE.made_by.items()},
    }

    def asked(code: str) -> bool:
        unless, only_if = rules.unless.get(code), rules.only_if.get(code)
        excluded = (unless and CONDITIONS[unless](case)) or (only_if and CONDITIONS[only_if](case) is False)
        return not (given.get(code) or excluded)

    found = [
        *(_plain(code) for code in (*rules.required, *rules.also) if asked(code)),
        *_one_of(rules, case, given, asked),
        *(_proof(code, rules.fallback.get(code)) for code in rules.evidence if asked(code)),
        *_conditional([*rules.conditional.items(), *_general(rules)], case),
    ]
    return tuple(m for at, m in enumerate(found) if all(m.code != earlier.code for earlier in found[:at]))


def _general(rules: Requirements) -> Iterable[tuple[str, str]]:
    """The conditional requirements of every service; none for a service that asks for nothing at all."""
    return TABLE.everybody.items() if rules.required else ()


def _one_of(rules: Requirements, case: Case, given: Mapping[str, bool], asked: Callable[[str], bool]) -> Iterator[Missing]:
    """One entry: the first that fits, with the others as alternatives; nothing where one is there already."""
    preferred = [rules.vulnerable] if rules.vulnerable and _vulnerable(case) else []
    choices = list(dict.fromkeys([*preferred, *rules.any_of]))
    if not choices or any(given.get(code) for code in choices):
        return
    fitting = [code for code in choices if asked(code)]
    yield Missing(fitting[0], _sentence(_joined(fitting, "id", ", atau "), _joined(fitting, "en", ", or ")))


def _vulnerable(case: Case) -> bool:
    return any(category is not _C.NONE for category in case.categories)


def _conditional(rules: Iterable[tuple[str, str]], case: Case) -> Iterator[Missing]:
    for code, condition in rules:
        holds = CONDITIONS[condition](case)
        if holds:
            yield _plain(code)
        elif holds is None:
            words, when = TABLE.codes[code], TABLE.conditions[condition]
            yield Missing(code, _sentence(f"bila {when.id}: {words.id}", f"if {when.en}: {words.en}"))


@cache
def _plain(code: str) -> Missing:
    return Missing(code, _sentence(TABLE.codes[code].id, TABLE.codes[code].en))


@cache
def _proof(code: str, fallback: str | None) -> Missing:
    if fallback is None:
        return _plain(code)
    words, instead = TABLE.codes[code], TABLE.codes[fallback]
    return Missing(code, _sentence(f"{words.id}; bila tidak ada: {instead.id}", f"{words.en}; if there is none: {instead.en}"))


def _joined(codes: Iterable[str], language: str, between: str) -> str:
    return between.join(getattr(TABLE.codes[code], language) for code in codes)


def _sentence(indonesian: str, english: str) -> str:
    return f"{indonesian[0].upper()}{indonesian[1:]}. / {english[0].upper()}{english[1:]}."
