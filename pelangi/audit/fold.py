"""The public state of a request, folded from its events: the same from any order and any repetition (CONTRACTS.md §1).

The state is a map from (type, aggregate) to the event with the highest sequence, so folding is a maximum: order and
repetition cannot matter. Cancelled visits are kept apart because a cancellation wins whatever arrives later.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pelangi.contracts import events, topics
from pelangi.contracts.codes import ScheduleStatus

_CANCELLED = "visit cancelled"

D = TypeVar("D", bound=events.Data)


@dataclass(frozen=True, slots=True)
class Fact:
    """One event as a reader takes it: what it is about, its sequence, its data."""

    type: str
    request_id: str
    aggregate: str
    sequence: int
    data: events.Data


@dataclass(frozen=True, slots=True)
class VisitState:
    """One visit: the newest announcement, and how it ended if it took place. `cancelled` is final."""

    schedule: events.VisitScheduled | None
    completed: events.VisitCompleted | None
    cancelled: bool

    @property
    def open(self) -> bool:
        """Announced, and neither cancelled nor over."""
        return self.schedule is not None and self.completed is None and not self.cancelled


@dataclass(frozen=True, slots=True)
class DocumentState:
    """One document: issued, handed over, withdrawn."""

    issued: events.DocumentIssued | None
    handed_over: events.DocumentHandedOver | None
    withdrawn: events.DocumentWithdrawn | None

    @property
    def item_id(self) -> str:
        """The item it belongs to."""
        return next(event.item_id for event in (self.issued, self.handed_over, self.withdrawn) if event is not None)


@dataclass(frozen=True, slots=True)
class PublicState:
    """Everything the public topics say about one request."""

    newest: Mapping[tuple[str, str], Fact] = field(default_factory=dict)

    @property
    def created(self) -> events.RequestCreated | None:
        """The request as received."""
        return self._first(topics.REQUEST_CREATED, events.RequestCreated)

    @property
    def closed(self) -> events.RequestClosed | None:
        """How it closed, if it did."""
        return self._first(topics.REQUEST_CLOSED, events.RequestClosed)

    @property
    def visits(self) -> dict[str, VisitState]:
        """Its visits by id."""
        schedules = self._all(topics.VISIT_SCHEDULED, events.VisitScheduled)
        completed = self._all(topics.VISIT_COMPLETED, events.VisitCompleted)
        cancelled = self._all(_CANCELLED, events.VisitScheduled)
        return {
            visit_id: VisitState(
                cancelled.get(visit_id) or schedules.get(visit_id), completed.get(visit_id), visit_id in cancelled
            )
            for visit_id in sorted(schedules.keys() | completed.keys())
        }

    @property
    def documents(self) -> dict[str, DocumentState]:
        """Its documents by id."""
        issued = self._all(topics.DOCUMENT_ISSUED, events.DocumentIssued)
        handed_over = self._all(topics.DOCUMENT_HANDED_OVER, events.DocumentHandedOver)
        withdrawn = self._all(topics.DOCUMENT_WITHDRAWN, events.DocumentWithdrawn)
        return {
            document_id: DocumentState(issued.get(document_id), handed_over.get(document_id), withdrawn.get(document_id))
            for document_id in sorted(issued.keys() | handed_over.keys() | withdrawn.keys())
        }

    @property
    def items(self) -> dict[str, events.ItemClosed]:
        """How its items closed, by id."""
        return self._all(topics.ITEM_CLOSED, events.ItemClosed)

    def _all(self, type_: str, model: type[D]) -> dict[str, D]:
        return {
            aggregate: fact.data
            for (of_type, aggregate), fact in self.newest.items()
            if of_type == type_ and isinstance(fact.data, model)
        }

    def _first(self, type_: str, model: type[D]) -> D | None:
        return next(iter(self._all(type_, model).values()), None)


def apply(state: PublicState, fact: Fact) -> PublicState:
    """The state after one more fact; the same state where the fact is known or overtaken."""
    keys = [(fact.type, fact.aggregate)]
    if isinstance(fact.data, events.VisitScheduled) and fact.data.status == ScheduleStatus.CANCELLED:
        keys.append((_CANCELLED, fact.aggregate))
    known = state.newest
    newer = {key: fact for key in keys if key not in known or known[key].sequence < fact.sequence}
    return PublicState({**known, **newer}) if newer else state


def fold(facts: Iterable[Fact]) -> PublicState:
    """The state that all facts of one request lead to."""
    state = PublicState()
    for fact in facts:
        state = apply(state, fact)
    return state
