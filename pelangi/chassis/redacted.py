"""What may be said of a record's content without saying it: names that our contracts declare, kinds and sizes."""

import json
from functools import cache
from typing import Any

from pelangi.chassis.dead_letters import Original
from pelangi.contracts.events import MODELS

_ATTRIBUTES = ("specversion", "id", "source", "type", "subject", "time", "sequence", "partitionkey", "dataschema", "traceparent")
HEADERS = frozenset({"content-type", *(f"ce_{name}" for name in _ATTRIBUTES)})
MOST_FIELDS, MOST_DEPTH = 60, 12


def redacted(topic: str, was: Original) -> list[str]:
    """Lines about a record: which headers, how large, and the shape of its JSON. No value, and no name that we did not give."""
    lines = [f"key      {_size(was.key)}"]
    lines += [
        f"header   {name if name in HEADERS else f'(unknown name of {len(name)})'}  {_size(raw)}" for name, raw in was.headers
    ]
    if was.left_on_topic:
        return [*lines, "value    too large for a dead letter: it is only on its topic"]
    lines.append(f"value    {_size(was.value)}")
    if was.value is not None:
        lines += [f"shape    {line}" for line in _shape_lines(was.value, _names(topic))]
    return lines


def _size(raw: bytes | None) -> str:
    return "null" if raw is None else f"{len(raw)} bytes"


@cache
def _names(topic: str) -> frozenset[str]:
    """The field names of the topic's type."""
    return frozenset(_properties(MODELS[topic].model_json_schema())) if topic in MODELS else frozenset()


def _properties(schema: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(schema, dict):
        found |= set(schema.get("properties", {}))
        for inner in schema.values():
            found |= _properties(inner)
    elif isinstance(schema, list):
        for inner in schema:
            found |= _properties(inner)
    return found


def _shape_lines(raw: bytes, names: frozenset[str]) -> list[str]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return ["not JSON"]
    return json.dumps(shape(value, names), indent=2).splitlines()


def shape(value: Any, names: frozenset[str], depth: int = 0) -> Any:
    """A JSON value with kinds and lengths in place of what it says."""
    if depth > MOST_DEPTH:
        return "…"
    if isinstance(value, dict):
        fields: dict[str, Any] = {}
        for at, (name, inner) in enumerate(value.items()):
            if at >= MOST_FIELDS:
                fields["…"] = f"{len(value) - MOST_FIELDS} more"
                break
            fields[name if name in names else f"(unknown name of {len(name)}, no. {at + 1})"] = shape(inner, names, depth + 1)
        return fields
    if isinstance(value, list):
        return [f"{len(value)} elements", *(shape(inner, names, depth + 1) for inner in value[:1])]
    if isinstance(value, bool) or value is None:
        return "null" if value is None else "true or false"
    return f"text of {len(value)}" if isinstance(value, str) else "number"
