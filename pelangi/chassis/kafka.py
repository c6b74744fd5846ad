"""How a process of ours speaks to Kafka: one place for security and for the settings whose defaults lose or hide records."""

from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity, SASLScram512

from pelangi.chassis.settings import ServiceSettings
from pelangi.contracts.topics import MAX_MESSAGE_BYTES

BATCH_RECORDS = 500
SESSION_TIMEOUT_MS = 10_000
TRANSACTION_TIMEOUT_MS = 10_000


def security(settings: ServiceSettings) -> BaseSecurity:
    """SCRAM-SHA-512 as the service's own user."""
    return SASLScram512(settings.kafka_user, settings.kafka_password.get_secret_value(), use_ssl=False)


def servers(settings: ServiceSettings) -> list[str]:
    """The brokers to begin with: aiokafka takes a text with commas for one host's name."""
    return [server.strip() for server in settings.kafka_bootstrap.split(",")]


def make_broker(settings: ServiceSettings) -> KafkaBroker:
    """FastStream's broker. Consumes only; events leave through the relay's own producer.

    Dependency injection (`apply_types`) costs a thread hop per message and is off; see ADR 0004.
    """
    return KafkaBroker(
        servers(settings),
        security=security(settings),
        client_id=settings.name,
        allow_auto_create_topics=False,
        graceful_timeout=15.0,
        apply_types=False,
        logger=None,
    )


def subscription(group: str) -> dict[str, Any]:
    """Arguments of the one batch subscriber of a service."""
    return {
        "batch": True,
        "group_id": group,
        "max_records": BATCH_RECORDS,
        "batch_timeout_ms": 50,
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
        "ack_policy": AckPolicy.NACK_ON_ERROR,
        # the default, round robin, scatters one request's topics over replicas
        "partition_assignment_strategy": [RangePartitionAssignor],
        "session_timeout_ms": SESSION_TIMEOUT_MS,
        "heartbeat_interval_ms": 2_000,
        "max_poll_interval_ms": 120_000,
        # 1 MiB by default: a long list's snapshot would be accepted and never read
        "max_partition_fetch_bytes": MAX_MESSAGE_BYTES,
    }


def make_producer(settings: ServiceSettings, *, transactional_id: str | None = None) -> AIOKafkaProducer:
    """An idempotent producer that waits for all replicas; transactional for the relay."""
    options: dict[str, Any] = {}
    if transactional_id:
        options = {"transactional_id": transactional_id, "transaction_timeout_ms": TRANSACTION_TIMEOUT_MS}
    return AIOKafkaProducer(
        bootstrap_servers=servers(settings),
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=settings.kafka_user,
        sasl_plain_password=settings.kafka_password.get_secret_value(),
        client_id=settings.name,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=256 * 1024,
        max_request_size=MAX_MESSAGE_BYTES,
        request_timeout_ms=15_000,
        **options,
    )
