"""Requests that other systems post as events: how a client seals one, and how intake opens it (CONTRACTS.md §1).

A submission is a bare compact JWE (`ECDH-ES` + `A256GCM`, RFC 7516 and 7518) of the body of `POST /v1/requests`, to one of
intake's public keys; the record key is the idempotency key.
"""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from joserfc import jwe
from joserfc.jwk import ECKey

from pelangi.contracts.encryption import BrokenToken, UnknownKey
from pelangi.contracts.topics import MAX_MESSAGE_BYTES, REQUEST_SUBMITTED

JOSE = "application/jose"
_ALG, _ENC, _CURVE = "ECDH-ES", "A256GCM", "P-256"
_SOURCE = re.compile(r"/clients/[a-z0-9.-]{1,40}")
_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REGISTRY = jwe.JWERegistry(algorithms=[_ALG, _ENC], strict_check_header=False)
# what is encrypted at any size would be refused above 64 KiB when decrypting
_REGISTRY.max_ciphertext_length = 2 * MAX_MESSAGE_BYTES


class SubmissionError(ValueError):
    """A record that is no submission, so that nobody can be answered. The text never holds a value of it."""


def seal_submission(public_jwk: Mapping[str, Any], body: bytes, key: str) -> str:
    """The value of a submission: `body` for the holder of a key from `GET /v1/submission-keys`, bound to the record key."""
    named = {"kid": public_jwk["kid"]} if "kid" in public_jwk else {}
    header = {"alg": _ALG, "enc": _ENC, **named, "topic": REQUEST_SUBMITTED, "key": key}
    return jwe.encrypt_compact(header, body, ECKey.import_key(cast(Any, dict(public_jwk))), registry=_REGISTRY)


def submission_headers(client: str) -> list[tuple[str, bytes]]:
    """The headers of a submission of the client of this name ([a-z0-9.-], at most 40)."""
    return [
        ("ce_source", f"/clients/{client}".encode()),
        ("ce_type", REQUEST_SUBMITTED.encode()),
        ("content-type", JOSE.encode()),
    ]


@dataclass(frozen=True, slots=True)
class Address:
    """Who submits, and under which idempotency key; together they make the request's id."""

    source: str
    key: str


def read_address(key: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> Address:
    """The address of a record; the key in lower case, as every UUID of ours is written. Raises SubmissionError."""
    raw = dict(headers)
    try:
        text = {name: (raw.get(name) or b"").decode() for name in ("ce_source", "ce_type", "content-type")}
        key_text = (key or b"").decode().lower()
    except UnicodeDecodeError:
        raise SubmissionError("a header or the key is not UTF-8") from None
    if not _KEY.fullmatch(key_text):
        raise SubmissionError("the key is not a UUID")
    if not _SOURCE.fullmatch(text["ce_source"]):
        raise SubmissionError("ce_source is not a client")
    if text["ce_type"] != REQUEST_SUBMITTED:
        raise SubmissionError("ce_type is not the topic")
    if text["content-type"].partition(";")[0].strip().lower() not in {"", JOSE}:
        raise SubmissionError("another content type")
    return Address(text["ce_source"], key_text)


@dataclass(frozen=True, slots=True)
class SubmissionKeys:
    """Intake's key pairs by key id, newest first: clients take the first, all decrypt."""

    keys: Mapping[str, ECKey]

    @classmethod
    def of(cls, jwks: str) -> "SubmissionKeys":
        """From a JWK set (JSON) of private P-256 keys. Raises ValueError, without any of its text, for anything else."""
        try:
            found = [ECKey.import_key(jwk) for jwk in json.loads(jwks)["keys"]]
            usable = all(key.is_private and key.curve_name == _CURVE for key in found)
            keys = {key.kid or key.thumbprint(): key for key in found}
        except Exception:  # noqa: BLE001 - the text of whatever was raised can hold a private key
            raise ValueError("not a JWK set of EC keys") from None
        if not (found and usable and len(keys) == len(found)):
            raise ValueError("private P-256 keys with different ids are needed")
        return cls(keys)

    def public(self) -> dict[str, Any]:
        """The JWK set for clients; no private member."""
        return {"keys": [self._public(kid, key) for kid, key in self.keys.items()]}

    @staticmethod
    def _public(kid: str, key: ECKey) -> dict[str, str]:
        jwk: Mapping[str, Any] = key.as_dict(private=False)
        return {**{name: str(jwk[name]) for name in ("kty", "crv", "x", "y")}, "kid": kid, "use": "enc", "alg": _ALG}

    def open(self, token: bytes, *, key: str) -> bytes:
        """The body in a submission under this record key. A token that names no key id is tried with every key.

        Raises UnknownKey for a key id that is not here, BrokenToken for anything else that is wrong.
        """
        header = _header(token)
        if (header.get("alg"), header.get("enc")) != (_ALG, _ENC) or "zip" in header:
            raise BrokenToken("another algorithm")
        if header.get("topic", REQUEST_SUBMITTED) != REQUEST_SUBMITTED or str(header.get("key", key)).lower() != key:
            raise BrokenToken("bound to another record")
        kid = header.get("kid")
        if kid is not None and kid not in self.keys:
            raise UnknownKey("unknown key id")
        for candidate in self.keys.values() if kid is None else [self.keys[kid]]:
            try:
                plain = jwe.decrypt_compact(token, candidate, registry=_REGISTRY).plaintext
            except Exception:  # noqa: BLE001, S112 - a stranger's token: whatever it provokes, it cannot be opened
                continue
            if plain is not None:
                return plain
        raise BrokenToken("cannot be decrypted")


def _header(token: bytes) -> dict[str, Any]:
    parts = token.split(b".")
    try:
        header = json.loads(urlsafe_b64decode(parts[0] + b"=" * (-len(parts[0]) % 4))) if len(parts) == 5 else None
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or not isinstance(header.get("kid", ""), str):
        raise BrokenToken("not a compact JWE")
    return header
