"""What the confirmation page shows, carried by the browser: codes and numbers of persons, never a name, encrypted."""

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic import SecretStr

from portal.problems import locate
from portal.texts import tables

COOKIE = "pelangi_receipt"
COOKIE_SECONDS = 1800
_COOKIE_LIMIT = 3800
_PLAIN_LIMIT = 200_000
_HEADER = {"alg": "dir", "enc": "A256GCM"}


@dataclass(frozen=True, slots=True)
class PersonReceipt:
    """One person of the request: the number on the form, the services, and what to get ready as (code, what intake says)."""

    ref: str
    services: list[str]
    missing: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Receipt:
    """One filed request as its confirmation page shows it; warnings are (number of the person or 0, code, field, detail)."""

    code: str
    status: str
    due_on: str
    persons: list[PersonReceipt]
    warnings: list[tuple[int, str, str, str]]


def receipt_of(answer: Mapping[str, Any]) -> Receipt:
    """The receipt in intake's 201 answer."""
    persons: dict[str, PersonReceipt] = {}
    for item in answer.get("items") or []:
        ref = str(item.get("person_ref", ""))
        person = persons.setdefault(ref, PersonReceipt(ref, [], []))
        person.services.append(str(item.get("service_kind", "")))
        known = {code for code, _ in person.missing}
        told = {str(m.get("code", "")): str(m.get("detail") or "") for m in item.get("missing") or []}
        person.missing.extend(pair for pair in told.items() if pair[0] not in known)
    warnings = [_warning(warning) for warning in answer.get("warnings") or []]
    return Receipt(
        code=str(answer["receipt_code"]),
        status=str(answer.get("status", "")),
        due_on=str(answer.get("due_on") or ""),
        persons=list(persons.values()),
        warnings=list(dict.fromkeys(warnings)),
    )


def _warning(warning: Mapping[str, Any]) -> tuple[int, str, str, str]:
    """The detail is carried only where there are no words here for the code: a cookie is small."""
    code, spot = str(warning.get("code", "")), locate(str(warning.get("pointer", "")))
    detail = "" if code in tables()["warning"] else str(warning.get("detail") or "")
    return (spot.person, code, spot.words, detail) if spot else (0, code, "", detail)


def _codes_only(receipt: Receipt) -> Receipt:
    persons = [replace(p, missing=[(code, "") for code, _ in p.missing]) for p in receipt.persons]
    return replace(receipt, persons=persons)


class ReceiptBox:
    """Closes receipts into cookie values and opens them again."""

    def __init__(self, secret: SecretStr | None) -> None:
        """With a secret every process opens what another closed; without, only this one."""
        if secret is None:
            self._key = OctKey.generate_key(256)
        else:
            self._key = OctKey.import_key(hashlib.sha256(secret.get_secret_value().encode()).digest())

    def close(self, receipt: Receipt) -> str | None:
        """The cookie value; of a long request the codes only; None when even that would be larger than browsers keep."""
        return self._close(receipt) or self._close(_codes_only(receipt))

    def _close(self, receipt: Receipt) -> str | None:
        persons = [[p.ref, p.services, p.missing] for p in receipt.persons]
        content = [receipt.code, receipt.status, receipt.due_on, persons, receipt.warnings]
        plain = json.dumps(content, separators=(",", ":")).encode()
        value = jwe.encrypt_compact(_HEADER, zlib.compress(plain, 9), self._key)
        return value if len(value) <= _COOKIE_LIMIT and len(plain) <= _PLAIN_LIMIT else None

    def open(self, value: str, *, code: str) -> Receipt | None:
        """The receipt of that code; None when the value is old, foreign or of another request."""
        try:
            packed = jwe.decrypt_compact(value, self._key).plaintext or b""
            content = json.loads(zlib.decompressobj().decompress(packed, _PLAIN_LIMIT))
            found, status, due_on, persons, warnings = content
            people = [PersonReceipt(ref, services, [(c, d) for c, d in missing]) for ref, services, missing in persons]
            receipt = Receipt(found, status, due_on, people, [(n, c, f, d) for n, c, f, d in warnings])
        except (JoseError, ValueError, TypeError, zlib.error):
            return None
        return receipt if receipt.code == code else None
