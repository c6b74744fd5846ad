"""Whether a body may be filed: its shape and the rules, all broken ones at once. The same over HTTP and over Kafka."""

from datetime import datetime
from typing import Any

from pelangi.chassis.clock import local_date
from pelangi.chassis.web import validate
from pelangi.contracts.request import RequestBody
from services.intake import rules


def checked(value: Any, now: datetime, raw: bytes = b"") -> RequestBody:
    """A parsed JSON body as a request body. Raises Problem 422 with every broken rule and no values. raw: its text."""
    return validate(RequestBody, value, broken=rules.errors(value, local_date(now)), raw=raw)
