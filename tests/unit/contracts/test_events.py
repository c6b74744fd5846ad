"""Writers are strict, readers are lenient, and nothing public holds what could be a NIK."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pelangi.contracts import codes, reasons
from pelangi.contracts import public as contract_public
from pelangi.contracts.events import MODELS, UNKNOWN, Place, aggregate_id, decode, encode
from pelangi.contracts.examples import EXAMPLES
from pelangi.contracts.topics import BY_NAME, TOPICS

TYPES = sorted(MODELS)
PUBLIC = [t.name for t in TOPICS if t.public]


def test_every_event_has_a_model_and_an_example() -> None:
    assert set(MODELS) == {t.name for t in TOPICS if not t.name.endswith(".dlq")} - {"request-submitted.v1"}
    assert EXAMPLES.keys() == MODELS.keys()


@pytest.mark.parametrize("type_", TYPES)
def test_read_is_written(type_: str) -> None:
    assert decode(type_, encode(type_, EXAMPLES[type_])) == EXAMPLES[type_]


@pytest.mark.parametrize("type_", TYPES)
def test_a_writer_cannot_add_a_field(type_: str) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        MODELS[type_].model_validate({**EXAMPLES[type_].model_dump(), "colour": "red"})


@pytest.mark.parametrize("type_", TYPES)
def test_a_reader_ignores_what_it_does_not_know(type_: str) -> None:
    def grown(value: Any) -> Any:
        if isinstance(value, dict):
            return {**{k: grown(v) for k, v in value.items()}, "from_a_later_release": {"a": 1}}
        return [grown(v) for v in value] if isinstance(value, list) else value

    raw = json.dumps(grown(json.loads(encode(type_, EXAMPLES[type_])))).encode()
    assert decode(type_, raw) == EXAMPLES[type_]


@pytest.mark.parametrize(
    ("type_", "field"),
    [
        ("request-created.v1", "visit_kind"),
        ("request-created.v1", "channel"),
        ("request-created.v1", "requester_kind"),
        ("visit-scheduled.v1", "status"),
        ("visit-scheduled.v1", "reason_class"),
        ("visit-completed.v1", "outcome"),
        ("document-issued.v1", "document_kind"),
        ("document-handed-over.v1", "recipient_class"),
        ("document-withdrawn.v1", "reason"),
        ("item-closed.v1", "outcome"),
        ("request-closed.v1", "outcome"),
        ("submission-answered.v1", "outcome"),
    ],
)
def test_a_reader_takes_a_new_enum_value_as_unknown_and_a_writer_refuses_it(type_: str, field: str) -> None:
    data = {**json.loads(encode(type_, EXAMPLES[type_])), field: "FROM_A_LATER_RELEASE"}
    assert getattr(decode(type_, json.dumps(data).encode()), field) == UNKNOWN
    with pytest.raises(ValidationError):
        MODELS[type_].model_validate(data)


def test_a_new_enum_value_in_a_list_spares_the_others() -> None:
    data = {**json.loads(encode("request-created.v1", EXAMPLES["request-created.v1"])), "services": ["KIA", "NEW_SERVICE"]}
    assert decode("request-created.v1", json.dumps(data).encode()).services == ["KIA", UNKNOWN]  # type: ignore[attr-defined]


@pytest.mark.parametrize("wrong", [7, None, ["DONE"], {}])
def test_a_wrong_type_is_not_a_new_enum_value(wrong: Any) -> None:
    data = {**json.loads(encode("item-closed.v1", EXAMPLES["item-closed.v1"])), "outcome": wrong}
    with pytest.raises(ValidationError):
        decode("item-closed.v1", json.dumps(data).encode())


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"{", b'{"request_id": "\xff"}', b"[" * 100_000, b'"\\ud800"'])
def test_garbage_is_a_validation_error(raw: bytes) -> None:
    for type_ in TYPES:
        with pytest.raises(ValidationError):
            decode(type_, raw)


@given(before=st.text("0123456789", max_size=4), digits=st.from_regex(r"\A[0-9]{16}\Z"), after=st.text(max_size=8))
def test_a_run_of_sixteen_digits_never_leaves_in_public(before: str, digits: str, after: str) -> None:
    place = Place(name=f"Balai {before}{digits}{after}", lat=-2.1, lon=106.1)
    event = EXAMPLES["visit-scheduled.v1"].model_copy(update={"place": place})
    with pytest.raises(ValueError, match="16 digits") as failure:
        encode("visit-scheduled.v1", event)
    assert digits not in str(failure.value)


@given(digits=st.from_regex(r"\A[0-9]{0,15}\Z"))
def test_shorter_numbers_may(digits: str) -> None:
    event = EXAMPLES["visit-scheduled.v1"].model_copy(update={"place": Place(name=f"Pos {digits} a", lat=-2.1, lon=106.1)})
    assert digits.encode() in encode("visit-scheduled.v1", event)


@given(digits=st.from_regex(r"\A[0-9]{16}\Z"))
@pytest.mark.parametrize("type_", PUBLIC)
def test_no_string_field_of_a_public_event_can_hold_them(type_: str, digits: str) -> None:
    """Whatever field they are put in: a model or `encode` refuses, or reads them as something else (a time)."""
    data = EXAMPLES[type_].model_dump(mode="json")
    for field, value in data.items():
        if isinstance(value, str):
            try:
                assert digits.encode() not in encode(type_, MODELS[type_].model_validate({**data, field: digits}))
            except ValueError:
                continue


def test_aggregates() -> None:
    for type_, data in EXAMPLES.items():
        field = BY_NAME[type_].aggregate
        expected = data.request.request_id if type_ == "request-details.v1" else getattr(data, field)  # type: ignore[attr-defined]
        assert aggregate_id(type_, data) == expected


def test_times_need_an_offset() -> None:
    example = EXAMPLES["request-closed.v1"].model_dump()
    with pytest.raises(ValidationError):
        MODELS["request-closed.v1"].model_validate({**example, "closed_at": datetime(2026, 1, 1)})  # noqa: DTZ001
    assert MODELS["request-closed.v1"].model_validate({**example, "closed_at": datetime(2026, 1, 1, tzinfo=UTC)})


def test_public_codes_hide_what_betrays_a_condition() -> None:
    institutions = {"PRISON", "HOSPITAL", "CARE_HOME", "PUSKESMAS", "SCHOOL"}
    for kind in codes.RequesterKind:
        public = contract_public.public_requester_kind(kind)
        assert public == ("INSTITUTION" if kind in institutions else kind.value)
    for service in codes.ServiceKind:
        hidden = service == "VULNERABLE_DATA_COLLECTION"
        assert contract_public.public_service_kind(service) == ("CONSULTATION" if hidden else service)
    for visit in codes.VisitKind:
        coarse = visit not in {"COMMUNITY_POINT", "DISASTER_POST"}
        assert contract_public.public_area_code(visit, "19.71.04.1009") == ("19.71" if coarse else "19.71.04.1009")


def test_every_reason_has_a_class() -> None:
    for reason in (*reasons.DeferralReason, *reasons.RejectionReason):
        assert reasons.REASON_CLASS[reason] in reasons.ReasonClass


@pytest.mark.parametrize("type_", PUBLIC)
def test_trap_10_the_writers_model_takes_no_unknown_field(type_: str) -> None:
    """So that no name or number can slip into a public event; the 16-digit rule is the second line of defence."""
    with pytest.raises(ValidationError) as refused:
        MODELS[type_].model_validate({**EXAMPLES[type_].model_dump(), "name": "Orang Contoh"})
    assert [e["type"] for e in refused.value.errors()] == ["extra_forbidden"]
