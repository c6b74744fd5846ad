"""The leader settles the blanks that were taken: see `blanks`."""

from typing import cast

from pelangi.chassis.case import Change
from pelangi.chassis.service import Runtime, Timer
from services.issuance.blanks import BLANKS_COLLECTION, BlankKind, Fate, Ledger, Taking, fate
from services.issuance.case import Case, Document
from services.issuance.model import stop_printing

EVERY_S = 5.0
TAKINGS_PER_RUN = 500


def settling(runtime: Runtime) -> Timer:
    """The timer that settles blanks."""

    async def work() -> None:
        await settle_once(runtime, Ledger(runtime.store.collection(BLANKS_COLLECTION)))

    return Timer("settle-blanks", EVERY_S, work, woken=False)


async def settle_once(runtime: Runtime, ledger: Ledger) -> int:
    """Settle what can be settled now; how many entries that were. Raises StoreError."""
    taken = [(kind, t) for kind, stock in (await ledger.read()).items() for t in stock["taking"].values()][:TAKINGS_PER_RUN]
    if not taken:
        return 0
    cases = cast(dict[str, Case], await runtime.cases.get_many(sorted({t["request_id"] for _, t in taken})))
    wall = runtime.clock.wall()
    fates = [(kind, t, fate(_document(cases, t), t, wall)) for kind, t in taken]
    await _end_attempts(runtime, cases, [t for _, t, what in fates if what is Fate.END_ATTEMPT])
    return await _settle(ledger, [(kind, t, what) for kind, t, what in fates if what in {Fate.USED, Fate.GIVE_BACK}])


async def _settle(ledger: Ledger, decided: list[tuple[BlankKind, Taking, Fate]]) -> int:
    for kind, taking, what in decided:
        await ledger.settle(kind, taking, used=what is Fate.USED)
    return len(decided)


async def _end_attempts(runtime: Runtime, cases: dict[str, Case], over: list[Taking]) -> None:
    """Nothing prints with these any more; the next run gives their blanks back. A case that moved on waits for it, too."""
    wall = runtime.clock.wall()
    changes: dict[str, Change[Case]] = {}
    for taking in over:
        case = cases[taking["request_id"]]
        change = changes.setdefault(case["_id"], Change(case, case))
        change.advance(stop_printing(change.after, taking["document_id"], taking["attempt"]), wall=wall)
    updates = [change.update() for change in changes.values() if change.changed]
    if updates:
        await runtime.cases.update_many_guarded(updates)


def _document(cases: dict[str, Case], taking: Taking) -> Document | None:
    documents = cases.get(taking["request_id"], cast(Case, {})).get("documents", [])
    return next((d for d in documents if d["document_id"] == taking["document_id"]), None)
