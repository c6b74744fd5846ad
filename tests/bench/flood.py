"""Load on one port at the least cost to the processor: kept connections, requests made beforehand, answers only counted.

A caller of its own protocol costs about 20 µs per call, a stream of asyncio three times that, a full client thirty times.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

HOST = "127.0.0.1"
_END, _LENGTH = b"\r\n\r\n", b"content-length: "


def posts(path: str, bodies: Sequence[bytes]) -> Iterator[bytes]:
    """POSTs without end, each with a key of its own and the next body in turn."""
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n".encode()
    parts = [(b"\r\nContent-Length: %d\r\n\r\n" % len(body)) + body for body in bodies]
    while True:
        for part in parts:
            key = os.urandom(16).hex().encode()
            key = b"-".join((key[:8], key[8:12], b"4" + key[13:16], b"8" + key[17:20], key[20:]))
            yield head + b"Idempotency-Key: " + key + part


@dataclass(slots=True)
class Tally:
    """Answers: how many accepted, of each other status one line, and the seconds that each accepted one took."""

    seconds: list[float] = field(default_factory=list)
    others: dict[bytes, int] = field(default_factory=dict)

    def note(self, head: bytes, seconds: float) -> None:
        if head == b"201":
            self.seconds.append(seconds)
        else:
            self.others[head] = self.others.get(head, 0) + 1


class Caller(asyncio.Protocol):
    """One connection, one call at a time; `free(self)` is called when its answer is here."""

    def __init__(self, tally: Tally, free: Callable[["Caller"], None]) -> None:
        self._tally, self._free = tally, free
        self._got, self._wanted, self._began = bytearray(), 0, 0.0
        self.transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def call(self, raw: bytes, began: float) -> None:
        """Send a request; its time counts from `began`."""
        self._began = began
        self.transport.write(raw)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if not self._wanted:
            end = self._got.find(_END)
            if end < 0:
                return
            at = self._got.find(_LENGTH, 0, end) + len(_LENGTH)
            self._wanted = end + len(_END) + int(self._got[at : self._got.find(b"\r", at)])
        if len(self._got) >= self._wanted:
            self._tally.note(bytes(self._got[9:12]), time.perf_counter() - self._began)
            self._got.clear()
            self._wanted = 0
            self._free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc or self._wanted or self._got:
            self._tally.note(b"cut", 0)


async def flood(port: int, requests: Iterator[bytes], concurrent: int, seconds: float) -> Tally:
    """So many callers, each of which calls again as soon as it is answered."""
    tally, loop, end = Tally(), asyncio.get_running_loop(), time.perf_counter() + seconds
    left, done = concurrent, asyncio.Event()

    def free(caller: Caller) -> None:
        nonlocal left
        now = time.perf_counter()
        if now < end:
            caller.call(next(requests), now)
            return
        caller.transport.close()
        left -= 1
        if not left:
            done.set()

    callers = [(await loop.create_connection(lambda: Caller(tally, free), HOST, port))[1] for _ in range(concurrent)]
    for caller in callers:
        caller.call(next(requests), time.perf_counter())
    async with asyncio.timeout(seconds + 30):
        await done.wait()
    return tally


async def steady(port: int, requests: Iterator[bytes], rate: float, seconds: float) -> Tally:
    """A call every 1/rate s whatever became of those before; times count from when each was due."""
    tally, loop, idle, callers = Tally(), asyncio.get_running_loop(), list[Caller](), list[Caller]()
    total, start, done = int(rate * seconds), time.perf_counter(), asyncio.Event()

    def free(caller: Caller) -> None:
        idle.append(caller)
        if len(tally.seconds) + sum(tally.others.values()) == total:
            done.set()

    for number in range(total):
        due = start + number / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        while idle and idle[-1].transport.is_closing():  # kept longer than the server keeps a connection nobody uses
            idle.pop()
        if not idle:
            callers.append((await loop.create_connection(lambda: Caller(tally, free), HOST, port))[1])
            callers[-1].call(next(requests), due)
        else:
            idle.pop().call(next(requests), due)
    async with asyncio.timeout(30):
        await done.wait()
    for caller in callers:
        caller.transport.close()
    return tally
