"""A mail server of the local run: takes every mail by SMTP, keeps it, shows it. Nothing leaves the machine.

`python -m pelangi.local.mailbox --smtp-port 1025 --http-port 8025 --folder FOLDER`

A mail is on disk before its 250 answer, so "was Message-ID X accepted?" has a true answer after any crash. A second
mail with the same Message-ID is kept as well and shows in `count`: the audit looks for those.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from pelangi.local.mail_page import render
from pelangi.local.mail_store import Mail, MailStore
from pelangi.local.process import PROJECT, Command, http_ok

MAX_MAIL_BYTES = 10 * 1024 * 1024
PAGE_SIZE = 50


class Mailbox:
    """The mail server as a part of the local run."""

    name = "mailbox"

    def __init__(self, folder: Path, smtp_port: int = 1025, http_port: int = 8025) -> None:
        self.folder = folder
        self.smtp_port = smtp_port
        self.http_port = http_port

    @property
    def http_url(self) -> str:
        """Where its page and its JSON are."""
        return f"http://127.0.0.1:{self.http_port}"

    def prepare(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> Command:
        """How to run it."""
        ports = ("--smtp-port", str(self.smtp_port), "--http-port", str(self.http_port))
        argv = (sys.executable, "-m", "pelangi.local.mailbox", *ports, "--folder", str(self.folder.absolute()))
        return Command(self.name, argv, cwd=PROJECT)

    def ready(self) -> bool:
        """True once it takes mail: the page answers only after the SMTP port is open."""
        return http_ok(f"{self.http_url}/healthz/ready")


class Receiver:
    """aiosmtpd's handler: every recipient and every mail is accepted."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002  # aiosmtpd's signature
        """Keep the mail, then say so."""
        content = envelope.content
        raw = content if isinstance(content, bytes) else (content or "").encode()
        mail = await self._store.add(envelope.mail_from or "", envelope.rcpt_tos, raw)
        return f"250 Ok: kept as {mail.number}"


def create_app(store: MailStore) -> Starlette:
    """The page and the JSON over a store."""

    async def page(request: Request) -> Response:
        before = _number(request.query_params.get("before"))
        mails = store.newest(before, PAGE_SIZE)
        older = mails[-1].number if mails and mails[-1].number > 1 else None
        return HTMLResponse(
            render(mails, len(store), older, store.count),
            headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
        )

    async def messages(request: Request) -> Response:
        query = request.query_params
        limit = min(max(_number(query.get("limit")) or 100, 1), 1000)
        after = _number(query.get("cursor")) or 0
        message_id, to = query.get("message_id"), query.get("to")
        found = store.find(message_id=message_id, to=to, after=after, limit=limit + 1)
        more = found[limit - 1].number if len(found) > limit else None
        body = {
            "messages": [_shown(mail, store) for mail in found[:limit]],
            "cursor": str(more) if more else None,
            "total": len(store),
        }
        headers = {}
        if more:
            wanted = {"message_id": message_id, "to": to, "limit": str(limit), "cursor": str(more)}
            headers["Link"] = f'<{request.url.path}?{urlencode({k: v for k, v in wanted.items() if v})}>; rel="next"'
        return JSONResponse(body, headers=headers)

    async def message(request: Request) -> Response:
        found = store.find(message_id=request.path_params["message_id"], to=None, after=0, limit=1)
        if not found:
            return JSONResponse({"title": "No such mail", "status": 404}, 404, media_type="application/problem+json")
        return JSONResponse(_shown(found[0], store))

    async def healthy(_: Request) -> Response:
        return JSONResponse({"status": "ready", "mails": len(store)})

    routes: list[tuple[str, Callable[[Request], Awaitable[Response]]]] = [
        ("/", page),
        ("/api/messages", messages),
        ("/api/messages/{message_id:path}", message),
        ("/healthz/live", healthy),
        ("/healthz/ready", healthy),
    ]
    return Starlette(routes=[Route(path, endpoint) for path, endpoint in routes])


def _shown(mail: Mail, store: MailStore) -> dict[str, object]:
    return {
        "id": mail.message_id,
        "count": store.count(mail.message_id),
        "from": mail.sender,
        "to": mail.to,
        "subject": mail.subject,
        "text": mail.text,
        "received_at": mail.received_at,
    }


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() else None


async def run(smtp_port: int, http_port: int, folder: Path, host: str = "127.0.0.1") -> None:
    """Serve until SIGTERM or SIGINT."""
    store = MailStore(folder)
    loop = asyncio.get_running_loop()

    def connection() -> SMTP:
        return SMTP(Receiver(store), data_size_limit=MAX_MAIL_BYTES, enable_SMTPUTF8=True, ident="Pelangi mailbox", loop=loop)

    smtp = await loop.create_server(connection, host, smtp_port)
    config = uvicorn.Config(
        create_app(store), host=host, port=http_port, log_level="warning", access_log=False, timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    loop.add_signal_handler(signal.SIGTERM, lambda: setattr(server, "should_exit", True))
    try:
        await server.serve()
    finally:
        smtp.close()
        await store.close()


def main() -> None:
    """The command line of the module."""
    parser = argparse.ArgumentParser(description="Take mail by SMTP and show it; nothing is sent on.")
    parser.add_argument("--smtp-port", type=int, default=1025)
    parser.add_argument("--http-port", type=int, default=8025)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    asyncio.run(run(options.smtp_port, options.http_port, options.folder, options.host))


if __name__ == "__main__":
    main()
