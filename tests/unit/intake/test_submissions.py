"""Requests posted as events: the same rules as over HTTP, one effect per key, one answer per record."""

import json
from typing import Any, cast
from uuid import uuid5

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from pelangi.contracts.envelope import event_id
from pelangi.contracts.events import decode
from pelangi.contracts.request import RequestBody
from pelangi.contracts.topics import REQUEST_CREATED, REQUEST_DETAILS, REQUEST_SUBMITTED, SUBMISSION_ANSWERED
from services.intake import submissions
from services.intake.app import make
from tests.support.bodies import body, persons
from tests.support.records import Raw
from tests.support.submissions import KEYS, OTHER_KEYS, submission
from tests.unit.intake.facts import closed_item
from tests.unit.intake.submitting import ACCEPTED, KEY, SECRET, R, Rig, answer, refused


async def test_an_accepted_one_is_a_request_like_any_other(rig: Rig) -> None:
    sent = await rig.take(submission(KEY, body(), offset=7))
    assert {r.topic for r in sent} == {REQUEST_CREATED, REQUEST_DETAILS, SUBMISSION_ANSWERED}
    assert answer(sent) == ACCEPTED
    whole = (await rig.http.get(f"/v1/requests/{R}")).json()
    assert (whole["status"], whole["channel"], len(whole["items"])) == ("ACCEPTED", "KELURAHAN_FORM", 2)
    assert (await rig.http.get(f"/v1/tracking/{whole['receipt_code']}")).status_code == 200
    assert [r["request_id"] for r in (await rig.http.get("/v1/requests")).json()["requests"]] == [R]
    assert rig.letters == []


async def test_the_answer_lies_under_the_idempotency_key(rig: Rig) -> None:
    sent = await rig.take(submission(KEY.upper(), body(), offset=7))
    (answered,) = [r for r in sent if r.topic == SUBMISSION_ANSWERED]
    assert answered.key == KEY.encode()
    assert (answered.header("ce_subject"), answered.header("ce_partitionkey")) == (KEY, KEY)
    assert answered.header("ce_sequence") == "0000000001"
    assert answered.header("ce_id") == event_id(SUBMISSION_ANSWERED, KEY, KEY, 1)
    (created,) = [r for r in sent if r.topic == REQUEST_CREATED]
    assert (created.key, created.header("ce_subject")) == (R.encode(), R)


async def test_answer_and_request_are_one_write(rig: Rig) -> None:
    await rig.first.handle([submission(KEY, body(), offset=7)])
    assert rig.cases.calls == {"get_many": 1, "insert_many": 1}
    assert [e["type"] for e in rig.case()["outbox"]] == [REQUEST_CREATED, REQUEST_DETAILS, SUBMISSION_ANSWERED]
    assert {e["sequence"] for e in rig.case()["outbox"]} == {1}


async def test_redelivery_answers_nothing_new_and_a_repeat_is_answered_again(rig: Rig) -> None:
    first = submission(KEY, body(), offset=7)
    await rig.take(first)
    before = dict(rig.case())
    assert await rig.take(first, first) == []
    assert rig.case() == before
    sent = await rig.take(submission(KEY, json.dumps(body(), indent=2).encode(), offset=8))
    assert [r.topic for r in sent] == [SUBMISSION_ANSWERED]
    assert answer(sent) == ACCEPTED
    assert sent[0].header("ce_sequence") == "0000000002"
    assert rig.case()["receipt_code"] == before["receipt_code"]
    assert rig.case()["content_version"] == before["content_version"], "no officer's If-Match fails by it"


async def test_the_same_key_twice_in_one_batch(rig: Rig) -> None:
    sent = await rig.take(*(submission(KEY, body(), offset=at) for at in (7, 8, 9)))
    assert [r.topic for r in sent].count(REQUEST_CREATED) == 1
    answers = [json.loads(r.value or b"") for r in sent if r.topic == SUBMISSION_ANSWERED]
    assert answers == [ACCEPTED] * 3


async def test_another_client_with_the_same_key_is_another_request(rig: Rig) -> None:
    await rig.take(submission(KEY, body(), offset=7), submission(KEY, body(), client="school", offset=8))
    assert set(rig.cases.documents) == {R, str(uuid5(SECRET, f"/clients/school|{KEY}"))}
    over_http = await rig.http.post("/v1/requests", json=body(), headers={"Idempotency-Key": KEY})
    assert over_http.status_code == 201
    assert over_http.json()["request_id"] not in {R}
    assert len(rig.cases.documents) == 3


