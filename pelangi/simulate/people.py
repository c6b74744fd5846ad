"""One made-up person: age, categories, needs, numbers, and services that the person may have (DOMAIN.md §1.3, §2.2)."""

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pelangi.contracts.codes import (
    BirthDatePrecision,
    GuardianRelation,
    Need,
    NikAbsenceReason,
    ServiceKind,
    Sex,
    VisitKind,
    VulnerabilityCategory,
)
from pelangi.simulate import names, numbers
from pelangi.simulate.draw import pick

_S, _C, _N = ServiceKind, VulnerabilityCategory, Need


@dataclass(frozen=True, slots=True)
class Band:
    """An age band: ages in years (first, last), its categories by weight, and the services it asks for by weight."""

    ages: tuple[int, int]
    categories: dict[VulnerabilityCategory, float]
    services: dict[ServiceKind, float]


_ADULT_SERVICES: dict[ServiceKind, float] = {
    _S.KTP_RECORDING: 25,
    _S.KTP_NEW: 12,
    _S.KTP_REISSUE: 14,
    _S.KK_CHANGE: 14,
    _S.KK_REISSUE: 8,
    _S.KK_NEW: 5,
    _S.BIODATA_REGISTRATION: 6,
    _S.BIRTH_CERT: 5,
    _S.IKD_ACTIVATION: 4,
    _S.VULNERABLE_DATA_COLLECTION: 5,
    _S.CONSULTATION: 3,
    _S.DATA_CONSOLIDATION: 3,
    _S.DATA_CORRECTION: 2,
    _S.DEATH_CERT: 2,
    _S.MOVE_WITHIN: 2,
    _S.MOVE_IN: 2,
    _S.MOVE_OUT: 1,
    _S.MARRIAGE_CERT: 0.5,
    _S.DIVORCE_CERT: 0.5,
}
BANDS: dict[str, Band] = {
    "child": Band(
        (0, 14),
        {_C.NEGLECTED_CHILD: 2, _C.EXTREME_POVERTY: 3, _C.DISABILITY: 1, _C.NONE: 3},
        {_S.KIA: 5, _S.BIRTH_CERT: 5, _S.KK_CHANGE: 2, _S.BIODATA_REGISTRATION: 1},
    ),
    "pupil": Band((16, 16), {_C.FIRST_TIME_CARD_HOLDER: 1}, {_S.KTP_RECORDING: 3, _S.KTP_NEW: 1}),
    "adult": Band(
        (18, 59),
        {_C.DISABILITY: 4, _C.MENTAL_DISORDER: 2, _C.SEVERE_ILLNESS: 2, _C.PREGNANT: 1, _C.EXTREME_POVERTY: 3, _C.NONE: 3},
        _ADULT_SERVICES,
    ),
    "elderly": Band((60, 96), {_C.ELDERLY: 8, _C.SEVERE_ILLNESS: 2, _C.NEGLECTED_PERSON: 1}, _ADULT_SERVICES),
}
_BY_VISIT: dict[VisitKind, dict[str, float]] = {
    VisitKind.HOME: {"child": 1, "adult": 3, "elderly": 6},
    VisitKind.COMMUNITY_POINT: {"child": 4, "pupil": 1, "adult": 5, "elderly": 2},
    VisitKind.INSTITUTION: {"child": 2, "pupil": 3, "adult": 4, "elderly": 2},
    VisitKind.DISASTER_POST: {"child": 2, "adult": 4, "elderly": 2},
    VisitKind.OFFICE_APPOINTMENT: {"child": 1, "adult": 4, "elderly": 1},
}
_NEEDS: dict[VulnerabilityCategory, dict[Need | None, float]] = {
    _C.ELDERLY: {None: 5, _N.BEDRIDDEN: 2, _N.WHEELCHAIR: 2, _N.CANNOT_SIGN: 1},
    _C.DISABILITY: {None: 2, _N.WHEELCHAIR: 3, _N.SIGN_LANGUAGE: 1, _N.BLIND: 1, _N.BIOMETRIC_EXCEPTION: 1},
    _C.MENTAL_DISORDER: {None: 1, _N.RESTLESS: 2, _N.TWO_OFFICERS: 1, _N.COMPANION_REQUIRED: 2},
    _C.SEVERE_ILLNESS: {None: 1, _N.BEDRIDDEN: 4},
}
_EXACT, _YEAR = BirthDatePrecision.EXACT, BirthDatePrecision.YEAR


