"""Ten thousand bodies that nobody should send: each gets its 201 or a problem that repeats nothing; never a 5xx, nothing lost."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from copy import deepcopy
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pelangi.chassis import web
from pelangi.chassis.clock import SystemClock
from pelangi.chassis.service import CASES, Runtime
from pelangi.chassis.signal import Signal
from services.intake.app import Settings
from services.intake.routes import routes
from tests.support.bodies import body
from tests.support.memory_store import MemoryCollection, MemoryStore

BODIES = 10_000
BATCH = 50
SECRET = "Rahasia-"
"""Every text drawn here begins with it, so that an echo shows."""

_TEXT = st.text(max_size=30).map(lambda text: SECRET + text)
_LEAF = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**18, max_value=10**40),
    st.floats(allow_nan=False, allow_infinity=False),
    _TEXT,
    st.sampled_from(["", " ", "1971045708859001", "١٩٧١", "2026-02-30", "0", "-1", "\x00", "\u202e", "🏳️\u200d🌈"]),
)
_JSON = st.recursive(
    _LEAF,
    lambda children: st.one_of(
        st.lists(children, max_size=4),
        st.dictionaries(
            st.one_of(_TEXT, st.sampled_from(["$gt", "$where", "__proto__", "a.b", "", "_id"])), children, max_size=4
        ),
    ),
    max_leaves=12,
)


def whole() -> dict[str, Any]:
    """A body in which every field is given, so that each can be spoilt."""
    person = {
        "ref": "1",
        "name": "Orang Contoh",
        "aliases": ["Contoh"],
        "nik": "1971045708859002",
        "nik_absence_reason": None,
        "family_card_number": None,
        "birth_date": "1985-08-17",
        "birth_date_precision": "EXACT",
        "sex": "P",
        "mother_name": "Ibu",
        "phone": "081200000000",
        "email": "a@b.test",
        "guardian": {"name": "Wali", "relation": "PARENT", "phone": None, "email": None},
        "ever_married": None,
        "categories": ["ELDERLY"],
        "needs": ["BEDRIDDEN"],
        "services": ["KTP_RECORDING", "KK_CHANGE"],
    }
    return body(
        filled_at="2026-11-24T09:10:00+07:00",
        persons=[person],
        companion={"kind": "TKSK", "name": "Pendamping", "phone": None, "email": None},
        availability=[{"weekday": 2, "start": "09:00", "end": "12:00"}],
        deadline={"date": "2026-12-10", "reason": "HOSPITAL"},
        reach={"channel": "EMAIL", "to": "REQUESTER"},
        notes="catatan",
    )


def _paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _paths(child, (*at, key))


PATHS = list(_paths(whole()))


@st.composite
def spoilt(draw: st.DrawFn) -> Any:
    """A whole body with one to three places replaced, taken away or added to; now and then any JSON at all."""
    if draw(st.integers(0, 19)) == 0:
        return draw(_JSON)
    value = whole()
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(PATHS))
        holder: Any = value
        try:
            for step in path[:-1]:
                holder = holder[step]
            what = draw(st.integers(0, 3))
            if what == 0:
                del holder[path[-1]]
            elif what == 1 and isinstance(holder, dict):
                holder[draw(_TEXT)] = draw(_JSON)
            else:
                holder[path[-1]] = draw(_JSON)
        except (KeyError, IndexError, TypeError):  # an earlier spoiling took the way away
            continue
    return deepcopy(value)


@pytest.fixture
async def intake() -> AsyncIterator[tuple[httpx.AsyncClient, MemoryCollection]]:
    store = MemoryStore()
    cases = store.collection(CASES)
    runtime = Runtime(Settings(), SystemClock(), store, cases, Signal())  # type: ignore[arg-type]

    async def ready() -> tuple[bool, dict[str, str]]:
        return True, {}

    app = web.make_app("intake", lifespan=None, asyncapi={}, ready=ready, live=lambda: True)
    app.include_router(routes(runtime))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        yield http, cases


async def test_ten_thousand_bodies(intake: tuple[httpx.AsyncClient, MemoryCollection]) -> None:
    http, cases = intake
    answers: Counter[int] = Counter()
    batches: list[list[Any]] = []

    @settings(
        max_examples=BODIES // BATCH,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(spoilt(), min_size=BATCH, max_size=BATCH))
    def draw(batch: list[Any]) -> None:
        batches.append(batch)

    draw()
    for value in (value for batch in batches[: BODIES // BATCH] for value in batch):
        raw = json.dumps(value).encode()
        headers = {"Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
        answer = await http.post("/v1/requests", content=raw, headers=headers)
        answers[answer.status_code] += 1
        if answer.status_code == 201:
            assert answer.json()["request_id"] in cases.documents
        else:
            assert answer.status_code in (400, 413, 422), (answer.status_code, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
            assert SECRET not in answer.text
            assert "1971045708859" not in answer.text
    assert sum(answers.values()) == BODIES
    assert answers[201] == len(cases.documents)
    assert answers[201] > BODIES // 50  # many a spoilt body is a good one still: nobody is refused for what they lack
    assert answers[422] > BODIES // 2