async def test_a_key_with_another_body_is_refused_and_changes_nothing(rig: Rig) -> None:
    await rig.take(submission(KEY, body(), offset=7))
    before = dict(rig.case())
    sent = await rig.take(submission(KEY, body(notes="anders"), offset=8))
    assert [r.topic for r in sent] == [SUBMISSION_ANSWERED]
    assert answer(sent) == refused(("#", "key_reused"))
    mechanism = ("version", "changed_at", "applied")
    assert {k: v for k, v in rig.case().items() if k not in mechanism} == {k: v for k, v in before.items() if k not in mechanism}
    assert answer(await rig.take(submission(KEY, body(), offset=9))) == ACCEPTED


async def test_only_a_success_binds_the_key(rig: Rig) -> None:
    sent = await rig.take(submission(KEY, body(channel=None), offset=7))
    assert [r.topic for r in sent] == [SUBMISSION_ANSWERED]
    assert answer(sent) == refused(("#/channel", "missing"))
    sent = await rig.take(submission(KEY, body(), offset=8))
    assert answer(sent) == ACCEPTED
    assert REQUEST_CREATED in {r.topic for r in sent}
    assert rig.case()["status"] == "ACCEPTED"


async def test_a_refused_one_is_nobodys_request(rig: Rig) -> None:
    await rig.take(submission(KEY, body(persons=[]), offset=7))
    case = rig.case()
    assert case["status"] == "REFUSED"
    assert set(case) <= {"_id", "version", "changed_at", "applied", "status", "trace", "outbox"}
    assert (await rig.http.get(f"/v1/requests/{R}")).status_code == 404
    assert (await rig.http.get("/v1/requests")).json() == {"requests": []}
    headers = {"Idempotency-Key": KEY, "If-Match": '"1"'}
    assert (await rig.http.post(f"/v1/requests/{R}/withdrawal", json={}, headers=headers)).status_code == 404
    assert make().snapshots[REQUEST_DETAILS](case) is None


async def test_facts_about_a_refused_one_break_nothing(rig: Rig) -> None:
    """They cannot be, and if they are, they are a stub's facts."""
    await rig.take(submission(KEY, body(persons=[]), offset=7))
    fact = closed_item(0)
    for handler in (make().handlers[fact.type],):
        after: Any = handler(rig.case(), fact, rig.runtime.clock.now())
        assert after["status"] == "REFUSED"


async def test_two_refused_ones_do_not_collide_on_the_receipt_code(rig: Rig) -> None:
    other = "4c1d9a52-8e0b-4f6d-9a37-5b2e7f1c3d61"
    sent = await rig.take(submission(KEY, body(persons=[]), offset=7), submission(other, body(persons=[]), offset=8))
    assert len(sent) == 2


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xff", "not_json"),
        (b'{"channel": "API", "channel": "API"}', "not_json"),
        (b'{"a": NaN}', "not_json"),
        (b'"\\ud800"', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'{"n": ' + b"9" * 400 + b"}", "not_json"),
        (b'{"notes": "' + b"x" * 1_000_000 + b'"}', "too_large"),
    ],
    ids=lambda value: repr(value[:12]),
)
async def test_what_cannot_be_read_is_refused(rig: Rig, value: bytes, code: str) -> None:
    sent = await rig.take(submission(KEY, value, offset=7))
    assert answer(sent) == refused(("#", code))
    assert rig.letters == []


@pytest.mark.parametrize("value", [b"null", b"[]", b"7", b'"x"', b"{}", b'{"persons": {"a": 1}}', b"[" * 590 + b"]" * 590])
async def test_other_json_is_refused_with_problems(rig: Rig, value: bytes) -> None:
    found = answer(await rig.take(submission(KEY, value, offset=7)))
    assert found["outcome"] == "REFUSED"
    assert found["problems"]
    assert rig.letters == []


async def test_the_same_rules_as_over_http(rig: Rig) -> None:
    wrong = body(persons=[{"nik": "1", "services": ["KTP_RECORDING"]}, {"services": ["NOPE"]}], colour="red")
    over_http = await rig.http.post("/v1/requests", json=wrong, headers={"Idempotency-Key": KEY})
    over_kafka = answer(await rig.take(submission(KEY, wrong, offset=7)))
    assert over_http.status_code == 422
    said = [{"pointer": e["pointer"], "code": e["code"]} for e in over_http.json()["errors"]]
    # all forms read all answers: a name that no field has is not repeated there, whatever it is
    assert over_kafka["problems"] == [{**e, "pointer": "#"} if e["pointer"] == "#/colour" else e for e in said]


