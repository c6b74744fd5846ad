"""Intake over HTTP, as CONTRACTS.md §4 fixes it."""

import asyncio
import json
import re
from typing import Any
from uuid import UUID, uuid4, uuid5

import httpx
import pytest

from services.intake import routes as module
from services.intake.app import Settings
from services.intake.model import Draws
from tests.support.bodies import KERAMAT, body, persons
from tests.support.memory_store import store_fault
from tests.unit.intake.rig import NOW, Intake, problem


async def test_201_has_exactly_these_fields(intake: Intake) -> None:
    response = await intake.file()
    assert response.status_code == 201
    answer = response.json()
    assert answer.keys() == {"request_id", "receipt_code", "status", "due_on", "items", "warnings"}
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]", answer["receipt_code"])
    assert (answer["status"], answer["due_on"], answer["warnings"]) == ("ACCEPTED", "2026-12-14", [])
    assert [(i["person_ref"], i["service_kind"]) for i in answer["items"]] == [("1", "KTP_RECORDING"), ("1", "KK_CHANGE")]
    for item in answer["items"]:
        assert item.keys() == {"item_id", "person_ref", "service_kind", "missing"}
        assert UUID(item["item_id"]).version == 7
        assert all(m.keys() == {"code", "detail"} for m in item["missing"])
    assert [[m["code"] for m in i["missing"]] for i in answer["items"]] == [
        ["NIK", "FAMILY_CARD_NUMBER", "KK_OLD"],
        ["NIK", "FAMILY_CARD_NUMBER", "F102", "F106", "KK_OLD", "EVENT_PROOF"],
    ]
    assert response.headers["location"] == f"/v1/requests/{answer['request_id']}"
    assert response.headers["etag"] == '"1"'
    assert intake.written.count == 1, "the relay is woken"


async def test_the_request_id_is_derived_from_the_key_and_the_secret(intake: Intake) -> None:
    key = str(uuid4())
    namespace = UUID(Settings().deployment_secret.get_secret_value())
    assert (await intake.file(key)).json()["request_id"] == str(uuid5(namespace, f"portal|{key}"))


async def test_the_same_key_is_the_same_answer_byte_for_byte_for_ever(intake: Intake) -> None:
    key = str(uuid4())
    first = await intake.file(key)
    filed = first.json()
    assert (await intake.withdraw(filed)).status_code == 200
    again = await intake.http.post(
        "/v1/requests",
        content=json.dumps(dict(reversed(body().items())), indent=3),
        headers={"Idempotency-Key": key.upper(), "Content-Type": "application/json"},
    )
    assert (again.status_code, again.content, again.headers["etag"], again.headers["location"]) == (
        201, first.content, first.headers["etag"], first.headers["location"],
    )  # fmt: skip
    assert len(intake.cases.documents) == 1


async def test_trap_15_one_form_sent_many_times_at_once_is_one_request(intake: Intake) -> None:
    """A phone that sends again before it heard the answer: one request, one request-created, one answer."""
    key = str(uuid4())
    answers = await asyncio.gather(*(intake.file(key) for _ in range(5)))
    assert {(a.status_code, a.content) for a in answers} == {(201, answers[0].content)}
    (case,) = intake.cases.documents.values()
    assert [e["type"] for e in case["outbox"]] == ["request-created.v1", "request-details.v1"]


async def test_trap_02_without_nik_phone_family_card_and_address(intake: Intake) -> None:
    """Accepted whatever is not known; only where nobody and no place can be found it waits for more."""
    who = [{"nik_absence_reason": "LOST_AND_UNKNOWN", "services": ["KTP_RECORDING"]}]
    nowhere = {"visit_kind": "HOME", "village_code": KERAMAT}
    bare = await intake.file(requester={"kind": "SELF"}, persons=who, place=nowhere)
    found = await intake.file(requester={"kind": "SELF"}, persons=who, place={**nowhere, "landmark": "dekat mushola"})
    assert [(r.status_code, r.json()["status"]) for r in (bare, found)] == [(201, "NEEDS_INFO"), (201, "ACCEPTED")]


async def test_the_same_key_with_another_body_is_422(intake: Intake) -> None:
    key = str(uuid4())
    await intake.file(key)
    problem(await intake.file(key, notes="lain"), 422, "key_reused")


async def test_a_refused_body_does_not_bind_its_key(intake: Intake) -> None:
    key = str(uuid4())
    problem(await intake.file(key, channel="FAX"), 422, "invalid")
    assert (await intake.file(key)).status_code == 201


