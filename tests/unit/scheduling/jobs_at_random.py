"""Random cities for the planner: jobs, teams' days and travel, from a seed."""

import random
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

from services.scheduling.planner.jobs import Job, Level, Plan, TeamDay
from services.scheduling.travel import by_air

MONDAY = date(2026, 11, 30)
BASE = (-2.1293, 106.1137)
TRAVEL = by_air(20.0, least=0)
KIT = ("BIO_KIT", "CARD_PRINTER")


def team_days(seed: int, teams: int = 2, days: int = 5, first: date = MONDAY) -> list[TeamDay]:
    """So many teams on the working days from a Monday on: 08:00 to 15:00, on Fridays not across the prayer."""
    rng = random.Random(seed)
    kits = [frozenset(rng.sample(KIT, rng.randint(1, 2))) for _ in range(teams)]
    dates = [first + timedelta(days=7 * (d // 5) + d % 5) for d in range(days)]
    return [
        TeamDay(
            team_id=f"team-{number + 1}",
            date=on,
            stretches=((480, 690), (810, 900)) if on.isoweekday() == 5 else ((480, 900),),
            base=BASE,
            kit=kits[number],
            blanks=(12, 6),
            home_visits=8,
        )
        for on in dates
        for number in range(teams)
    ]


def jobs(seed: int, count: int = 40, first: date = MONDAY) -> list[Job]:
    """So many jobs within 8 km, a third with hours or needs of their own."""
    rng = random.Random(seed)
    return [_job(rng, first) for _ in range(count)]


def _job(rng: random.Random, first: date) -> Job:
    hours = tuple(
        (day, *rng.choice([(480, 660), (540, 780), (600, 900)])) for day in sorted(rng.sample(range(1, 6), rng.randint(1, 4)))
    )
    return Job(
        job_id=str(UUID(int=rng.getrandbits(128), version=4)),
        received=first - timedelta(days=rng.randint(1, 20)),
        at=(BASE[0] + rng.uniform(-0.07, 0.07), BASE[1] + rng.uniform(-0.07, 0.07)),
        minutes=5 * rng.randint(2, 12),
        weight=rng.randint(1, 100),
        must=rng.random() < 0.05,
        kit=frozenset(k for k in KIT if rng.random() < 0.2),
        blanks=(rng.randint(0, 2), rng.randint(0, 1)),
        hours=hours if rng.random() < 0.2 else (),
        earliest=first + timedelta(days=rng.randint(1, 4)) if rng.random() < 0.1 else None,
    )


def seated(all_jobs: list[Job], plan: Plan, level: Level) -> list[Job]:
    """The jobs where the plan puts them, as firmly as said; announced ones with two hours about their start."""
    return [_seated(job, plan, level) for job in all_jobs]


def _seated(job: Job, plan: Plan, level: Level) -> Job:
    seat = plan.seats.get(job.job_id)
    if seat is None:
        return job
    promised = (seat.start - 60, seat.start + 60) if level >= Level.ANNOUNCED else None
    return replace(job, seat=seat, level=level, promised=promised)
