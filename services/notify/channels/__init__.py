"""Ways to reach somebody: what a call can end in, and what every adapter promises (OPS.md §6)."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One text to one address. `not_after`: on `time.monotonic()`; past it nothing may be handed to the provider any more."""

    address: str
    subject: str
    text: str
    not_after: float


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has it."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class Retry:
    """The provider certainly does not have it; it may be tried again, not before `after_s`."""

    after_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Reject:
    """The provider certainly does not have it and never will."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows whether the provider has it."""

    reason: str


Result = Accepted | Retry | Reject | Unknown


class CannotAskNow(Exception):
    """The provider could say what became of a call, but does not answer now."""


class Channel(Protocol):
    """An adapter. Reasons are codes of ours, never a provider's text: it may echo an address."""

    async def send(self, message: Message, idempotency_key: str) -> Result:
        """Hand the message over under its key. Never raises for what a provider or a network does."""
        ...

    async def find(self, idempotency_key: str) -> bool | None:
        """Whether the provider has a message of this key; None where nobody can be asked. Raises CannotAskNow."""
        ...
