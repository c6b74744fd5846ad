"""Submissions as another system sends them. Keys are development keys; no real person."""

import json
from typing import Any

from pelangi.chassis.settings import development_key_pair
from pelangi.contracts.submissions import SubmissionKeys, seal_submission, submission_headers
from pelangi.contracts.topics import REQUEST_SUBMITTED
from tests.support.records import Raw

KEYS = SubmissionKeys.of(development_key_pair("submissions"))
OTHER_KEYS = SubmissionKeys.of(development_key_pair("somebody else"))


def jwk(keys: SubmissionKeys = KEYS) -> dict[str, Any]:
    first: dict[str, Any] = keys.public()["keys"][0]
    return first


def submission(key: str, body: Any, *, client: str = "hospital", keys: SubmissionKeys = KEYS, offset: int = -1) -> Raw:
    """A record of `request-submitted.v1`; `body` is JSON, or bytes as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    token = seal_submission(jwk(keys), raw, key).encode()
    partition = -1 if offset < 0 else 3
    return Raw(REQUEST_SUBMITTED, key.encode(), token, submission_headers(client), partition, offset)
