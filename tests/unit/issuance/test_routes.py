"""The desk over HTTP, over a store in memory."""

import json
from typing import Any
from uuid import uuid4

import pytest

from pelangi.contracts.codes import ServiceKind
from services.issuance.metrics import DOCUMENTS, ITEMS_CLOSED
from tests.support.memory_store import store_fault
from tests.unit.issuance.officer import Client
from tests.unit.issuance.scenario import NAME, NIK, REQUEST, item_id

HANDED_OVER = {"to": "HANDED_OVER", "handed_over_to": {"recipient_class": "PERSON"}}


async def test_the_whole_way_over_http(client: Client) -> None:
    [document_id] = await client.have(ServiceKind.KK_CHANGE)
    steps: list[dict[str, Any]] = [
        {"to": "REQUIREMENTS_PENDING"},
        {"to": "DATA_ENTERED"},
        {"to": "ON_HOLD", "reason": "SIAK_DOWN"},
        {"to": "DATA_ENTERED"},
        {"to": "VERIFIED"},
        {"to": "SIGNED", "siak_reference": "SIAK-77"},
        {"to": "PRINTED"},
        {"to": "READY_FOR_HANDOVER"},
    ]
    for step in steps:
        response = await client.move(document_id, step)
        assert response.status_code == 200, response.text
        answer = response.json()
        assert answer.pop("clock").keys() == {"gross_hours", "net_hours", "target_hours", "statutory_days", "working_days"}
        assert answer == {
            "request_id": REQUEST,
            "item_id": item_id(0),
            "document_id": document_id,
            "document_kind": "KK",
            "edition": 1,
            "status": step["to"],
            "handed_over": False,
            "replaced_by": None,
            "enrolment": None,
        }
    assert (await client.move(document_id, HANDED_OVER)).status_code == 200
    assert await client.sent() == ["document-issued.v1", "document-handed-over.v1", "item-closed.v1"]
    shown = await client.shown()
    assert [d.pop("clock")["target_hours"] for i in shown["items"] for d in i["documents"]] == [24]
    assert shown == {
        "request_id": REQUEST,
        "details_version": 1,
        "closed": False,
        "items": [
            {
                "item_id": item_id(0),
                "service_kind": "KK_CHANGE",
                "status": "DONE",
                "visit_outcome": "DONE",
                "card_promised": None,
                "documents": [
                    {
                        "document_id": document_id,
                        "document_kind": "KK",
                        "edition": 1,
                        "status": "HANDED_OVER",
                        "handed_over": True,
                        "replaced_by": None,
                        "enrolment": None,
                    }
                ],
            }
        ],
    }


async def test_no_answer_shows_a_person_or_the_reference(client: Client) -> None:
    [document_id] = await client.have(ServiceKind.KTP_REISSUE)
    answers = [await client.move(document_id, {"to": "PRINT_READY"})]
    answers.append(await client.move(document_id, {"to": "PRINTED", "siak_reference": "SIAK-77"}))
    answers.append(await client.http.get(f"/v1/requests/{REQUEST}/documents"))
    outbox = b"".join(e["data"] for e in (await client.case())["outbox"]).decode()
    for text in [*(a.text for a in answers), outbox]:
        assert not any(personal in text for personal in (NAME, NIK, "SIAK-77"))
    assert (await client.case())["documents"][0]["siak_reference"] == "SIAK-77"


async def test_a_repeated_call_gets_the_same_answer_and_has_no_second_effect(client: Client) -> None:
    [document_id] = await client.have(ServiceKind.KK_NEW)
    for step in ("DATA_ENTERED", "VERIFIED"):
        await client.move(document_id, {"to": step})
    key, body = str(uuid4()), {"to": "SIGNED", "siak_reference": "SIAK-1"}
    before = DOCUMENTS.labels("KK", "SIGNED")._value.get()
    answers = [await client.move(document_id, body, key) for _ in range(3)]
    assert {a.content for a in answers} == {answers[0].content}
    assert await client.sent() == ["document-issued.v1"]
    assert DOCUMENTS.labels("KK", "SIGNED")._value.get() == before + 1
    other = await client.move(document_id, {"to": "SIGNED", "siak_reference": "SIAK-2"}, key)
    assert (other.status_code, other.json()["title"]) == (422, "key_reused")
    again = await client.move(document_id, body)
    assert (again.status_code, again.json()["title"]) == (409, "state")


async def test_an_unknown_result_of_a_write_is_looked_up(client: Client) -> None:
    [document_id] = await client.have(ServiceKind.KK_NEW)
    failed: list[str] = []

    async def fail_once(method: str) -> None:
        if method == "update_each" and not failed:
            failed.append(method)
            raise store_fault()

    client.cases.after_write = fail_once
    response = await client.move(document_id, {"to": "DATA_ENTERED"})
    assert response.status_code == 200
    assert len((await client.case())["documents"][0]["history"]) == 2


