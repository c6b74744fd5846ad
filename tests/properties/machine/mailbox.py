"""A provider of mails that can be asked: what it has accepted, by Message-ID."""

from collections import Counter
from typing import Any

from services.notify.channels import Accepted, CannotAskNow, Message, Result, Retry, Unknown


class Mailbox:
    """What arrived, and how often."""

    def __init__(self) -> None:
        self.mails: Counter[str] = Counter()


class Channel:
    """A process's connection to it. Its answers can be lost."""

    def __init__(self, mailbox: Mailbox, process: Any) -> None:
        self._mailbox, self._process = mailbox, process

    async def send(self, message: Message, idempotency_key: str) -> Result:
        await self._process.io()
        if self._process.loop.time() > message.not_after:
            return Retry(0, "LATE")
        if self._process.world.fails():
            return Retry(0, "SMTP_4XX")
        self._mailbox.mails[idempotency_key] += 1
        await self._process.io()
        return Unknown("TIMEOUT") if self._process.world.fails() else Accepted(idempotency_key)

    async def find(self, idempotency_key: str) -> bool | None:
        await self._process.io()
        if self._process.world.fails():
            raise CannotAskNow
        return self._mailbox.mails[idempotency_key] > 0
