"""Make the topics, users and rights that the system declares; `pelangi topics apply` and the local run call it.

Running it again changes only what differs. Rights are made to be exactly the declared ones: what a known user has
beyond them is taken away.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the package re-exports without saying so
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from pelangi.contracts.rights import FORM, SUBSCRIBER, group_of, may_read, may_write, transactional_id_of
from pelangi.contracts.topics import SERVICES, TOPICS, Topic

DEMO_SUBSCRIBER = "demo"
TIMEOUT = 30.0
APPLIED_POLL_S = 0.02
SCRAM_ITERATIONS = 4096
USER_NOT_FOUND = 11

Right = tuple[ResourceType, str, ResourcePatternType, AclOperation]
_READ, _WRITE, _DESCRIBE = AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE


class ProvisionError(RuntimeError):
    """The broker's or the store's state contradicts the declaration, and changing it would lose data or order."""


def development_password(user: str) -> str:
    """What everybody knows; production refuses it."""
    return f"{user}-dev"


def admin_client(bootstrap: str, user: str, password: str, client: Mapping[str, str] = {}) -> AdminClient:
    """A client that logs in as an administrator; SASL_PLAINTEXT, unless `client` has more settings of librdkafka (TLS).

    Keep it until all its answers are in: its end cancels what it was asked.
    """
    login = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": user,
        "sasl.password": password,
    }
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 2, **login, **client})


def apply_topics(
    bootstrap: str,
    admin_user: str,
    admin_password: str,
    *,
    replication: int = 1,
    min_isr: int = 1,
    password: Callable[[str], str] = development_password,
    demo_subscriber: bool = True,
    topics: Iterable[Topic] = TOPICS,
    client: Mapping[str, str] = {},
) -> list[str]:
    """Make every declared topic, user and right, until they work; returns a line for each thing that was made or changed.

    Raises ProvisionError when a topic has another partition count: keys would move, so this is never repaired.
    Outside of development give `password` and no `demo_subscriber`: the defaults are known to everybody.
    """
    admin = admin_client(bootstrap, admin_user, admin_password, client)
    declared = tuple(topics)
    done = _create_topics(admin, declared, replication, min_isr)
    users = (*SERVICES, FORM, *((f"{SUBSCRIBER}{DEMO_SUBSCRIBER}",) if demo_subscriber else ()))
    _set_passwords(admin, {user: password(user) for user in users})
    done += [line for user in users for line in _set_rights(admin, user, rights_of(user, declared))]
    return done


def grant_subscriber(
    bootstrap: str,
    admin_user: str,
    admin_password: str,
    name: str,
    *,
    password: str | None = None,
    client: Mapping[str, str] = {},
) -> str:
    """Make the user `city.<name>`, who may read the public topics; returns the password, random unless given.

    Raises ValueError for a name that is not lower-case letters, digits and hyphens: with a dot in it, its groups could be
    another subscriber's.
    """
    if not re.fullmatch(r"[a-z0-9-]{1,40}", name):
        raise ValueError("a subscriber's name has 1 to 40 lower-case letters, digits and hyphens")
    user = f"{SUBSCRIBER}{name}"
    chosen = password or secrets.token_urlsafe(24)
    admin = admin_client(bootstrap, admin_user, admin_password, client)
    _set_passwords(admin, {user: chosen})
    _set_rights(admin, user, rights_of(user))
    return chosen


def rights_of(user: str, topics: Iterable[Topic] = TOPICS) -> set[Right]:
    """Everything a user may do in Kafka. Writing without a transaction needs no right of its own since Kafka 3.0."""
    literal, prefixed = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
    rights: set[Right] = set()
    for topic in topics:
        if may_write(user, topic):
            rights |= {(ResourceType.TOPIC, topic.name, literal, operation) for operation in (_WRITE, _DESCRIBE)}
        if may_read(user, topic):
            rights |= {(ResourceType.TOPIC, topic.name, literal, operation) for operation in (_READ, _DESCRIBE)}
    rights.add((ResourceType.GROUP, group_of(user), prefixed, _READ))
    if name := transactional_id_of(user):
        rights |= {(ResourceType.TRANSACTIONAL_ID, name, literal, operation) for operation in (_WRITE, _DESCRIBE)}
    return rights


def apply_database_users(admin_uri: str, password: Callable[[str], str] = development_password) -> None:
    """One database and one user per service, of the same name; a user reads and writes there and nowhere else."""
    with MongoClient[dict[str, Any]](admin_uri, serverSelectionTimeoutMS=int(TIMEOUT * 1000)) as client:
        for service in SERVICES:
            _database_user(client, service, password(service))


def _database_user(client: MongoClient[dict[str, Any]], service: str, password: str) -> None:
    settings: dict[str, Any] = {"pwd": password, "roles": [{"role": "readWrite", "db": service}]}
    try:
        client[service].command("updateUser", service, **settings)
    except OperationFailure as error:
        if error.code != USER_NOT_FOUND:
            raise
        client[service].command("createUser", service, **settings)


def _results(futures: Mapping[Any, Future[Any]]) -> dict[Any, Any]:
    return {key: future.result(TIMEOUT) for key, future in futures.items()}


def _create_topics(admin: AdminClient, topics: Sequence[Topic], replication: int, min_isr: int) -> list[str]:
    found = admin.list_topics(timeout=TIMEOUT).topics
    wrong = [
        f"topic {t.name}: wanted {t.partitions} partitions, found {len(found[t.name].partitions)}"
        for t in topics
        if t.name in found and len(found[t.name].partitions) != t.partitions
    ]
    if wrong:
        raise ProvisionError("; ".join(wrong) + ". The count is frozen with the version in the name.")
    config = {t.name: {**t.config, "min.insync.replicas": str(min_isr)} for t in topics}
    missing = [NewTopic(t.name, t.partitions, replication, config=config[t.name]) for t in topics if t.name not in found]
    created = []
    for name, future in (admin.create_topics(missing, operation_timeout=TIMEOUT) if missing else {}).items():
        try:
            future.result(TIMEOUT)
            created.append(f"topic {name} created")
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another run was faster
                raise
    return created + _align_configs(admin, {t.name: config[t.name] for t in topics if t.name in found})


def _align_configs(admin: AdminClient, wanted: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Set what differs and unset what is no longer declared."""
    if not wanted:
        return []
    described = _results(admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in wanted]))
    changes, lines = [], []
    for resource, entries in described.items():
        declared = wanted[resource.name]
        own = {name: entry.value for name, entry in entries.items() if entry.source == _TOPIC_CONFIG}
        edits = [_edit(name, value, AlterConfigOpType.SET) for name, value in declared.items() if own.get(name) != value]
        edits += [_edit(name, None, AlterConfigOpType.DELETE) for name in own.keys() - declared.keys()]
        if edits:
            changes.append(ConfigResource(ResourceType.TOPIC, resource.name, incremental_configs=edits))
            lines += [f"topic {resource.name}: {e.name} {own.get(e.name)} -> {e.value}" for e in edits]
    if changes:
        _results(admin.incremental_alter_configs(changes))
    return lines


