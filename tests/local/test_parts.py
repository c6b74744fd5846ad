"""The real parts of the local run do what the system relies on: rights, separate databases, mails that can be asked for."""

import asyncio
import smtplib
import time
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AclOperation, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from pelangi.chassis.provision import ProvisionError, admin_client, apply_topics, grant_subscriber, rights_of
from pelangi.contracts.topics import BY_NAME, SERVICES, TOPICS
from pelangi.local.mail_store import MailStore


def produce(kafka: Any, user: str, topic: str, value: bytes = b"{}", **settings: Any) -> Message:
    """Send one record and wait for the broker's answer; raises what it refused."""
    producer, answers = Producer({**kafka.login(user), "message.timeout.ms": 10000, **settings}), []
    producer.produce(topic, value, key=b"k", on_delivery=lambda error, message: answers.append(error or message))
    producer.flush(15)
    if not isinstance(answers[0], Message):
        raise KafkaException(answers[0])
    return answers[0]


def consume(
    kafka: Any, user: str, topic: str, group: str, password: str | None = None, *, wanted: bytes | None = None
) -> Message:
    """The first record of a topic as a user sees it, or the first with this value; raises what the broker refused."""
    login = kafka.login(user) | ({"sasl.password": password} if password else {})
    consumer = Consumer({**login, "group.id": group, "auto.offset.reset": "earliest", "log_level": 0})
    try:
        consumer.subscribe([topic])
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            if message := consumer.poll(0.5):
                if message.error():
                    raise KafkaException(message.error())
                if wanted is None or message.value() == wanted:
                    return message
        raise TimeoutError(topic)
    finally:
        consumer.close()


def test_a_service_writes_its_topics_and_reads_what_it_is_owed(kafka: Any) -> None:
    sent = produce(kafka, "intake", "request-created.v1", b'{"a": 1}', **{"enable.idempotence": True})
    assert sent.timestamp()[0] == 2, "the broker's own time (LogAppendTime)"
    assert consume(kafka, "scheduling", "request-created.v1", "scheduling.test", wanted=b'{"a": 1}')


@pytest.mark.parametrize(
    ("user", "topic", "group"),
    [
        ("intake", "notify.dlq", "intake"),
        ("city.demo", "request-details.v1", "city.demo.x"),
        ("notify", "request-submitted.v1", "notify"),
    ],
)
def test_a_topic_that_is_not_theirs_cannot_be_read(kafka: Any, user: str, topic: str, group: str) -> None:
    with pytest.raises(KafkaException) as refused:
        consume(kafka, user, topic, group)
    assert refused.value.args[0].code() in {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART}


def test_a_group_that_is_not_theirs_cannot_be_joined(kafka: Any) -> None:
    with pytest.raises(KafkaException) as refused:
        consume(kafka, "city.demo", "request-created.v1", "scheduling")
    assert refused.value.args[0].code() == KafkaError.GROUP_AUTHORIZATION_FAILED


@pytest.mark.parametrize(
    ("user", "topic"),
    [("scheduling", "request-created.v1"), ("city.demo", "request-created.v1"), ("form", "submission-answered.v1")],
)
def test_a_topic_that_is_not_theirs_cannot_be_written(kafka: Any, user: str, topic: str) -> None:
    with pytest.raises(KafkaException) as refused:
        produce(kafka, user, topic)
    assert refused.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_only_the_relays_transaction_is_open_to_a_service(kafka: Any) -> None:
    Producer({**kafka.login("intake"), "transactional.id": "relay-intake", "transaction.timeout.ms": 10000}).init_transactions(15)
    other = Producer({**kafka.login("intake"), "transactional.id": "relay-notify", "transaction.timeout.ms": 10000})
    with pytest.raises(KafkaException) as refused:
        other.init_transactions(15)
    assert refused.value.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


