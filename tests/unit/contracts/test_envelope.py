"""Event ids and the way of an envelope into Kafka headers and back."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid5

import pytest

from pelangi.contracts.envelope import (
    EVENT_NAMESPACE,
    Envelope,
    EnvelopeError,
    event_id,
    from_headers,
    rfc3339,
    to_headers,
    uuid5_text,
)
from pelangi.contracts.topics import BY_NAME

VECTORS = json.loads((Path(__file__).parent / "vectors" / "event_ids.json").read_text(encoding="utf-8"))
R = "7b0f3c8a-2f64-5d1e-8a52-3f6a0c9d1e42"
ENVELOPE = Envelope(
    type="item-closed.v1",
    id="c1ef2b8e-0000-5000-8000-000000000001",
    source="/services/issuance",
    request_id=R,
    aggregate="019ab4d2-6f11-7a0b-8c4d-1e3f5a7b9c20",
    time=datetime(2026, 11, 24, 9, 10, 0, 123_000, tzinfo=timezone(timedelta(hours=7))),
    sequence=7,
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    data=b"{}",
)


def test_namespace_is_the_published_constant() -> None:
    assert str(EVENT_NAMESPACE) == VECTORS["namespace"]


@pytest.mark.parametrize("v", VECTORS["vectors"], ids=lambda v: f"{v['type']}-{v['sequence']}")
def test_event_id_vector(v: dict[str, Any]) -> None:
    assert event_id(v["type"], v["request_id"], v["aggregate_id"], v["sequence"]) == v["ce_id"]


def test_vectors_cover_every_event_type_and_are_distinct() -> None:
    assert {v["type"] for v in VECTORS["vectors"]} == {
        t for t in BY_NAME if not t.endswith(".dlq") and t != "request-submitted.v1"
    }
    assert len({v["ce_id"] for v in VECTORS["vectors"]}) == len(VECTORS["vectors"]) >= 10


def test_headers_are_exactly_those_of_the_contract() -> None:
    assert to_headers(ENVELOPE) == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"c1ef2b8e-0000-5000-8000-000000000001"),
        ("ce_source", b"/services/issuance"),
        ("ce_type", b"item-closed.v1"),
        ("ce_subject", R.encode()),
        ("ce_time", b"2026-11-24T02:10:00.123Z"),
        ("ce_sequence", b"0000000007"),
        ("ce_partitionkey", R.encode()),
        ("ce_dataschema", b"https://pelangi.invalid/schemas/item-closed.v1.json"),
        ("ce_traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("content-type", b"application/json"),
    ]


def test_round_trip() -> None:
    read = from_headers("item-closed.v1", R.encode(), to_headers(ENVELOPE))
    assert (read.id, read.type, read.source, read.request_id) == (ENVELOPE.id, ENVELOPE.type, ENVELOPE.source, R)
    assert (read.sequence, read.time, read.traceparent) == (7, ENVELOPE.time, ENVELOPE.traceparent)


def broken(**changes: bytes | None) -> list[tuple[str, bytes]]:
    headers = {**dict(to_headers(ENVELOPE)), **changes}
    return [(k, v) for k, v in headers.items() if v is not None]


@pytest.mark.parametrize("name", ["ce_id", "ce_type", "ce_source", "ce_subject", "ce_sequence"])
def test_a_missing_header_is_named(name: str) -> None:
    with pytest.raises(EnvelopeError, match=f"header {name} is missing"):
        from_headers("item-closed.v1", R.encode(), broken(**{name: None}))


@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_time", "ce_traceparent"])
def test_a_header_that_is_not_utf8(name: str) -> None:
    with pytest.raises(EnvelopeError, match="not UTF-8"):
        from_headers("item-closed.v1", R.encode(), broken(**{name: b"\xff\xfe"}))


@pytest.mark.parametrize("name", ["ce_type", "ce_subject", "ce_sequence"])
def test_a_header_that_is_compared_as_bytes_and_is_not_utf8(name: str) -> None:
    with pytest.raises(EnvelopeError, match=name):
        from_headers("item-closed.v1", R.encode(), broken(**{name: b"\xff\xfe"}))


@pytest.mark.parametrize(
    ("topic", "key", "changes"),
    [
        ("item-closed.v1", R.encode(), {"ce_type": b"item-closed.v2"}),
        ("request-closed.v1", R.encode(), {}),
        ("item-closed.v1", b"another", {}),
        ("item-closed.v1", None, {}),
        ("item-closed.v1", None, {"ce_subject": b""}),
        ("item-closed.v1", b"\xff", {}),
        ("item-closed.v1", R.encode(), {"ce_sequence": b"-1"}),
        ("item-closed.v1", R.encode(), {"ce_sequence": b"seven"}),
        ("item-closed.v1", R.encode(), {"ce_sequence": b""}),
        ("item-closed.v1", R.encode(), {"ce_sequence": "٧".encode()}),  # a digit, but not an ASCII one
        ("item-closed.v1", R.encode(), {"ce_sequence": b"9" * 20}),  # no number that a database keeps
    ],
)
def test_headers_that_contradict_their_record(topic: str, key: bytes | None, changes: dict[str, bytes]) -> None:
    with pytest.raises(EnvelopeError) as failure:
        from_headers(topic, key, broken(**changes))
    assert R not in str(failure.value), "the text names the header, never its value"


@pytest.mark.parametrize("text", [b"", b"yesterday"])
def test_an_unreadable_time_is_no_reason_to_refuse(text: bytes) -> None:
    assert from_headers("item-closed.v1", R.encode(), broken(ce_time=text)).time is None


def test_a_time_without_offset_is_unreadable() -> None:
    """It could not be compared with the clock's."""
    assert from_headers("item-closed.v1", R.encode(), broken(ce_time=b"2026-11-24T02:10:00")).time is None


def test_times_are_utc_with_milliseconds() -> None:
    assert rfc3339(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000Z"


@pytest.mark.parametrize("name", ["", "a", "request-created.v1|é|🙂|1", *(f"x|{n}" for n in range(200))])
def test_ids_by_hand_are_those_of_the_library(name: str) -> None:
    assert uuid5_text(EVENT_NAMESPACE, name) == str(uuid5(EVENT_NAMESPACE, name))
