"""What the portal asks of intake, and the three ways it can end: filed, refused, or no answer."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_CODE = re.compile(r"[0-9A-Z]{11}")
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})
_REFUSED = {400, 413, 415, 422}


class Away(Exception):
    """Intake gave no answer that can be used: nothing is known to be filed, and trying again is safe."""


@dataclass(frozen=True, slots=True)
class Filed:
    """Intake accepted the request; `answer` is its 201 body."""

    receipt_code: str
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule is broken: the name of the problem (last part of its `type`), and its `errors`, perhaps none."""

    reason: str
    errors: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a request is; dates as text, empty when there is none. A closed request shows no date still to come."""

    status: str
    closed: bool
    visit_on: str
    received_at: str
    due_on: str
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Intake:
    """Intake over HTTP; `trace` is the W3C trace context that the events of this request will carry."""

    http: httpx.AsyncClient
    url: str

    async def file(self, body: Mapping[str, Any], *, key: str, trace: str) -> Filed | Refused:
        """Files a request; with the same key and body the same answer again. Raises Away."""
        headers = {"Idempotency-Key": key, "traceparent": trace}
        response = await self._ask("POST", "/v1/requests", json=body, headers=headers)
        answer = _json(response)
        if response.status_code == 201 and isinstance(answer.get("receipt_code"), str):
            return Filed(answer["receipt_code"], answer)
        if response.status_code in _REFUSED:
            errors = answer.get("errors")
            found = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
            reason = "too_large" if response.status_code == 413 else str(answer.get("type", "")).rpartition("/")[2]
            return Refused(reason, tuple(found))
        raise Away

    async def tracking(self, receipt_code: str, *, trace: str) -> Mapping[str, Any] | None:
        """How far the request with this code is; None when there is none. Raises Away."""
        response = await self._ask("GET", f"/v1/tracking/{receipt_code}", headers={"traceparent": trace})
        if response.status_code == 404:
            return None
        answer = _json(response)
        if response.status_code != 200 or not answer:
            raise Away
        return answer

    async def reachable(self) -> bool:
        """Whether intake answers at all, within a second."""
        try:
            return (await self.http.get(f"{self.url}/healthz/live", timeout=1.0)).is_success
        except httpx.HTTPError:
            return False

    async def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return await self.http.request(method, self.url + path, **options)
        except httpx.HTTPError as error:
            raise Away from error


def progress_of(answer: Mapping[str, Any]) -> Progress:
    """What a tracking answer says, with whatever is there."""
    visit, closed = _object(answer.get("visit")), _object(answer.get("closed"))
    items = answer.get("items")
    shown = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return Progress(
        status=str(answer.get("status") or closed.get("outcome") or ""),
        closed=bool(closed),
        visit_on="" if closed else str(visit.get("date") or ""),
        received_at=str(answer.get("received_at") or ""),
        due_on="" if closed else str(answer.get("due_on") or ""),
        items=tuple((str(item.get("service_kind") or ""), str(item.get("status") or "")) for item in shown),
    )


def trace_of(traceparent: str | None) -> str:
    """The trace context of the caller, or a new one."""
    if traceparent and _TRACEPARENT.fullmatch(traceparent):
        return traceparent
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def spelled(receipt_code: str) -> str | None:
    """`abcdefghjkm`, `ABCDE FGHJK M` … as `ABCDE-FGHJK-M`, O and I read as digits; None when it cannot be a code."""
    plain = re.sub(r"[\s\-\u2010-\u2015]+", "", receipt_code).upper().translate(_READ_AS)
    return f"{plain[:5]}-{plain[5:10]}-{plain[10]}" if _CODE.fullmatch(plain) else None


def _json(response: httpx.Response) -> Mapping[str, Any]:
    try:
        return _object(response.json())
    except ValueError:
        return {}


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
