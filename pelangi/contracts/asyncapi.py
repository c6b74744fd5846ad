"""The AsyncAPI 3.1 document, made from the topic declarations and the models."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from pelangi.contracts.envelope import SCHEMA_BASE
from pelangi.contracts.events import MODELS
from pelangi.contracts.topics import TOPICS, Topic

_HEADERS = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_sequence", "content-type"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid"},
        "ce_source": {"type": "string", "format": "uri-reference"},
        "ce_type": {"type": "string"},
        "ce_subject": {"type": "string", "format": "uuid", "description": "request_id"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_sequence": {"type": "string", "pattern": "^[0-9]{10}$"},
        "ce_partitionkey": {"type": "string"},
        "ce_dataschema": {"type": "string", "format": "uri"},
        "ce_traceparent": {"type": "string"},
        "content-type": {"const": "application/json"},
    },
}
_KEY = {"type": "string", "format": "uuid", "description": "request_id; on submissions and their answers the idempotency key"}


def asyncapi(service: str = "") -> dict[str, Any]:
    """The document of the whole system, or of what one service sends and receives."""
    mine = [t for t in TOPICS if not t.name.endswith(".dlq") and (not service or service in (t.owner, *t.readers))]
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": f"Pelangi {service}".strip(),
            "version": "1.0.0",
            "description": "CloudEvents 1.0.2 in Kafka binary mode. Within a version only optional fields are added; ignore what "
            "you do not know, read unknown enum values as UNKNOWN, drop a record whose ce_sequence is not newer than the one "
            "applied for the same type, request and aggregate.",
        },
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "127.0.0.1:9092", "protocol": "kafka", "description": "SASL_PLAINTEXT, SCRAM-SHA-512"}},
        "channels": {t.name: _channel(t) for t in mine},
        "operations": _operations(mine, service),
        "components": {
            "messages": {t.name: _message(t) for t in mine},
            "messageTraits": {
                "cloudevent": {"headers": _HEADERS, "bindings": {"kafka": {"key": _KEY, "bindingVersion": "0.5.0"}}}
            },
        },
    }


class _Schemas(GenerateJsonSchema):
    """An enum that may grow is a union inside, and published as the enum: it has a title already."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return schema["type"] != "union" and super().field_title_should_be_set(schema)


def schema(type_: str) -> dict[str, Any]:
    """The published JSON Schema (2020-12) of an event type: open, so that optional fields may be added within a version."""
    generated = MODELS[type_].model_json_schema(mode="serialization", schema_generator=_Schemas)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{SCHEMA_BASE}/{type_}.json",
        **_open(generated),
    }


def _open(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: _open(v) for k, v in node.items() if not (k == "additionalProperties" and v is False)}
    if isinstance(node, list):
        return [_open(v) for v in node]
    return node


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": "Public: any city service may read it."
        if topic.public
        else "Restricted: only the services named read it.",
        "tags": [{"name": "public" if topic.public else "restricted"}],
        "messages": {topic.name: {"$ref": f"#/components/messages/{topic.name}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": _configuration(topic),
                "bindingVersion": "0.5.0",
            }
        },
    }


def _configuration(topic: Topic) -> dict[str, Any]:
    """The settings that AsyncAPI's Kafka binding knows, spelled as it wants them: a list, and numbers."""
    numbers = ("retention.ms", "delete.retention.ms", "max.message.bytes")
    return {"cleanup.policy": topic.config["cleanup.policy"].split(",")} | {
        name: int(topic.config[name]) for name in numbers if name in topic.config
    }


def _message(topic: Topic) -> dict[str, Any]:
    model = MODELS.get(topic.name)
    if model is None:
        return {
            "name": topic.name,
            "contentType": "application/jose",
            "summary": "A bare JWE (ECDH-ES, A256GCM) of the body of POST /v1/requests; record key = idempotency key.",
            "description": "Headers: ce_type = request-submitted.v1, ce_source = /clients/<name>; nothing else is needed.",
            "payload": {"type": "string"},
        }
    return {
        "name": topic.name,
        "contentType": "application/json",
        "summary": (model.__doc__ or "").strip(),
        "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"{SCHEMA_BASE}/{topic.name}.json"},
        },
    }


def _operations(mine: list[Topic], service: str) -> dict[str, Any]:
    operations: dict[str, Any] = {}
    for topic in mine:
        channel = {"$ref": f"#/channels/{topic.name}"}
        for owner in [topic.owner] if topic.owner and service in ("", topic.owner) else []:
            operations[f"{owner}.send.{topic.name}"] = {"action": "send", "channel": channel}
        for reader in topic.readers:
            if service in ("", reader):
                group = {"kafka": {"groupId": {"type": "string", "const": reader}, "bindingVersion": "0.5.0"}}
                operations[f"{reader}.receive.{topic.name}"] = {"action": "receive", "channel": channel, "bindings": group}
    return operations
