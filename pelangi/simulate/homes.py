"""Who asks for a visit at home in a simulation of many days: how urgent, how long, where, and what will happen.

Everything is drawn from the seed and the request's number, so that two ways of planning meet the same city. Shares, minutes on
site and the size of the city are those of the study (SCHEDULING.md §4).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from random import Random
from typing import Any

from pelangi.contracts.codes import Channel, DeadlineReason, Need, RequesterKind, ServiceKind, VisitKind, VulnerabilityCategory
from pelangi.contracts.regions import Village, villages
from pelangi.simulate import names, numbers
from pelangi.simulate.draw import happens, pick, stream
from pelangi.simulate.people import person

_S, _N, _C = ServiceKind, Need, VulnerabilityCategory

OPENS, CLOSES = 8 * 60, 15 * 60
"""Minutes of the day between which people ask and teams are out."""


class Urgency(StrEnum):
    """The gravest of what the planner looks at (DOMAIN.md §5.2), the lightest first."""

    NONE = "none"
    DEADLINE = "deadline near"
    AID_OR_SCHOOL = "school or aid"
    BEDRIDDEN_OR_SEVERE = "bedridden or severely ill"
    DISASTER = "disaster"
    LIFE_CRITICAL = "hospital"


VULNERABLE = frozenset({Urgency.BEDRIDDEN_OR_SEVERE, Urgency.DISASTER, Urgency.LIFE_CRITICAL})
SHARES: dict[Urgency, float] = {
    Urgency.NONE: 30,
    Urgency.DEADLINE: 25,
    Urgency.AID_OR_SCHOOL: 20,
    Urgency.BEDRIDDEN_OR_SEVERE: 10,
    Urgency.DISASTER: 5,
    Urgency.LIFE_CRITICAL: 10,
}
"""The study's weights of 10, 20, 35, 50 and 70 at 30, 25, 20, 15 and 10 of a hundred: a quarter is vulnerable."""

SERVICES: dict[int, tuple[ServiceKind, ...]] = {
    20: (_S.KTP_RECORDING, _S.KK_CHANGE),
    25: (_S.KTP_RECORDING, _S.KK_NEW),
    30: (_S.VULNERABLE_DATA_COLLECTION, _S.KTP_RECORDING),
    35: (_S.VULNERABLE_DATA_COLLECTION, _S.KK_NEW),
    40: (_S.VULNERABLE_DATA_COLLECTION, _S.KK_NEW, _S.KTP_REISSUE),
    45: (_S.VULNERABLE_DATA_COLLECTION, _S.KK_NEW, _S.KTP_RECORDING),
    50: (_S.VULNERABLE_DATA_COLLECTION, _S.KK_NEW, _S.DATA_CORRECTION),
    55: (_S.VULNERABLE_DATA_COLLECTION, _S.KK_NEW, _S.KTP_RECORDING, _S.IKD_ACTIVATION),
    60: (_S.VULNERABLE_DATA_COLLECTION, _S.KK_NEW, _S.DATA_CORRECTION, _S.KTP_RECORDING),
}
"""By minutes on site (DOMAIN.md §2.2): all of them are due after the same number of days."""
SLOW_SERVICES: dict[int, tuple[ServiceKind, ...]] = {
    30: (_S.KTP_RECORDING,),
    45: (_S.KK_NEW,),
    60: (_S.VULNERABLE_DATA_COLLECTION,),
}
"""The same for who is bedridden: everything takes three times as long."""
SLOW_SHARES: dict[int, float] = {30: 3, 45: 2, 60: 1}
"""So that the mean is the same as for the others."""

CENTRE = (-2.1122, 106.1161)
BOX = (0.0540, 0.0540)
"""Half of 12 km, in degrees of latitude and of longitude: nobody lives further from the centre."""
AROUND = 0.012
"""How far from the centre of the kelurahan somebody may live, in degrees."""
HOURS = (("08:00", "10:00"), ("08:00", "11:00"), ("09:00", "11:30"), ("13:30", "15:00"), ("13:00", "15:00"))
HARMLESS = (_N.WHEELCHAIR, _N.CANNOT_SIGN, _N.BLIND, _N.SIGN_LANGUAGE)
LATEST_WITHDRAWAL = 3


@dataclass(frozen=True, slots=True)
class Shares:
    """How often things go otherwise, as shares of 1. hours: people who are at home at some hours only."""

    no_show: float = 0.08
    withdrawn: float = 0.04
    hours: float = 0.10


@dataclass(frozen=True, slots=True)
class Home:
    """One request to come. day: the how-manieth working day, from 0. minute: of that day.

    withdrawn_after: so many working days later its people change their mind, unless the visit was before; None for never.
    """

    number: int
    day: int
    minute: int
    urgency: Urgency
    village_code: str
    withdrawn_after: int | None


