"""The ledger of blank cards: how many are on hand, and one taken for each card that is printed.

One document per kind of blank; every change is one atomic write of it, so that `received = on_hand + used + spoiled + lost` at
any moment. Printing touches two documents, the ledger and the case, without a transaction:

1. take: `on_hand - 1`, `used + 1`, and an entry under the document's id and print attempt. Callers for one attempt share it.
2. the case: PRINTED, with the taking noted in the document. Only under the attempt that the case has now.
3. the leader looks at the entries: noted in the case -> it stays used, the entry goes; the document was printed from another
   taking, or the attempt is over -> the blank goes back. An old entry whose document is not printed ends the attempt in the
   case first: from then on nobody can print with it, however late they come.

So a crash anywhere loses no blank, and a document never uses two.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Self, TypedDict, cast

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from pelangi.chassis.case import BaseCase
from pelangi.chassis.ids import random_claim
from pelangi.chassis.store import Collection, StoreError
from services.issuance.case import Document
from services.issuance.metrics import BLANKS
from services.issuance.tables import read_table

BLANKS_COLLECTION = "blanks"
GIVEN_UP_AFTER = timedelta(minutes=2)
"""How long a blank stays with a document that is not printed; only tidiness depends on it, not correctness."""

MAX_TRIES = 5


class NoBlank(Exception):
    """There are not that many on hand."""


class BlankKind(StrEnum):
    """The counted cards."""

    KTP = "KTP"
    KIA = "KIA"


class BlankChange(StrEnum):
    """What happens to blanks beside printing. RETURNED: sent back to where they came from."""

    RECEIVED = "RECEIVED"
    SPOILED = "SPOILED"
    LOST = "LOST"
    RETURNED = "RETURNED"


class Taking(TypedDict):
    """A blank taken for one document and not settled yet."""

    take: str
    request_id: str
    document_id: str
    attempt: int
    at: datetime


class Stock(BaseCase, total=False):
    """One kind. received: all that came and was not sent back; returned: how many were. taking: entries by slot."""

    on_hand: int
    received: int
    used: int
    spoiled: int
    lost: int
    returned: int
    taking: dict[str, Taking]


class Fate(StrEnum):
    """What to do about an entry of `taking`."""

    USED = "USED"
    GIVE_BACK = "GIVE_BACK"
    END_ATTEMPT = "END_ATTEMPT"
    WAIT = "WAIT"


class Opening(RootModel[dict[BlankKind, Annotated[int, Field(ge=0, le=1_000_000)]]]):
    """What a system starts with (`data/blanks.yaml`)."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if missing := sorted(set(BlankKind) - self.root.keys()):
            raise ValueError(f"no number for {', '.join(missing)}")
        return self


OPENING: Mapping[BlankKind, int] = Opening.model_validate(read_table("blanks")).root


class BlankMovement(BaseModel):
    """What the office says of its stock."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: BlankKind
    change: BlankChange
    count: Annotated[int, Field(ge=1, le=100_000, strict=True)]


def opened(kind: BlankKind) -> Stock:
    """The stock of a system that never counted this kind."""
    count = OPENING[kind]
    return Stock(_id=kind.value, version=1, on_hand=count, received=count, used=0, spoiled=0, lost=0, returned=0, taking={})


def move_stock(stock: Stock, change: BlankChange, count: int) -> Stock:
    """The stock after a movement. Raises NoBlank where fewer are on hand."""
    if change is BlankChange.RECEIVED:
        return {**stock, "on_hand": stock["on_hand"] + count, "received": stock["received"] + count}
    if stock["on_hand"] < count:
        raise NoBlank
    after: Stock = {**stock, "on_hand": stock["on_hand"] - count}
    if change is BlankChange.SPOILED:
        return {**after, "spoiled": stock["spoiled"] + count}
    if change is BlankChange.LOST:
        return {**after, "lost": stock["lost"] + count}
    return {**after, "received": stock["received"] - count, "returned": stock["returned"] + count}


def slot_of(document_id: str, attempt: int) -> str:
    """Where a taking is kept: what makes two callers share one."""
    return f"{document_id}:{attempt}"


def fate(document: Document | None, taking: Taking, wall: datetime) -> Fate:
    """What becomes of a taking, from the document as it is stored now; without one nothing is decided."""
    if document is None:
        return Fate.WAIT
    if document.get("blank") == taking["take"]:
        return Fate.USED
    if "issued_at" in document or document.get("print_attempt", 0) > taking["attempt"]:
        return Fate.GIVE_BACK
    return Fate.END_ATTEMPT if wall - taking["at"] > GIVEN_UP_AFTER else Fate.WAIT


class Ledger:
    """The stored ledger."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection

    async def read(self) -> dict[BlankKind, Stock]:
        """The stock of every kind; the first reading ever opens the ledger. Raises StoreError."""
        found = await self.collection.get_many([kind.value for kind in BlankKind])
        if missing := [kind for kind in BlankKind if kind.value not in found]:
            await self.collection.insert_many([{**opened(kind)} for kind in missing])
            found = await self.collection.get_many([kind.value for kind in BlankKind])
        stocks = {kind: cast(Stock, found[kind.value]) for kind in BlankKind}
        for kind, stock in stocks.items():
            BLANKS.labels(kind.value).set(stock["on_hand"])
        return stocks

    async def take(self, kind: BlankKind, request_id: str, document_id: str, attempt: int, wall: datetime) -> str:
        """The taking of this document and attempt: a new one, or the one that exists. Raises NoBlank, StoreError."""
        slot = f"taking.{slot_of(document_id, attempt)}"
        mine = Taking(take=random_claim(), request_id=request_id, document_id=document_id, attempt=attempt, at=wall)
        wanted = {"_id": kind.value, "on_hand": {"$gte": 1}, slot: {"$exists": False}}
        update = {"$inc": {"on_hand": -1, "used": 1, "version": 1}, "$set": {slot: mine}}
        failure: StoreError | None = None
        for _ in range(MAX_TRIES):
            try:
                if await self.collection.update_where(wanted, update):
                    return mine["take"]
            except StoreError as error:  # taken or not: the entry tells
                failure = error
            stock = (await self.read())[kind]
            if found := stock["taking"].get(slot_of(document_id, attempt)):
                return found["take"]
            if failure is not None:
                raise failure
            if stock["on_hand"] < 1:
                raise NoBlank
        raise NoBlank

    async def settle(self, kind: BlankKind, taking: Taking, *, used: bool) -> None:
        """Remove an entry once and for all; its blank stays used, or goes back on hand. Again: no effect. Raises StoreError."""
        slot = f"taking.{slot_of(taking['document_id'], taking['attempt'])}"
        back = {} if used else {"on_hand": 1, "used": -1}
        update = {"$inc": {"version": 1, **back}, "$unset": {slot: ""}}
        await self.collection.update_where({"_id": kind.value, f"{slot}.take": taking["take"]}, update)
