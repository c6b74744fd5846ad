"""Commands over HTTP: read, pure transition, guarded write, with the idempotency record in the same write.

A key is bound by success only, and looked up before anything else is answered; the loser of a race answers what the winner
answered.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, cast

from fastapi import Response
from pydantic_core import to_json

from pelangi.chassis.case import Change, stub
from pelangi.chassis.clock import Clock
from pelangi.chassis.crash import crash_point
from pelangi.chassis.store import Collection, Document, StoreError
from pelangi.chassis.web import Problem

REMEMBERED_KEYS = 32
MAX_TRIES = 20


@dataclass(frozen=True, slots=True)
class Command:
    """One idempotent call. `creates`: its answer is kept whole and for ever, instead of among the last 32."""

    key: str
    digest: str
    if_match: int | None = None
    creates: bool = False
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command answers: the exact bytes, the same on every repetition."""

    status: int
    body: bytes
    version: int | None = None
    location: str = ""

    @classmethod
    def of(cls, status: int, body: Any, *, location: str = "") -> "Answer":
        """An answer with a JSON body; its version is set when the command is written."""
        return cls(status, to_json(body), None, location)

    def response(self) -> Response:
        """The HTTP response."""
        headers = {}
        if self.version is not None:
            headers["ETag"] = f'"{self.version}"'
        if self.location:
            headers["Location"] = self.location
        return Response(self.body, self.status, headers, media_type="application/json")


Transition = Callable[[Any], tuple[Any, Answer]]
"""Pure: the document as read (a stub of version 0 where there is none) to the document after it, and the answer.

Raises Problem where it is not allowed now; a transition that must find something raises `not_found()` on a stub.
"""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where a document keeps the idempotency records of its calls (the last ones), and what `If-Match` is compared with."""

    read: Callable[[Document], list[Document]]
    write: Callable[[Document, list[Document]], Document]
    version: Callable[[Document], int] = itemgetter("version")


ON_DOCUMENT = Ledger(lambda document: document.get("keys", []), lambda document, records: {**document, "keys": records})


async def execute(
    collection: Collection,
    id: str,
    command: Command,
    transition: Transition,
    *,
    clock: Clock,
    ledger: Ledger = ON_DOCUMENT,
    known: Document | None = None,
) -> Answer:
    """The answer of the command, applied exactly once. known: the document as just read, to spare the first read.

    Raises Problem: 422 same key with another body, 412 version moved on, whatever the transition raises, 503 when the store
    failed and it is not known what became of the write (the same key can be sent again).
    """
    failure: Exception | None = None
    refusal: Exception | None = None
    if command.creates and known is None:
        # most keys are new: the insert itself says so, and only where it does not is there anything to read
        try:
            change, answer = _change(id, None, command, transition, clock, ledger)
        except Exception as error:  # noqa: BLE001 - raised below, unless the key was used when this was still allowed
            refusal = error
        else:
            applied, failure = await _write(collection, change)
            if applied:
                return answer
    for attempt in range(MAX_TRIES):
        if attempt or failure:
            await asyncio.sleep(random.uniform(0.005, 0.1))  # noqa: S311 - spreads retries
        before = known if known is not None and not attempt else await collection.get(id)
        if before is not None and (recalled := recall(before, command, ledger)) is not None:
            return recalled
        if before is None and refusal is not None:
            raise refusal
        if failure is not None and attempt > 2:
            raise failure
        if command.if_match is not None and before is not None and ledger.version(before) != command.if_match:
            raise Problem(412, "version", "Sudah berubah; muat ulang. / It has changed; read it again.")
        change, answer = _change(id, before, command, transition, clock, ledger)
        applied, failed = await _write(collection, change)
        if applied:
            return answer
        failure = failed or failure
    raise Problem(503, "contention", "Coba lagi sebentar. / Try again shortly.")


async def _write(collection: Collection, change: Change[Any]) -> tuple[bool, StoreError | None]:
    """Whether it is known to be applied, and why nothing is known: then, too, our own mark is to be looked for."""
    try:
        if change.before is None:
            applied = await collection.insert(change.document())
        else:
            applied = await collection.update(change.update())
    except StoreError as error:
        return False, error
    if applied:
        crash_point("command.after-write")
    return applied, None


def _change(  # noqa: PLR0917 - internal, called once
    id: str, before: Document | None, command: Command, transition: Transition, clock: Clock, ledger: Ledger
) -> tuple[Change[Any], Answer]:
    start = before if before is not None else stub(id)
    after, answer = transition(start)
    answer = Answer(answer.status, answer.body, start["version"] + 1, answer.location)
    change: Change[Any] = Change(cast(Any, before), cast(Any, start))
    change.advance(remember(after, command, answer, ledger), wall=clock.wall(), traceparent=command.traceparent)
    return change, answer


def recall(document: Document, command: Command, ledger: Ledger = ON_DOCUMENT) -> Answer | None:
    """The answer given to this key before, if any. Raises Problem 422 where the body was another."""
    records = [*ledger.read(document), *([document["created"]] if "created" in document else [])]
    for record in records:
        if record["key"] == command.key:
            if record["digest"] != command.digest:
                raise Problem(422, "key_reused", "Kunci sudah dipakai untuk isian lain. / The key was used with another body.")
            return Answer(record["status"], bytes(record["body"]), record["version"], record["location"])
    return None


def remember(document: Document, command: Command, answer: Answer, ledger: Ledger = ON_DOCUMENT) -> Document:
    """The document with the idempotency record of this command in it."""
    record = {
        "key": command.key,
        "digest": command.digest,
        "status": answer.status,
        "body": answer.body,
        "version": answer.version,
        "location": answer.location,
    }
    if command.creates:
        return {**document, "created": record}
    return ledger.write(document, [*ledger.read(document), record][-REMEMBERED_KEYS:])
