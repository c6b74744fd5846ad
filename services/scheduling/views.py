"""What HTTP shows of visits, requests and plans. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pelangi.contracts.codes import VisitStatus
from pelangi.contracts.public import PUBLIC_PLACE_KINDS
from services.scheduling.agenda import (
    failed_attempts,
    in_review,
    is_corrected,
    items_to_visit,
    needs_visit,
    plan_from,
    review_reason,
)
from services.scheduling.announce import place_of, window
from services.scheduling.calendar import moment
from services.scheduling.case import NOT_STARTED, OPEN_VISIT, Case, CaseVisit, Slot, find_visit, is_over
from services.scheduling.day import MOVED, VACATED, Day, DayVisit, Out
from services.scheduling.days import where
from services.scheduling.holes import Candidate
from services.scheduling.outage import affected, broken_promises
from services.scheduling.planner.priority import cannot_wait
from services.scheduling.reference import Reference


def visit(day: Day, visit_id: str, cases: Mapping[str, Case]) -> dict[str, Any]:
    """A visit for its team: when, where, whom, what."""
    v = day["visits"][visit_id]
    return {
        "visit_id": visit_id,
        "date": v["moved_to"]["day"] if _is_on_its_way(day, visit_id) else day["_id"],
        "status": _status(day, visit_id),
        "version": v["version"],
        "visit_kind": v["visit_kind"],
        "session": v.get("session", False),
        "team_id": v["team_id"],
        "window": _window(day["_id"], v["start"], v["end"]),
        "place": _place(visit_id, v, cases),
        "reason": v.get("reason"),
        "corrections": any(_corrected(visit_id, cases.get(r)) for r in v["members"]),
        "members": [
            {
                "request_id": r,
                "items": [_plain(i) for i in m["items"]],
                "reason": m.get("reason"),
                "cancelled": m.get("gone", False),
                "corrected": _corrected(visit_id, cases.get(r)),
            }
            for r, m in v["members"].items()
        ],
        "items": [
            {
                "item_id": i["item_id"],
                "request_id": request_id,
                "service_kind": i["service_kind"],
                **v.get("outcomes", {}).get(i["item_id"], {"outcome": None, "reason": None}),
            }
            for request_id, m in v["members"].items()
            for i in m["items"]
        ],
    }


def request(case: Case, rolling: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A request as scheduling sees it. tentative: where it sits in the rolling plan, of which nobody was told."""
    return {
        "request_id": case["_id"],
        "details_version": case.get("details_version"),
        "closed": is_over(case),
        "needs_visit": needs_visit(case),
        "failed_attempts": failed_attempts(case),
        "review": bool(in_review(case)),
        "review_reason": review_reason(case),
        "review_items": in_review(case),
        "not_before": (plan_from(case) or None) if needs_visit(case) and items_to_visit(case) else None,
        "why": case.get("left_out"),
        "tentative": seats(rolling).get(case["_id"]) if needs_visit(case) else None,
        "visits": [_visit_of_request(v) for v in case.get("visits", [])],
    }


def proposal(slot: Slot, cost: int | None) -> dict[str, Any]:
    """A window that the desk may offer; nothing is booked. cost: in minutes of driving, waiting counted in; where planned."""
    window = _window(slot["day"], slot["start"], slot["end"])
    return {"date": slot["day"], "team_id": slot["team_id"], "window": window, "cost_minutes": cost}


def candidate(found: Candidate) -> dict[str, Any]:
    """Somebody who could be taken in; nothing is booked."""
    slot = found.slot
    shown = proposal(slot, found.cost)
    return {"request_id": slot["request_id"], **shown, "village_code": slot["village_code"], "weight": found.weight}


def outage(before: Day, after: Day, out: Out) -> dict[str, Any]:
    """What became of the visits of a team that is out, sessions that nobody is in too."""
    ids = affected(before, out["team_id"], out["since"])
    visits = [after["visits"][i] for i in ids]
    return {
        "date": after["_id"],
        "team_id": out["team_id"],
        "handed_over": sum(v["status"] in NOT_STARTED for v in visits),
        "moved": sum(v["status"] == MOVED for v in visits),
        "without_a_date": sum(v["status"] == VisitStatus.FAILED for v in visits),
    }


