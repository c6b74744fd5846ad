"""A consumer group set back to the beginning of its topics, so that it reads everything again."""

from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # re-exported without saying so

from pelangi.chassis.provision import TIMEOUT, ProvisionError

_NO_GROUP = (KafkaError.GROUP_ID_NOT_FOUND, KafkaError.INVALID_GROUP_ID)
_JOINED = (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS, KafkaError.NON_EMPTY_GROUP)


class GroupBusy(ProvisionError):
    """The group has members: they would go on from where they are, and commit over what is set here."""


@dataclass(frozen=True, slots=True)
class Rewound:
    """A topic that a group reads again: from the first record that is still there."""

    topic: str
    records: int


def rewind(admin: AdminClient, group: str, topics: Sequence[str] = ()) -> list[Rewound]:
    """Set a group back on these topics, or on all that it has read.

    Raises GroupBusy while it has members, ProvisionError where it has not read (one of) them.
    """
    _require_empty(admin, group)
    read = _has_read(admin, group)
    unknown = sorted(set(topics) - {p.topic for p in read})
    if unknown or not read:
        raise ProvisionError(f"group {group} has read nothing of {', '.join(unknown) or 'any topic'}: nothing to go back on")
    chosen = [p for p in read if not topics or p.topic in topics]
    first, end = _offsets(admin, chosen, OffsetSpec.earliest()), _offsets(admin, chosen, OffsetSpec.latest())
    _set(admin, group, [TopicPartition(topic, number, offset) for (topic, number), offset in first.items()])
    counts: dict[str, int] = {}
    for (topic, number), offset in first.items():
        counts[topic] = counts.get(topic, 0) + end[topic, number] - offset
    return [Rewound(topic, count) for topic, count in sorted(counts.items())]


def _require_empty(admin: AdminClient, group: str) -> None:
    try:
        described = admin.describe_consumer_groups([group], request_timeout=TIMEOUT)[group].result(TIMEOUT)
    except KafkaException as error:
        if error.args[0].code() in _NO_GROUP:
            raise ProvisionError(f"no group {group}") from None
        raise
    if described.members:
        raise GroupBusy(f"group {group} has {len(described.members)} member(s)")


def _has_read(admin: AdminClient, group: str) -> list[TopicPartition]:
    asked = [ConsumerGroupTopicPartitions(group)]
    answer = admin.list_consumer_group_offsets(asked, request_timeout=TIMEOUT)[group].result(TIMEOUT)
    return [p for p in answer.topic_partitions if p.offset >= 0]


def _offsets(admin: AdminClient, partitions: Sequence[TopicPartition], spec: OffsetSpec) -> dict[tuple[str, int], int]:
    asked = {TopicPartition(p.topic, p.partition): spec for p in partitions}
    return {
        (p.topic, p.partition): f.result(TIMEOUT).offset for p, f in admin.list_offsets(asked, request_timeout=TIMEOUT).items()
    }


def _set(admin: AdminClient, group: str, partitions: list[TopicPartition]) -> None:
    wanted = [ConsumerGroupTopicPartitions(group, partitions)]
    try:
        answer = admin.alter_consumer_group_offsets(wanted, request_timeout=TIMEOUT)[group].result(TIMEOUT)
    except KafkaException as error:
        if error.args[0].code() in _JOINED:  # somebody joined since we looked
            raise GroupBusy(f"group {group} has members") from None
        raise
    for partition in answer.topic_partitions:
        if partition.error:
            raise ProvisionError(f"{partition.topic}-{partition.partition}: {partition.error.str()}")
