"""The mail adapter against a real SMTP server that behaves well, badly, or not at all."""

import asyncio
import email
import email.policy
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, cast

import httpx
import pytest
from aiosmtpd.smtp import SMTP

from services.notify.channels import Accepted, CannotAskNow, Message, Reject, Result, Retry, Unknown
from services.notify.channels.smtp import SmtpChannel

KEY = "0d9f3c1e-0000-5000-8000-000000000001"
TEXT = "Permohonan diterima – pukul 09.00\n.\nTitik di awal baris.\nLayanan ini GRATIS\n"


@dataclass
class Server:
    """aiosmtpd's handler: answers as told at RCPT and after DATA; "drop" cuts the line, "hang" never answers."""

    at_rcpt: str = "250 OK"
    after_data: str = "250 OK"
    keep: bool = True
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Any] = field(default_factory=list)
    transports: list[asyncio.Transport] = field(default_factory=list)

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if self.at_rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.at_rcpt

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        self.transports.append(cast(asyncio.Transport, server.transport))
        if self.keep:
            self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
            self.envelopes.append(envelope)
        if self.after_data == "drop":
            cast(asyncio.Transport, server.transport).abort()
        if self.after_data == "hang":
            await asyncio.sleep(5)
        return self.after_data


@asynccontextmanager
async def serving(handler: Any) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def send(port: int, *, step_s: float = 2, address: str = "orang@contoh.invalid", late: bool = False) -> Result:
    channel = SmtpChannel("127.0.0.1", port, "pelangi@pelangi.invalid", step_s=step_s)
    not_after = time.monotonic() + (-1 if late else 5)
    try:
        return await channel.send(Message(address, "Jadwal kunjungan", TEXT, not_after), KEY)
    finally:
        await channel.close()


async def test_a_mail_arrives_whole_under_its_own_id() -> None:
    server = Server()
    async with serving(server) as port:
        assert await send(port) == Accepted(f"{KEY}@pelangi.invalid")
    (mail,) = server.mails
    assert mail["Message-ID"] == f"<{KEY}@pelangi.invalid>"
    assert mail["Subject"] == "Jadwal kunjungan"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["To"] == "orang@contoh.invalid"
    assert mail.get_content().replace("\r\n", "\n") == TEXT
    assert server.envelopes[0].rcpt_tos == ["orang@contoh.invalid"]
    assert server.envelopes[0].mail_from == "pelangi@pelangi.invalid"


async def test_one_connection_takes_many_mails_until_the_server_is_tired_of_it() -> None:
    server = Server()
    async with serving(server) as port:
        channel = SmtpChannel("127.0.0.1", port, "pelangi@pelangi.invalid")
        message = Message("orang@contoh.invalid", "Jadwal kunjungan", TEXT, time.monotonic() + 60)
        for number in range(3):
            assert isinstance(await channel.send(message, f"{number}"), Accepted)
        assert len(set(map(id, server.transports))) == 1
        server.transports[-1].abort()
        assert isinstance(await channel.send(message, "3"), Accepted)
        assert len(set(map(id, server.transports))) == 2
        server.at_rcpt = "451 tired"
        assert await channel.send(message, "4") == Retry(0, "SMTP_4XX")
        await channel.close()
    assert [mail["Message-ID"] for mail in server.mails] == [f"<{n}@pelangi.invalid>" for n in range(4)]


@pytest.mark.parametrize(
    ("answer", "result"),
    [("451 try later orang@contoh.invalid", Retry(0, "SMTP_4XX")), ("550 no such user orang@contoh.invalid", Reject("SMTP_5XX"))],
)
@pytest.mark.parametrize("where", ["at_rcpt", "after_data"])
async def test_refusals_keep_their_class_and_lose_their_text(answer: str, result: Result, where: str) -> None:
    async with serving(Server(**cast(Any, {where: answer}))) as port:
        assert await send(port) == result


async def test_a_line_cut_after_data_is_unknown() -> None:
    async with serving(Server(after_data="drop")) as port:
        assert await send(port) == Unknown("DROPPED")


async def test_no_answer_after_data_is_unknown() -> None:
    async with serving(Server(after_data="hang")) as port:
        assert await send(port, step_s=0.2) == Unknown("TIMEOUT")


async def test_nobody_listening_is_certainly_not_sent() -> None:
    async with serving(Server()) as port:
        pass
    assert await send(port) == Retry(0, "UNREACHABLE")


async def test_a_server_that_never_greets_is_certainly_not_sent() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        assert await send(server.sockets[0].getsockname()[1], step_s=0.2) == Retry(0, "UNREACHABLE")


async def test_past_its_time_limit_nothing_is_handed_over() -> None:
    server = Server()
    async with serving(server) as port:
        assert await send(port, late=True) == Retry(0, "LATE")
    assert not server.mails


@pytest.mark.parametrize("address", ["orang@contöh.invalid", "orang@contoh.invalid\r\nBcc: x@contoh.invalid"])
async def test_an_address_that_cannot_be_written_is_refused(address: str) -> None:
    server = Server()
    async with serving(server) as port:
        assert await send(port, address=address) == Reject("ADDRESS")
    assert not server.mails


def asking(answer: Callable[[httpx.Request], httpx.Response]) -> SmtpChannel:
    channel = SmtpChannel("127.0.0.1", 1, "p@pelangi.invalid", "http://mailbox.invalid", second_look_s=0)
    channel._http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return channel


async def test_the_mailbox_is_asked_by_message_id() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"count": 1})

    assert await asking(answer).find(KEY) is True
    assert asked == [f"/api/messages/{KEY}@pelangi.invalid"]


async def test_absent_is_believed_at_the_second_look_only() -> None:
    statuses = [404, 200, 404, 404]
    channel = asking(lambda _: httpx.Response(statuses.pop(0)))
    assert await channel.find(KEY) is True
    assert await channel.find(KEY) is False
    await channel.close()


async def test_no_mailbox_means_nobody_to_ask() -> None:
    assert await SmtpChannel("127.0.0.1", 1, "p@pelangi.invalid").find(KEY) is None


async def test_a_mailbox_that_does_not_answer_is_asked_another_time() -> None:
    def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(CannotAskNow):
        await asking(unreachable).find(KEY)
    with pytest.raises(CannotAskNow):
        await asking(lambda _: httpx.Response(503)).find(KEY)
