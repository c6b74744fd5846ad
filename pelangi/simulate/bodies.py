"""Made-up requests of the real 42 kelurahan, as bodies of `POST /v1/requests`. The same seed and number give the same body."""

import random
from datetime import date, timedelta
from typing import Any

from pelangi.contracts.codes import Channel, CompanionKind, DeadlineReason, Need, ReachChannel, ReachTo, RequesterKind, VisitKind
from pelangi.contracts.regions import Village, villages
from pelangi.simulate import names, numbers
from pelangi.simulate.draw import pick, stream
from pelangi.simulate.people import person

_V, _R = VisitKind, RequesterKind

_VISIT_KINDS: dict[VisitKind, float] = {
    _V.HOME: 62,
    _V.COMMUNITY_POINT: 20,
    _V.INSTITUTION: 8,
    _V.DISASTER_POST: 3,
    _V.OFFICE_APPOINTMENT: 7,
}
_REQUESTERS: dict[VisitKind, dict[RequesterKind, float]] = {
    _V.HOME: {_R.RT_RW: 4, _R.FAMILY: 3, _R.SELF: 1, _R.KELURAHAN: 2, _R.TKSK: 1, _R.PSM: 1, _R.PUSKESMAS: 1, _R.GUARDIAN: 1},
    _V.COMMUNITY_POINT: {_R.SELF: 3, _R.RT_RW: 3, _R.KELURAHAN: 3, _R.FAMILY: 2, _R.RELIGIOUS_BODY: 1},
    _V.INSTITUTION: {_R.PRISON: 2, _R.CARE_HOME: 3, _R.SCHOOL: 3, _R.HOSPITAL: 1, _R.NGO: 1},
    _V.DISASTER_POST: {_R.SOCIAL_OFFICE: 2, _R.KELURAHAN: 2, _R.OTHER_CITY_SERVICE: 1},
    _V.OFFICE_APPOINTMENT: {_R.SELF: 5, _R.FAMILY: 2, _R.DUKCAPIL: 1},
}
_CHANNELS: dict[Channel, float] = {
    Channel.KELURAHAN_FORM: 70,
    Channel.WHATSAPP: 10,
    Channel.PHONE: 5,
    Channel.LETTER: 5,
    Channel.FIELD: 4,
    Channel.WALK_IN: 4,
    Channel.SP4N_LAPOR: 1,
    Channel.API: 1,
}
NEIGHBOURS = ("19.01.01.1001", "19.01.04.2003", "19.04.01.2005")
"""Codes of the neighbouring regencies: well-formed, and not this city's to serve."""

NEEDS_INFO_SHARE = 0.03
OUT_OF_AREA_SHARE = 0.03
DUPLICATE_SHARE = 0.02


def is_duplicate(seed: int, number: int) -> bool:
    """Whether request `number` asks, by another requester, for what the one before it asked already."""
    return number > 0 and _copies(seed, number) and not _copies(seed, number - 1)


def _copies(seed: int, number: int) -> bool:
    return stream(seed, "duplicate", number).random() < DUPLICATE_SHARE


def request_body(seed: int, number: int, today: date) -> dict[str, Any]:
    """The body of request `number` of a run with this seed."""
    if is_duplicate(seed, number):
        same = request_body(seed, number - 1, today)
        rng = stream(seed, "second requester", number)
        requester = {"kind": _R.TKSK, "name": _name(rng), "phone": numbers.phone(rng), "email": numbers.email(rng, "tksk")}
        return {**same, "requester": requester, "reach": {"channel": ReachChannel.EMAIL, "to": ReachTo.REQUESTER}}
    rng = stream(seed, "request", number)
    if rng.random() < NEEDS_INFO_SHARE:
        return _nowhere(_ordinary(rng, today))
    body = _ordinary(rng, today)
    if rng.random() < OUT_OF_AREA_SHARE:
        abroad = {"village_code": rng.choice(NEIGHBOURS), "address": "Jalan Contoh", "lat": None, "lon": None}
        body["place"] |= abroad
    return body


