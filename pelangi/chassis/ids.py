"""Identifiers: random, or derived from an idempotency key and a secret; never from a person."""

from uuid import UUID, uuid5

from uuid_utils import uuid4, uuid7


def random_id() -> str:
    """A random UUIDv7 (RFC 9562): sorts by the time it was made."""
    return str(uuid7())


def random_claim() -> str:
    """A random UUIDv4: says who won a guarded write, and nothing else."""
    return str(uuid4())


def derived_id(namespace: UUID, client: str, key: str) -> str:
    """The request id of a client's idempotency key (CONTRACTS.md §3)."""
    return str(uuid5(namespace, f"{client}|{key}"))


def new_traceparent() -> str:
    """A fresh W3C trace context."""
    trace, span = uuid4().hex, uuid4().hex[:16]
    return f"00-{trace}-{span}-01"
