"""Where a visit that is to be rescheduled can go: what the call and its transition need to know beforehand."""

from collections.abc import Sequence
from datetime import date, datetime

from pelangi.chassis.clock import local_date
from pelangi.chassis.store import Collection
from pelangi.chassis.web import FieldError, Problem, invalid
from services.scheduling.calendar import HORIZON
from services.scheduling.case import Slot
from services.scheduling.days import Day, blanks_in, used_minutes
from services.scheduling.outlook import Outlook
from services.scheduling.planner.first_fit import FirstFit
from services.scheduling.planner.interface import Horizon
from services.scheduling.planning import ask_to_move
from services.scheduling.reference import Reference


async def find_slot(
    days: Collection, day: Day, visit_id: str, *, on: date | None, kit: Sequence[str], reference: Reference, now: datetime
) -> Slot:
    """The place a whole visit moves to, with a team that has the kit: on the date asked for, else the first later day with room.

    Raises Problem: 422 the date is past, no working day, too far or the same; 409 `full` there is no room.
    """
    useful = _of_use(day, visit_id)
    if on is not None:
        _check(on, day, reference, now)
        if on.isoformat() < useful:
            raise invalid([FieldError("#/date", "too_early", "Terlalu dini untuk layanan ini. / Too early for these services.")])
    dates = (
        [on] if on else [d for d in reference.calendar.upcoming(now) if d.isoformat() > day["_id"] and d.isoformat() >= useful]
    )
    visit, minutes = day["visits"][visit_id], used_minutes(day, visit_id)
    ask = ask_to_move(visit_id, visit, minutes, reference, kit=tuple(kit), blanks=blanks_in(day, visit_id))
    slot = await Outlook(days, Horizon(dates)).choose(FirstFit(), ask, reference)
    if slot is None:
        raise Problem(409, "full", "Tidak ada tempat lagi. / There is no room.")
    return slot


def _of_use(day: Day, visit_id: str) -> str:
    """The first date on which the visit can serve all its items."""
    members = day["visits"][visit_id]["members"].values()
    return max((i.get("not_before", "") for m in members for i in m["items"]), default="")


def _check(on: date, day: Day, reference: Reference, now: datetime) -> None:
    if on <= local_date(now):
        raise invalid([FieldError("#/date", "past", "Paling cepat besok. / Tomorrow at the earliest.")])
    if not reference.calendar.works(on):
        raise invalid([FieldError("#/date", "not_working_day", "Bukan hari kerja. / Not a working day.")])
    if on > reference.calendar.after(local_date(now), HORIZON):
        raise invalid([FieldError("#/date", "too_far", "Terlalu jauh. / Too far ahead.")])
    if on.isoformat() == day["_id"]:
        raise invalid([FieldError("#/date", "same_day", "Sudah pada tanggal itu. / It is on that date already.")])
