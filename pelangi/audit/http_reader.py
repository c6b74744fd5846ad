"""Reads what the services and the mailbox say over HTTP."""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import httpx

from pelangi.audit.history import Json, Mail, bare, mail_id
from pelangi.audit.options import AuditOptions

_SIXTEEN_DIGITS = re.compile(r"[0-9]{16}")
PAGE = 1000


class Unreadable(Exception):
    """A source did not answer as it must; the text names the source."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the four services say about one request; None where a service does not know it."""

    intake: Json | None
    intake_version: int | None
    scheduling: Json | None
    issuance: Json | None
    notify: Json | None


class HttpReader:
    """Reads over one client, at most `concurrency` requests at once."""

    def __init__(self, client: httpx.AsyncClient, options: AuditOptions) -> None:
        self._client = client
        self._options = options
        self._slots = asyncio.Semaphore(options.concurrency)

    async def answers(self, request_id: str) -> Answers:
        """What the services say about a request. Raises Unreadable."""
        o = self._options
        intake, scheduling, issuance, notify = await asyncio.gather(
            self._get("intake", f"{o.intake_url}/v1/requests/{request_id}"),
            self._get("scheduling", f"{o.scheduling_url}/v1/requests/{request_id}"),
            self._get("issuance", f"{o.issuance_url}/v1/requests/{request_id}/documents"),
            self._get("notify", f"{o.notify_url}/v1/messages", request_id=request_id),
        )
        return Answers(_of_intake(_json(intake)), version_of(intake), _json(scheduling), _json(issuance), _json(notify))

    async def knows(self, request_id: str) -> bool:
        """Whether intake knows the request."""
        return await self._get("intake", f"{self._options.intake_url}/v1/requests/{request_id}") is not None

    async def request_ids(self) -> list[str]:
        """Every request that intake lists, following RFC 8288 `next` links."""
        found: list[str] = []
        url: str | None = f"{self._options.intake_url}/v1/requests"
        while url is not None:
            response = await self._get("intake", url)
            if response is None:
                break
            found += [row["request_id"] for row in rows_of(response.json())]
            following = response.links.get("next", {}).get("url")
            url = urljoin(url, following) if following else None
        return list(dict.fromkeys(found))

    async def message_ids(self, request_ids: Iterable[str]) -> set[str]:
        """The Message-IDs of all messages of these requests."""
        url = f"{self._options.notify_url}/v1/messages"
        answers = await asyncio.gather(*(self._get("notify", url, request_id=id_) for id_ in request_ids))
        return {mail_id(row["message_id"]) for answer in answers for row in (_json(answer) or {}).get("messages", [])}

    async def mails(self) -> dict[str, Mail]:
        """Every mail of the mailbox by Message-ID."""
        found: dict[str, Mail] = {}
        seen: dict[str, int] = {}
        cursor: str | None = None
        while True:
            query = {"limit": str(PAGE)} | ({"cursor": cursor} if cursor else {})
            page = _json(await self._get("mailbox", f"{self._options.mailbox_url}/api/messages", **query)) or {}
            for mail in page.get("messages", []):
                id_ = bare(mail["id"])
                seen[id_] = seen.get(id_, 0) + 1
                number = bool(_SIXTEEN_DIGITS.search(f"{mail.get('subject', '')}\n{mail.get('text', '')}"))
                known = found.get(id_, Mail(id_))
                found[id_] = Mail(id_, max(seen[id_], int(mail.get("count") or 1)), number or known.holds_number)
            cursor = page.get("next") or page.get("cursor")
            if not cursor:
                return found

    async def _get(self, source: str, url: str, **query: str) -> httpx.Response | None:
        """The answer, None for 404. Raises Unreadable."""
        async with self._slots:
            try:
                response = await self._client.get(url, params=query or None)
            except httpx.HTTPError as error:
                raise Unreadable(f"{source} ({type(error).__name__})") from None
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise Unreadable(f"{source} ({response.status_code})")
        return response


def rows_of(body: Any) -> list[Json]:
    """The rows of a list answer: the list itself, or the only list in it."""
    if isinstance(body, list):
        return body
    return next((value for value in body.values() if isinstance(value, list)), [])


def version_of(response: httpx.Response | None) -> int | None:
    """The version in `ETag`."""
    tag = "" if response is None else response.headers.get("ETag", "").removeprefix("W/").strip('"')
    return int(tag) if tag.isascii() and tag.isdigit() else None


def _of_intake(answer: Json | None) -> Json | None:
    """What the checks look at; nobody's name is kept."""
    if answer is None:
        return None
    chosen: dict[str, tuple[str, ...]] = {"requester": ("kind",), "place": ("visit_kind", "village_code"), "reach": ("to",)}
    parts = {name: {key: (answer.get(name) or {}).get(key) for key in keys} for name, keys in chosen.items()}
    items = [{key: item[key] for key in ("item_id", "service_kind")} for item in answer.get("items", [])]
    return {"status": answer.get("status"), **_present(parts), "items": items}


def _present(parts: Json) -> Json:
    """Without what was not answered, so that defaults hold."""
    return {name: {k: v for k, v in part.items() if v is not None} for name, part in parts.items()}


def _json(response: httpx.Response | None) -> Json | None:
    body = None if response is None else response.json()
    return body if isinstance(body, dict) else None
