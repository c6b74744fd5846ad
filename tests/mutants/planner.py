"""Mutants of the planner and of what surrounds it."""

from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "visits without time between them overlap",
        "services/scheduling/days.py",
        "            if end > after.taken:\n                continue\n",
        "",
        "tests/unit/scheduling/test_rules.py",
    ),
    Mutant(
        "a day has blanks without end",
        "services/scheduling/days.py",
        "    return all(taken <= stock for taken, stock in zip(used, team.stock, strict=False))",
        "    return True",
        "tests/unit/scheduling/test_travel.py",
    ),
    Mutant(
        "any team drives to anything",
        "services/scheduling/planner/table.py",
        "    return job.kit <= slot.kit and not any(job.blanks[len(slot.blanks) :])",
        "    return True",
        "tests/unit/scheduling/test_validator.py",
    ),
    Mutant(
        "what was told costs no more than what was not",
        "services/scheduling/planner/table.py",
        "    if job.level >= Level.ANNOUNCED:\n        return PROMISED\n",
        "",
        "tests/unit/scheduling/test_plans.py",
    ),
    Mutant(
        "a younger twin overtakes",
        "services/scheduling/planner/solving.py",
        "by_age = sorted(twins, key=lambda job: (job.received, job.job_id))",
        "by_age = sorted(twins, key=lambda job: job.job_id)",
        "tests/unit/scheduling/test_plans.py",
    ),
    Mutant(
        "the engine is told jobs as they come",
        "services/scheduling/planner/table.py",
        "ordered = sorted(jobs, key=lambda job: (job.received, job.job_id))",
        "ordered = list(jobs)",
        "tests/unit/scheduling/test_plans.py",
    ),
    Mutant(
        "nobody looks at a plan again",
        "services/scheduling/planner/questions.py",
        "    if violations:\n        raise BadPlan",
        "    if False:\n        raise BadPlan",
        "tests/unit/scheduling/test_worker.py",
    ),
    Mutant(
        "the validator overlooks two visits at once",
        "services/scheduling/planner/validator.py",
        "        if at and seat.start < free:",
        "        if False:",
        "tests/unit/scheduling/test_validator.py",
    ),
    Mutant(
        "an answer nobody waited for is taken for the next one's",
        "services/scheduling/planner/worker.py",
        "            await self.stop()\n            raise\n",
        "            raise\n",
        "tests/unit/scheduling/test_worker.py",
    ),
    Mutant(
        "in the evening everybody is told",
        "services/scheduling/rolling.py",
        "seats[ask.request_id].date <= last]",
        "True]",
        "tests/unit/scheduling/test_rolling.py",
    ),
    Mutant(
        "the urgent wait for the evening",
        "services/scheduling/rolling.py",
        "    return weight(urgency_of(case, now)) < URGENT and not cannot_wait(case, now)",
        "    return True",
        "tests/unit/scheduling/test_rolling.py",
    ),
    Mutant(
        "status decides",
        "services/scheduling/planner/priority.py",
        "bedridden_or_severe=Need.BEDRIDDEN in needs",
        'bedridden_or_severe="EXTREME_POVERTY" in categories or Need.BEDRIDDEN in needs',
        "tests/unit/scheduling/test_blindness.py",
    ),
)
