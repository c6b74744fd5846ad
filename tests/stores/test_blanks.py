"""The ledger of blanks on the real store: a blank each, whoever races, and every command as durable as the rest."""

import asyncio
from datetime import UTC, datetime

import pytest

from services.issuance.blanks import BlankKind, Ledger, NoBlank, Taking
from tests.stores.conftest import Rig

NOW = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)


async def test_many_takers_share_what_there_is_and_settling_is_once(rig: Rig) -> None:
    ledger = Ledger(rig.cases)
    await ledger.read()
    assert rig.admin[rig.name].update_one({"_id": "KTP"}, {"$set": {"on_hand": 5, "received": 5}}).matched_count == 1

    async def take(n: int) -> str | None:
        try:
            return await ledger.take(BlankKind.KTP, "r", f"document-{n}", 0, NOW)
        except NoBlank:
            return None

    taken = [t for t in await asyncio.gather(*(take(n % 20) for n in range(40))) if t]
    assert len(set(taken)) == 5  # two callers of one document share one
    stock = rig.raw("KTP")
    assert (stock["on_hand"], stock["used"], len(stock["taking"])) == (0, 5, 5)
    entries: list[Taking] = list(stock["taking"].values())
    for _ in range(2):
        await ledger.settle(BlankKind.KTP, entries[0], used=False)
        await ledger.settle(BlankKind.KTP, entries[1], used=True)
    stock = rig.raw("KTP")
    assert (stock["on_hand"], stock["used"], len(stock["taking"])) == (1, 4, 3)
    with pytest.raises(NoBlank):
        for n in range(20, 22):
            await ledger.take(BlankKind.KTP, "r", f"document-{n}", 0, NOW)
    rig.seen.assert_concerns()


async def test_taking_one_is_one_command(rig: Rig) -> None:
    ledger = Ledger(rig.cases)
    await ledger.read()
    rig.seen.commands.clear()
    await ledger.take(BlankKind.KIA, "r", "d", 0, NOW)
    assert [name for name, _ in rig.seen.data()] == ["update"]
