"""Why a job is nowhere, and what would make it fit; why a placed one is then and not earlier. From the plan itself, no guessing.

Every slot is asked what stands in the way there; the slot where least does gives the binding reason. Texts name nobody.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from services.scheduling.planner.engine import MUCH, Board
from services.scheduling.planner.jobs import Job, Level, Seat, TeamDay
from services.scheduling.planner.solving import Proposals
from services.scheduling.planner.table import Table, drivable, routes_of, starts, tabulate
from services.scheduling.travel import Travel


class Why(IntEnum):
    """What stands in the way of an earlier date, or of any: the less, the lower the number."""

    FIRST = 0
    NEARER = 1
    BLANKS = 2
    HOME_VISITS = 3
    FULL = 4
    HOURS = 5
    NOT_BEFORE = 6
    TOO_LONG = 7
    KIT = 8


@dataclass(frozen=True, slots=True)
class Reason:
    """why: as a code. text, remedy: in Indonesian, then English. remedy: what would make it fit, "" where nothing would."""

    why: str
    text: str
    text_en: str
    remedy: str = ""
    remedy_en: str = ""


FIRST_FREE = Reason("FIRST_FREE", "Ini tempat bebas pertama.", "It is the first free place.")
"""Of what is not planned but given out one after another."""
JOINED = Reason("JOINED", "Bergabung dengan kunjungan ke tempat yang sama.", "It joins a visit to the same place.")


class Explainer:
    """Answers about one plan: a table and its routes."""

    def __init__(self, table: Table, routes: Sequence[Sequence[int]], travel: Travel) -> None:
        """Raises ValueError where the routes break a rule."""
        self._table, self._routes, self._travel = table, routes, travel
        self._board = Board(table.problem, routes)

    def why_not(self, node: int) -> Reason:
        """The binding reason why a job that is in no route has none."""
        return self._reason(node, range(len(self._table.slots)))

    def why_then(self, node: int, seat: Seat) -> Reason:
        """Why a job is on its date and not on an earlier one."""
        earlier = [at for at, slot in enumerate(self._table.slots) if slot.date < seat.date]
        if not earlier:
            return Reason("FIRST", "Ini hari kerja pertama yang tersedia.", "It is the first working day there is.")
        return self._reason(node, earlier)

    def _reason(self, node: int, slots: Iterable[int]) -> Reason:
        job = self._table.jobs[node - 1]
        found = [(*self._obstacle(node, slot), slot) for slot in slots]
        why, price, slot = min(found, default=(Why.FULL, 0, 0))
        if why == Why.NEARER:
            return _nearer(max(0, price - self._price(node)))
        if why == Why.FULL and job.hours and (seat := self._without_hours(job)):
            return _hours(seat)
        if why in {Why.BLANKS, Why.HOME_VISITS}:
            return _counted(why, job, self._table.slots[slot])
        if why == Why.HOURS:
            return _hours(self._without_hours(job))
        return _TEXTS[why](job, self._table.slots)

    def _obstacle(self, node: int, slot: int) -> tuple[Why, int]:
        """What stands in the way in a slot, and what it would cost to be there."""
        job, team, given = self._table.jobs[node - 1], self._table.slots[slot], self._table.problem
        if not given.allowed[node * given.slots + slot]:
            return (Why.BLANKS if job.kit <= team.kit else Why.KIT), 0
        if (never := self._never(node, slot)) is not None:
            return never, 0
        at, price = self._board.functions.cheapest(self._board.memory, self._board.layout, node, slot, MUCH, 0)
        if not at:
            return Why.FULL, 0
        for counter in range(given.counters):
            taken = sum(given.needs[n * given.counters + counter] for n in [*self._routes[slot], node])
            if taken > given.stock[slot * given.counters + counter]:
                return (Why.HOME_VISITS if counter == given.counters - 1 else Why.BLANKS), int(price)
        return Why.NEARER, int(price)

    def _never(self, node: int, slot: int) -> Why | None:
        """What stands in the way in a slot however empty it is."""
        job, team, given = self._table.jobs[node - 1], self._table.slots[slot], self._table.problem
        there_and_back = given.travel[node] + given.travel[node * given.nodes]
        longest = max(closes - opens for opens, closes in team.stretches)
        if job.earliest is not None and team.date < job.earliest:
            return Why.NOT_BEFORE
        if job.minutes > longest or job.minutes + there_and_back > given.closes[slot] - given.opens[slot]:
            return Why.TOO_LONG
        return None if starts(job, team.date, team.stretches) else Why.HOURS

    def _price(self, node: int) -> int:
        """What a job costs where it is: its detour and its date."""
        given = self._table.problem
        slot, route = next((at, list(route)) for at, route in enumerate(self._routes) if node in route)
        stops = [0, *route, 0]
        at = stops.index(node)
        before, after = stops[at - 1], stops[at + 1]
        detour = given.travel[before * given.nodes + node] + given.travel[node * given.nodes + after]
        return detour - given.travel[before * given.nodes + after] + given.cost[node * given.slots + slot]

    def _without_hours(self, job: Job) -> Seat | None:
        """Where a job fits if people are there at any hour."""
        seated = {n: slot for slot, route in zip(self._table.slots, self._routes, strict=True) for n in route}
        placed = [j for n, j in enumerate(self._table.jobs, 1) if n in seated and j.seat and j.job_id != job.job_id]
        found = Proposals(placed, replace(job, hours=()), self._table.slots, self._travel).best(1)
        return found[0].seat if found else None


def why_not(job: Job, placed: Iterable[Job], team_days: Sequence[TeamDay], travel: Travel) -> Reason:
    """See `Explainer.why_not`; beside jobs that are placed."""
    explainer, node = _beside(job, placed, team_days, travel)
    return explainer.why_not(node)


def why_then(job: Job, seat: Seat, placed: Iterable[Job], team_days: Sequence[TeamDay], travel: Travel) -> Reason:
    """See `Explainer.why_then`; beside jobs that are placed."""
    explainer, node = _beside(replace(job, seat=seat, level=Level.PLANNED), placed, team_days, travel)
    return explainer.why_then(node, seat)


def _beside(job: Job, placed: Iterable[Job], team_days: Sequence[TeamDay], travel: Travel) -> tuple[Explainer, int]:
    table = tabulate([*(other for other in placed if other.job_id != job.job_id and other.seat), job], team_days, travel)
    node = next(at for at, other in enumerate(table.jobs, 1) if other.job_id == job.job_id)
    return Explainer(table, drivable(table, routes_of(table)), travel), node


def _nearer(saved: int) -> Reason:
    return Reason(
        "NEARER",
        f"Pada tanggal ini tim sudah berada di sekitar; menghemat {saved} menit.",
        f"On this date a team is near anyway; it saves {saved} minutes.",
    )


def _hours(seat: Seat | None) -> Reason:
    remedy, remedy_en = "", ""
    if seat is not None:
        when = f"{seat.date.isoformat()} {seat.start // 60:02}:{seat.start % 60:02}"
        remedy, remedy_en = f"Bisa pada {when} bila ada orang di tempat.", f"Possible on {when} if somebody is there."
    text = "Pada jam yang diminta tidak ada tim yang bebas."
    return Reason("HOURS", text, "No team is free at the hours asked for.", remedy, remedy_en)


def _counted(why: Why, job: Job, team: TeamDay) -> Reason:
    on = team.date.isoformat()
    if why == Why.HOME_VISITS:
        text, text_en = "Batas kunjungan rumah per hari sudah tercapai.", "The limit of home visits a day is reached."
        return Reason(why.name, text, text_en, f"Bisa pada {on} bila batas dinaikkan satu.", f"Possible on {on} with one more.")
    more = sum(job.blanks)
    text, text_en = "Blangko tim tidak cukup.", "The teams' blanks do not suffice."
    return Reason(why.name, text, text_en, f"Bisa pada {on} dengan {more} blangko lagi.", f"Possible on {on} with {more} more.")


def _full(job: Job, _: Sequence[TeamDay]) -> Reason:
    return Reason(
        "FULL",
        "Semua tim penuh dengan kunjungan yang lebih mendesak atau sudah dijanjikan.",
        "All teams are full with visits that are more urgent or were promised.",
        f"Tambah {job.minutes} menit waktu tim.",
        f"Add {job.minutes} minutes of a team.",
    )


def _not_before(job: Job, _: Sequence[TeamDay]) -> Reason:
    on = job.earliest.isoformat() if job.earliest else ""
    return Reason("NOT_BEFORE", f"Layanan baru dapat sejak {on}.", f"The service is possible from {on} on only.")


def _too_long(job: Job, _: Sequence[TeamDay]) -> Reason:
    return Reason(
        "TOO_LONG",
        f"Perlu {job.minutes} menit di tempat; tidak ada hari tim yang cukup panjang.",
        f"It needs {job.minutes} minutes on site; no team's day is long enough.",
        "Bagi layanan menjadi beberapa kunjungan.",
        "Split the services into several visits.",
    )


def _kit(job: Job, slots: Sequence[TeamDay]) -> Reason:
    missing = ", ".join(sorted(job.kit - frozenset[str]().union(*(t.kit for t in slots)) or job.kit))
    return Reason(
        "KIT",
        f"Tidak ada tim yang membawa {missing}.",
        f"No team has {missing}.",
        f"Bekali satu tim dengan {missing}.",
        f"Equip one team with {missing}.",
    )


_TEXTS = {Why.FULL: _full, Why.NOT_BEFORE: _not_before, Why.TOO_LONG: _too_long, Why.KIT: _kit}
