"""Where a visit that is to be rescheduled can go: what the call and its transition need to know beforehand."""

from collections.abc import Mapping
from datetime import date, datetime

from pelangi.chassis.clock import local_date
from pelangi.chassis.store import Collection
from pelangi.chassis.web import FieldError, Problem, invalid
from services.scheduling.calendar import HORIZON
from services.scheduling.case import Case, Slot
from services.scheduling.day import Day
from services.scheduling.equipment import kit_of, needed_for
from services.scheduling.outlook import Outlook
from services.scheduling.planner.first_fit import FirstFit
from services.scheduling.planner.interface import Horizon
from services.scheduling.planning import ask_to_move
from services.scheduling.reference import Reference


async def find_slot(
    days: Collection, day: Day, visit_id: str, cases: Mapping[str, Case], *, on: date | None, reference: Reference, now: datetime
) -> Slot:
    """The place a whole visit moves to: on the date asked for, else on the first later day with room. cases: of its members.

    Raises Problem: 422 the date is past, no working day, too far or the same; 409 `full` there is no room.
    """
    useful = _of_use(day, visit_id)
    if on is not None:
        check_date(on, reference, now)
        if on.isoformat() == day["_id"]:
            raise invalid([FieldError("#/date", "same_day", "Sudah pada tanggal itu. / It is on that date already.")])
        if on.isoformat() < useful:
            raise invalid([FieldError("#/date", "too_early", "Terlalu dini untuk layanan ini. / Too early for these services.")])
    dates = (
        [on] if on else [d for d in reference.calendar.upcoming(now) if d.isoformat() > day["_id"] and d.isoformat() >= useful]
    )
    ask = ask_to_move(day, visit_id, kit_in(day, visit_id, cases), reference)
    slot = await Outlook(days, Horizon(dates)).choose(FirstFit(), ask, reference)
    if slot is None:
        raise Problem(409, "full", "Tidak ada tempat lagi. / There is no room.")
    return slot


def kit_in(day: Day, visit_id: str, cases: Mapping[str, Case]) -> set[str]:
    """What the team must take along for all of them."""
    members = day["visits"][visit_id]["members"]
    known = [(m["items"], cases[i]["details"]) for i, m in members.items() if "details" in cases.get(i, ())]
    return {equipment for items, details in known for equipment in kit_of(needed_for(items, details))}


def _of_use(day: Day, visit_id: str) -> str:
    """The first date on which the visit can serve all its items."""
    members = day["visits"][visit_id]["members"].values()
    return max((i.get("not_before", "") for m in members for i in m["items"]), default="")


def check_date(on: date, reference: Reference, now: datetime, *, today: bool = False) -> None:
    """Raises Problem 422 where no visit can be on a date: past (`today` may count as future), no working day, too far."""
    if on < local_date(now):
        raise invalid([FieldError("#/date", "past", "Tanggal sudah lewat. / The date is past.")])
    if on == local_date(now) and not today:
        raise invalid([FieldError("#/date", "past", "Paling cepat besok. / Tomorrow at the earliest.")])
    if not reference.calendar.works(on):
        raise invalid([FieldError("#/date", "not_working_day", "Bukan hari kerja. / Not a working day.")])
    if on > reference.calendar.after(local_date(now), HORIZON):
        raise invalid([FieldError("#/date", "too_far", "Terlalu jauh. / Too far ahead.")])
