"""The checker's look into stores, on a real one: what changed, nothing personal, and no more rights than a service has."""

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from pelangi.audit.http_reader import Unreadable
from pelangi.audit.store_reader import StoreReader
from pelangi.contracts.topics import SERVICES

PERSONAL = "Siti Rahayu"
CASE = {"version": 3, "applied": {"request-created_v1:a": 1}, "outbox": [{"id": "x", "sequence": 3, "data": PERSONAL.encode()}]}
STORED: dict[str, dict[str, Any]] = {
    "intake": {
        "body": {"channel": "LETTER", "persons": [{"name": PERSONAL}]},
        "created": {"key": "k", "body": PERSONAL.encode()},
        "items": [{"item_id": "i", "missing": [PERSONAL]}],
    },
    "scheduling": {
        "details": {"place": {"address": PERSONAL}},
        "placement": {"held": {"placement_id": "p", "day": "2026-11-26", "point": PERSONAL}, "wanted": None},
        "visits": [{"visit_id": "v", "point": PERSONAL, "items": [{"item_id": "i", "person_ref": PERSONAL}]}],
    },
    "issuance": {"persons": [{"name": PERSONAL}], "documents": [{"document_id": "d", "handed_over_to": {"name": PERSONAL}}]},
    "notify": {"contact": {"requester": {"name": PERSONAL}}, "messages": {"CLOSED": {"message_id": "m", "state": "SENT"}}},
}


@pytest.fixture
def admin(database: Any) -> Iterator[MongoClient[dict[str, Any]]]:
    """A case in each store, days, tables, blanks and leases; gone afterwards."""
    with MongoClient[dict[str, Any]](database.admin_uri) as client:
        for service in SERVICES:
            client[service]["cases"].insert_one({"_id": "audit", **CASE, **STORED[service]})
            client[service]["lease"].replace_one({"_id": "leader"}, {"holder": "x", "version": 7}, upsert=True)
        day = {"_id": "2026-11-26", "version": 1, "visits": {"v": {"status": "PLANNED", "keys": [{"body": PERSONAL}]}}}
        client["scheduling"]["days"].insert_one(day)
        client["issuance"]["blanks"].insert_one({"_id": "KTP", "on_hand": 1, "keys": [{"body": PERSONAL}]})
        yield client
        for service in SERVICES:
            client[service]["cases"].delete_many({"_id": {"$in": ["audit", "later"]}})
            client[service]["lease"].delete_one({"_id": "leader"})
        client["scheduling"]["days"].delete_one({"_id": "2026-11-26"})
        client["issuance"]["blanks"].delete_one({"_id": "KTP"})


def uris(database: Any) -> dict[str, str]:
    return {service: database.uri(service) for service in SERVICES}


async def test_what_changed_is_read_again_and_nothing_personal_at_all(database: Any, admin: MongoClient[dict[str, Any]]) -> None:
    async with StoreReader(uris(database)) as reader:
        first = await reader.cases([])
        assert all(first[service]["audit"] for service in SERVICES)
        assert PERSONAL not in repr((first, await reader.shared()))
        held = first["scheduling"]["audit"]
        assert held is not None
        assert held["placement"]["held"] == {"placement_id": "p", "day": "2026-11-26"}
        assert held["outbox"] == [{"id": "x", "sequence": 3}]
        assert await reader.cases([]) == {service: {} for service in SERVICES}
        admin["notify"]["cases"].update_one({"_id": "audit"}, {"$inc": {"version": 1}})
        admin["issuance"]["cases"].insert_one({"_id": "later", **CASE})
        second = await reader.cases(["never"])
        assert {service: set(read) for service, read in second.items()} == {
            "intake": {"never"}, "scheduling": {"never"}, "issuance": {"later", "never"}, "notify": {"audit", "never"},
        }  # fmt: skip
        assert second["intake"]["never"] is None
        admin["issuance"]["cases"].delete_one({"_id": "later"})
        assert (await reader.cases([]))["issuance"] == {"later": None}
        # what waits in an outbox is cleared without a new version: it is read again because it was doubtful
        assert all(set(read) == {"audit"} for read in (await reader.cases(["audit"])).values())


async def test_days_tables_and_leases(database: Any, admin: MongoClient[dict[str, Any]]) -> None:
    async with StoreReader(uris(database)) as reader:
        shared = await reader.shared()
        assert [day["_id"] for day in shared.days if day["_id"] == "2026-11-26"] == ["2026-11-26"]
        assert {"_id": "KTP", "on_hand": 1} in shared.blanks
        assert all(lease.document and lease.unchanged_s == 0 for lease in shared.leases.values())
        still = (await reader.shared()).leases["notify"].unchanged_s
        admin["notify"]["lease"].update_one({"_id": "leader"}, {"$inc": {"version": 1}})
        assert (await reader.shared()).leases["notify"].unchanged_s < still


async def test_what_is_away_or_closed_is_unreadable_and_nothing_counts_as_seen(
    database: Any, admin: MongoClient[dict[str, Any]]
) -> None:
    wrong = {**uris(database), "notify": database.uri("notify", "guess")}
    async with StoreReader(wrong) as reader:
        with pytest.raises(Unreadable, match=r"store of notify \(OperationFailure\)"):
            await reader.ping()
        with pytest.raises(Unreadable):
            await reader.cases([])
        assert not any(reader._versions.values())