async def test_what_is_stored_is_sent_in_the_same_write(intake: Intake) -> None:
    filed = (await intake.file()).json()
    case = intake.cases.documents[filed["request_id"]]
    assert [e["type"] for e in case["outbox"]] == ["request-created.v1", "request-details.v1"]
    assert case["pending_since"] == case["outbox"][0]["time"]
    assert intake.cases.calls == {"insert_each": 1}


async def test_a_trace_is_carried_on(intake: Intake) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    filed = (await intake.post("/v1/requests", body(), traceparent=trace)).json()
    assert {e["traceparent"] for e in intake.cases.documents[filed["request_id"]]["outbox"]} == {trace}


async def test_a_trace_that_is_none_is_replaced(intake: Intake) -> None:
    filed = (await intake.post("/v1/requests", body(), traceparent="1971010107519001")).json()
    for envelope in intake.cases.documents[filed["request_id"]]["outbox"]:
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", envelope["traceparent"])


async def test_without_a_key_or_with_something_that_is_no_json(intake: Intake) -> None:
    json_type = {"Content-Type": "application/json"}
    problem(await intake.http.post("/v1/requests", json=body()), 400, "idempotency_key")
    key = {"Idempotency-Key": str(uuid4())}
    problem(await intake.http.post("/v1/requests", content=b"{", headers=json_type | key), 400, "not_json")
    problem(
        await intake.http.post("/v1/requests", content=b"{}", headers={"Content-Type": "text/xml"} | key), 415, "content_type"
    )
    problem(await intake.http.post("/v1/requests", content=b"[" + b" " * 1_000_000, headers=json_type | key), 413, "too_large")
    for value in ("null", "[]", '"x"', "7"):
        assert problem(await intake.http.post("/v1/requests", content=value, headers=json_type | key), 422, "invalid")
    assert intake.cases.documents == {}


async def test_all_errors_at_once(intake: Intake) -> None:
    broken = body(
        channel="FAX",
        adres="typo",
        persons=[{"services": ["KTP_NEW"], "nik": "123"}, {"services": []}],
        place={"visit_kind": "HOME", "village_code": "19.71.99.9999"},
    )
    assert set(problem(await intake.post("/v1/requests", broken), 422, "invalid")) == {
        ("#/channel", "enum"),
        ("#/adres", "extra_forbidden"),
        ("#/persons/0/nik", "nik_format"),
        ("#/persons/1/services", "too_short"),
        ("#/place/village_code", "village_unknown"),
    }


async def test_required_fields_and_no_others(intake: Intake) -> None:
    assert set(problem(await intake.post("/v1/requests", {}), 422)) == {
        (f"#/{f}", "missing") for f in ("channel", "requester", "persons", "place")
    }
    inner = {"channel": "PHONE", "requester": {}, "persons": [{}], "place": {}}
    assert set(problem(await intake.post("/v1/requests", inner), 422)) == {
        ("#/requester/kind", "missing"),
        ("#/persons/0/services", "missing"),
        ("#/place/village_code", "missing"),
        ("#/place/visit_kind", "missing"),
    }


async def test_a_hundred_persons_and_three_hundred_items_are_the_limit(intake: Intake) -> None:
    largest = await intake.file(persons=persons(100, ["KIA", "KK_NEW", "KTP_NEW"]))
    assert largest.status_code == 201
    items = largest.json()["items"]
    assert len({i["item_id"] for i in items}) == 300
    assert items[-1]["person_ref"] == "100"
    for too_many in (persons(101, ["KIA"]), persons(76, ["KIA", "KK_NEW", "KTP_NEW", "MOVE_IN"])):
        assert problem(await intake.file(persons=too_many), 422) == [("#/persons", "too_many_items")]


async def test_missing_says_what_to_bring(intake: Intake) -> None:
    bare = await intake.file(
        requester={"kind": "SELF"}, persons=persons(1, ["KIA"]), place={"visit_kind": "HOME", "village_code": KERAMAT}
    )
    answer = bare.json()
    assert answer["status"] == "NEEDS_INFO"
    codes = [m["code"] for m in answer["items"][0]["missing"]]
    assert codes[:5] == ["NAME", "NIK", "FAMILY_CARD_NUMBER", "CONTACT", "ADDRESS"]
    assert codes[5:] == ["F102", "BIRTH_CERT", "KK_OLD", "KTP_PARENTS", "PHOTO"]


