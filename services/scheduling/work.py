"""The workers over one runtime: built here for the routes and for the timers alike."""

from dataclasses import dataclass

from pelangi.chassis.service import Runtime
from pelangi.chassis.store import Collection
from services.scheduling.agenda import Review
from services.scheduling.booking import Booker
from services.scheduling.day_calls import DayCalls
from services.scheduling.metrics import IN_REVIEW
from services.scheduling.planner.worker import Inline, Solver
from services.scheduling.planning import PlanBy, Round
from services.scheduling.reference import REFERENCE, Sources, read_reference
from services.scheduling.roads import Roads
from services.scheduling.rolling import PLANS, Announce
from services.scheduling.spreading import Spreader
from services.scheduling.store import DAYS, count_reviews
from services.scheduling.sweeper import Sweeper


@dataclass(frozen=True, slots=True)
class Work:
    """Booker, spreader, planner and sweeper, and the collections beside the cases."""

    runtime: Runtime
    days: Collection
    reference: Sources
    plans: Collection
    booker: Booker
    spreader: Spreader
    planner: Round
    sweeper: Sweeper
    day_calls: DayCalls

    @classmethod
    def of(
        cls,
        runtime: Runtime,
        solver: Solver | None = None,
        *,
        announce: Announce = Announce.AT_ONCE,
        plan_by: PlanBy = PlanBy.PRIORITY,
        roads: Roads | None = None,
        fairness: int = 0,
    ) -> "Work":
        """solver: of the planner; none given means in this process. roads: what was measured; none given means nothing.

        fairness: see `plan_input.backlogs`.
        """
        days, reference = runtime.store.collection(DAYS), Sources(runtime.store.collection(REFERENCE), roads or Roads())
        cases, clock, plans = runtime.cases, runtime.clock, runtime.store.collection(PLANS)
        booker, signal = Booker(cases, days, clock), runtime.written
        spreader = Spreader(cases, days, reference, clock, booker)
        return cls(
            runtime=runtime,
            days=days,
            reference=reference,
            plans=plans,
            booker=booker,
            spreader=spreader,
            planner=Round(cases, days, reference, clock, signal, booker, solver or Inline(), plans, announce, plan_by, fairness),
            sweeper=Sweeper(cases, days, clock),
            day_calls=DayCalls(spreader),
        )

    async def finish(self) -> None:
        """What calls and dead processes left to do: members that have not followed, bookings under way, places let go of.

        A visit that cannot be spread keeps nothing else; its failure is raised at the end, so that the timer counts it.
        """
        spread, failures = await self.spreader.all()
        resumed, unfinished = await self.booker.resume(await read_reference(self.reference))
        released = await self.booker.release()
        if spread or resumed or released:
            self.runtime.written.set()
        if failures := [*failures, *unfinished]:
            raise failures[0]

    async def reviews(self) -> None:
        """Show how many requests wait for a human."""
        for reason in Review:
            IN_REVIEW.labels(reason).set(await count_reviews(self.runtime.cases, reason))
