"""Small requests of every kind, and what becomes of each: all of them end soon, so that no long list waits for a visit."""

import random
from datetime import date
from enum import StrEnum
from typing import Any

from pelangi.contracts.codes import Channel, RequesterKind, ServiceKind, VisitKind
from pelangi.contracts.regions import villages
from pelangi.simulate import numbers
from pelangi.simulate.bodies import NEIGHBOURS
from pelangi.simulate.draw import pick, stream

Json = dict[str, Any]


class Fate(StrEnum):
    """What its client does after the 201."""

    WITHDRAWN = "withdrawn"
    CORRECTED = "corrected, then withdrawn"
    COMPLETED = "waits for information, is completed, then withdrawn"
    MOVED_AWAY = "corrected to another region"
    DECEASED = "its person has died"
    AWAY = "filed for another region"
    LEFT = "waits for information for ever"


FATES: dict[Fate, float] = {
    Fate.WITHDRAWN: 62,
    Fate.CORRECTED: 10,
    Fate.AWAY: 9,
    Fate.LEFT: 8,
    Fate.DECEASED: 5,
    Fate.MOVED_AWAY: 3,
    Fate.COMPLETED: 3,
}
_SERVICES = (
    ServiceKind.KTP_REISSUE,
    ServiceKind.KK_CHANGE,
    ServiceKind.KK_REISSUE,
    ServiceKind.CONSULTATION,
    ServiceKind.DATA_CONSOLIDATION,
    ServiceKind.VULNERABLE_DATA_COLLECTION,
)
_VISITS: dict[VisitKind, float] = {
    VisitKind.HOME: 6,
    VisitKind.COMMUNITY_POINT: 2,
    VisitKind.INSTITUTION: 1,
    VisitKind.DISASTER_POST: 1,
    VisitKind.OFFICE_APPOINTMENT: 1,
}
_REQUESTERS = (RequesterKind.RT_RW, RequesterKind.FAMILY, RequesterKind.SELF, RequesterKind.KELURAHAN, RequesterKind.CARE_HOME)
_CHANNELS = (Channel.KELURAHAN_FORM, Channel.KELURAHAN_FORM, Channel.PHONE, Channel.WHATSAPP)


def fate_of(seed: int, number: int) -> Fate:
    """Always the same for the same seed and number."""
    return pick(stream(seed, "fate", number), FATES)


def body_of(seed: int, number: int, fate: Fate) -> Json:
    """The body of the first call."""
    rng = stream(seed, "body", number)
    someone = 1 if fate is Fate.DECEASED else rng.choice((1, 1, 1, 2, 3))
    body: Json = {
        "channel": rng.choice(_CHANNELS),
        "requester": {"kind": rng.choice(_REQUESTERS), "name": "Ibu Contoh", "phone": numbers.phone(rng)},
        "persons": [_person(rng, ref) for ref in range(1, someone + 1)],
        "place": {
            "visit_kind": pick(rng, _VISITS),
            "village_code": rng.choice(list(villages())),
            "address": f"Jalan Contoh {rng.randint(1, 99)}",
        },
    }
    if rng.random() < 0.3:
        body["requester"]["email"] = numbers.email(rng, "pemohon")
        body["reach"] = {"channel": "EMAIL", "to": "REQUESTER"}
    if fate is Fate.AWAY:
        body["place"]["village_code"] = rng.choice(NEIGHBOURS)
    return _nowhere(body) if fate in (Fate.LEFT, Fate.COMPLETED) else body


def corrected(seed: int, number: int, fate: Fate) -> Json:
    """The whole body of the correction that its fate has."""
    rng = stream(seed, "correction", number)
    body = body_of(seed, number, Fate.CORRECTED)
    if fate is Fate.MOVED_AWAY:
        return {**body, "place": body["place"] | {"village_code": rng.choice(NEIGHBOURS)}}
    if fate is Fate.CORRECTED and rng.random() < 0.5:
        body["place"]["village_code"] = rng.choice(list(villages()))
    first, *others = body["persons"]
    more = next(kind for kind in _SERVICES if kind not in first["services"])
    return {**body, "persons": [{**first, "services": [*first["services"], more]}, *others]}


def _person(rng: random.Random, ref: int) -> Json:
    kinds = sorted(set(rng.choices(_SERVICES, k=rng.choice((1, 1, 2)))))
    year = rng.randint(1940, 1990)
    born = date(year, rng.randint(1, 12), rng.randint(1, 28))
    return {"ref": str(ref), "name": f"Kakek Contoh {ref}", "birth_date": born.isoformat(), "services": kinds}


def _nowhere(body: Json) -> Json:
    """The same with no way to find or reach anybody."""
    kept = {name: value for name, value in body.items() if name != "reach"}
    requester = {"kind": body["requester"]["kind"], "name": "Ibu Contoh"}
    return {**kept, "requester": requester, "place": {**body["place"], "address": None}}
