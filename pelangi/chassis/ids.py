"""Identifiers: random, or derived from an idempotency key and a secret; never from a person."""

import re
from uuid import UUID

import uuid_utils
from uuid_utils import uuid4, uuid7


def random_id() -> str:
    """A random UUIDv7 (RFC 9562): sorts by the time it was made."""
    return str(uuid7())


def random_claim() -> str:
    """A random UUIDv4: says who won a guarded write, and nothing else."""
    return str(uuid4())


def derived_id(namespace: UUID, client: str, key: str) -> str:
    """The request id of a client's idempotency key (CONTRACTS.md §3)."""
    return str(uuid_utils.uuid5(uuid_utils.UUID(bytes=namespace.bytes), f"{client}|{key}"))


_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def is_traceparent(text: str) -> bool:
    """Whether it is a W3C trace context, version 00."""
    return _TRACEPARENT.fullmatch(text) is not None


def new_traceparent() -> str:
    """A fresh W3C trace context."""
    trace, span = uuid4().hex, uuid4().hex[:16]
    return f"00-{trace}-{span}-01"
