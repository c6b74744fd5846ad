"""Mail by SMTP. The row's id is the Message-ID, and the mailbox can be asked for it."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime

import httpx
from aiosmtplib import SMTP, SMTPDataError, SMTPException, SMTPResponseException

from services.notify.channels import Accepted, CannotAskNow, Message, Reject, Result, Retry, Unknown

MAIL_DOMAIN = "pelangi.invalid"
KEPT = 20
"""Connections kept for the next mails: to open one costs more than a mail."""


def mail_id(message_id: str) -> str:
    """The Message-ID of a message, without its angle brackets."""
    return f"{message_id}@{MAIL_DOMAIN}"


@dataclass(slots=True)
class SmtpChannel:
    """Sends from `sender` through one mail server; `mailbox_url` "" where no mailbox can be asked.

    step_s: limit of each step of a call. second_look_s: pause before "it is not there" is believed: a server that was stopped
    answers the question before it works off the mail it has already been given.
    """

    host: str
    port: int
    sender: str
    mailbox_url: str = ""
    step_s: float = 10.0
    ask_s: float = 2.0
    second_look_s: float = 1.0
    _http: httpx.AsyncClient | None = field(default=None, repr=False)
    _kept: list[SMTP] = field(default_factory=list, repr=False)

    async def send(self, message: Message, idempotency_key: str) -> Result:
        """Hand over one mail. Until DATA nothing can have arrived; from then on only an answer tells."""
        try:
            raw = self._mail(message, idempotency_key)
        except ValueError:  # UnicodeError is one, too
            return Reject("ADDRESS")
        client, early = await self._willing(message.address)
        if early is not None:
            await _leave(client)
            return early
        result: Result = Unknown("DROPPED")
        try:
            result = Retry(0, "LATE") if time.monotonic() > message.not_after else await self._data(client, raw, idempotency_key)
        finally:
            await self._keep_or_leave(client, result)
        return result

    async def find(self, idempotency_key: str) -> bool | None:
        """Whether the mailbox has it."""
        if not self.mailbox_url:
            return None
        if await self._is_there(idempotency_key):
            return True
        await asyncio.sleep(self.second_look_s)
        return await self._is_there(idempotency_key)

    async def close(self) -> None:
        """Close what is kept open."""
        while self._kept:
            await _leave(self._kept.pop())
        if self._http:
            await self._http.aclose()

    async def _willing(self, address: str) -> tuple[SMTP, Result | None]:
        """A connection whose server waits for DATA to this address; or the one that says why not.

        A kept one that is not willing is replaced: whatever it says, the server may only be tired of it.
        """
        while self._kept:
            client = self._kept.pop()
            if client.is_connected and await self._open(client, address) is None:
                return client, None
            client.close()
        client = SMTP(hostname=self.host, port=self.port, timeout=self.step_s)
        try:
            return client, await self._open(client, address)
        except BaseException:
            client.close()
            raise

    async def _keep_or_leave(self, client: SMTP, result: Result) -> None:
        """A connection is used again after a mail that went through, and after nothing else."""
        if isinstance(result, Accepted) and client.is_connected and len(self._kept) < KEPT:
            self._kept.append(client)
        else:
            await _leave(client)

    def _mail(self, message: Message, idempotency_key: str) -> bytes:
        mail = EmailMessage()
        mail["From"] = self.sender
        mail["To"] = message.address
        mail["Subject"] = message.subject
        mail["Message-ID"] = f"<{mail_id(idempotency_key)}>"
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Auto-Submitted"] = "auto-generated"
        mail["Content-Language"] = "id, en"
        mail.set_content(message.text)
        message.address.encode("ascii")
        return mail.as_bytes(policy=WIRE)

    async def _open(self, client: SMTP, address: str) -> Result | None:
        """Everything before DATA; None where the server is willing."""
        try:
            if not client.is_connected:
                await client.connect()
            await client.mail(self.sender)
            await client.rcpt(address)
        except SMTPResponseException as error:
            return _refused(error.code) or Retry(0, "PROTOCOL")
        except (SMTPException, OSError):
            return Retry(0, "UNREACHABLE")
        return None

    async def _data(self, client: SMTP, raw: bytes, idempotency_key: str) -> Result:
        try:
            async with asyncio.timeout(self.step_s):
                await client.data(raw)
        except SMTPDataError as error:
            return _refused(error.code) or Unknown("PROTOCOL")
        except TimeoutError:
            return Unknown("TIMEOUT")
        except (SMTPException, OSError):
            return Unknown("DROPPED")
        return Accepted(mail_id(idempotency_key))

    async def _is_there(self, idempotency_key: str) -> bool:
        if self._http is None:
            self._http = httpx.AsyncClient(timeout=self.ask_s, trust_env=False)
        try:
            answer = await self._http.get(f"{self.mailbox_url}/api/messages/{mail_id(idempotency_key)}")
        except httpx.HTTPError as error:
            raise CannotAskNow(type(error).__name__) from None
        if answer.status_code not in (200, 404):
            raise CannotAskNow(f"HTTP {answer.status_code}")
        return answer.status_code == 200


def _refused(code: int) -> Result | None:
    """What a refusal means (RFC 5321 §4.2.1): 4xx is temporary, 5xx is final."""
    if 400 <= code < 500:
        return Retry(0, "SMTP_4XX")
    if 500 <= code < 600:
        return Reject("SMTP_5XX")
    return None


async def _leave(client: SMTP) -> None:
    """Say goodbye where the connection still stands; whatever comes of it changes nothing."""
    if client.is_connected:
        with suppress(SMTPException, OSError):
            await client.quit(timeout=1)
    client.close()
