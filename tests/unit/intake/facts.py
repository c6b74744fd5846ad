"""A request as submitted, and the facts that other services send about it, for intake's tests."""

from datetime import UTC, datetime
from typing import Any

from pelangi.chassis.case import Change, Fact, apply_fact, stub
from pelangi.contracts import topics
from pelangi.contracts.events import MODELS, decode
from pelangi.contracts.examples import EXAMPLES
from pelangi.contracts.request import RequestBody
from pelangi.contracts.snapshots import Visit, Visits
from services.intake.handlers import HANDLERS
from services.intake.model import Draws, submit
from tests.support.bodies import body

NOW = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)
R = "7b0f3c8a-2f64-5d1e-8a52-3f6a0c9d1e42"
ITEMS = ["019ab4d2-6f11-7a0b-8c4d-1e3f5a7b9c20", "019ab4d2-6f11-7a0b-8c4d-1e3f5a7b9c21"]
DRAWS = Draws("0000000000" + "0", ITEMS)


def uid(at: int) -> str:
    return f"019ab4d2-6f10-7c3a-9b5e-{at:012x}"


class Life:
    """The transitions of one request, folded as the chassis does."""

    def __init__(self) -> None:
        self.change: Change[Any] = Change(None, stub(R))  # type: ignore[arg-type]

    def submit(self, now: datetime = NOW, **changes: Any) -> "Life":
        return self.then(submit(self.case, RequestBody.model_validate(body(**changes)), DRAWS, now))

    def then(self, case: Any) -> "Life":
        self.change.advance(case, wall=NOW)
        return self

    def take(self, *facts: Fact[Any], now: datetime = NOW) -> "Life":
        for fact in facts:
            self.then(apply_fact(self.case, fact, HANDLERS[fact.type], now))
        return self

    @property
    def case(self) -> Any:
        return self.change.after

    @property
    def sent(self) -> list[str]:
        """Types of the events emitted so far, snapshots included."""
        return [e["type"] for e in self.change.envelopes]

    def event(self, type_: str) -> Any:
        """The data of the one event of this type."""
        (envelope,) = [e for e in self.change.envelopes if e["type"] == type_]
        return decode(type_, envelope["data"])


def fact(type_: str, sequence: int, **changes: Any) -> Fact[Any]:
    """An incoming fact about the request."""
    data = MODELS[type_].model_validate({**EXAMPLES[type_].model_dump(), "request_id": R, **changes})
    aggregate = str(getattr(data, topics.BY_NAME[type_].aggregate))
    return Fact(type_, R, aggregate, sequence, "", data)


def scheduled(visit: int, sequence: int, status: str = "SCHEDULED", date: str = "2026-11-26") -> Fact[Any]:
    return fact(topics.VISIT_SCHEDULED, sequence, visit_id=uid(visit), status=status, date=date, revision=sequence)


def completed(visit: int, sequence: int, outcome: str = "DONE") -> Fact[Any]:
    return fact(topics.VISIT_COMPLETED, sequence, visit_id=uid(visit), outcome=outcome)


def closed_item(at: int, sequence: int = 1, outcome: str = "DONE") -> Fact[Any]:
    return fact(topics.ITEM_CLOSED, sequence, item_id=ITEMS[at], outcome=outcome)


def details(sequence: int, *statuses: str) -> Fact[Any]:
    """The snapshot of the visits 0, 1, … with these statuses."""
    visits = [
        Visit(
            visit_id=uid(at), revision=1, status=status, visit_kind="HOME", date="2026-11-26", team_id="t1", items=[],
            window={"start": NOW, "end": NOW}, place={"visit_kind": "HOME", "village_code": "19.71.04.1009"},
        )
        for at, status in enumerate(statuses)
    ]  # fmt: skip
    return Fact(topics.VISIT_DETAILS, R, R, sequence, "", Visits(visits=visits))