def _ordinary(rng: random.Random, today: date) -> dict[str, Any]:
    kind = pick(rng, _VISIT_KINDS)
    persons = _persons(rng, kind, today)
    body: dict[str, Any] = {
        "channel": pick(rng, _CHANNELS),
        "requester": _requester(rng, kind),
        "persons": persons,
        "place": _place(rng, kind, rng.choice(list(villages().values()))),
    }
    if any(Need.COMPANION_REQUIRED in p["needs"] for p in persons) or rng.random() < 0.15:
        body["companion"] = {"kind": rng.choice(list(CompanionKind)), "name": _name(rng)}
    if kind is _V.HOME and rng.random() < 0.2:
        days = sorted(rng.sample(range(1, 5), 2))
        body["availability"] = [{"weekday": day, "start": "08:00", "end": "14:30"} for day in days]
    if rng.random() < 0.12:
        due = today + timedelta(days=rng.randint(14, 60))
        body["deadline"] = {"date": due.isoformat(), "reason": rng.choice(list(DeadlineReason))}
    return body | _reach(rng, body)


def _persons(rng: random.Random, kind: VisitKind, today: date) -> list[dict[str, Any]]:
    counts: dict[VisitKind, dict[int, float]] = {
        _V.HOME: {1: 7, 2: 3},
        _V.COMMUNITY_POINT: {1: 5, 2: 3, 3: 2, 5: 1, 6: 1},
        _V.INSTITUTION: {4: 3, 6: 3, 9: 2, 20: 1, 40: 0.3},
        _V.DISASTER_POST: {2: 2, 4: 2, 6: 1},
        _V.OFFICE_APPOINTMENT: {1: 4, 2: 1},
    }
    count = pick(rng, counts[kind])
    return [person(rng, str(at), kind, today, many=count > 2) for at in range(1, count + 1)]


def _requester(rng: random.Random, kind: VisitKind) -> dict[str, Any]:
    return {
        "kind": pick(rng, _REQUESTERS[kind]),
        "name": _name(rng),
        "phone": numbers.phone(rng) if rng.random() < 0.5 else None,
        "email": numbers.email(rng, "pemohon") if rng.random() < 0.35 else None,
    }


def _place(rng: random.Random, kind: VisitKind, village: Village) -> dict[str, Any]:
    """Near the centre of the kelurahan; always findable by something."""
    on_map = rng.random() < 0.7
    address = f"{rng.choice(names.STREETS)} No. {rng.randint(1, 99)}" if rng.random() < 0.7 or not on_map else None
    return {
        "visit_kind": kind,
        "village_code": village.code,
        "rt": f"{rng.randint(1, 12):03}",
        "rw": f"{rng.randint(1, 5):03}",
        "address": address,
        "landmark": rng.choice(names.LANDMARKS) if rng.random() < 0.4 else None,
        "lat": round(village.lat + rng.uniform(-0.002, 0.002), 5) if on_map else None,
        "lon": round(village.lon + rng.uniform(-0.002, 0.002), 5) if on_map else None,
    }


def _reach(rng: random.Random, body: dict[str, Any]) -> dict[str, Any]:
    """How to answer: by what the requester gave, or through the kelurahan."""
    requester = body["requester"]
    if requester["email"] and rng.random() < 0.8:
        return {"reach": {"channel": ReachChannel.EMAIL, "to": ReachTo.REQUESTER}}
    if requester["phone"] and rng.random() < 0.5:
        return {"reach": {"channel": rng.choice((ReachChannel.WHATSAPP, ReachChannel.SMS)), "to": ReachTo.REQUESTER}}
    if body["persons"][0]["guardian"] and rng.random() < 0.5:
        return {"reach": {"channel": ReachChannel.EMAIL, "to": ReachTo.GUARDIAN}}
    return {}


def _nowhere(body: dict[str, Any]) -> dict[str, Any]:
    """The same with no way to find or reach anybody: accepted nevertheless, as NEEDS_INFO."""
    place = body["place"] | {"address": None, "landmark": None, "lat": None, "lon": None}
    persons = [{**p, "guardian": {**p["guardian"], "email": None} if p["guardian"] else None} for p in body["persons"]]
    requester = body["requester"] | {"phone": None, "email": None}
    kept = {name: value for name, value in body.items() if name not in {"reach", "companion"}}
    return {**kept, "requester": requester, "persons": persons, "place": place}


def _name(rng: random.Random) -> str:
    return f"{rng.choice(names.GIVEN[rng.choice('LP')])} {rng.choice(names.FAMILY)}"
