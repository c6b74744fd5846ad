"""The figures of a simulation of many days: who was served, how long people waited, what was driven and promised. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from statistics import mean, median
from typing import Any

from pelangi.simulate.days_record import Asked, DaysRun, State
from pelangi.simulate.homes import VULNERABLE, Urgency

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Waits:
    """Working days from the day of filing to the day of the visit, of so many people."""

    count: int
    mean: float
    p50: int
    p95: int
    longest: int

    @classmethod
    def of(cls, days: Iterable[int]) -> "Waits":
        """Of these waits; percentiles by the nearest rank."""
        ordered = sorted(days)
        if not ordered:
            return cls(0, 0.0, 0, 0, 0)
        return cls(len(ordered), round(mean(ordered), 2), _rank(ordered, 50), _rank(ordered, 95), ordered[-1])


@dataclass(frozen=True, slots=True)
class Figures:
    """One way of planning. waiting: how long those who have had no visit have waited until the last day.

    kelurahan_worst, kelurahan_median: of the mean waits by kelurahan. latest: the minute of the day at which the slowest day's
    work was done; late: visits that were not in the plan in the morning of their day.
    """

    filed: int
    served: int
    withdrawn: int
    still_waiting: int
    failed: int
    lost: int
    broken: int
    vulnerable: Waits
    others: Waits
    by_urgency: dict[str, Waits]
    waiting: Waits
    waiting_vulnerable: Waits
    kelurahan_worst: float
    kelurahan_median: float
    visits: int
    not_at_home: int
    driving_minutes_per_visit: float
    announcements_per_request: float
    latest: int
    late: int
    problems: dict[str, int]
    planner: dict[str, float]
    days: list[Json]

    @property
    def ok(self) -> bool:
        """Whether every request is accounted for, every promise was kept and no answer was odd."""
        return not (self.broken or self.lost or self.problems)


def figures(run: DaysRun) -> Figures:
    """The figures of a run."""
    number = {day.on: at for at, day in enumerate(run.days)}
    states = Counter(asked.state for asked in run.asked)
    waits = {a.request_id: number[a.served_on] - number[a.filed_on] for a in run.asked if a.served_on is not None}
    so_far = {a.request_id: len(run.days) - 1 - number[a.filed_on] for a in run.asked if a.state is State.WAITING}
    visits = sum(day.visits for day in run.days)
    by_kelurahan = _means(run.asked, waits)
    return Figures(
        filed=len(run.asked),
        served=states[State.SERVED],
        withdrawn=states[State.WITHDRAWN],
        still_waiting=states[State.WAITING],
        failed=states[State.FAILED],
        lost=states[State.LOST],
        broken=sum(asked.broken for asked in run.asked),
        vulnerable=_of(run.asked, waits, VULNERABLE),
        others=_of(run.asked, waits, set(Urgency) - VULNERABLE),
        by_urgency={urgency.value: _of(run.asked, waits, {urgency}) for urgency in Urgency},
        waiting=Waits.of(so_far.values()),
        waiting_vulnerable=_of(run.asked, so_far, VULNERABLE),
        kelurahan_worst=round(max(by_kelurahan, default=0.0), 2),
        kelurahan_median=round(median(by_kelurahan), 2) if by_kelurahan else 0.0,
        visits=visits,
        not_at_home=sum(day.failed for day in run.days),
        driving_minutes_per_visit=_ratio(sum(day.driven for day in run.days), visits),
        announcements_per_request=_ratio(sum(asked.announced for asked in run.asked), len(run.asked)),
        latest=max((day.ended for day in run.days), default=0),
        late=sum(day.late for day in run.days),
        problems=dict(run.problems) | {f"lost: {a.why_lost}": 1 for a in run.asked if a.state is State.LOST},
        planner=run.planner,
        days=[{**asdict(day), "on": day.on.isoformat()} for day in run.days],
    )


def _of(asked: Iterable[Asked], waits: dict[str, int], urgencies: Iterable[Urgency]) -> Waits:
    meant = set(urgencies)
    return Waits.of(waits[a.request_id] for a in asked if a.request_id in waits and a.home.urgency in meant)


def _means(asked: Iterable[Asked], waits: dict[str, int]) -> list[float]:
    """The mean wait of each kelurahan."""
    places: dict[str, list[int]] = defaultdict(list)
    for one in asked:
        if one.request_id in waits:
            places[one.home.village_code].append(waits[one.request_id])
    return [mean(days) for days in places.values()]


def _rank(ordered: Sequence[int], percent: int) -> int:
    return ordered[ceil(percent / 100 * len(ordered)) - 1]


def _ratio(part: float, whole: int) -> float:
    return round(part / whole, 2) if whole else 0.0
