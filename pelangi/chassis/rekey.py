"""Key rotation (CONTRACTS.md §1): which keys a topic is sealed under, and its snapshots sent again under the newest ones.

What is to be sent again is read off the topic itself, not noted anywhere: so a run that was interrupted goes on where it was,
a second run finds nothing to do, and a service that still seals under an old key is found out.
"""

import asyncio
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from pelangi.chassis.case import Change, mark
from pelangi.chassis.clock import Clock
from pelangi.chassis.scan import Read
from pelangi.chassis.store import Collection, Document
from pelangi.contracts.topics import REQUEST_DETAILS, VISIT_DETAILS

PARTS: Mapping[str, tuple[str, ...]] = {REQUEST_DETAILS: ("planning", "person", "contact"), VISIT_DETAILS: ("visits",)}
"""The sealed parts of each snapshot. Any other sealed value is one JWE, called `value` here."""

BATCH = 200
ROUNDS = 20
NO_KEY = "?"
"""In place of a key id: not one of our JWEs."""


def new_key(name: str, today: date) -> dict[str, str]:
    """A ring entry `{kid: base64url of 32 random bytes}`."""
    kid = f"{name}-{today:%Y%m%d}-{secrets.token_hex(2)}"
    return {kid: urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")}


def key_ids(record: Read) -> dict[str, str]:
    """The key id of each sealed part, from the protected headers; nothing is decrypted. Empty for a tombstone."""
    if record.value is None:
        return {}
    if record.topic not in PARTS:
        return {"value": _key_id(record.value.decode(errors="replace"))}
    try:
        data = json.loads(record.value)
    except (ValueError, RecursionError):
        data = None
    parts = data if isinstance(data, dict) else {}
    return {part: _key_id(parts.get(part)) for part in PARTS[record.topic]}


def _key_id(token: Any) -> str:
    if not isinstance(token, str):
        return NO_KEY
    header = token.partition(".")[0]
    try:
        said = json.loads(urlsafe_b64decode(header + "=" * (-len(header) % 4)))
        kid = said["kid"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return NO_KEY
    # whoever may write a topic chose this text: nothing that is not a name goes to a terminal
    return kid if isinstance(kid, str) and kid.isascii() and kid.isprintable() and 0 < len(kid) <= 80 else NO_KEY


@dataclass(frozen=True, slots=True)
class KeyUse:
    """How many records of a topic have a part under a key; `newest` of them are the newest of their record key."""

    part: str
    kid: str
    records: int
    newest: int


def count_keys(records: Iterable[Read]) -> list[KeyUse]:
    """Every key that a topic needs: one that is missing here can be dropped."""
    seen: Counter[tuple[str, str]] = Counter()
    last: dict[bytes | None, dict[str, str]] = {}
    for record in records:
        last[record.key] = found = key_ids(record)
        seen.update(found.items())
    newest = Counter(pair for found in last.values() for pair in found.items())
    return [KeyUse(part, kid, count, newest[part, kid]) for (part, kid), count in sorted(seen.items())]


def under_old_keys(records: Iterable[Read], wanted: Mapping[str, str]) -> list[str]:
    """The record keys whose newest record has a part under another key than `wanted` (part -> key id).

    A record that is not one of ours (nothing of it can be read) and a tombstone need no key.
    """
    old: dict[bytes | None, None] = {}
    for record in records:
        found = key_ids(record)
        if any(kid not in (NO_KEY, wanted[part]) for part, kid in found.items()):
            old[record.key] = None
        else:
            old.pop(record.key, None)
    return [(key or b"").decode(errors="replace") for key in old]


@dataclass(frozen=True, slots=True)
class Marked:
    """What became of the cases: newly marked, marked already, and those that this database does not have."""

    marked: int
    waiting: int
    unknown: list[str]


async def republish(cases: Collection, type_: str, ids: Sequence[str], clock: Clock) -> Marked:
    """Put a fresh snapshot of each case on its way, in guarded batches; the running service's relay seals and sends it."""
    marked = waiting = 0
    unknown: list[str] = []
    for at in range(0, len(ids), BATCH):
        batch = list(ids[at : at + BATCH])
        known = await cases.get_many(batch)
        unknown += [i for i in batch if i not in known]
        waits = {i for i, case in known.items() if _on_its_way(case, type_)}
        todo = [i for i in batch if i in known and i not in waits]
        waiting += len(waits)
        marked += len(todo)
        await _mark(cases, type_, todo, clock)
    return Marked(marked, waiting, unknown)


async def _mark(cases: Collection, type_: str, ids: list[str], clock: Clock) -> None:
    """Mark each, whatever else writes to them meanwhile. Whoever wins a race by a marker of their own did our work."""
    for attempt in range(ROUNDS):
        known = await cases.get_many(ids) if ids else {}
        changes = [_marked(case, type_, clock) for case in known.values() if not _on_its_way(case, type_)]
        if not changes or await cases.update_many_guarded([c.update() for c in changes]):
            return
        await asyncio.sleep(0.005 * (attempt + 1))
    raise RuntimeError("other writers were always faster; run it again")


def _marked(case: Document, type_: str, clock: Clock) -> Change[Any]:
    change: Change[Any] = Change(cast(Any, case), cast(Any, case))
    change.advance(mark(cast(Any, case), type_), wall=clock.wall())
    return change


def _on_its_way(case: Document, type_: str) -> bool:
    return any(row["type"] == type_ and row.get("marker") for row in case.get("outbox", ()))


async def wait_sent(cases: Collection, type_: str, ids: Sequence[str], *, pause_s: float = 0.5) -> None:
    """Until no snapshot of these cases is on its way any more."""
    for at in range(0, len(ids), BATCH):
        some = ids[at : at + BATCH]
        # another process sends them: there is no event to wait for here, only the store to ask
        while any(_on_its_way(c, type_) for c in (await cases.get_many(some)).values()):  # noqa: ASYNC110
            await asyncio.sleep(pause_s)