async def test_outside_the_city(intake: Intake) -> None:
    answer = (await intake.file(place={"visit_kind": "HOME", "village_code": "1905012001", "address": "x"})).json()
    assert (answer["status"], [w["code"] for w in answer["warnings"]]) == ("OUT_OF_AREA", ["out_of_area"])
    case = intake.cases.documents[answer["request_id"]]
    assert [e["type"] for e in case["outbox"]] == ["request-created.v1", "request-closed.v1", "request-details.v1"]


async def test_a_taken_receipt_code_is_drawn_again(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = iter(["00000000000", "00000000000", "00000000011"])
    monkeypatch.setattr(module, "draw", lambda b: Draws(next(codes), [str(uuid4()), str(uuid4())]))
    first, second = await intake.file(), await intake.file()
    assert [r.json()["receipt_code"] for r in (first, second)] == ["00000-00000-0", "00000-00001-1"]


async def test_a_store_that_is_away_is_503(intake: Intake) -> None:
    async def away(_: str) -> None:
        raise store_fault()

    intake.cases.before = away
    response = await intake.file()
    problem(response, 503, "unavailable")
    assert "retry-after" in response.headers


async def test_get_is_the_bodys_fields_and_those_of_the_answer(intake: Intake) -> None:
    filed = (await intake.file()).json()
    response = await intake.http.get(f"/v1/requests/{filed['request_id']}")
    found = response.json()
    assert response.headers["etag"] == '"1"'
    assert filed.items() <= found.items()
    for field in body().keys() - {"requester", "persons", "place"}:
        assert found[field] == body()[field]
    assert found["requester"]["phone"] == "+6281200000000"
    assert found["persons"][0]["ref"] == "1"
    assert found["received_at"].endswith("Z")


@pytest.mark.parametrize("path", ["", "/withdrawal"])
async def test_an_unknown_request_is_404(intake: Intake, path: str) -> None:
    url = f"/v1/requests/{uuid4()}{path}"
    response = await (intake.post(url, {}, If_Match='"1"') if path else intake.http.get(url))
    problem(response, 404, "not_found")


async def test_a_stub_is_not_shown(intake: Intake) -> None:
    stub = str(uuid4())
    intake.cases.documents[stub] = {"_id": stub, "version": 1, "visits": {}}
    problem(await intake.http.get(f"/v1/requests/{stub}"), 404, "not_found")
    assert (await intake.http.get("/v1/requests")).json() == {"requests": []}


async def test_withdrawal(intake: Intake) -> None:
    filed = (await intake.file()).json()
    problem(await intake.withdraw(filed, None), 428, "if_match")
    problem(await intake.withdraw(filed, 7), 412, "version")
    assert problem(await intake.withdraw(filed, value={"raeson": "x"}), 422) == [("#/raeson", "extra_forbidden")]
    key = str(uuid4())
    done = await intake.withdraw(filed, 1, key, {"reason": "pindah"})
    assert (done.status_code, done.json()) == (200, {"request_id": filed["request_id"], "status": "WITHDRAWN"})
    assert done.headers["etag"] == '"2"' == (await intake.http.get(f"/v1/requests/{filed['request_id']}")).headers["etag"]
    for version in (1, 2, None):
        again = await intake.withdraw(filed, version, key, {"reason": "pindah"})
        assert (again.status_code, again.content) == (200, done.content), "a repeat, whatever precondition it comes with"
    problem(await intake.withdraw(filed, 1), 412, "version")
    problem(await intake.withdraw(filed, 2), 409, "state")
    problem(await intake.withdraw(filed, 2, key, {"reason": "other"}), 422, "key_reused")
    case = intake.cases.documents[filed["request_id"]]
    assert [e["type"] for e in case["outbox"]].count("request-closed.v1") == 1


async def test_a_withdrawal_needs_a_key_and_no_reason(intake: Intake) -> None:
    filed = (await intake.file()).json()
    url = f"/v1/requests/{filed['request_id']}/withdrawal"
    problem(await intake.http.post(url, json={}, headers={"If-Match": '"1"'}), 400, "idempotency_key")
    assert (await intake.withdraw(filed)).status_code == 200


async def listed(intake: Intake, url: str) -> tuple[list[dict[str, Any]], str | None]:
    response = await intake.http.get(url)
    assert response.status_code == 200, response.text
    link = response.headers.get("link")
    if link:
        match = re.fullmatch(r'<(.+)>; rel="next"', link)
        assert match
        link = match[1]
    return response.json()["requests"], link


async def test_the_list_is_paged_newest_first_without_gap_or_repeat(intake: Intake) -> None:
    filed = [(await intake.file()).json()["request_id"] for _ in range(120)]
    found, pages, url = [], 0, "/v1/requests"
    while url:
        rows, after = await listed(intake, url)
        found += [r["request_id"] for r in rows]
        pages += 1
        await intake.file()  # what comes meanwhile moves nothing
        url = after or ""
    assert found == filed[::-1]
    assert pages == 3


async def test_requests_of_one_moment_are_paged_too(intake: Intake) -> None:
    filed = {(await intake.file()).json()["request_id"] for _ in range(60)}
    for document in intake.cases.documents.values():
        document["received_at"] = NOW
    first, after = await listed(intake, "/v1/requests")
    second, last = await listed(intake, str(after))
    assert {r["request_id"] for r in [*first, *second]} == filed
    assert (len(first), len(second), last) == (50, 10, None)


async def test_the_list_by_status_and_kelurahan(intake: Intake) -> None:
    here = (await intake.file()).json()
    there = (await intake.file(place={"visit_kind": "HOME", "village_code": "19.05.01.2001", "address": "x"})).json()
    for query, expected in (
        ("status=ACCEPTED", [here]),
        ("status=OUT_OF_AREA", [there]),
        (f"village_code={KERAMAT}", [here]),
        (f"status=OUT_OF_AREA&village_code={KERAMAT}", []),
        ("", [there, here]),
    ):
        rows, _ = await listed(intake, f"/v1/requests?{query}")
        assert [r["request_id"] for r in rows] == [e["request_id"] for e in expected], query
    assert rows[1].keys() == {"request_id", "receipt_code", "status", "village_code", "received_at", "due_on", "items_count"}


async def test_a_filter_stays_in_the_link(intake: Intake) -> None:
    for _ in range(51):
        await intake.file()
    _, after = await listed(intake, f"/v1/requests?status=ACCEPTED&village_code={KERAMAT}")
    assert after
    query = httpx.URL(after).params
    assert (query["status"], query["village_code"]) == ("ACCEPTED", KERAMAT)


@pytest.mark.parametrize(
    "cursor", ["x", "eA==", "%00", "MjAyNg", "é", "MDAwMS0wMS0wMVQwMDowMDowMCsxNDowMHx4"]
)  # the last: year 1, +14:00
async def test_a_cursor_that_is_none_is_422(intake: Intake, cursor: str) -> None:
    assert problem(await intake.http.get(f"/v1/requests?cursor={cursor}"), 422) == [("#/cursor", "cursor")]


async def test_an_unknown_status_is_422(intake: Intake) -> None:
    problem(await intake.http.get("/v1/requests?status=LOST"), 422, "invalid")


async def test_tracking_needs_no_name_and_tells_none(intake: Intake) -> None:
    filed = (await intake.file()).json()
    response = await intake.http.get(f"/v1/tracking/{filed['receipt_code']}")
    found = response.json()
    assert found.keys() == {"receipt_code", "status", "received_at", "due_on", "visit", "closed", "items"}
    assert (found["status"], found["visit"], found["closed"]) == ("ACCEPTED", None, None)
    assert found["items"] == [
        {"service_kind": "KTP_RECORDING", "status": "OPEN"},
        {"service_kind": "KK_CHANGE", "status": "OPEN"},
    ]
    for secret in ("Contoh", "Jalan", "+62", KERAMAT, filed["request_id"]):
        assert secret not in response.text
    await intake.withdraw(filed)
    closed = (await intake.http.get(f"/v1/tracking/{filed['receipt_code']}")).json()
    assert closed["closed"]["outcome"] == "WITHDRAWN"
    assert {item["status"] for item in closed["items"]} == {"ENDED"}, "nothing is open after closing"


async def test_tracking_forgives_typing(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "draw", lambda _: Draws("00000000011", [str(uuid4()), str(uuid4())]))
    await intake.file()
    for typed in ("00000-00001-1", "ooooooooo1l", "OOOOO OOOOI L", "00000000011"):
        assert (await intake.http.get(f"/v1/tracking/{typed}")).status_code == 200, typed


@pytest.mark.parametrize("code", ["00000-00001-2", "00000-00002-2", "x", "%00", "U0000-00001-1", "../../v1/requests"])
async def test_anything_else_is_404(intake: Intake, code: str) -> None:
    response = await intake.http.get(f"/v1/tracking/{code}")
    if response.url.path.startswith("/v1/tracking/"):
        problem(response, 404, "not_found")


async def test_nothing_of_a_body_is_logged(intake: Intake, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    await intake.file(notes="rahasia sekali")
    await intake.file(channel="rahasia sekali")
    assert "rahasia" not in caplog.text
    assert "Contoh" not in caplog.text
