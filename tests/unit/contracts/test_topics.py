"""The declaration of the topics is CONTRACTS.md §1, line by line."""

import pytest

from pelangi.contracts.topics import BY_NAME, TOPICS, read_by, written_by

DAY = 24 * 3600 * 1000
ALL = {"intake", "scheduling", "issuance", "notify"}
TABLE = {  # topic: owner, readers, aggregate
    "request-created.v1": ("intake", {"scheduling", "issuance", "notify"}, "request_id"),
    "visit-scheduled.v1": ("scheduling", {"intake", "issuance", "notify"}, "visit_id"),
    "visit-completed.v1": ("scheduling", {"intake", "issuance", "notify"}, "visit_id"),
    "document-issued.v1": ("issuance", {"intake", "notify"}, "document_id"),
    "document-handed-over.v1": ("issuance", {"intake", "notify"}, "document_id"),
    "document-withdrawn.v1": ("issuance", {"intake", "notify"}, "document_id"),
    "item-closed.v1": ("issuance", {"intake", "scheduling", "notify"}, "item_id"),
    "request-closed.v1": ("intake", {"scheduling", "issuance", "notify"}, "request_id"),
    "request-details.v1": ("intake", {"scheduling", "issuance", "notify"}, "request_id"),
    "visit-details.v1": ("scheduling", {"issuance", "notify", "intake"}, "request_id"),
    "request-submitted.v1": ("", {"intake"}, ""),
    "submission-answered.v1": ("intake", {"form"}, "submission_id"),
}
PUBLIC = {t for t in TABLE if t.startswith(("request-c", "visit-s", "visit-c", "document-", "item-"))}
SNAPSHOTS = {"request-details.v1", "visit-details.v1"}
SUBMISSIONS = {"request-submitted.v1", "submission-answered.v1"}
DLQ = {f"{s}.dlq" for s in ALL}


def test_these_topics_and_no_others() -> None:
    assert {t.name for t in TOPICS} == TABLE.keys() | DLQ
    assert len(TOPICS) == len(BY_NAME)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_owner_readers_aggregate_partitions(name: str) -> None:
    topic = BY_NAME[name]
    assert (topic.owner, set(topic.readers), topic.aggregate) == TABLE[name]
    assert topic.partitions == 12
    assert topic.public == (name in PUBLIC)
    assert topic.config["message.timestamp.type"] == "LogAppendTime"
    assert topic.writers == (("form",) if name == "request-submitted.v1" else ())


def test_retention() -> None:
    for name in PUBLIC:
        assert BY_NAME[name].config["cleanup.policy"] == "delete"
        assert BY_NAME[name].config["retention.ms"] == str(30 * DAY)
    for name in SUBMISSIONS:
        assert BY_NAME[name].config["retention.ms"] == str(14 * DAY)
    for name in SNAPSHOTS:
        config = BY_NAME[name].config
        assert config["cleanup.policy"] == "compact"
        assert config["max.compaction.lag.ms"] == str(DAY)
        assert int(config["segment.ms"]) <= DAY
        assert config["delete.retention.ms"] == str(30 * DAY)


def test_what_can_be_large_fits() -> None:
    for name in SNAPSHOTS | DLQ:
        assert BY_NAME[name].config["max.message.bytes"] == str(3 * 1024 * 1024)


@pytest.mark.parametrize("service", sorted(ALL))
def test_dead_letters_belong_to_their_service_alone(service: str) -> None:
    topic = BY_NAME[f"{service}.dlq"]
    assert (topic.owner, topic.readers, topic.partitions, topic.public) == (service, (service,), 1, False)
    assert topic.config["cleanup.policy"] == "compact"


def test_who_reads_what() -> None:
    documents = {"document-issued.v1", "document-handed-over.v1", "document-withdrawn.v1"}
    assert set(read_by("intake")) == documents | {
        "request-submitted.v1", "visit-scheduled.v1", "visit-completed.v1", "visit-details.v1", "item-closed.v1"
    }  # fmt: skip
    assert set(read_by("scheduling")) == {"request-created.v1", "request-details.v1", "item-closed.v1", "request-closed.v1"}
    assert set(read_by("issuance")) == {
        "request-created.v1", "request-details.v1", "visit-scheduled.v1", "visit-completed.v1", "visit-details.v1",
        "request-closed.v1",
    }  # fmt: skip
    assert set(read_by("notify")) == set(TABLE) - SUBMISSIONS


def test_every_topic_has_one_writer() -> None:
    written = [name for service in ALL for name in written_by(service)]
    assert sorted(written) == sorted(BY_NAME.keys() - {"request-submitted.v1"})
