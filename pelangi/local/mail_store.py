"""Mails on disk: one JSON line each, appended and synced before the sender hears "accepted"; an index in memory."""

import asyncio
import email
import email.policy
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from itertools import islice
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Mail:
    """One accepted mail. `number` counts from 1 in the order of acceptance; `message_id` is without angle brackets."""

    number: int
    message_id: str
    sender: str
    to: list[str]
    subject: str
    text: str
    received_at: str


class MailStore:
    """All mails of a folder. `add` from one event loop only; what waits at the same moment shares one fsync."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._mails: list[Mail] = []
        self._by_id: dict[str, list[int]] = defaultdict(list)
        self._by_to: dict[str, list[int]] = defaultdict(list)
        self._waiting: list[tuple[Mail, asyncio.Future[None]]] = []
        self._next = 1
        self._writer: asyncio.Task[None] | None = None
        self._file = self._load(folder / "mails.jsonl")

    def __len__(self) -> int:
        return len(self._mails)

    def _load(self, path: Path) -> BinaryIO:
        file = path.open("a+b")
        file.seek(0)
        end = 0
        for line in file:
            if not line.endswith(b"\n"):
                break  # a crash in the middle of a write: that mail was never accepted
            self._index(Mail(**json.loads(line)))
            end += len(line)
        file.truncate(end)
        self._next = len(self._mails) + 1
        return file

    def _index(self, mail: Mail) -> None:
        position = len(self._mails)
        self._mails.append(mail)
        self._by_id[mail.message_id].append(position)
        for address in dict.fromkeys(a.casefold() for a in mail.to):
            self._by_to[address].append(position)

    async def add(self, sender: str, to: Sequence[str], raw: bytes) -> Mail:
        """Keep a mail; returns when it is on disk and can be found."""
        mail = _parsed(self._next, sender, to, raw)
        self._next += 1
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((mail, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await done
        return mail

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            lines = b"".join(json.dumps(asdict(mail), ensure_ascii=False).encode() + b"\n" for mail, _ in batch)
            try:
                await asyncio.to_thread(self._append, lines)
            except OSError as error:
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)
                continue
            for mail, done in batch:
                self._index(mail)
                if not done.done():  # the client may have gone meanwhile
                    done.set_result(None)

    def _append(self, lines: bytes) -> None:
        end = self._file.seek(0, os.SEEK_END)
        try:
            self._file.write(lines)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(end)
            raise

    async def close(self) -> None:
        """Write what waits and close the file."""
        if self._writer is not None:
            await self._writer
        self._file.close()

    def count(self, message_id: str) -> int:
        """How many mails with this Message-ID were accepted."""
        return len(self._by_id.get(_bare(message_id), ()))

    def find(self, *, message_id: str | None, to: str | None, after: int, limit: int) -> list[Mail]:
        """Mails after a number, oldest first, that match all that is given."""
        positions: Iterable[int] = range(after, len(self._mails))
        if message_id is not None:
            positions = self._by_id.get(_bare(message_id), ())
        elif to is not None:
            positions = self._by_to.get(to.casefold(), ())
        mails = (self._mails[position] for position in positions if position >= after)
        if to is not None:
            mails = (mail for mail in mails if to.casefold() in (address.casefold() for address in mail.to))
        return list(islice(mails, limit))

    def newest(self, before: int | None, limit: int) -> list[Mail]:
        """Mails before a number (None: from the end), newest first."""
        end = len(self._mails) if before is None else min(before - 1, len(self._mails))
        return self._mails[max(end - limit, 0) : max(end, 0)][::-1]


def _bare(message_id: str) -> str:
    return message_id.strip().removeprefix("<").removesuffix(">")


def _parsed(number: int, sender: str, to: Sequence[str], raw: bytes) -> Mail:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    message_id = _bare(str(message.get("Message-ID", ""))) or f"none-{number}@mailbox.invalid"
    received_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Mail(number, message_id, sender, list(to), str(message.get("Subject", "")), _text(message), received_at)


def _text(message: EmailMessage) -> str:
    """The plain text; a mail that cannot be read is kept nevertheless, as it came."""
    try:
        body = message.get_body(("plain", "html"))
        return str(body.get_content()).replace("\r\n", "\n") if body is not None else ""
    except (LookupError, ValueError, KeyError):
        return message.as_string()
