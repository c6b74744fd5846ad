"""A place that the desk agreed with the people on the phone: the slot for it, or why not. Pure.

So holes of tomorrow and of today are filled, and somebody in an emergency is visited today (SCHEDULING.md §7, point 4).
"""

from dataclasses import replace
from datetime import datetime

from pelangi.chassis.clock import local_date
from pelangi.chassis.web import FieldError, Problem, invalid
from services.scheduling.bodies import Appointment
from services.scheduling.case import Case, Slot, open_visit
from services.scheduling.day import Day
from services.scheduling.days import book
from services.scheduling.holes import NOTICE, earliest_minute
from services.scheduling.planner.first_fit import slot_in
from services.scheduling.planner.priority import urgency_of
from services.scheduling.planning import ask_for
from services.scheduling.reference import Reference
from services.scheduling.rescheduling import check_date


def appointment(case: Case, body: Appointment, day: Day, reference: Reference, now: datetime) -> Slot:
    """The slot as agreed, at that minute.

    Raises Problem: 409 `state` it has a visit; 422 the date is past, too far, too soon, or not agreed although it is near;
    409 `full` that team has no room then, or not what is needed.
    """
    if open_visit(case):
        raise Problem(409, "state", "Sudah ada kunjungan. / A visit is planned for it already.")
    _check(case, body, reference, now)
    ask = ask_for(case, reference, body.date)
    team = reference.team(body.team_id)
    if team is None or (ask.earliest is not None and ask.earliest > body.date):
        raise Problem(409, "full", "Tidak cocok dengan tim atau tanggal itu. / Not possible with that team or date.")
    alone = replace(ask, joins=False)
    length = max(ask.minutes, ask.block)
    slot = slot_in(alone, body.date, team, reference, (body.minute, body.minute + length))
    after = book(day, slot, reference)
    if after is None:
        raise Problem(409, "full", "Tidak ada tempat pada jam itu. / There is no room at that hour.")
    return slot


def _check(case: Case, body: Appointment, reference: Reference, now: datetime) -> None:
    today = local_date(now)
    check_date(body.date, reference, now, today=True)
    if not body.agreed and body.date <= reference.calendar.after(today):
        raise invalid([FieldError("#/agreed", "not_agreed", "Tanyakan dulu lewat telepon. / Ask them by phone first.")])
    earliest = earliest_minute(body.date, now) - (NOTICE if urgency_of(case, now).life_critical and body.date == today else 0)
    if body.minute < earliest:
        raise invalid([FieldError("#/start", "too_soon", "Beri tahu dua jam sebelumnya. / Give two hours' notice.")])
