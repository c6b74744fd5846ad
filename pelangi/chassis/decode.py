"""From a Kafka record to a fact, or to a dead letter's reason. Each record on its own: one bad record spoils no other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import ValidationError

from pelangi.chassis.case import Fact
from pelangi.contracts.encryption import BrokenToken, UnknownKey
from pelangi.contracts.envelope import Attributes, EnvelopeError, from_headers
from pelangi.contracts.events import aggregate_id, decode
from pelangi.contracts.topics import REQUEST_DETAILS, TOPICS, VISIT_DETAILS

SNAPSHOTS = frozenset({REQUEST_DETAILS, VISIT_DETAILS})
_BY_REQUEST = frozenset(topic.name for topic in TOPICS if topic.aggregate == "request_id")
"""Topics whose records are about the request itself; all others name it beside what they are about."""

RecordDecoder = Callable[["Record"], Fact[Any]]
"""Decodes the records of a topic that has no envelope; raises Broken where a record cannot become a fact."""

Opener = Callable[[Any], Any]
"""Opens a snapshot: takes its data (a model) and gives the decrypted part; raises BrokenToken or UnknownKey."""


class Record(Protocol):
    """What is used of an aiokafka ConsumerRecord."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Any


class Broken(Exception):
    """A record that cannot become a fact: `reason` is a code, `error` a class name; no content."""

    def __init__(self, reason: str, error: str, request_id: str = "") -> None:
        super().__init__(reason)
        self.reason, self.error, self.request_id = reason, error, request_id


@dataclass(frozen=True, slots=True)
class Decoder:
    """Decodes the records of the topics a service reads.

    openers: for what is encrypted to it, by topic. own: for topics whose records are no events of ours, by topic.
    """

    openers: Mapping[str, Opener]
    own: Mapping[str, RecordDecoder] = field(default_factory=dict)

    def __call__(self, record: Record) -> tuple[Fact[Any], Attributes | None]:
        """The fact and its attributes, None where the record has none.

        Raises Broken where the record itself is wrong, and UnknownKey, which is infrastructure: the key is not here yet.
        """
        try:
            return self._decode(record)
        except (Broken, UnknownKey):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a record provokes is that record's dead letter
            raise Broken("decode", type(error).__name__) from None

    def _decode(self, record: Record) -> tuple[Fact[Any], Attributes | None]:
        if own := self.own.get(record.topic):
            return own(record), None
        try:
            attributes = from_headers(record.topic, record.key, record.headers)
        except EnvelopeError as error:
            raise Broken("envelope", type(error).__name__) from None
        request_id = attributes.request_id
        if record.value is None and record.topic not in SNAPSHOTS:
            raise Broken("schema", "Null", request_id)
        if record.value is None:  # a tombstone: only snapshots have them
            return Fact(record.topic, request_id, request_id, attributes.sequence, attributes.traceparent, None), attributes
        try:
            data = decode(record.topic, record.value)
            aggregate = aggregate_id(record.topic, data)
            if (aggregate if record.topic in _BY_REQUEST else getattr(data, "request_id", "")) != request_id:
                raise Broken("key", "KeyMismatch", request_id)
            opener = self.openers.get(record.topic)
            payload = opener(data) if opener else data
        except ValidationError as error:
            raise Broken("schema", type(error).__name__, request_id) from None
        except BrokenToken as error:
            raise Broken("encryption", type(error).__name__, request_id) from None
        return Fact(record.topic, request_id, aggregate, attributes.sequence, attributes.traceparent, payload), attributes