async def test_answers_hold_no_value_and_no_receipt_code(rig: Rig) -> None:
    number = "99" * 8
    wrong = body(
        **{number: 1, "Kakek Contoh": 2}, persons=[{"name": 7, "nik": "32012345", "services": ["KK_CHANGE"], number: number}]
    )
    found = answer(await rig.take(submission(KEY, wrong, offset=7)))
    assert {p["pointer"] for p in found["problems"]} >= {"#", "#/persons/0", "#/persons/0/name", "#/persons/0/nik"}
    text = json.dumps(found)
    assert not any(value in text for value in (number, "Kakek", "32012345", "1,", "receipt"))
    accepted = (await rig.take(submission(KEY, body(), offset=8)))[-1].value or b""
    assert rig.case()["receipt_code"].encode() not in accepted
    assert set(json.loads(accepted)) == {"submission_id", "outcome", "request_id", "problems"}


async def test_at_most_a_hundred_problems(rig: Rig) -> None:
    wrong = body(persons=[{"colour": "red", "size": 1, "services": []} for _ in range(100)])
    assert len(answer(await rig.take(submission(KEY, wrong, offset=7)))["problems"]) == 100


async def test_too_many_items(rig: Rig) -> None:
    found = answer(await rig.take(submission(KEY, body(persons=persons(101, ["KK_CHANGE"])), offset=7)))
    assert {"pointer": "#/persons", "code": "too_many_items"} in found["problems"]


async def test_the_largest_list_has_an_id_for_each_item(rig: Rig) -> None:
    many = body(persons=persons(100, ["KK_CHANGE", "BIRTH_CERT", "CONSULTATION"]))
    await rig.take(submission(KEY, many, offset=7))
    assert len({item["item_id"] for item in rig.case()["items"]}) == 300


async def test_out_of_area_is_accepted_as_a_201_is(rig: Rig) -> None:
    away = body(place={"visit_kind": "HOME", "village_code": "19.01.01.2001", "address": "Jalan Contoh 1"})
    assert answer(await rig.take(submission(KEY, away, offset=7))) == ACCEPTED
    assert (await rig.http.get(f"/v1/requests/{R}")).json()["status"] == "OUT_OF_AREA"
    assert answer(await rig.take(submission(KEY, away, offset=8))) == ACCEPTED


async def test_an_unknown_key_id_is_refused_and_never_waited_for(rig: Rig) -> None:
    sent = await rig.take(submission(KEY, body(), keys=OTHER_KEYS, offset=7))
    assert answer(sent) == refused(("#", "unknown_key"))
    assert rig.letters == []
    assert answer(await rig.take(submission(KEY, body(), offset=8))) == ACCEPTED
    sent = await rig.take(submission(KEY, body(), keys=OTHER_KEYS, offset=9))
    assert answer(sent) == refused(("#", "unknown_key"))
    assert rig.case()["status"] == "ACCEPTED"


GOOD = submission(KEY, body(), offset=7)


