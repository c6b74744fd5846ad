"""Seconds from `pelangi up` to the first accepted request: a 201 of `POST /v1/requests`, asked for every 50 ms.

On a new data folder (Kafka's jars and the store are in the cache), and again on the data that the first run left. `ready` is what
`pelangi up` itself calls so: every program of the run answers, the portal too. The 201 comes earlier: intake takes requests as
soon as its store answers.
"""

import json
import time
from pathlib import Path
from uuid import uuid4

import httpx

from pelangi.local.private import PrivateStack
from tests.bench.figures import Figure, Say
from tests.support.bodies import body

PAUSE_S = 0.05
LIMIT_S = 180.0


def measure(folder: Path, say: Say) -> list[Figure]:
    """Two starts in one folder."""
    figures: list[Figure] = []
    for name in ("new data folder", "second start, existing data"):
        first, ready = _start(folder / "up")
        say(f"{name}: 201 after {first:.1f} s, ready after {ready:.1f} s")
        note = f"all programs ready after {ready:.1f} s"
        figures.append(Figure(f"up to the first 201, {name}", round(first, 2), "s", note=note))
    return figures


def _start(folder: Path) -> tuple[float, float]:
    """Seconds to the first 201, and to `ready`."""
    stack = PrivateStack(folder)
    began = time.monotonic()
    child = stack._child
    child.start()
    try:
        first = _first_201(stack, began)
        child.wait_ready(lambda: stack._ready_s() is not None, LIMIT_S)
        return first, json.loads((folder / "up.json").read_text())["ready_s"]
    finally:
        child.stop(grace=60)


def _first_201(stack: PrivateStack, began: float) -> float:
    key = str(uuid4())
    while time.monotonic() - began < LIMIT_S:
        try:
            answer = httpx.post(f"{stack.url('intake')}/v1/requests", json=body(), headers={"Idempotency-Key": key}, timeout=10)
            if answer.status_code == 201:
                return time.monotonic() - began
        except httpx.HTTPError:
            pass
        time.sleep(PAUSE_S)
    raise RuntimeError(f"no request was accepted within {LIMIT_S:.0f} s\n{stack._child.last_lines()}")
