"""What happens to a request after its receipt, over HTTP, as CONTRACTS.md §4 fixes it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.support.bodies import KERAMAT, body, persons
from tests.unit.intake.rig import NOW, Intake, problem

COUPLE = [{"ref": "a", "services": ["KTP_RECORDING"]}, {"ref": "b", "services": ["KK_CHANGE"]}]
NOWHERE = {"visit_kind": "HOME", "village_code": KERAMAT}
CALLS: dict[str, Any] = {
    "withdrawal": {},
    "details": body(notes="lain"),
    "deceased": {"person_ref": "1"},
    "duplicate-of": {"request_id": "set below"},
    "no-contact": {},
}


async def filed(intake: Intake, **changes: Any) -> Any:
    response = await intake.file(**changes)
    assert response.status_code == 201, response.text
    return response.json()


async def prepared(intake: Intake, path: str) -> tuple[Any, Any]:
    """A request on which this call is allowed, and the body of the call."""
    at_home = {} if path != "no-contact" else {"requester": {"kind": "SELF"}, "place": NOWHERE}
    one = await filed(intake, **at_home)
    value = {"request_id": (await filed(intake))["request_id"]} if path == "duplicate-of" else CALLS[path]
    return one, value


@pytest.mark.parametrize("path", CALLS)
async def test_every_call_has_a_key_a_precondition_and_one_effect(intake: Intake, path: str) -> None:
    one, value = await prepared(intake, path)
    url, key = f"/v1/requests/{one['request_id']}/{path}", str(uuid4())
    problem(await intake.http.post(url, json=value, headers={"If-Match": '"1"'}), 400, "idempotency_key")
    problem(await intake.post(url, value), 428, "if_match")
    problem(await intake.post(url, value, If_Match='"7"'), 412, "version")
    problem(await intake.post(url, {**value, "x": 1}, If_Match='"1"'), 422, "invalid")
    problem(await intake.post(f"/v1/requests/{uuid4()}/{path}", value, If_Match='"1"'), 404, "not_found")
    done = await intake.post(url, value, key, If_Match='"1"')
    assert done.status_code == 200, done.text
    answer, shown = done.json(), await intake.get(one)
    assert (answer["request_id"], answer["status"]) == (one["request_id"], shown["status"])
    assert done.headers["etag"] == (await intake.http.get(f"/v1/requests/{one['request_id']}")).headers["etag"]
    events = intake.sent(one)
    for version in ('"1"', done.headers["etag"], '"99"', "x"):
        again = await intake.post(url, value, key, If_Match=version)
        assert (again.status_code, again.content) == (200, done.content), "a repeat, whatever precondition it comes with"
    assert (await intake.post(url, value, key)).content == done.content
    problem(await intake.post(url, {**value, "x": 1}, key, If_Match='"1"'), 422, "key_reused")
    problem(await intake.post(url, value, If_Match='"1"'), 412, "version")
    assert intake.sent(one) == events
    if shown["status"] not in {"ACCEPTED", "DECEASED"}:
        problem(await intake.call(one, path, value), 409, "state")


@pytest.mark.parametrize("path", CALLS)
async def test_a_closed_request_takes_no_call(intake: Intake, path: str) -> None:
    one, value = await prepared(intake, path)
    await intake.withdraw(one)
    problem(await intake.call(one, path, value), 409, "state")
    assert intake.sent(one).count("request-closed.v1") == 1


async def test_the_answers_stay_short_for_the_longest_list(intake: Intake) -> None:
    one = await filed(intake, persons=persons(100, ["KIA", "KK_NEW", "KTP_NEW"]))
    done = await intake.call(one, "details", body(persons=persons(100, ["KIA", "KK_NEW", "BIRTH_CERT"])))
    assert (done.status_code, len(done.content) <= 1000) == (200, True)
    assert done.json().keys() == {"request_id", "status", "due_on", "items_count", "withdrawn_count", "warnings_count"}
    assert (done.json()["items_count"], done.json()["withdrawn_count"]) == (300, 100)
    death = await intake.call(one, "deceased", {"person_ref": "1"})
    assert (death.status_code, len(death.content) <= 1000) == (200, True)
    assert max(len(record["body"]) for record in intake.case(one)["keys"]) <= 1000


async def test_corrections_without_end_are_refused(intake: Intake) -> None:
    one = await filed(intake, persons=persons(100, ["KIA", "KK_NEW", "KTP_NEW"]))
    for services in (["BIRTH_CERT", "MOVE_IN", "MOVE_OUT"], ["CONSULTATION", "KTP_RECORDING", "DATA_CORRECTION"]):
        assert (await intake.call(one, "details", body(persons=persons(100, services)))).status_code == 200
    back = body(persons=persons(100, ["KIA", "KK_NEW", "KTP_NEW"]))
    assert problem(await intake.call(one, "details", back), 422) == [("#/persons", "too_many_items")]


async def test_details_takes_what_filing_takes(intake: Intake) -> None:
    one = await filed(intake)
    broken = body(channel="FAX", persons=[{"ref": "1", "services": ["KIA"]}, {"ref": "1", "services": []}], adres="x")
    assert problem(await intake.call(one, "details", broken), 422) == problem(await intake.post("/v1/requests", broken), 422)
    child = {"birth_date": "2016-01-01", "birth_date_precision": "EXACT", "services": ["KTP_RECORDING"]}
    refused = problem(await intake.call(one, "details", body(persons=[child])), 422)
    assert refused == [("#/persons/0/services/0", "not_eligible_age")]
    assert len(intake.case(one).get("keys", [])) == 0, "a refusal binds nothing"


async def test_a_correction_completes_what_was_missing(intake: Intake) -> None:
    one = await filed(intake, requester={"kind": "SELF"}, place=NOWHERE)
    assert one["status"] == "NEEDS_INFO"
    done = await intake.call(one, "details", body())
    assert done.json()["status"] == "ACCEPTED"
    found = await intake.get(one)
    assert found["place"]["address"] == "Jalan Contoh 1"
    assert [i["item_id"] for i in found["items"]] == [i["item_id"] for i in one["items"]]
    assert (found["receipt_code"], found["request_id"]) == (one["receipt_code"], one["request_id"])


async def test_a_withdrawn_item_is_shown_as_such(intake: Intake) -> None:
    one = await filed(intake, persons=COUPLE)
    await intake.call(one, "details", body(persons=COUPLE[1:]))
    found = await intake.get(one)
    assert [i.get("withdrawn", False) for i in found["items"]] == [True, False]
    assert [p["ref"] for p in found["persons"]] == ["b"]


async def test_a_death(intake: Intake) -> None:
    one = await filed(intake, persons=COUPLE)
    unknown = await intake.call(one, "deceased", {"person_ref": "c"})
    assert problem(unknown, 422) == [("#/person_ref", "unknown_person")]
    tomorrow = (NOW + timedelta(days=1)).date().isoformat()
    assert problem(await intake.call(one, "deceased", {"person_ref": "a", "date": tomorrow}), 422) == [("#/date", "date_future")]
    assert problem(await intake.call(one, "deceased", {"person_ref": "a", "date": "1764000000"}), 422) == [
        ("#/date", "date_format")
    ]
    assert problem(await intake.call(one, "deceased", {}), 422) == [("#/person_ref", "missing")]
    done = await intake.call(one, "deceased", {"person_ref": "a", "date": "2026-11-20"})
    assert done.json() == {"request_id": one["request_id"], "status": "ACCEPTED", "offer": ["DEATH_CERT"]}
    again = await intake.call(one, "deceased", {"person_ref": "a"})
    assert (again.status_code, again.json()) == (200, done.json())
    assert (await intake.get(one))["deceased"] == [{"person_ref": "a", "date": "2026-11-20"}]


async def test_trap_14_a_death_closes_and_again_is_no_error(intake: Intake) -> None:
    one = await filed(intake)
    done = await intake.call(one, "deceased", {"person_ref": "1", "date": None})
    assert done.json()["status"] == "DECEASED"
    again = await intake.call(one, "deceased", {"person_ref": "1"})
    assert (again.status_code, again.json()) == (200, done.json())
    problem(await intake.call(one, "withdrawal", {}), 409, "state")
    assert intake.sent(one).count("request-closed.v1") == 1
    tracked = (await intake.http.get(f"/v1/tracking/{one['receipt_code']}")).json()
    assert tracked["closed"]["outcome"] == "OTHER"


async def test_no_contact_only_where_nobody_was_reached(intake: Intake) -> None:
    problem(await intake.call(await filed(intake), "no-contact", {}), 409, "state")
    one = await filed(intake, requester={"kind": "SELF"}, place=NOWHERE)
    assert (await intake.call(one, "no-contact", {})).json() == {"request_id": one["request_id"], "status": "CLOSED_NO_CONTACT"}


async def test_every_call_is_documented(intake: Intake) -> None:
    paths = intake.http._transport.app.openapi()["paths"]  # type: ignore[attr-defined]
    for path in CALLS:
        post = paths[f"/v1/requests/{{request_id}}/{path}"]["post"]
        assert {"Idempotency-Key", "If-Match"} <= {p["name"] for p in post["parameters"]}
        assert post["requestBody"]["required"] and post["description"]
    assert paths["/v1/requests/{request_id}/possible-duplicates"]["get"]["description"]