def test_a_wrong_password_is_refused(kafka: Any) -> None:
    errors: list[KafkaError] = []
    login = kafka.login("intake") | {"sasl.password": "wrong"}
    producer = Producer({**login, "error_cb": errors.append, "log_level": 0})
    deadline = time.monotonic() + 10
    while not errors and time.monotonic() < deadline:
        producer.poll(0.1)
    assert KafkaError._AUTHENTICATION in {error.code() for error in errors}


def test_a_three_megabyte_snapshot_passes(kafka: Any) -> None:
    value = b"x" * (3 * 1024 * 1024 - 1024)
    assert produce(kafka, "intake", "request-details.v1", value, **{"message.max.bytes": 3 * 1024 * 1024}).error() is None


def test_applying_again_changes_nothing_and_repairs_what_differs(kafka: Any) -> None:
    assert apply_topics(kafka.bootstrap, "admin", kafka.password) == []
    edits = [
        ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET),
        ConfigEntry("segment.bytes", "20000000", incremental_operation=AlterConfigOpType.SET),
    ]
    changed = ConfigResource(ResourceType.TOPIC, "item-closed.v1", incremental_configs=edits)
    admin = admin_client(kafka.bootstrap, "admin", kafka.password)  # kept: its end would cancel what it was asked
    for future in admin.incremental_alter_configs([changed]).values():
        future.result(15)
    lines = apply_topics(kafka.bootstrap, "admin", kafka.password)
    assert len(lines) == 2 and all("item-closed.v1" in line for line in lines)
    assert apply_topics(kafka.bootstrap, "admin", kafka.password) == []


def test_another_partition_count_is_refused_by_name(kafka: Any) -> None:
    other = tuple(replace(t, partitions=13) if t.name == "item-closed.v1" else t for t in TOPICS)
    with pytest.raises(ProvisionError, match=r"item-closed\.v1: wanted 13 partitions, found 12"):
        apply_topics(kafka.bootstrap, "admin", kafka.password, topics=other)


def test_a_granted_subscriber_reads_the_public_topics(kafka: Any) -> None:
    password = grant_subscriber(kafka.bootstrap, "admin", kafka.password, "dinkes")
    assert len(password) >= 24
    produce(kafka, "intake", "request-closed.v1", b"closed")
    assert consume(kafka, "city.dinkes", "request-closed.v1", "city.dinkes.report", password, wanted=b"closed")


@pytest.mark.parametrize("name", ["demo.x", "", "Dinkes", "a b"])
def test_a_subscriber_cannot_get_a_name_inside_another_ones(name: str) -> None:
    with pytest.raises(ValueError, match="lower-case"):
        grant_subscriber("127.0.0.1:1", "admin", "x", name)


def test_nobody_but_the_owner_writes() -> None:
    writers = {
        topic.name: {user for user in (*SERVICES, "form", "city.demo") if _may_write(user, topic.name)} for topic in TOPICS
    }
    assert writers == {topic.name: {topic.owner or "form"} for topic in TOPICS}
    assert not any(right[3] == AclOperation.WRITE for right in rights_of("city.demo"))
    assert {right[1] for right in rights_of("city.demo")} == {*(t for t in BY_NAME if BY_NAME[t].public), "city.demo."}


def _may_write(user: str, topic: str) -> bool:
    return any(right[1] == topic and right[3] == AclOperation.WRITE for right in rights_of(user))


def test_kafka_keeps_its_data_over_kill_and_restart(kafka: Any) -> None:
    produce(kafka, "intake", "intake.dlq", b"kept")
    before, port = kafka.pid, kafka.port
    kafka.kill()
    kafka.start()
    assert (kafka.pid, kafka.port) != (before, port) and kafka.port == port
    assert consume(kafka, "intake", "intake.dlq", "intake.test", wanted=b"kept")


async def test_a_service_sees_its_own_database_only(database: Any) -> None:
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(database.uri("intake"))
    try:
        await client.intake.parts.insert_one({"_id": "kept"})
        for refused in (client.issuance.parts.find_one({}), client.issuance.parts.insert_one({}), client.list_database_names()):
            with pytest.raises(OperationFailure, match="not authorized"):
                await refused
    finally:
        client.close()


