"""Sessions at a place: opened for a kelurahan before anybody is in them, and for who comes without a date. Pure.

A session is a visit at a point in its day like any other, except that it also stands while nobody is in it.
"""

from dataclasses import replace
from datetime import date, datetime

from pelangi.chassis.clock import JAKARTA, local_date
from pelangi.chassis.ids import random_claim
from pelangi.chassis.web import FieldError, Problem, invalid, not_found
from pelangi.contracts.codes import VisitStatus
from pelangi.contracts.public import PUBLIC_PLACE_KINDS
from services.scheduling.agenda import items_to_visit
from services.scheduling.bodies import Session
from services.scheduling.calendar import minute_of
from services.scheduling.case import OPEN_VISIT, Case, Slot, find_visit, is_plannable, open_visit
from services.scheduling.day import ALL_DAY, Day
from services.scheduling.days import book, where
from services.scheduling.planner.first_fit import WHOLE_DAY, slot_in
from services.scheduling.planner.interface import Ask
from services.scheduling.planning import ask_for
from services.scheduling.reference import Reference
from services.scheduling.rescheduling import check_date


def session(body: Session, on: date, visit_id: str, reference: Reference, now: datetime) -> Slot:
    """The slot that opens a session, exactly from start to end.

    Raises Problem: 404 no such team; 422 the date is past, no working day or too far, the start has passed, or the office's list
    has no point of the kelurahan: what was sent is wrong until the office changes a table, whatever becomes of the day.
    """
    team = reference.team(body.team_id)
    if team is None:
        raise not_found()
    check_date(on, reference, now, today=True)
    if body.minute < _minute(on, now):
        raise invalid([FieldError("#/start", "past", "Jam itu sudah lewat. / That hour is past.")])
    point = reference.points.of(body.village_code)
    if point is None:
        detail = "Kelurahan ini tidak ada di daftar titik. / The list has no point of this kelurahan."
        raise invalid([FieldError("#/village_code", "no_point", detail)])
    length = body.last_minute - body.minute
    ask = Ask(
        request_id="",
        placement_id=random_claim(),
        visit_id=visit_id,
        visit_kind=body.visit_kind,
        village_code=body.village_code,
        point=point,
        at=(point["lat"], point["lon"]),
        minutes=0,
        items=(),
        block=length,
        joins=True,
    )
    return {**slot_in(ask, on, team, reference, (body.minute, body.last_minute)), "block": length}


def walk_in(case: Case, day: Day, visit_id: str, reference: Reference, now: datetime) -> Slot | None:
    """The slot of somebody who came to a visit without a date; None where the time left, the equipment or the blanks do not do.

    Whatever kind of visit the request asked for: they are there, and nobody need drive to them any more (DOMAIN.md §1.4).
    Raises Problem 409 `state` where nobody may walk in there now, or not this request.
    """
    visit, on = day["visits"][visit_id], date.fromisoformat(day["_id"])
    today = local_date(now)
    if visit["visit_kind"] not in PUBLIC_PLACE_KINDS or visit["status"] not in OPEN_VISIT or visit.get("arriving"):
        raise Problem(409, "state", "Bukan layanan terbuka saat ini. / The visit is not open to everybody now.")
    if visit["status"] not in {VisitStatus.EN_ROUTE, VisitStatus.ON_SITE} and on != today:
        raise Problem(409, "state", "Kunjungan ini bukan hari ini. / The visit is not today.")
    if not is_plannable(case) or not items_to_visit(case):
        raise Problem(409, "state", "Tidak ada yang dapat dilayani. / There is nothing of the request to be served.")
    if open_visit(case):
        raise Problem(409, "state", "Sudah ada kunjungan. / A visit is planned for it already.")
    if find_visit(case, visit_id):
        raise Problem(409, "state", "Pernah batal di kunjungan ini. / It was in this visit and left it.")
    ask, team = ask_for(case, reference, on), reference.team(visit["team_id"])
    if ask.earliest is not None:
        raise Problem(409, "state", "Belum waktunya dilayani. / It is too early to serve it.")
    if team is None:
        return None
    here = replace(
        ask,
        visit_id=visit_id,
        visit_kind=visit["visit_kind"],
        village_code=visit["village_code"],
        point=visit["point"],
        at=where(visit, reference),
        block=0,
        joins=True,
        place_keys=(),
    )
    there: Slot = {**slot_in(here, on, team, reference, WHOLE_DAY), "minutes": ask.minutes}
    slot: Slot = {**there, "walk_in": _minute(on, now), "visit_version": visit["version"]}
    return slot if book(day, slot, reference) else None


def _minute(on: date, now: datetime) -> int:
    """The minute of a day that it is now: its first where the day is to come, past its last where it is over."""
    local = now.astimezone(JAKARTA)
    if on == local.date():
        return minute_of(local)
    return 0 if on > local.date() else ALL_DAY