def home(seed: int, number: int, day: int, shares: Shares) -> Home:
    """Request `number`, which comes on that day."""
    rng = stream(seed, "home", number)
    later = rng.randint(1, LATEST_WITHDRAWAL)
    return Home(
        number=number,
        day=day,
        minute=rng.randrange(OPENS, CLOSES),
        urgency=pick(rng, SHARES),
        village_code=rng.choice(list(villages())),
        withdrawn_after=later if happens(shares.withdrawn, seed, "changes mind", number) else None,
    )


def is_away(seed: int, number: int, attempt: int, shares: Shares) -> bool:
    """Whether nobody is at home at the attempt-th visit of a request."""
    return happens(shares.no_show, seed, "away", number, attempt)


def withdrawal_minute(seed: int, number: int) -> int:
    """The minute of the day at which its people call to withdraw."""
    return stream(seed, "calls off", number).randrange(OPENS, CLOSES)


def home_body(seed: int, asked: Home, today: date, shares: Shares) -> dict[str, Any]:
    """The body of its `POST /v1/requests` on that date."""
    rng = stream(seed, "home body", asked.number)
    who, slow = _person(rng, asked.urgency, today)
    if slow:
        who["services"] = list(SLOW_SERVICES[pick(rng, SLOW_SHARES)])
    else:
        who["services"] = list(rng.choice(list(SERVICES.values())))
    body: dict[str, Any] = {
        "channel": Channel.KELURAHAN_FORM,
        "requester": {"kind": RequesterKind.RT_RW, "name": _name(rng), "phone": numbers.phone(rng)},
        "persons": [who],
        "place": _place(rng, villages()[asked.village_code]),
    }
    if asked.urgency in {Urgency.DEADLINE, Urgency.AID_OR_SCHOOL}:
        body["deadline"] = _deadline(rng, asked.urgency, today)
    if happens(shares.hours, seed, "hours", asked.number):
        body["availability"] = _hours(rng)
    return body


def _person(rng: Random, urgency: Urgency, today: date) -> tuple[dict[str, Any], bool]:
    """A grown-up with this urgency and no other; whether everything takes three times as long."""
    who = person(rng, "1", VisitKind.HOME, today, many=True)
    while who["guardian"]:
        who = person(rng, "1", VisitKind.HOME, today, many=True)
    category, needs, slow = _C.ELDERLY, [n for n in who["needs"] if n in HARMLESS], False
    if urgency is Urgency.BEDRIDDEN_OR_SEVERE:
        slow = rng.random() < 0.5
        category, needs = (_C.ELDERLY, [_N.BEDRIDDEN]) if slow else (_C.SEVERE_ILLNESS, [])
    elif urgency is Urgency.DISASTER:
        category = _C.NATURAL_DISASTER_VICTIM
    elif urgency is Urgency.LIFE_CRITICAL:
        needs = [_N.HOSPITAL]
    return {**who, "categories": [category], "needs": needs}, slow


def _deadline(rng: Random, urgency: Urgency, today: date) -> dict[str, Any]:
    """Within two weeks; who waits for school or aid has more time."""
    if urgency is Urgency.DEADLINE:
        reason, days = rng.choice((DeadlineReason.TRAVEL, DeadlineReason.COURT, DeadlineReason.OTHER)), rng.randint(7, 14)
    else:
        reason, days = rng.choice((DeadlineReason.AID, DeadlineReason.SCHOOL)), rng.randint(10, 30)
    return {"date": (today + timedelta(days=days)).isoformat(), "reason": reason}


def _hours(rng: Random) -> list[dict[str, Any]]:
    """Half at some hours of every day, half on one or two days of the week."""
    if rng.random() < 0.5:
        start, end = rng.choice(HOURS)
        return [{"weekday": day, "start": start, "end": end} for day in range(1, 6)]
    return [{"weekday": day, "start": "08:00", "end": "15:00"} for day in sorted(rng.sample(range(1, 6), rng.choice((1, 2))))]


def _place(rng: Random, village: Village) -> dict[str, Any]:
    point = [
        min(max(here + rng.uniform(-AROUND, AROUND), middle - half), middle + half)
        for here, middle, half in zip((village.lat, village.lon), CENTRE, BOX, strict=True)
    ]
    return {
        "visit_kind": VisitKind.HOME,
        "village_code": village.code,
        "rt": f"{rng.randint(1, 12):03}",
        "rw": f"{rng.randint(1, 5):03}",
        "address": f"{rng.choice(names.STREETS)} No. {rng.randint(1, 99)}",
        "lat": round(point[0], 5),
        "lon": round(point[1], 5),
    }


def _name(rng: Random) -> str:
    return f"{rng.choice(names.GIVEN[rng.choice('LP')])} {rng.choice(names.FAMILY)}"
