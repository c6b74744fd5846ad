"""JWE for what only one reader may see: compact, `dir` + `A256GCM` (RFC 7516, 7518).

The protected header names the topic and the record key, so that a ciphertext moved to another record fails.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from pelangi.contracts.topics import MAX_MESSAGE_BYTES

_ALG, _ENC = "dir", "A256GCM"
_REGISTRY = jwe.JWERegistry(
    header_registry=None,
    algorithms=[_ALG, _ENC],
    strict_check_header=False,
)
# by default what was encrypted at any size is refused above 64 KiB when decrypting: a list of 100 persons is more
_REGISTRY.max_ciphertext_length = 2 * MAX_MESSAGE_BYTES


class UnknownKey(LookupError):
    """The key id is not configured here (yet): wait and alert, never a dead letter on our own topics."""


class BrokenToken(ValueError):
    """Not a JWE, a bad tag, or bound to another record."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Symmetric keys by key id. The first one encrypts; all decrypt, so that readers get a new key before writers."""

    keys: Mapping[str, OctKey]

    @classmethod
    def of(cls, keys: Mapping[str, str]) -> "KeyRing":
        """From `{kid: base64url of 32 bytes}`, newest first."""
        return cls({kid: OctKey.import_key({"kty": "oct", "k": k, "kid": kid}) for kid, k in keys.items()})

    def encrypt(self, plain: bytes, *, topic: str, key: str) -> str:
        """Compact JWE of `plain`, bound to the record `key` of `topic`."""
        kid, newest = next(iter(self.keys.items()))
        header = {"alg": _ALG, "enc": _ENC, "kid": kid, "topic": topic, "key": key}
        return jwe.encrypt_compact(header, plain, newest, registry=_REGISTRY)

    def decrypt(self, token: str, *, topic: str, key: str) -> bytes:
        """The plain bytes. Raises UnknownKey, or BrokenToken for anything else that is wrong."""

        def find(token: Any) -> OctKey:
            header = token.headers()
            kid = header.get("kid")
            if not isinstance(kid, str) or kid not in self.keys:
                raise UnknownKey("unknown key id")
            if (header.get("topic"), header.get("key")) != (topic, key):
                raise BrokenToken("bound to another record")
            return self.keys[kid]

        try:
            plain = jwe.decrypt_compact(token, find, registry=_REGISTRY).plaintext
        except BrokenToken:
            raise
        except (JoseError, ValueError, AttributeError, TypeError):
            raise BrokenToken("not a compact JWE, or a bad tag") from None
        if plain is None:
            raise BrokenToken("empty")
        return plain