def person(rng: random.Random, ref: str, kind: VisitKind, today: date, *, many: bool) -> dict[str, Any]:
    """A person as the request body says it. `many`: one of a long list, so one short service."""
    band_name = pick(rng, _BY_VISIT[kind])
    band = BANDS[band_name]
    sex = rng.choice(list(Sex))
    birth = _birth(rng, band, today)
    category = pick(rng, band.categories)
    need = pick(rng, _NEEDS.get(category, {None: 1}))
    services = _services(rng, band, many=many)
    identity = _identity(rng, band_name, birth, sex, today)
    return {
        "ref": ref,
        "name": f"{rng.choice(names.GIVEN[sex])} {rng.choice(names.FAMILY)}" if rng.random() > 0.02 else None,
        "birth_date": birth.isoformat(),
        "sex": sex,
        "mother_name": rng.choice(names.GIVEN["P"]) if rng.random() < 0.6 else None,
        "guardian": _guardian(rng) if band_name in {"child", "pupil"} else None,
        "ever_married": False if band_name in {"child", "pupil"} else None,
        "categories": [category],
        "needs": [need] if need else [],
        "services": [_S.KK_CHANGE if s is _S.BIODATA_REGISTRATION else s for s in services] if identity["nik"] else services,
        **identity,
    }


def _birth(rng: random.Random, band: Band, today: date) -> date:
    """A birth date well inside the band, so that a simulated day more changes nobody's rights."""
    first, last = band.ages
    youngest = today - timedelta(days=round(first * 365.25) + 60)
    oldest = today - timedelta(days=round((last + 1) * 365.25) - 60)
    return oldest + timedelta(days=rng.randint(0, (youngest - oldest).days))


def _services(rng: random.Random, band: Band, *, many: bool) -> list[ServiceKind]:
    wanted = {pick(rng, band.services) for _ in range(1 if many else rng.choice((1, 1, 2, 3)))}
    if {_S.BIODATA_REGISTRATION, _S.KK_CHANGE} <= wanted:
        wanted.discard(_S.KK_CHANGE)  # who has a NIK changes the family card instead of being registered: one of the two
    return sorted(wanted)


def _identity(rng: random.Random, band: str, birth: date, sex: Sex, today: date) -> dict[str, Any]:
    """NIK and family card, or why there is none; who was never registered often knows the year only."""
    has_card = rng.random() < 0.6
    card = {"family_card_number": numbers.family_card_number(rng, today) if has_card else None}
    if rng.random() < 0.7:
        return {**card, "nik": numbers.nik(rng, birth, sex), "nik_absence_reason": None, "birth_date_precision": _EXACT}
    reason = NikAbsenceReason.NEWBORN if band == "child" and (today - birth).days < 365 else _absence(rng)
    precision = _YEAR if band == "elderly" and rng.random() < 0.5 else _EXACT
    return {**card, "nik": None, "nik_absence_reason": reason, "birth_date_precision": precision}


def _absence(rng: random.Random) -> NikAbsenceReason:
    reasons = (
        NikAbsenceReason.NEVER_REGISTERED,
        NikAbsenceReason.LOST_AND_UNKNOWN,
        NikAbsenceReason.UNABLE_TO_COMMUNICATE,
        NikAbsenceReason.OTHER,
    )
    return rng.choice(reasons)


def _guardian(rng: random.Random) -> dict[str, Any]:
    relation = rng.choice((GuardianRelation.PARENT, GuardianRelation.PARENT, GuardianRelation.GUARDIAN))
    email = numbers.email(rng, "wali") if rng.random() < 0.2 else None
    return {"name": f"{rng.choice(names.GIVEN['P'])} {rng.choice(names.FAMILY)}", "relation": relation, "email": email}
