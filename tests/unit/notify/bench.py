"""A bench: a collection, a clock, a channel per way, and as many replicas of the sender as a test wants."""

from typing import Any, cast

from pelangi.chassis.case import Change, Fact
from services.notify.model import Case
from services.notify.rows import Row, in_order
from services.notify.sending import Limits, Sender
from services.notify.texts import Writer
from tests.support.memory_store import MemoryCollection

from .facts import REQUEST, fold
from .fakes import FakeChannel, FakeClock

WRITER = Writer("kelurahan-{village_code}@pelangi.invalid", "office@pelangi.invalid", "http://localhost/track/")
DESK = "kelurahan-19.71.04.1009@pelangi.invalid"
REQUESTER = "requester@contoh.invalid"


class Bench:
    """A collection, a clock, and one channel per way; any number of replicas."""

    def __init__(self, script: list[str] | None = None, **options: Any) -> None:
        self.cases, self.clock = MemoryCollection(), FakeClock()
        self.mail, self.desk = FakeChannel(script or [], **options), FakeChannel()

    def sender(self, limits: Limits | None = None) -> Sender:
        return Sender(self.cases, self.clock, {"EMAIL": self.mail, "VIA_KELURAHAN": self.desk}, WRITER, limits or Limits())

    async def learn(self, *facts: Fact[Any]) -> None:
        """What the consumer does with facts."""
        before = cast(Case | None, await self.cases.get(REQUEST))
        start = before or cast(Case, {"_id": REQUEST, "version": 0})
        change: Change[Case] = Change(before, start)
        change.advance(fold(facts, start), wall=self.clock.wall())
        await (self.cases.insert(change.document()) if before is None else self.cases.update(change.update()))

    async def until_settled(self, sender: Sender | None = None, *, limit: int = 200) -> None:
        sender = sender or self.sender()
        for _ in range(limit):
            await sender.work()
            if "due_since" not in self.case:
                return
            self.clock.pass_(5)
        raise AssertionError("never settled")

    @property
    def case(self) -> Case:
        return cast(Case, self.cases.documents[REQUEST])

    def rows(self, purpose: str = "") -> list[Row]:
        return [r for _, r in in_order(self.case["messages"]) if not purpose or r["purpose"] == purpose]

    def states(self) -> list[tuple[str, str]]:
        return [(r["purpose"], r["state"]) for r in self.rows()]
