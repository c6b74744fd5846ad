"""What the planner is asked as a whole, and what it answers. Pure: the same question has the same answer in any process."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b

from services.scheduling.planner.engine import interpreted
from services.scheduling.planner.explain import Explainer, Reason
from services.scheduling.planner.jobs import Job, Level, Plan, TeamDay
from services.scheduling.planner.solving import Proposal, Proposals, make_plan
from services.scheduling.planner.table import drivable, routes_of, tabulate
from services.scheduling.planner.validator import Violation, validate
from services.scheduling.roads import Roads, driving
from services.scheduling.travel import Travel


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be planned. speed, least: of the travel, see `roads.driving`. seed: of the engine. per_job: its effort.

    roads: what is measured between the places of the jobs; it goes along, so that the answer depends on nothing else.
    """

    jobs: Sequence[Job]
    team_days: Sequence[TeamDay]
    speed: float
    least: int
    seed: int = 1
    per_job: int = 50
    roads: Roads = field(default_factory=Roads)

    @property
    def travel(self) -> Travel:
        return driving(self.speed, least=self.least, roads=self.roads)


@dataclass(frozen=True, slots=True)
class Answer:
    """plan: validated. reasons: by job_id of everybody who may still move, why it is nowhere, or on its date and not earlier.

    misfits: team-days whose standing visits do not keep the planner's own rules; nobody is planned into them.
    """

    plan: Plan
    reasons: dict[str, Reason]
    misfits: tuple[TeamDay, ...] = ()


class BadPlan(Exception):
    """The validator refused a plan: nothing of it is published. Its argument names the broken rules."""


def solve(question: Question) -> Answer:
    """The plan, looked at again by the validator, and the reasons. Raises BadPlan."""
    good, misfits = without_misfits(question)
    plan = make_plan(good.jobs, good.team_days, good.travel, per_job=good.per_job, seed=good.seed)
    check(plan, good)
    return Answer(plan, _reasons(plan, good), misfits)


def digest(question: Question) -> str:
    """Names the question: the same question has the same digest in any process, and the same answer."""
    jobs = sorted(question.jobs, key=lambda job: job.job_id)
    team_days = sorted(question.team_days, key=lambda team_day: (team_day.date, team_day.team_id))
    told = asdict(replace(question, jobs=jobs, team_days=team_days, roads=Roads()))
    told["roads"] = [list(question.roads.points), sorted(question.roads.minutes.items())]
    return blake2b(json.dumps(told, sort_keys=True, default=_plain).encode(), digest_size=8).hexdigest()


def _plain(value: object) -> object:
    return sorted(map(str, value)) if isinstance(value, frozenset) else str(value)


def places(question: Question, job: Job, count: int) -> list[Proposal]:
    """The cheapest places for one more job, by Python: quick for one job, and without waiting for a plan that is being made."""
    good, _ = without_misfits(question)
    return Proposals(good.jobs, job, good.team_days, good.travel, by=interpreted()).best(count)


def check(plan: Plan, question: Question) -> None:
    """Raises BadPlan where the plan breaks a hard rule."""
    violations: list[Violation] = validate(plan, question.jobs, question.team_days, question.travel)
    if violations:
        raise BadPlan(", ".join(sorted({v.rule for v in violations})))


def without_misfits(question: Question) -> tuple[Question, tuple[TeamDay, ...]]:
    """The question without team-days whose promised visits cannot be driven as they stand, and which those are.

    Hours or teams may have been changed since; what was promised stays, and such a day is left as it is.
    """
    days = {(t.team_id, t.date) for t in question.team_days}
    firm = [j for j in question.jobs if j.seat and j.level >= Level.ANNOUNCED]
    known = [j for j in firm if j.seat and (j.seat.team_id, j.seat.date) in days]
    table = tabulate(known, question.team_days, question.travel)
    routes = routes_of(table)
    kept = drivable(table, routes)
    misfits = tuple(s for s, route, good in zip(table.slots, routes, kept, strict=True) if len(good) < len(route))
    out = {(t.team_id, t.date) for t in misfits} | {(j.seat.team_id, j.seat.date) for j in firm if j.seat and j not in known}
    if not out:
        return question, ()
    jobs = [j for j in question.jobs if j.seat is None or (j.seat.team_id, j.seat.date) not in out]
    teams = [t for t in question.team_days if (t.team_id, t.date) not in out]
    return replace(question, jobs=jobs, team_days=teams), misfits


def _reasons(plan: Plan, question: Question) -> dict[str, Reason]:
    seated = [replace(job, seat=plan.seats.get(job.job_id)) for job in question.jobs]
    table = tabulate(seated, question.team_days, question.travel)
    explainer = Explainer(table, drivable(table, routes_of(table)), question.travel)
    reasons: dict[str, Reason] = {}
    for node, job in enumerate(table.jobs, 1):
        if job.level < Level.ANNOUNCED:
            reasons[job.job_id] = explainer.why_then(node, job.seat) if job.seat else explainer.why_not(node)
    return reasons
