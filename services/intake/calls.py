"""What every call on a request has in common: its key, its body, its precondition, one guarded write, the relay woken."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, cast
from uuid import UUID

from fastapi import Request, Response

from pelangi.chassis.commands import ON_DOCUMENT, Answer, Command, execute, recall
from pelangi.chassis.service import Runtime
from pelangi.chassis.web import Body, Problem, idempotency_key, if_match, not_found, read_body
from services.intake.model import Case, is_open

LEDGER = replace(ON_DOCUMENT, version=itemgetter("content_version"))
"""`If-Match` is compared with the version that a caller has seen, not with what facts add unseen."""

Transition = Callable[[Case], tuple[Case, Answer]]


@dataclass(frozen=True, slots=True)
class Call:
    """A call on an existing request, as it came in. known: the request as read before; answer: given to this key before."""

    request_id: str
    body: Body
    command: Command
    known: Case
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls on the requests of one runtime."""

    runtime: Runtime

    @property
    def secret(self) -> str:
        """Digests bodies and match keys."""
        return self.runtime.settings.digest_secret.get_secret_value()

    async def case(self, request_id: UUID) -> Case:
        """The request. Raises Problem 404 where it is unknown, a stub, or was refused."""
        case = await self.runtime.shared.get(str(request_id))
        if case is None or "body" not in case:
            raise not_found()
        return cast(Case, case)

    async def read(self, request_id: UUID, request: Request) -> Call:
        """A POST on an existing request. Raises Problem: 400, 404, 413, 415, 422 for a reused key, 428."""
        key = idempotency_key(request)
        raw = await read_body(request, self.secret)
        known = await self.case(request_id)
        answer = recall(cast(Any, known), Command(key, raw.digest), LEDGER)
        # a repeated call is answered before its precondition is looked at
        command = Command(key, raw.digest, if_match=None if answer else if_match(request))
        return Call(str(request_id), raw, command, known, answer)

    async def run(self, request_id: str, command: Command, transition: Transition, known: Case | None = None) -> Response:
        """The answer of a command, as `commands.execute`."""
        answer = await execute(
            self.runtime.shared,
            request_id,
            command,
            transition,
            clock=self.runtime.clock,
            ledger=LEDGER,
            known=cast(Any, known),
        )
        self.runtime.written.set()
        return answer.response()


def require_open(case: Case) -> None:
    """Raises Problem 409 for a closed request."""
    if not is_open(case):
        raise Problem(409, "state", "Permohonan sudah ditutup. / The request is closed.")


def told(case: Case, **more: Any) -> Answer:
    """The answer of a call on an existing request: short, for it is kept (CONTRACTS.md §4); the rest is a GET away."""
    return Answer.of(200, {"request_id": case["_id"], "status": case["status"], **more})
