"""Sealing a submission to intake's public key, and what opening it refuses."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import ECKey, OctKey

from pelangi.chassis.settings import development_key_pair
from pelangi.contracts.encryption import BrokenToken, UnknownKey
from pelangi.contracts.submissions import (
    Address,
    SubmissionError,
    SubmissionKeys,
    read_address,
    seal_submission,
    submission_headers,
)
from tests.support.submissions import KEYS, OTHER_KEYS, jwk

KEY = "4c1d9a52-8e0b-4f6d-9a37-5b2e7f1c3d60"
OTHER = "4c1d9a52-8e0b-4f6d-9a37-5b2e7f1c3d61"
BODY = b'{"a": 1}'
TOKEN = seal_submission(jwk(), BODY, KEY).encode()
ALGORITHMS = ["ECDH-ES", "ECDH-ES+A128KW", "A256GCM", "A128CBC-HS256", "DEF", "dir"]


def sealed(header: dict[str, Any], key: Any = None, plain: bytes = BODY) -> bytes:
    """A token as somebody else's library writes it; None removes a member of the header."""
    full = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": "dev-submissions", **header}
    protected = {k: v for k, v in full.items() if v is not None}
    registry = jwe.JWERegistry(algorithms=ALGORITHMS, strict_check_header=False)
    return jwe.encrypt_compact(protected, plain, key or ECKey.import_key(jwk()), registry=registry).encode()


def header_of(token: bytes) -> dict[str, Any]:
    first = token.partition(b".")[0]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(first + b"=" * (-len(first) % 4)))
    return found


def test_only_the_holder_of_the_private_key_opens_it() -> None:
    assert KEYS.open(TOKEN, key=KEY) == BODY
    assert BODY not in TOKEN
    header = header_of(TOKEN)
    assert {k: header[k] for k in ("alg", "enc", "kid", "topic", "key")} == {
        "alg": "ECDH-ES", "enc": "A256GCM", "kid": "dev-submissions", "topic": "request-submitted.v1", "key": KEY,
    }  # fmt: skip
    assert "d" not in header["epk"]
    with pytest.raises(UnknownKey):
        OTHER_KEYS.open(TOKEN, key=KEY)


def test_a_megabyte_and_more_is_opened() -> None:
    large = b"x" * 2_000_000
    assert KEYS.open(seal_submission(jwk(), large, KEY).encode(), key=KEY) == large


@pytest.mark.parametrize("header", [{}, {"topic": "request-submitted.v1"}, {"key": KEY}, {"key": KEY.upper()}, {"kid": None}])
def test_a_stranger_may_leave_out_what_binds_it_and_the_key_id(header: dict[str, Any]) -> None:
    assert KEYS.open(sealed(header), key=KEY) == BODY


def test_a_token_without_key_id_is_tried_with_every_key() -> None:
    pairs = [json.loads(development_key_pair(name))["keys"][0] for name in ("new", "submissions")]
    both = SubmissionKeys.of(json.dumps({"keys": pairs}))
    assert both.open(sealed({"kid": None}), key=KEY) == BODY
    assert [key["kid"] for key in both.public()["keys"]] == ["dev-new", "dev-submissions"], "the one to use comes first"


def tampered(token: bytes, part: int) -> bytes:
    parts = token.split(b".")
    parts[part] = urlsafe_b64encode(b"\0" * 16).rstrip(b"=") + parts[part][22:]
    return b".".join(parts)


P384 = ECKey.generate_key("P-384")
BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "no token": b"{}",
    "four parts": TOKEN.rpartition(b".")[0],
    "header no JSON": b"e30x" + TOKEN[4:],
    "header a list": urlsafe_b64encode(b"[]") + TOKEN[TOKEN.index(b".") :],
    "deep header": urlsafe_b64encode(b"[" * 100_000) + TOKEN[TOKEN.index(b".") :],
    "not base64": b"\xff\xff" + TOKEN,
    "key id a number": urlsafe_b64encode(b'{"alg":"ECDH-ES","enc":"A256GCM","kid":7}').rstrip(b"=") + TOKEN[TOKEN.index(b".") :],
    "iv": tampered(TOKEN, 2),
    "ciphertext": tampered(TOKEN, 3),
    "tag": tampered(TOKEN, 4),
    "another topic": sealed({"topic": "request-details.v1"}),
    "another record": sealed({"key": OTHER}),
    "key a list": sealed({"key": [KEY]}),
    "compressed": sealed({"zip": "DEF"}),
    "another encryption": sealed({"enc": "A128CBC-HS256"}),
    "wrapped": sealed({"alg": "ECDH-ES+A128KW"}),
    "dir": sealed({"alg": "dir"}, OctKey.generate_key(256)),
    "another curve": sealed({}, P384),
    "our key id, another key": sealed({}, ECKey.import_key(jwk(OTHER_KEYS))),
    "another key, no key id": sealed({"kid": None}, ECKey.import_key(jwk(OTHER_KEYS))),
    "point off the curve": urlsafe_b64encode(
        json.dumps({**header_of(TOKEN), "epk": {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}}).encode()
    ).rstrip(b"=") + TOKEN[TOKEN.index(b".") :],
    "unknown critical member": urlsafe_b64encode(json.dumps({**header_of(TOKEN), "crit": ["b64"]}).encode()).rstrip(b"=")
    + TOKEN[TOKEN.index(b".") :],
}  # fmt: skip


