"""Who comes first: the score of DOMAIN.md §5.2, from need and waiting only.

`Urgency` is everything the order may depend on. It has no place for a name, NIK, sex, religion, social status, phone, kelurahan
or requester: two requests that differ in those only have the same score (DOMAIN.md §1.4).
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from pelangi.chassis.clock import local_date
from pelangi.contracts.codes import DeadlineReason, Need, VisitKind, VulnerabilityCategory
from services.scheduling.agenda import failed_attempts
from services.scheduling.case import Case

LIFE_CRITICAL = 100
DISASTER = 80
BEDRIDDEN_OR_SEVERE = 60
BLOCKS_AID_OR_SCHOOL = 50
DEADLINE_NEAR, NEAR_DAYS = 40, 14
WAITING_PER_DAY, WAITING_MOST = 1, 60
DEFERRED_EACH, DEFERRED_MOST = 15, 45


NOBODY_WAITS_LONGER = timedelta(days=2)
"""Before the day on which a request is due, or its deadline, it must be served whatever the others weigh (SCHEDULING.md §7)."""
HEAVIEST = 100
CLASSES = {"life_critical": 70, "disaster": 60, "bedridden_or_severe": 50, "blocks_aid_or_school": 35}
CLASS_NEAR_DEADLINE, CLASS_ELSE = 20, 10
HEAVIER_PER_DAY, HEAVIER_PER_DEFERRAL, HEAVIER_BY_DEFERRALS = 2, 5, 15
"""2 points a calendar day are the study's 3 a working day."""


@dataclass(frozen=True, slots=True)
class Urgency:
    """All that decides the order of requests."""

    life_critical: bool
    disaster: bool
    bedridden_or_severe: bool
    blocks_aid_or_school: bool
    days_to_deadline: int | None
    days_waiting: int
    times_deferred: int


def score(urgency: Urgency) -> int:
    """The higher, the earlier. Needs add up; waiting and deferral lift everybody in time."""
    points = LIFE_CRITICAL * urgency.life_critical
    points += DISASTER * urgency.disaster
    points += BEDRIDDEN_OR_SEVERE * urgency.bedridden_or_severe
    points += BLOCKS_AID_OR_SCHOOL * urgency.blocks_aid_or_school
    if urgency.days_to_deadline is not None and urgency.days_to_deadline <= NEAR_DAYS:
        points += DEADLINE_NEAR
    points += min(WAITING_PER_DAY * max(urgency.days_waiting, 0), WAITING_MOST)
    return points + min(DEFERRED_EACH * urgency.times_deferred, DEFERRED_MOST)


def weight(urgency: Urgency) -> int:
    """The same on the planner's scale, 1 to 100: the gravest of the classes, and what waiting and deferrals add."""
    points = max((CLASSES[name] for name in CLASSES if getattr(urgency, name)), default=CLASS_ELSE)
    if urgency.days_to_deadline is not None and urgency.days_to_deadline <= NEAR_DAYS:
        points = max(points, CLASS_NEAR_DEADLINE)
    points += HEAVIER_PER_DAY * max(urgency.days_waiting, 0)
    return min(HEAVIEST, points + min(HEAVIER_PER_DEFERRAL * urgency.times_deferred, HEAVIER_BY_DEFERRALS))


def cannot_wait(case: Case, now: datetime) -> bool:
    """Whether the day on which it is due, or its deadline, is near or past."""
    due = due_day(case)
    return due is not None and due <= local_date(now) + NOBODY_WAITS_LONGER


def due_day(case: Case) -> date | None:
    """The day on which it is due, or its deadline, if that is earlier."""
    deadline = case["details"].get("deadline")
    days = (case.get("received", {}).get("due_on"), deadline["date"] if deadline else None)
    return min((date.fromisoformat(day) for day in days if day), default=None)


def urgency_of(case: Case, now: datetime) -> Urgency:
    """The urgency of a request: from its needs, its deadline and its age, nothing else."""
    details = case["details"]
    needs = {n for p in details["persons"] for n in p["needs"]}
    categories = {c for p in details["persons"] for c in p["categories"]}
    deadline: dict[str, Any] | None = details.get("deadline")
    reason = deadline["reason"] if deadline else None
    disasters = {VulnerabilityCategory.NATURAL_DISASTER_VICTIM, VulnerabilityCategory.SOCIAL_DISASTER_VICTIM}
    return Urgency(
        life_critical=Need.HOSPITAL in needs or reason == DeadlineReason.HOSPITAL,
        disaster=bool(categories & disasters) or details["place"]["visit_kind"] == VisitKind.DISASTER_POST,
        bedridden_or_severe=Need.BEDRIDDEN in needs or VulnerabilityCategory.SEVERE_ILLNESS in categories,
        blocks_aid_or_school=reason in {DeadlineReason.AID, DeadlineReason.SCHOOL},
        days_to_deadline=(date.fromisoformat(deadline["date"]) - local_date(now)).days if deadline else None,
        days_waiting=(now - waiting_since(case)).days,
        times_deferred=failed_attempts(case),
    )


def waiting_since(case: Case) -> datetime:
    """When the form was filled; the age counts from there, also offline (CONTRACTS.md §4, `filled_at`)."""
    return datetime.fromisoformat(case["details"]["filled_at"])


def order(case: Case, now: datetime) -> tuple[int, datetime, str]:
    """Sort key: highest score first; ties: oldest first, then a stable one."""
    return -score(urgency_of(case, now)), waiting_since(case), case["_id"]
