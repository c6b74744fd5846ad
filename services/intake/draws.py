"""Everything random about a request, drawn at the edge: HTTP and submissions draw alike."""

import secrets

from pelangi.chassis.ids import random_id
from pelangi.contracts.request import RequestBody
from services.intake.model import Draws
from services.intake.receipt import draw_receipt_code


def draw(body: RequestBody) -> Draws:
    """A fresh receipt code and an id for each item."""
    return draw_for(sum(len(p.services) for p in body.persons))


def draw_for(items: int) -> Draws:
    """A fresh receipt code and as many ids, for a body that is checked later."""
    return Draws(draw_receipt_code(secrets.randbelow), [random_id() for _ in range(items)])
