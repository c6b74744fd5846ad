"""How long a document has been taking: gross, and net of what is outside the office's power (DOMAIN.md §2.6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pelangi.contracts.codes import DocumentKind
from pelangi.contracts.reasons import REASONS
from services.issuance.case import Case, Document, Step, document_status, done_visits
from services.issuance.documents import FINAL, DocumentStatus, InternalKind
from services.issuance.tables import read_table

S = DocumentStatus

NOT_STARTED = frozenset({S.OPEN, S.REQUIREMENTS_PENDING, S.ON_HOLD, S.RETURNED})
"""Statuses that do not tell that the requirements are complete and the person was seen."""

WAITING_FOR_OTHERS = frozenset({S.AWAITING_CENTRE, S.REQUIREMENTS_PENDING})
"""Statuses in which the clock stands still: it is the centre's turn, or papers are missing."""

PAUSED_BY_REASON = frozenset({S.ON_HOLD, S.RETURNED})
PAUSING = frozenset(reason.value for reason, row in REASONS.deferral.items() if row.clock_paused)


class Limit(BaseModel):
    """How long one kind may take; None where no limit was found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: Annotated[int, Field(ge=1, le=365)] | None
    working: bool = False


class Processing(BaseModel):
    """The table in `data/processing.yaml`; one that forgets a kind does not load."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target_hours: Annotated[int, Field(ge=1)]
    days: Mapping[DocumentKind | InternalKind, Limit]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if missing := sorted({*DocumentKind, *InternalKind} - self.days.keys()):
            raise ValueError(f"no limit for {', '.join(missing)}")
        return self

    def of(self, kind: str) -> Limit:
        """The limit of a kind."""
        return self.days[DocumentKind(kind) if kind in set(DocumentKind) else InternalKind(kind)]


def load_processing() -> Processing:
    """The table as committed. Raises pydantic.ValidationError where it is not complete."""
    return Processing.model_validate(read_table("processing"))


PROCESSING = load_processing()


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Time since the clock started; net: without the pauses."""

    gross: timedelta
    net: timedelta


def elapsed(case: Case, document: Document, now: datetime) -> Elapsed | None:
    """How long the document has taken until it was issued, ended, or now; None where the clock never started.

    Never negative: the visit's end and the desk's steps are told by the clocks of two services.
    """
    start = _started(case, document)
    stored = S(document["status"])
    if start is None or document_status(case, document) is not stored:
        return None  # ended with its item: nobody waits for it
    history = document["history"]
    end = document.get("issued_at", history[-1]["at"] if stored in FINAL else now)
    gross = net = timedelta()
    for step, until in pairwise([*((s, s["at"]) for s in history), (history[-1], end)]):
        passed = max(min(until[1], end) - max(step[1], start), timedelta())
        gross += passed
        net += timedelta() if _pauses(step[0]) else passed
    before_history = max(min(history[0]["at"], end) - start, timedelta())
    return Elapsed(gross + before_history, net + before_history)


def _started(case: Case, document: Document) -> datetime | None:
    """When the requirements were complete and the person seen: at the end of the first visit that did the item.

    Where that is not known, with the first step that presupposes it. For a next edition: when it was opened.
    """
    history = document["history"]
    if document["edition"] > 1:
        return history[0]["at"]
    times = case.get("visited_at", {})
    known = [times[visit_id] for visit_id in done_visits(case, document["item_id"]) if visit_id in times]
    working = [step["at"] for step in history if S(step["status"]) not in NOT_STARTED | FINAL]
    return min(known or working, default=None)


def _pauses(step: Step) -> bool:
    status = S(step["status"])
    return status in WAITING_FOR_OTHERS or (status in PAUSED_BY_REASON and step["reason"] in PAUSING)
