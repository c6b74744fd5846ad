"""What a simulation of many days is told, and what it writes down."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from pelangi.simulate.homes import Home, Shares
from pelangi.simulate.lifecycles import LAST_VISIT_STATUSES

FIRST = date(2026, 7, 6)
"""A Monday after which the national calendar has thirty working days without a holiday."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DaysOptions:
    """How many working days from which date on, who asks, who goes out. run: as in `SimulateOptions`."""

    days: int = 30
    requests_a_day: int = 36
    teams: int = 4
    home_visits_a_day: int = 14
    seed: int = 1
    first: date = FIRST
    shares: Shares = field(default_factory=Shares)
    run: str = ""
    intake_url: str = "http://127.0.0.1:8001"
    scheduling_url: str = "http://127.0.0.1:8002"
    concurrency: int = 8
    retry_s: float = 60.0


class State(StrEnum):
    """Where a request stands when the days are over. LOST: it should not be so."""

    SERVED = "served"
    WAITING = "waiting"
    WITHDRAWN = "withdrawn"
    FAILED = "failed"
    LOST = "lost"


@dataclass(slots=True)
class Asked:
    """A request that was accepted. failed: visits at which nobody was at home. announced: dates told, changes and ends included.

    broken: changes of what was told that neither its people nor a team's report were the reason of. why_lost: codes only.
    """

    home: Home
    request_id: str
    filed_on: date
    served_on: date | None = None
    withdrawn: bool = False
    failed: int = 0
    state: State = State.LOST
    announced: int = 0
    broken: int = 0
    why_lost: str = ""

    def calls_off_on(self, day: int) -> bool:
        """Whether its people change their mind on that working day, having had no visit yet."""
        after = self.home.withdrawn_after
        return after is not None and not self.withdrawn and self.served_on is None and day >= self.home.day + after

    def visited(self, on: date, *, away: bool) -> None:
        """A team was there."""
        if away:
            self.failed += 1
        elif self.served_on is None:
            self.served_on = on

    def close(self, seen: Json, last: date) -> None:
        """Write down where it stands, from scheduling's answer after the last day."""
        visits = seen.get("visits", [])
        self.state = standing(self, seen, last) or State.LOST
        self.announced = sum(visit["revision"] for visit in visits)
        self.broken = sum(max(0, v["revision"] - 1 - (self.withdrawn and v["status"] == "CANCELLED")) for v in visits)
        if self.state is State.LOST:
            self.why_lost = " ".join(f"{v['date']}:{v['status']}" for v in visits) or "no visit"


def standing(asked: Asked, seen: Json, last: date) -> State | None:
    """Where a request stands by scheduling's answer; None where the answer does not fit what happened, or not yet."""
    visits = seen.get("visits", [])
    open_ = [visit for visit in visits if visit["status"] not in LAST_VISIT_STATUSES]
    if asked.served_on is not None:
        return State.SERVED if any(v["status"] in {"DONE", "PARTIAL"} for v in visits) else None
    if asked.withdrawn:
        return State.WITHDRAWN if seen.get("closed") and not open_ else None
    if any(visit["date"] <= last.isoformat() for visit in open_):
        return None
    if seen.get("review"):
        return State.FAILED
    return State.WAITING if open_ or seen.get("needs_visit") else None


@dataclass(slots=True)
class DayPlayed:
    """One working day. planned: visits in its plan in the morning; visits: at its end; late: not in the plan in the morning.

    failed: nobody at home. driven: minutes of all teams. ended: the minute of the day at which everything was played.
    """

    on: date
    planned: int = 0
    asked: int = 0
    visits: int = 0
    failed: int = 0
    withdrawn: int = 0
    late: int = 0
    driven: int = 0
    ended: int = 0

    def __str__(self) -> str:
        played = f"{self.asked} asked, {self.visits} visits, {self.failed} not at home, {self.withdrawn} withdrawn"
        return f"{self.on} {played}, {self.driven} min driven, ended {self.ended // 60:02}:{self.ended % 60:02}"


@dataclass(slots=True)
class DaysRun:
    """What happened. problems: answers that should not have been given, by code. planner: what scheduling counted."""

    days: list[DayPlayed] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    planner: dict[str, float] = field(default_factory=dict)
    retries: int = 0