def test_the_store_keeps_acknowledged_writes_over_a_crash_and_refuses_strangers(database: Any) -> None:
    with MongoClient(database.uri("notify")) as client:
        client.notify.parts.insert_many({"_id": n} for n in range(500))
    database.restart()
    with MongoClient(database.uri("notify")) as client:
        assert client.notify.parts.count_documents({}) == 500
    with MongoClient(database.uri("notify", "wrong")) as client, pytest.raises(OperationFailure):
        client.notify.parts.find_one()


def mail(message_id: str, to: str = "budi@example.id") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "pelangi@example.id", to, "Jadwal kunjungan – besok"
    message["Message-ID"] = message_id
    message.set_content("Petugas datang pukul 09.00 <WIB>.\n")
    return message


def test_a_mail_is_found_by_its_message_id_also_after_a_crash(mailbox: Any) -> None:
    with smtplib.SMTP("127.0.0.1", mailbox.smtp_port) as smtp:
        smtp.send_message(mail("<row-1@pelangi.invalid>"))
        smtp.send_message(mail("<row-2@pelangi.invalid>"))
        smtp.send_message(mail("<row-2@pelangi.invalid>"))
    mailbox.restart()
    with httpx.Client(base_url=mailbox.http_url) as http:
        found = http.get("/api/messages/<row-1@pelangi.invalid>").json()
        assert found["id"] == "row-1@pelangi.invalid" and found["count"] == 1
        assert found["to"] == ["budi@example.id"] and found["subject"] == "Jadwal kunjungan – besok"
        assert found["text"] == "Petugas datang pukul 09.00 <WIB>.\n"
        assert [
            m["count"] for m in http.get("/api/messages", params={"message_id": "<row-2@pelangi.invalid>"}).json()["messages"]
        ] == [2, 2]
        assert http.get("/api/messages/row-3@pelangi.invalid").status_code == 404
        assert http.get("/api/messages", params={"message_id": "row-3@pelangi.invalid"}).json()["messages"] == []
        page = http.get("/").text
        assert "&lt;WIB&gt;" in page and "diterima 2 kali" in page and "http" not in page


async def test_half_a_line_after_a_crash_is_dropped_and_the_rest_kept(tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    await store.add("a@example.id", ["b@example.id"], mail("<whole@pelangi.invalid>").as_bytes())
    await store.close()
    with (tmp_path / "mails.jsonl").open("ab") as file:
        file.write(b'{"number": 2, "message_id": "ha')
    again = MailStore(tmp_path)
    assert len(again) == 1 and again.count("<whole@pelangi.invalid>") == 1
    assert (await again.add("a@example.id", ["b@example.id"], b"no headers at all")).number == 2
    await again.close()
    assert (tmp_path / "mails.jsonl").read_bytes().count(b"\n") == 2


def test_thousands_of_mails_are_taken_quickly_and_paged(mailbox: Any) -> None:
    async def send(worker: int) -> None:
        await asyncio.to_thread(_send_many, mailbox.smtp_port, worker, 250)

    async def all_workers() -> None:
        await asyncio.gather(*(send(worker) for worker in range(8)))

    started = time.monotonic()
    asyncio.run(all_workers())
    assert time.monotonic() - started < 30
    with httpx.Client(base_url=mailbox.http_url) as http:
        seen: list[str] = []
        cursor: str | None = "0"
        while cursor:
            page = http.get("/api/messages", params={"to": "many@example.id", "limit": "300", "cursor": cursor}).json()
            seen += [m["id"] for m in page["messages"]]
            cursor = page["cursor"]
    assert len(seen) == len(set(seen)) == 2000


def _send_many(port: int, worker: int, count: int) -> None:
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        for n in range(count):
            smtp.send_message(mail(f"<{worker}-{n}@pelangi.invalid>", "many@example.id"))
