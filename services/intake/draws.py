"""Everything random about a request, drawn at the edge: HTTP and submissions draw alike."""

import secrets

from pelangi.chassis.ids import random_id
from pelangi.contracts.request import RequestBody
from services.intake.model import Draws
from services.intake.receipt import draw_receipt_code


def draw(body: RequestBody) -> Draws:
    """A fresh receipt code and an id for each item."""
    count = sum(len(p.services) for p in body.persons)
    return Draws(draw_receipt_code(secrets.randbelow), [random_id() for _ in range(count)])