_TOPIC_CONFIG = 1  # ConfigSource.DYNAMIC_TOPIC_CONFIG: set on the topic itself


def _edit(name: str, value: str | None, operation: AlterConfigOpType) -> ConfigEntry:
    return ConfigEntry(name, value or "", incremental_operation=operation)


def _set_passwords(admin: AdminClient, passwords: Mapping[str, str]) -> None:
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, SCRAM_ITERATIONS)
    _results(
        admin.alter_user_scram_credentials([UserScramCredentialUpsertion(u, info, p.encode()) for u, p in passwords.items()])
    )


def _set_rights(admin: AdminClient, user: str, rights: set[Right]) -> list[str]:
    principal, found = f"User:{user}", _rights_found(admin, user)
    missing, surplus = rights - found, found - rights
    if missing:
        _results(admin.create_acls([AclBinding(*_binding(right, principal)) for right in missing]))
    if surplus:
        _results(admin.delete_acls([AclBindingFilter(*_binding(right, principal)) for right in surplus]))
    if missing or surplus:
        _wait_applied(admin, user, rights)
    lines = [f"{user}: may {op.name} {kind.name} {name}" for kind, name, _, op in missing]
    return lines + [f"{user}: may no longer {op.name} {kind.name} {name}" for kind, name, _, op in surplus]


def _rights_found(admin: AdminClient, user: str) -> set[Right]:
    anything: Any = None  # what a filter takes for "any name" and "any host", against its annotation
    every = AclBindingFilter(
        ResourceType.ANY, anything, ResourcePatternType.ANY, f"User:{user}", anything, AclOperation.ANY, AclPermissionType.ANY
    )
    return {
        (acl.restype, acl.name, acl.resource_pattern_type, acl.operation)
        for acl in admin.describe_acls(every, request_timeout=TIMEOUT).result(TIMEOUT)
        if acl.permission_type == AclPermissionType.ALLOW
    }


def _wait_applied(admin: AdminClient, user: str, rights: set[Right]) -> None:
    """Until the broker shows these rights. The controller acknowledges before the brokers have applied.

    They apply in order: a user whose password was set before can log in by then.
    """
    deadline = time.monotonic() + TIMEOUT
    while _rights_found(admin, user) != rights:
        if time.monotonic() > deadline:
            raise ProvisionError(f"the rights of {user} are not applied")
        time.sleep(APPLIED_POLL_S)


def _binding(right: Right, principal: str) -> tuple[Any, ...]:
    kind, name, pattern, operation = right
    return (kind, name, pattern, principal, "*", operation, AclPermissionType.ALLOW)