@pytest.mark.parametrize(
    ("record", "reason", "known"),
    [
        (GOOD.but(key=None), "envelope", False),
        (GOOD.but(key=b"not-a-uuid"), "envelope", False),
        (GOOD.but(headers={"ce_source": None}), "envelope", False),
        (GOOD.but(headers={"ce_source": b"/services/scheduling"}), "envelope", False),
        (GOOD.but(headers={"ce_source": b"\xff"}), "envelope", False),
        (GOOD.but(headers={"ce_source": b"/clients/" + b"a" * 41}), "envelope", False),
        (GOOD.but(headers={"ce_type": b"request-created.v1"}), "envelope", False),
        (GOOD.but(value=None), "schema", True),
        (GOOD.but(value=b"{}"), "encryption", True),
        (GOOD.but(value=(GOOD.value or b"")[:-8]), "encryption", True),
        (GOOD.but(key=b"4c1d9a52-8e0b-4f6d-9a37-5b2e7f1c3d61"), "encryption", True),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_what_cannot_be_answered_is_a_dead_letter(rig: Rig, record: Raw, reason: str, known: bool) -> None:
    other = "4c1d9a52-8e0b-4f6d-9a37-5b2e7f1c3d99"
    sent = await rig.take(submission(other, body(), offset=6), record, submission(other, body(), offset=9))
    ((letter, broken),) = rig.letters
    assert (letter, broken.reason, bool(broken.request_id)) == (record, reason, known)
    assert [r.key for r in sent if r.topic == SUBMISSION_ANSWERED] == [other.encode()] * 2, "the others go on"
    assert len(rig.cases.documents) == 1


async def test_after_erasure_a_repeat_is_accepted_and_recreates_nobody(rig: Rig) -> None:
    await rig.take(submission(KEY, body(), offset=7))
    kept = ("_id", "version", "changed_at", "applied", "created", "status", "content_version", "trace")
    rig.cases.documents[R] = {k: v for k, v in rig.case().items() if k in kept}
    sent = await rig.take(submission(KEY, body(), offset=8))
    assert [r.topic for r in sent] == [SUBMISSION_ANSWERED]
    assert answer(sent) == ACCEPTED
    assert "body" not in rig.case()
    assert answer(await rig.take(submission(KEY, body(notes="x"), offset=9))) == refused(("#", "key_reused"))


async def test_at_most_three_commands_for_five_hundred_submissions(rig: Rig) -> None:
    keys = [f"00000000-0000-4000-8000-{at:012x}" for at in range(400)]
    await rig.first.handle([submission(key, body(), offset=at) for at, key in enumerate(keys[:100])])
    calls = rig.cases.calls.copy()
    await rig.first.handle([submission(key, body(), offset=500 + at) for at, key in enumerate([*keys, *keys[:100]])])
    assert rig.cases.calls - calls == {"get_many": 1, "insert_many": 1, "update_many_guarded": 1}


async def test_it_can_be_withdrawn_with_any_key_even_its_own(rig: Rig) -> None:
    await rig.take(submission(KEY, body(), offset=7))
    headers = {"Idempotency-Key": KEY, "If-Match": '"1"'}
    assert (await rig.http.post(f"/v1/requests/{R}/withdrawal", json={}, headers=headers)).status_code == 422
    headers["Idempotency-Key"] = "4c1d9a52-8e0b-4f6d-9a37-5b2e7f1c3d77"
    withdrawn = await rig.http.post(f"/v1/requests/{R}/withdrawal", json={}, headers=headers)
    assert withdrawn.json()["status"] == "WITHDRAWN"
    assert answer(await rig.take(submission(KEY, body(), offset=8))) == ACCEPTED


async def test_a_trace_goes_on(rig: Rig) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    sent = await rig.take(submission(KEY, body(), offset=7).but(headers={"ce_traceparent": trace.encode()}))
    assert {r.header("ce_traceparent") for r in sent} == {trace}
    other = submission("4c1d9a52-8e0b-4f6d-9a37-5b2e7f1c3d61", body(), offset=8).but(headers={"ce_traceparent": b"Kakek \xff"})
    assert not any("Kakek" in r.header("ce_traceparent") for r in await rig.take(other))


async def test_outcomes_are_counted(rig: Rig) -> None:
    def counted(outcome: str) -> float:
        return REGISTRY.get_sample_value("pelangi_submissions_total", {"outcome": outcome}) or 0

    before = counted("ACCEPTED"), counted("REFUSED")
    await rig.take(submission(KEY, {}, offset=7), submission(KEY, body(), offset=8), submission(KEY, body(), offset=9))
    assert (counted("ACCEPTED"), counted("REFUSED")) == (before[0] + 2, before[1] + 1)


async def test_the_published_keys_can_be_used_and_cached(rig: Rig) -> None:
    response = await rig.http.get("/v1/submission-keys")
    assert response.status_code == 200
    assert "max-age" in response.headers["cache-control"]
    assert response.json() == KEYS.public()
    assert set(response.json()["keys"][0]) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*RequestBody.model_fields, "x"]), inner),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON | st.binary(max_size=60), nested=JSON)
async def test_any_body_is_answered(rig: Rig, value: Any, nested: Any) -> None:
    """Whatever is in the envelope: an answer, no dead letter, no exception."""
    rig.cases.documents.clear()
    mixed = value if isinstance(value, bytes) else {**body(), **(value if isinstance(value, dict) else {"persons": nested})}
    found = decode(SUBMISSION_ANSWERED, (await rig.take(submission(KEY, mixed, offset=7)))[-1].value or b"")
    assert cast(Any, found).outcome in {"ACCEPTED", "REFUSED"}
    assert rig.letters == []


def test_its_topic_has_a_decoder_and_a_handler() -> None:
    service = make()
    assert set(service.decoders) == {REQUEST_SUBMITTED}
    assert REQUEST_SUBMITTED in service.handlers


def test_wrong_keys_end_the_start_and_are_not_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTAKE_SUBMISSION_KEYS", '{"keys": [{"kty": "EC", "crv": "P-256", "d": "very-secret"}]}')
    with pytest.raises(ValueError, match="JWK set") as failure:
        make()
    assert "very-secret" not in str(failure.value)
    assert failure.value.__suppress_context__


def test_a_pointer_of_an_answer_names_fields_of_the_schema_only() -> None:
    assert submissions._pointer("#/persons/0/nik") == "#/persons/0/nik"
    assert submissions._pointer("#/persons/0/budi") == "#/persons/0"
    assert submissions._pointer("#/1971042902609001") == "#"
