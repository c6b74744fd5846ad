"""A lean HTTP/1.1 client for load: kept connections, no validation, about a tenth of what a full client costs the processor."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

HOST = "127.0.0.1"
_LENGTH = b"content-length:"


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and body of an answer."""

    status: int
    body: bytes


@dataclass(slots=True)
class Wire:
    """Connections to one port. Any number of calls at once; each has a connection of its own while it lasts."""

    port: int
    _idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=deque)

    async def get(self, path: str) -> Reply:
        """The answer to a GET."""
        return await self._call(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())

    async def post(self, path: str, body: bytes, key: str, extra: str = "", method: str = "POST") -> Reply:
        """The answer to a POST of JSON under an Idempotency-Key; `extra`: further header lines, each with its line end."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nIdempotency-Key: {key}\r\n{extra}"
        return await self._call(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def _call(self, raw: bytes) -> Reply:
        """Raises OSError or EOFError where the connection fails; a kept one that was closed meanwhile is replaced once."""
        while self._idle:
            connection = self._idle.pop()
            try:
                return await self._exchange(connection, raw)
            except (OSError, EOFError):
                connection[1].close()
        return await self._exchange(await asyncio.open_connection(HOST, self.port, limit=2**22), raw)

    async def _exchange(self, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], raw: bytes) -> Reply:
        reader, writer = connection
        writer.write(raw)
        head = await reader.readuntil(b"\r\n\r\n")
        at = head.lower().find(_LENGTH)
        length = int(head[at + len(_LENGTH) : head.index(b"\r", at)]) if at >= 0 else 0
        body = await reader.readexactly(length) if length else b""
        self._idle.append(connection)
        return Reply(int(head[9:12]), body)

    def close(self) -> None:
        """Close what is kept."""
        while self._idle:
            self._idle.pop()[1].close()