@pytest.mark.parametrize("token", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_opened_is_broken(token: bytes) -> None:
    with pytest.raises(BrokenToken):
        KEYS.open(token, key=KEY)


@given(st.integers(0, len(TOKEN) - 1), st.integers(1, 255))
def test_one_changed_byte_never_opens_to_something_else(at: int, by: int) -> None:
    changed = bytearray(TOKEN)
    changed[at] ^= by
    with suppress(BrokenToken, UnknownKey):
        assert KEYS.open(bytes(changed), key=KEY) == BODY  # the last character of a part has bits that mean nothing


def test_a_submission_of_another_record_is_broken() -> None:
    with pytest.raises(BrokenToken):
        KEYS.open(TOKEN, key=OTHER)


def test_the_published_keys_have_no_private_member() -> None:
    (key,) = KEYS.public()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    private = json.loads(development_key_pair("submissions"))["keys"][0]
    assert private["d"]
    assert private["d"] not in json.dumps(KEYS.public())


@pytest.mark.parametrize(
    "jwks",
    [
        "",
        "{}",
        '{"keys": []}',
        '{"keys": [{"kty": "oct", "k": "c2VjcmV0LXNlY3JldA"}]}',
        json.dumps(KEYS.public()),
        json.dumps({"keys": [P384.as_dict(private=True)]}),
        json.dumps({"keys": json.loads(development_key_pair("twice"))["keys"] * 2}),
    ],
)
def test_only_private_p256_keys_with_different_ids_are_taken(jwks: str) -> None:
    with pytest.raises(ValueError) as failure:
        SubmissionKeys.of(jwks)
    assert "c2VjcmV0" not in str(failure.value)


def test_a_key_without_id_is_named_by_its_thumbprint() -> None:
    pair = json.loads(development_key_pair("submissions"))["keys"][0]
    (key,) = SubmissionKeys.of(json.dumps({"keys": [{k: v for k, v in pair.items() if k != "kid"}]})).public()["keys"]
    assert key["kid"] == ECKey.import_key(pair).thumbprint()


def headers(**changes: str | None) -> list[tuple[str, bytes]]:
    given_ = {name: raw.decode() for name, raw in submission_headers("hospital")}
    merged = {**given_, **{k.replace("content_type", "content-type"): v for k, v in changes.items()}}
    return [(k, v.encode()) for k, v in merged.items() if v is not None]


def test_an_address_is_the_client_and_the_key_in_lower_case() -> None:
    assert read_address(KEY.encode(), headers()) == Address("/clients/hospital", KEY)
    assert read_address(KEY.upper().encode(), headers()).key == KEY


@pytest.mark.parametrize("content_type", [None, "application/jose", "Application/JOSE; charset=utf-8"])
def test_the_content_type_may_be_left_out(content_type: str | None) -> None:
    assert read_address(KEY.encode(), headers(content_type=content_type)).key == KEY


@pytest.mark.parametrize("key", [None, b"", b"1", KEY.encode()[:-1], KEY.encode() + b"0", b"\xff" * 36, f"{{{KEY}}}".encode()])
def test_no_or_malformed_key(key: bytes | None) -> None:
    with pytest.raises(SubmissionError):
        read_address(key, headers())


@pytest.mark.parametrize(
    "changes",
    [
        {"ce_source": None},
        {"ce_source": "/clients/"},
        {"ce_source": "/services/intake"},
        {"ce_source": "portal"},
        {"ce_source": "/clients/Hospital"},
        {"ce_source": "/clients/a|b"},
        {"ce_source": "/clients/a\n"},
        {"ce_source": "/clients/" + "a" * 41},
        {"ce_type": None},
        {"ce_type": "request-created.v1"},
        {"content_type": "application/json"},
    ],
    ids=str,
)
def test_missing_or_foreign_headers(changes: dict[str, str | None]) -> None:
    with pytest.raises(SubmissionError):
        read_address(KEY.encode(), headers(**changes))


def test_a_header_that_is_not_utf_8() -> None:
    with pytest.raises(SubmissionError):
        read_address(KEY.encode(), [*headers(), ("ce_source", b"\xff")])