def plan(
    on: date,
    day: Day | None,
    cases: Mapping[str, Case],
    reference: Reference,
    *,
    not_placed: Sequence[dict[str, Any]],
    rolling: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """A day's plan: who goes where in which order and why then, who is planned and not told, and who has no date, and why.

    cases: of the members, at least their visits.
    """
    visits = sorted((day or {}).get("visits", {}).items(), key=lambda pair: pair[1]["start"])
    standing = [(visit_id, v) for visit_id, v in visits if v["status"] not in VACATED]
    known = [t.team_id for t in reference.teams.teams]
    teams = [*known, *sorted({v["team_id"] for _, v in standing} - set(known))]
    return {
        "date": on.isoformat(),
        "working_day": reference.calendar.works(on),
        "base": list(reference.base),
        "teams": [
            {
                "team_id": t,
                "out": _out(day, t),
                "visits": _route(on, [(i, v) for i, v in standing if v["team_id"] == t], cases, reference),
            }
            for t in teams
        ],
        "promises_broken": broken_promises(day),
        "tentative": [{"request_id": i, **seat} for i, seat in seats(rolling).items() if seat["date"] == on.isoformat()],
        "plan": {"number": rolling.get("number"), "input_hash": rolling.get("input_hash")} if rolling else None,
        "not_placed": list(not_placed),
    }


def seats(rolling: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Who sits where in the rolling plan, by request: nobody was told, and it may change until then."""
    return {i: _seat(seat) for i, seat in (rolling or {}).get("seats", {}).items()}


def _seat(seat: Mapping[str, Any]) -> dict[str, Any]:
    window = _window(seat["date"], seat["start"], seat["end"])
    return {"date": seat["date"], "team_id": seat["team_id"], "window": window, "why": seat.get("why")}


def _out(day: Day | None, team_id: str) -> dict[str, Any] | None:
    """Since when and why a team is out."""
    found = next((out for out in (day or {}).get("out", []) if out["team_id"] == team_id), None)
    return {"since": f"{found['since'] // 60:02}:{found['since'] % 60:02}", "reason": found["reason"]} if found else None


def not_placed(waiting: Sequence[Case], review: Sequence[Case], now: datetime) -> list[dict[str, Any]]:
    """Who has no date, and why: a human must look first, no date was found yet, or a visit is of no use before a date."""
    looked_at = [{"request_id": c["_id"], "reason": "REVIEW", "review_reason": c.get("review_reason")} for c in review]
    return looked_at + [_waits(c, now) for c in waiting]


def _waits(case: Case, now: datetime) -> dict[str, Any]:
    """capacity_short: no team has time before it is due."""
    later = case.get("plan_from")
    shown: dict[str, Any] = {
        "request_id": case["_id"],
        "reason": "NOT_BEFORE" if later else "WAITING",
        "why": case.get("left_out"),
    }
    short = "left_out" in case and cannot_wait(case, now)
    return {**shown, "not_before": later} if later else {**shown, "capacity_short": short}


def _corrected(visit_id: str, case: Case | None) -> bool:
    """Whether something of the request is other than the visit takes into account: for the team to see."""
    mine = find_visit(case, visit_id) if case else None
    return case is not None and mine is not None and mine["status"] in OPEN_VISIT and is_corrected(case, mine)


def _route(
    on: date, visits: Sequence[tuple[str, DayVisit]], cases: Mapping[str, Case], reference: Reference
) -> list[dict[str, Any]]:
    """The visits of a team in order. travel_minutes: from the visit before, or from the base."""
    shown: list[dict[str, Any]] = []
    here = reference.base
    for visit_id, v in visits:
        there, team = where(v, reference), reference.team(v["team_id"])
        travel = reference.travel(team, here, there) if team else 0
        shown.append({**_planned(on, visit_id, v, reference), "travel_minutes": travel, "why": _why(visit_id, v, cases)})
        here = there
    return shown


def _why(visit_id: str, v: DayVisit, cases: Mapping[str, Case]) -> dict[str, str] | None:
    """Why it is then: of whoever was in it first."""
    found = (mine for i in v["members"] if i in cases and (mine := find_visit(cases[i], visit_id)))
    return next((why for mine in found if (why := mine.get("why"))), None)


def _planned(on: date, visit_id: str, v: DayVisit, reference: Reference) -> dict[str, Any]:
    return {
        "visit_id": visit_id,
        "visit_kind": v["visit_kind"],
        "session": v.get("session", False),
        "status": v["status"],
        "window": _window(on.isoformat(), v["start"], v["end"]),
        "village_code": v["village_code"],
        "at": list(where(v, reference)),
        "requests": len(v["members"]),
        "items": sum(len(m["items"]) for m in v["members"].values()),
    }


def _visit_of_request(v: CaseVisit) -> dict[str, Any]:
    return {
        "visit_id": v["visit_id"],
        "date": v["date"],
        "status": v["status"],
        "revision": v["revision"],
        "visit_kind": v["visit_kind"],
        "team_id": v["team_id"],
        "window": window(v).model_dump(mode="json"),
        "items": [
            {
                "item_id": i["item_id"],
                "service_kind": i["service_kind"],
                "outcome": i.get("outcome"),
                "reason": i.get("reason"),
            }
            for i in v["items"]
        ],
        "reason": v["reason"],
        "asked": v.get("asked"),
        "why": v.get("why"),
        "walked_in_at": v["village_code"] if v.get("walk_in") else None,
    }


def _status(day: Day, visit_id: str) -> str:
    """A moved visit is planned for its new day while members are on their way there; afterwards its new day speaks for it."""
    status = day["visits"][visit_id]["status"]
    if status == MOVED:
        return VisitStatus.PLANNED if _is_on_its_way(day, visit_id) else VisitStatus.CANCELLED
    return status


def _is_on_its_way(day: Day, visit_id: str) -> bool:
    """Whether a moved visit has not arrived in its new day altogether; a session may move without members."""
    v = day["visits"][visit_id]
    return v["status"] == MOVED and (bool(v["members"]) or (v.get("session", False) and visit_id in day.get("unspread", [])))


def _place(visit_id: str, v: DayVisit, cases: Mapping[str, Case]) -> dict[str, Any]:
    """From the office's list, or from the request that the visit is for."""
    for request_id in v["members"]:
        case = cases.get(request_id)
        mine = find_visit(case, visit_id) if case else None
        if case and mine:
            return place_of(case, mine).model_dump(mode="json")
    point = v["point"] if v["visit_kind"] in PUBLIC_PLACE_KINDS else None
    known = {"address": point["name"], "lat": point["lat"], "lon": point["lon"]} if point else {}
    empty = dict.fromkeys(("rt", "rw", "address", "landmark", "lat", "lon"))
    return {"visit_kind": v["visit_kind"], "village_code": v["village_code"], **empty, **known}


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {k: item[k] for k in ("item_id", "service_kind", "person_ref")}


def _window(day: str, start: int, end: int) -> dict[str, str]:
    on = date.fromisoformat(day)
    return {"start": moment(on, start).isoformat(), "end": moment(on, end).isoformat()}