async def test_every_write_wakes_the_relay(client: Client) -> None:
    await client.have(ServiceKind.KK_NEW)
    before = client.runtime.written.count
    await client.post(f"/v1/items/{item_id(0)}/transitions", {"to": "WITHDRAWN"})
    assert client.runtime.written.count == before + 1


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"#/to"}),
        ({"to": "SUPERSEDED"}, {"#/reason"}),
        ({"to": "SUPERSEDED", "reason": "CONTRARIUS_ACTUS"}, {"#/reason"}),
        ({"to": "REVOKED", "reason": "TYPING_ERROR"}, {"#/reason"}),
        ({"to": "VERIFIED", "enrolment_status": "PROCESSING"}, {"#/enrolment_status"}),
        ({"to": "BIO_CAPTURED", "enrolment_status": "budi itu"}, {"#/enrolment_status"}),
        ({"to": "CANCELLED"}, {"#/to"}),
        ({"to": "ON_HOLD"}, {"#/reason"}),
        ({"to": "ON_HOLD", "reason": "FALSE_STATEMENT"}, {"#/reason"}),
        ({"to": "RETURNED", "reason": "orang itu galak"}, {"#/reason"}),
        ({"to": "REJECTED"}, {"#/reason"}),
        (
            {"to": "REJECTED", "reason": "NO_BLANK", "handed_over_to": {"recipient_class": "PERSON"}},
            {"#/reason", "#/handed_over_to"},
        ),
        ({"to": "VERIFIED", "reason": "NO_BLANK"}, {"#/reason"}),
        ({"to": "HANDED_OVER"}, {"#/handed_over_to"}),
        ({"to": "HANDED_OVER", "handed_over_to": {"name": "x"}}, {"#/handed_over_to/recipient_class"}),
        ({"to": "HANDED_OVER", "handed_over_to": {"recipient_class": "NEIGHBOUR"}}, {"#/handed_over_to/recipient_class"}),
        ({"to": "SIGNED", "siak_reference": "  "}, {"#/siak_reference"}),
        ({"to": "SIGNED", "siak_refrence": "S", "reason": 7}, {"#/siak_refrence", "#/reason"}),
    ],
)
async def test_bodies_that_break_a_rule(client: Client, body: Any, pointers: set[str]) -> None:
    [document_id] = await client.have(ServiceKind.KK_NEW)
    response = await client.move(document_id, body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert {e["pointer"] for e in response.json()["errors"]} == pointers
    assert (await client.case())["documents"][0]["status"] == "OPEN"


@pytest.mark.parametrize(
    ("service", "before", "to"),
    [
        (ServiceKind.KK_NEW, ("DATA_ENTERED", "VERIFIED"), "SIGNED"),
        (ServiceKind.KTP_NEW, ("BIO_CAPTURED", "AWAITING_CENTRE", "PRINT_READY"), "PRINTED"),
    ],
)
async def test_the_siak_reference_is_asked_for(client: Client, service: ServiceKind, before: tuple[str, ...], to: str) -> None:
    [document_id] = await client.have(service)
    for step in before:
        await client.move(document_id, {"to": step})
    key = str(uuid4())
    refused = await client.move(document_id, {"to": to}, key)
    assert refused.status_code == 422
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [("#/siak_reference", "missing")]
    assert (await client.move(document_id, {"to": to, "siak_reference": "SIAK-1"}, key)).status_code == 200


async def test_what_is_not_allowed_now_is_409(client: Client) -> None:
    [document_id] = await client.have(ServiceKind.KK_NEW, visited=False)
    for body in ({"to": "DATA_ENTERED"}, {"to": "SIGNED", "siak_reference": "S"}, HANDED_OVER, {"to": "BIO_CAPTURED"}):
        response = await client.move(document_id, body)
        assert (response.status_code, response.json()["title"]) == (409, "state")


async def test_items_are_rejected_and_withdrawn(client: Client) -> None:
    await client.have(ServiceKind.KK_NEW, ServiceKind.KIA)
    before = ITEMS_CLOSED.labels("REJECTED")._value.get()
    rejected = await client.post(f"/v1/items/{item_id(0)}/transitions", {"to": "REJECTED", "reason": "DUPLICATE_REQUEST"})
    assert (rejected.status_code, rejected.json()["status"]) == (200, "REJECTED")
    assert [d["status"] for d in rejected.json()["documents"]] == ["REJECTED"]
    withdrawn = await client.post(f"/v1/items/{item_id(1)}/transitions", {"to": "WITHDRAWN"})
    assert (withdrawn.status_code, withdrawn.json()["status"]) == (200, "WITHDRAWN")
    events = [json.loads(e["data"]) for e in (await client.case())["outbox"]]
    assert [(e["outcome"], e["reason_class"]) for e in events] == [("REJECTED", "OFFICE"), ("WITHDRAWN", "RESIDENT")]
    assert ITEMS_CLOSED.labels("REJECTED")._value.get() == before + 1
    again = await client.post(f"/v1/items/{item_id(0)}/transitions", {"to": "WITHDRAWN"})
    assert again.status_code == 409


@pytest.mark.parametrize(
    "body", [{"to": "REJECTED"}, {"to": "REJECTED", "reason": "NO_BLANK"}, {"to": "DONE"}, {"to": "REJECTED", "x": 1}]
)
async def test_item_bodies_that_break_a_rule(client: Client, body: Any) -> None:
    await client.have(ServiceKind.KK_NEW)
    assert (await client.post(f"/v1/items/{item_id(0)}/transitions", body)).status_code == 422


async def test_unknown_things_are_404_and_a_call_without_key_400(client: Client) -> None:
    await client.have(ServiceKind.KK_NEW)
    assert (await client.http.get("/v1/requests/nobody/documents")).status_code == 404
    assert (await client.post(f"/v1/items/{item_id(9)}/transitions", {"to": "WITHDRAWN"})).status_code == 404
    assert (await client.move("nobody", {"to": "DATA_ENTERED"})).status_code == 404
    assert (await client.http.post("/v1/documents/nobody/transitions", json={})).status_code == 400


async def test_openapi_shows_the_bodies_whole(client: Client) -> None:
    document = (await client.http.get("/openapi.json")).json()
    path = document["paths"]["/v1/documents/{document_id}/transitions"]["post"]
    schema = path["requestBody"]["content"]["application/json"]["schema"]
    assert "SIGNED" in schema["properties"]["to"]["enum"]
    assert "$ref" not in json.dumps(schema)
