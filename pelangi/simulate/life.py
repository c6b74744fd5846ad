"""Life as it happens to a request: people die, move, change their mind; somebody else asked for the same; nobody is found.

What happens to request `number` is drawn from the seed alone, so that a run can be repeated; it is done through the public API.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any

from pelangi.contracts.codes import RequestStatus
from pelangi.contracts.regions import villages
from pelangi.simulate.api import Api, problem_code, version_of
from pelangi.simulate.bodies import NEIGHBOURS, is_duplicate, request_body
from pelangi.simulate.draw import happens, stream
from pelangi.simulate.options import Followed, Report, SimulateOptions

Json = dict[str, Any]

TRIES = 10
LATER = frozenset({RequestStatus.SCHEDULED, RequestStatus.DEFERRED, RequestStatus.IN_SERVICE})


class Fate(StrEnum):
    """What happens to a request beside its visits. NEEDS_INFO ones have their own: completed, given up, or left."""

    WITHDRAWN = "withdrawn"
    DECEASED = "deceased"
    CORRECTED = "corrected"
    MOVED = "moved"
    MOVED_AWAY = "moved away"
    DUPLICATE = "duplicate"
    NO_CONTACT = "no contact"
    COMPLETED = "completed"
    NOTHING = ""


def fate_of(options: SimulateOptions, number: int) -> Fate:
    """What will happen to a request that can be visited."""
    seed, chances = options.seed, options.chances
    if chances.duplicate and is_duplicate(seed, number):
        return Fate.DUPLICATE
    if happens(chances.request_withdrawn, seed, "withdrawn", number):
        return Fate.WITHDRAWN
    shares = {
        Fate.DECEASED: chances.deceased,
        Fate.CORRECTED: chances.corrected,
        Fate.MOVED: chances.moved,
        Fate.MOVED_AWAY: chances.moved_away,
        Fate.NO_CONTACT: chances.no_contact,
    }
    left = stream(seed, "fate", number).random()
    for fate, share in shares.items():
        if left < share:
            return fate
        left -= share
    return Fate.NOTHING


def fate_without_info(options: SimulateOptions, number: int) -> Fate:
    """What becomes of a request that says neither where nor whom to call: half are completed, some are given up."""
    if not options.chances.completed:
        return Fate.NOTHING
    left = stream(options.seed, "no info", number).random()
    if left < options.chances.completed:
        return Fate.COMPLETED
    return Fate.NO_CONTACT if left < options.chances.completed + (1 - options.chances.completed) / 2 else Fate.NOTHING


class Life:
    """The people behind the requests of this run. `filed`: request ids by number."""

    def __init__(self, api: Api, options: SimulateOptions, report: Report, today: date, filed: Mapping[int, str]) -> None:
        self._api = api
        self._options = options
        self._report = report
        self._today = today
        self._filed = filed

    def is_over(self, request: Followed) -> bool:
        """Whether a request that waits for information is left so."""
        if request.status != RequestStatus.NEEDS_INFO or request.number is None or request.lived:
            return True
        return fate_without_info(self._options, request.number) is Fate.NOTHING

    async def act(self, request: Followed, version: int | None) -> bool:
        """Do what happens to the request at this moment, once; True where it changed something."""
        if request.number is None or request.lived:
            return False
        if request.status == RequestStatus.NEEDS_INFO:
            fate = fate_without_info(self._options, request.number)
        else:
            fate = fate_of(self._options, request.number)
            late = fate is Fate.NO_CONTACT or happens(0.5, self._options.seed, "late", request.number)
            if late and fate is not Fate.DUPLICATE and request.status not in LATER:
                return False
            if fate is Fate.NO_CONTACT and request.status != RequestStatus.DEFERRED:
                return False
        if fate is Fate.NOTHING:
            request.lived = True
            return False
        return await self._do(request, request.number, fate, version)

    async def _do(self, request: Followed, number: int, fate: Fate, version: int | None) -> bool:
        path, body = await self._call(request, number, fate)
        request.lived = True
        if not path:
            return False
        url = f"{self._options.intake_url}/v1/requests/{request.request_id}"
        for _ in range(TRIES):
            answer = await self._api.post(f"{url}/{path}", body, if_match=version)
            if answer.is_success:
                self._report.lives[fate.value] += 1
                request.withdrawn = fate is Fate.WITHDRAWN
                request.status = ""  # to be read again: what was the end may be one no more
                request.pause_s = 0.0
                return True
            if answer.status_code != 412:
                if answer.status_code not in {404, 409}:
                    self._report.problems[f"{path}: {problem_code(answer)}"] += 1
                return False
            version = version_of(await self._api.get(url))
        return False

    async def _call(self, request: Followed, number: int, fate: Fate) -> tuple[str, Json]:
        """Path and body of what is done; "" where it cannot be done."""
        match fate:
            case Fate.WITHDRAWN:
                return "withdrawal", {}
            case Fate.DECEASED:
                first = self._body(number)["persons"][0]["ref"]
                return "deceased", {"person_ref": first, "date": self._today.isoformat()}
            case Fate.NO_CONTACT:
                return "no-contact", {}
            case Fate.DUPLICATE:
                return await self._duplicate(request, number)
            case _:
                return "details", corrected(self._options.seed, number, self._body(number), fate)

    async def _duplicate(self, request: Followed, number: int) -> tuple[str, Json]:
        """The office looks at what is suggested and decides; it never happens by itself."""
        other = self._filed.get(number - 1)
        if other is None:
            return "", {}
        url = f"{self._options.intake_url}/v1/requests/{request.request_id}/possible-duplicates"
        answer = await self._api.get(url)
        suggested = [found["request_id"] for found in answer.json()["requests"]] if answer.status_code == 200 else []
        known = any(person["nik"] for person in self._body(number)["persons"])
        if known and other not in suggested:
            self._report.problems["a duplicate was not suggested"] += 1
        return "duplicate-of", {"request_id": other}

    def _body(self, number: int) -> Json:
        return request_body(self._options.seed, number, self._today)


def corrected(seed: int, number: int, body: Json, fate: Fate) -> Json:
    """The whole body as it is after a correction."""
    rng = stream(seed, "correction", number)
    place = dict(body["place"])
    if fate is Fate.MOVED:
        village = rng.choice([v for code, v in villages().items() if code != place["village_code"]])
        place |= {"village_code": village.code, "address": "Jalan Baru No. 7", "landmark": None}
        place |= {"lat": round(village.lat, 5), "lon": round(village.lon, 5)}
    elif fate is Fate.MOVED_AWAY:
        place |= {"village_code": rng.choice(NEIGHBOURS), "address": "Jalan Contoh", "lat": None, "lon": None}
    elif fate is Fate.COMPLETED:
        place |= {"address": "Jalan Contoh No. 3", "landmark": "dekat mushola"}
    else:
        place |= {"landmark": "rumah cat hijau, belakang warung"}
    after = {**body, "place": place}
    if fate is Fate.CORRECTED:
        first, *others = body["persons"]
        kinds = list(first["services"])
        extra = next((kind for kind in ("KK_REISSUE", "CONSULTATION") if kind not in kinds), None)
        if extra and rng.random() < 0.6:
            kinds.append(extra)
        elif len(kinds) > 1:
            kinds.pop()
        after["persons"] = [{**first, "services": kinds}, *others]
        if rng.random() < 0.5:
            after["availability"] = [{"weekday": day, "start": "08:00", "end": "14:30"} for day in (2, 3)]
    return after
