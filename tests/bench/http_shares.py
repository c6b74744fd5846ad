"""Where the time of one filing goes inside intake: each step alone, over and over, by processor time."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import bson

from pelangi.chassis.case import Change, stub
from pelangi.chassis.clock import local_date
from pelangi.chassis.commands import Answer, Command, remember
from pelangi.chassis.web import parse_json, validate
from pelangi.contracts.request import RequestBody
from services.intake import rules
from services.intake.draws import draw
from services.intake.matching import keyed
from services.intake.model import submit
from services.intake.views import receipt

NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
SECRET = "made-up secret of the benchmark"
TURNS = 5
REQUEST = "00000000-0000-5000-8000-000000000001"


def shares(bodies: Sequence[bytes]) -> dict[str, float]:
    """µs per step and filing, the best of a few turns."""
    parsed = [parse_json(raw, SECRET, call="/v1/requests") for raw in bodies]
    valid = [validate(RequestBody, p.value, raw=p.raw) for p in parsed]
    filed = [submit(cast(Any, stub(REQUEST)), b, draw(b), NOW) for b in valid]
    known = [keyed(case, SECRET, b) for case, b in zip(filed, valid, strict=True)]
    documents = [_document(case) for case in known]
    today = local_date(NOW)
    return {
        "parsing and digest": _each(parse_json, bodies, SECRET, call="/v1/requests"),
        "rules": _each(rules.errors, [p.value for p in parsed], today),
        "validation": _each(lambda p: validate(RequestBody, p.value, raw=p.raw), parsed),
        "the case and its public event": _each(lambda b: submit(cast(Any, stub(REQUEST)), b, draw(b), NOW), valid),
        "match keys": _each(lambda pair: keyed(pair[0], SECRET, pair[1]), list(zip(filed, valid, strict=True))),
        "answer, envelopes, idempotency record": _each(_document, known),
        "BSON": _each(bson.encode, documents),
    }


def _document(case: Any) -> dict[str, Any]:
    answer = Answer.of(201, receipt(case), location=f"/v1/requests/{REQUEST}")
    change: Change[Any] = Change(cast(Any, None), cast(Any, stub(REQUEST)))
    change.advance(remember(case, Command("k", "d", creates=True), answer), wall=NOW)
    return change.document()


def _each(work: Callable[..., Any], arguments: Sequence[Any], *more: Any, **named: Any) -> float:
    best = float("inf")
    for _ in range(TURNS):
        start = time.process_time()
        for argument in arguments:
            work(argument, *more, **named)
        best = min(best, time.process_time() - start)
    return best / len(arguments) * 1e6
