"""The ledger of blanks as a test sees it: what is on hand, and documents about to be printed."""

from datetime import UTC, datetime
from typing import Any, cast

from pelangi.contracts.codes import ServiceKind
from services.issuance.blanks import (
    BlankKind,
    Ledger,
)
from tests.support.memory_store import MemoryCollection
from tests.unit.issuance.officer import Client

PRINTED = {"to": "PRINTED", "siak_reference": "SIAK-1"}


KTP, KIA = BlankKind.KTP, BlankKind.KIA


class Times:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 24, 5, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    wall = now


def ledger_of(client: Client) -> Ledger:
    return Ledger(client.runtime.store.collection("blanks"))


def stored(client: Client) -> MemoryCollection:
    return cast(MemoryCollection, client.runtime.store.collection("blanks"))


async def stock_up(client: Client, kind: BlankKind, count: int) -> None:
    """Exactly this many on hand."""
    on_hand = (await ledger_of(client).read())[kind]["on_hand"]
    if on_hand:
        await client.post("/v1/blanks", {"kind": kind, "change": "RETURNED", "count": on_hand})
    if count:
        await client.post("/v1/blanks", {"kind": kind, "change": "RECEIVED", "count": count})


async def stock_of(client: Client, kind: BlankKind = KTP) -> dict[str, int]:
    answer = (await client.http.get("/v1/blanks")).json()
    return next({k: v for k, v in b.items() if k != "kind"} for b in answer["blanks"] if b["kind"] == kind)


def balanced(stock: Any) -> bool:
    return bool(
        stock["received"] == stock["on_hand"] + stock["used"] + stock["spoiled"] + stock["lost"]
        and all(stock[k] >= 0 for k in ("on_hand", "received", "used", "spoiled", "lost", "returned"))
    )


async def print_ready(client: Client, *kinds: ServiceKind) -> list[str]:
    documents = await client.have(*kinds)
    for document_id in documents:
        assert (await client.move(document_id, {"to": "PRINT_READY"})).status_code == 200
    return documents
