"""A consumer that died or hangs is started again; one that waits for infrastructure or is at work is left alone."""

import asyncio
from typing import Any

import pytest

from pelangi.chassis import running


class Subscriber:
    """What `Running` asks of its subscriber, as a test sets it."""

    dead, answers, idle = False, True, 0.0

    def __init__(self) -> None:
        self.stopped = self.started = 0

    def idle_s(self) -> float:
        return self.idle

    async def reachable(self) -> bool:
        return self.answers

    async def stop(self) -> None:
        self.stopped += 1

    async def start(self) -> None:
        self.started += 1
        self.dead, self.idle = False, 0.0


def process(subscriber: Subscriber, *, busy_since: float | None = None, failing: str = "") -> Any:
    it: Any = running.Running.__new__(running.Running)
    it.subscriber, it._stopping = subscriber, asyncio.Event()
    it.settings = type("Settings", (), {"idle_limit_s": 20.0})()
    it.consumer = type("Consumer", (), {"busy_since": busy_since, "failing": failing})()
    return it


async def revivals(it: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often it was started again within a few looks."""
    monkeypatch.setattr(running, "OBSERVE_S", 0.01)
    watching = asyncio.create_task(it._revive_consumer())
    await asyncio.sleep(0.1)
    it._stopping.set()
    await asyncio.wait_for(watching, 5)
    assert it.subscriber.stopped == it.subscriber.started
    return int(it.subscriber.started)


@pytest.mark.parametrize(
    ("state", "work", "started"),
    [
        ({}, {}, 0),
        ({"dead": True}, {}, 1),
        ({"idle": 21.0}, {}, 1),
        ({"idle": 19.0}, {}, 0),
        ({"idle": 21.0}, {"busy_since": 1.0}, 0),
        ({"idle": 21.0}, {"failing": "AutoReconnect"}, 0),
        ({"idle": 21.0, "answers": False}, {}, 0),
    ],
)
async def test_when_a_consumer_is_started_again(
    state: dict[str, Any], work: dict[str, Any], started: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscriber = Subscriber()
    for name, value in state.items():
        setattr(subscriber, name, value)
    assert await revivals(process(subscriber, **work), monkeypatch) == started
