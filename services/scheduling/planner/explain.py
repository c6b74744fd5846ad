"""Why a job is nowhere, and what would make it fit; why a placed one is then and not earlier. From the plan itself, no guessing.

Each reason is tried: the rule is lifted, and the job looked for again. Texts name no person and nothing about one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from services.scheduling.planner.jobs import Job, Seat, TeamDay
from services.scheduling.planner.solving import Proposals
from services.scheduling.planner.table import starts
from services.scheduling.travel import Travel

PLENTY = 999


class Why(StrEnum):
    """Why a job is not placed, or not earlier."""

    FIRST = "FIRST"
    NOT_BEFORE = "NOT_BEFORE"
    KIT = "KIT"
    TOO_LONG = "TOO_LONG"
    HOURS = "HOURS"
    BLANKS = "BLANKS"
    HOME_VISITS = "HOME_VISITS"
    FULL = "FULL"
    NEARER = "NEARER"


@dataclass(frozen=True, slots=True)
class Reason:
    """why: as a code. text, remedy: in Indonesian, then English. remedy: what would make it fit, "" where nothing would."""

    why: Why
    text: str
    text_en: str
    remedy: str = ""
    remedy_en: str = ""


def why_not(job: Job, placed: Iterable[Job], team_days: Sequence[TeamDay], travel: Travel) -> Reason:
    """The binding reason why a job has no place on these team-days beside those that are placed."""
    days = sorted(team_days, key=lambda t: (t.date, t.team_id))
    if not days:
        return _full(job)
    if job.earliest is not None and all(t.date < job.earliest for t in days):
        on = job.earliest.isoformat()
        return Reason(Why.NOT_BEFORE, f"Layanan baru dapat sejak {on}.", f"The service is possible from {on} on only.")
    able = [t for t in days if job.kit <= t.kit]
    if not able:
        missing = ", ".join(sorted(job.kit - frozenset().union(*(t.kit for t in days)) or job.kit))
        return Reason(
            Why.KIT,
            f"Tidak ada tim yang membawa {missing}.",
            f"No team has {missing}.",
            f"Bekali satu tim dengan {missing}.",
            f"Equip one team with {missing}.",
        )
    others = [other for other in placed if other.job_id != job.job_id]
    for lifted in _LIFTED:
        if (reason := lifted(job, others, able, travel)) is not None:
            return reason
    return _full(job)


def why_then(job: Job, seat: Seat, placed: Iterable[Job], team_days: Sequence[TeamDay], travel: Travel) -> Reason:
    """Why a placed job is on its date and not on an earlier one."""
    earlier = [t for t in team_days if t.date < seat.date]
    if not earlier:
        return Reason(Why.FIRST, "Ini hari kerja pertama yang tersedia.", "It is the first working day there is.")
    others = [other for other in placed if other.job_id != job.job_id]
    if (before := Proposals(others, job, earlier, travel).best(1)) and (
        now := _cost_on(job, seat, others, team_days, travel)
    ) is not None:
        saved = before[0].cost - now
        return Reason(
            Why.NEARER,
            f"Pada tanggal ini tim sudah berada di sekitar; menghemat {max(saved, 0)} menit.",
            f"On this date a team is near anyway; it saves {max(saved, 0)} minutes.",
        )
    return why_not(job, others, earlier, travel)


def _cost_on(job: Job, seat: Seat, others: Sequence[Job], team_days: Sequence[TeamDay], travel: Travel) -> int | None:
    same_day = [t for t in team_days if t.date == seat.date and t.team_id == seat.team_id]
    found = Proposals(others, job, same_day, travel).best(1)
    return found[0].cost if found else None


def _fits(job: Job, others: Sequence[Job], days: Sequence[TeamDay], travel: Travel) -> Seat | None:
    found = Proposals(others, job, days, travel).best(1)
    return found[0].seat if found else None


def _too_long(job: Job, _: Sequence[Job], days: Sequence[TeamDay], travel: Travel) -> Reason | None:
    always = replace(job, hours=(), blanks=(), earliest=None)
    if _fits(always, [], days, travel):
        return None
    return Reason(
        Why.TOO_LONG,
        f"Perlu {job.minutes} menit di tempat; tidak ada hari tim yang cukup panjang.",
        f"It needs {job.minutes} minutes on site; no team's day is long enough.",
        "Bagi layanan menjadi beberapa kunjungan.",
        "Split the services into several visits.",
    )


def _hours(job: Job, others: Sequence[Job], days: Sequence[TeamDay], travel: Travel) -> Reason | None:
    if not job.hours:
        return None
    seat = _fits(replace(job, hours=()), others, days, travel)
    if seat is None and any(starts(job, t.date, t.stretches) for t in days):
        return None
    remedy, remedy_en = "", ""
    if seat is not None:
        when = f"{seat.date.isoformat()} {seat.start // 60:02}:{seat.start % 60:02}"
        remedy, remedy_en = f"Bisa pada {when} bila ada orang di tempat.", f"Possible on {when} if somebody is there."
    return Reason(
        Why.HOURS,
        "Pada jam yang diminta tidak ada tim yang bebas.",
        "No team is free at the hours asked for.",
        remedy,
        remedy_en,
    )


def _blanks(job: Job, others: Sequence[Job], days: Sequence[TeamDay], travel: Travel) -> Reason | None:
    if not any(job.blanks):
        return None
    stocked = [replace(t, blanks=tuple(PLENTY for _ in job.blanks)) for t in days]
    seat = _fits(job, others, stocked, travel)
    if seat is None:
        return None
    on = seat.date.isoformat()
    return Reason(
        Why.BLANKS,
        "Blangko tim tidak cukup.",
        "The teams' blanks do not suffice.",
        f"Bisa pada {on} bila blangko ditambah {sum(job.blanks)}.",
        f"Possible on {on} with {sum(job.blanks)} more blanks.",
    )


def _home_visits(job: Job, others: Sequence[Job], days: Sequence[TeamDay], travel: Travel) -> Reason | None:
    if not job.at_home:
        return None
    seat = _fits(job, others, [replace(t, home_visits=PLENTY) for t in days], travel)
    if seat is None:
        return None
    on = seat.date.isoformat()
    return Reason(
        Why.HOME_VISITS,
        "Batas kunjungan rumah per hari sudah tercapai.",
        "The limit of home visits a day is reached.",
        f"Bisa pada {on} bila batas dinaikkan satu.",
        f"Possible on {on} with one more visit allowed.",
    )


def _full(job: Job) -> Reason:
    kit = ", ".join(sorted(job.kit))
    with_kit, with_kit_en = (f" dengan {kit}", f" with {kit}") if kit else ("", "")
    return Reason(
        Why.FULL,
        "Semua tim penuh dengan kunjungan yang lebih mendesak atau sudah dijanjikan.",
        "All teams are full with visits that are more urgent or were promised.",
        f"Tambah {job.minutes} menit waktu tim{with_kit}.",
        f"Add {job.minutes} minutes of a team{with_kit_en}.",
    )


_LIFTED = (_too_long, _blanks, _home_visits, _hours)
"""The rules that are lifted in turn; the first one whose lifting helps is the binding one."""
