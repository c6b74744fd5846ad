"""A service's database as it is after very many requests: real documents, copied under new ids."""

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from pymongo import MongoClient, WriteConcern

from pelangi.chassis.ids import random_id
from services.intake.receipt import draw_receipt_code

AT_ONCE = 2_000
DAYS_BACK = 700
STATUSES = ("COMPLETED", "COMPLETED", "COMPLETED", "COMPLETED", "PARTIAL", "WITHDRAWN", "REJECTED", "OUT_OF_AREA")
"""Of copies: requests of the past have ended. Those that are worked on are the real ones."""

Json = dict[str, Any]


def fill(admin_uri: str, service: str, templates: Sequence[Json], until: int, rng: random.Random) -> list[Json]:
    """Copies of the templates until the collection has `until` documents; some of them, spread over all."""
    client: Any = MongoClient(admin_uri, tz_aware=True)
    cases = client[service].get_collection("cases", write_concern=WriteConcern(w=1))
    some: list[Json] = []
    try:
        left = until - cases.estimated_document_count()
        while left > 0:
            batch = list(_copies(service, templates, min(left, AT_ONCE), rng))
            cases.insert_many(batch, ordered=False)
            left -= len(batch)
            some += rng.sample(batch, min(len(batch), max(AT_ONCE * AT_ONCE // until, 5)))
    finally:
        client.close()
    return some


def templates_of(admin_uri: str, service: str) -> list[Json]:
    """The real documents of a service, all their events sent."""
    client: Any = MongoClient(admin_uri, tz_aware=True)
    cases = client[service]["cases"]
    cases.update_many({}, {"$set": {"outbox": []}, "$unset": {"pending_since": ""}})
    found = list(cases.find({}))
    client.close()
    return found


def _copies(service: str, templates: Sequence[Json], count: int, rng: random.Random) -> Iterator[Json]:
    for template in rng.choices(templates, k=count):
        copy = {**template, "_id": str(UUID(int=rng.getrandbits(128), version=4))}
        if service == "intake":
            copy |= _received(template, rng)
        elif service == "issuance":
            copy["items"] = [{**item, "item_id": random_id()} for item in template["items"]]
        yield copy


def _received(template: Json, rng: random.Random) -> Json:
    """What intake's indexes hold of a request."""
    return {
        "receipt_code": draw_receipt_code(rng.randrange),
        "received_at": template["received_at"] - timedelta(seconds=rng.randrange(DAYS_BACK * 86_400)),
        "status": rng.choice(STATUSES),
        "village_code": template["village_code"],
        "match_keys": [f"{rng.getrandbits(128):032x}" for _ in template.get("match_keys", [])],
    }
