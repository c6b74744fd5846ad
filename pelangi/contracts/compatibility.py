"""What a change of the published contracts would break (CONTRACTS.md §3: within a version only optional additions).

A topic keeps the records of old and new writers side by side, and old and new readers read both. So a change is good only
if old readers can read new records and new readers old ones: narrowing breaks as much as widening. What is left is short:
a new optional field, a new value of an enum marked `x-extensible`, a new topic, a longer retention, other words.

Own code, since no library fits: jsoncompat 0.5 (the one that is kept up) calls itself alpha, sees neither a changed
`format` nor a changed `pattern`, and knows no extensible enum; the others stop at draft 7; none reads topics, keys or headers.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Json = dict[str, Any]

WORDS = {"title", "description", "summary", "examples", "deprecated", "$comment", "$defs"}
"""What a schema says to people, or where it keeps its parts: no promise."""

_MARK = "x-extensible"
_BY_HAND = {"properties", "required", "items", "enum", _MARK}


def load(folder: Path) -> dict[str, Any]:
    """The published files by their path, without the released ones of other versions.

    Raises FileNotFoundError where there is no AsyncAPI document: an empty folder would agree with everything.
    """
    if not (folder / "asyncapi.json").is_file():
        raise FileNotFoundError(f"{folder} holds no published contracts")
    paths = [p for p in folder.rglob("*.json") if "released" not in p.relative_to(folder).parts]
    return {p.relative_to(folder).as_posix(): json.loads(p.read_text(encoding="utf-8")) for p in sorted(paths)}


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Everything that somebody who built against the old files would stumble over in the new ones, each with its place.

    Both are published files by path (`load`, or `export.files` parsed). An empty list means: compatible.
    """
    found: list[str] = []
    for path, document in old.items():
        if path not in new:
            found.append(f"{path}: removed")
        elif path.startswith("schemas/"):
            found += _schema(document, new[path], _Roots(document, new[path]), path + " #")
        elif path.startswith("examples/"):
            found += _example(document, new[path], path)
        elif path == "asyncapi.json":
            found += _asyncapi(document, new[path])
    return found


class _Roots:
    """The documents in which the references of an old and a new schema point."""

    def __init__(self, old: Json, new: Json) -> None:
        self.old, self.new = old, new


def _schema(old: Json, new: Json, roots: _Roots, at: str) -> Iterator[str]:
    """Schemas are expected to hold no loop of references; ours have none."""
    olds, news = _alternatives(old, roots.old), _alternatives(new, roots.new)
    if _takes_null(olds) != _takes_null(news):
        yield f"{at}: null is {'no longer' if _takes_null(olds) else 'now'} allowed"
    olds, news = ([a for a in alternatives if a.get("type") != "null"] for alternatives in (olds, news))
    if len(olds) == len(news) == 1:
        yield from _same_kind(olds[0], news[0], roots, at)
    elif not _same_alternatives(olds, news, roots):
        yield f"{at}: the alternatives changed"


def _same_kind(old: Json, new: Json, roots: _Roots, at: str) -> Iterator[str]:
    yield from _fields(old, new, roots, at)
    if "items" in old and "items" in new:
        yield from _schema(old["items"], new["items"], roots, f"{at}/items")
    elif ("items" in old) != ("items" in new):
        yield f"{at}: items {'removed' if 'items' in old else 'added'}"
    yield from _values(old, new, at)
    for keyword in sorted((old.keys() | new.keys()) - WORDS - _BY_HAND):
        before, after = _plain(old.get(keyword), roots.old), _plain(new.get(keyword), roots.new)
        if before != after and not keyword.startswith("x-"):
            yield f"{at}: {keyword} {_short(before)} -> {_short(after)}"


def _fields(old: Json, new: Json, roots: _Roots, at: str) -> Iterator[str]:
    olds, news = old.get("properties", {}), new.get("properties", {})
    needed, needed_now = set(old.get("required", ())), set(new.get("required", ()))
    for name, field in olds.items():
        if name not in news:
            yield f"{at}/{name}: field removed"
            continue
        yield from _schema(field, news[name], roots, f"{at}/{name}")
    for name in sorted(needed_now - needed):
        yield f"{at}/{name}: {'now required' if name in olds else 'new field is required'}"
    for name in sorted(needed - needed_now):
        if name in news or name not in olds:
            yield f"{at}/{name}: no longer required"


def _values(old: Json, new: Json, at: str) -> Iterator[str]:
    """An enum. The mark that it may grow counts wherever it stands: on the enum or beside the reference to it."""
    grows = old.get(_MARK) is True
    if ("enum" in old or "enum" in new) and grows != (new.get(_MARK) is True):
        yield f"{at}: may {'no longer' if grows else 'now'} grow"
    if ("enum" in old) != ("enum" in new):
        yield f"{at}: enum {'removed' if 'enum' in old else 'added'}"
        return
    before, after = old.get("enum", []), new.get("enum", [])
    for value in before:
        if value not in after:
            yield f"{at}: value {_short(value)} removed"
    for value in after:
        if value not in before and not grows:
            yield f"{at}: value {_short(value)} added to a closed enum"


def _alternatives(node: Json, root: Json) -> list[Json]:
    """A schema as the list of what it allows: `anyOf`, a list of types, or itself; references resolved at this level."""
    node = _resolved(node, root)
    if "anyOf" in node:
        rest = {k: v for k, v in node.items() if k != "anyOf"}
        return [{**rest, **a} for part in node["anyOf"] for a in _alternatives(part, root)]
    if isinstance(node.get("type"), list):
        return [{**node, "type": type_} for type_ in node["type"]]
    return [node]


def _resolved(node: Json, root: Json) -> Json:
    while "$ref" in node and str(node["$ref"]).startswith("#/"):
        target: Any = root
        for part in node["$ref"][2:].split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
    return node


def _takes_null(alternatives: list[Json]) -> bool:
    return any(a.get("type") == "null" for a in alternatives)


def _same_alternatives(olds: list[Json], news: list[Json], roots: _Roots) -> bool:
    """Whether each old alternative has a new one of its own that breaks nothing; their order says nothing."""
    left = list(news)
    for old in olds:
        partner = next((new for new in left if not any(_same_kind(old, new, roots, ""))), None)
        if partner is None:
            return False
        left.remove(partner)
    return not left


def _plain(value: Any, root: Json) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v, root) for k, v in _resolved(value, root).items() if k not in WORDS}
    return [_plain(v, root) for v in value] if isinstance(value, list) else value


def _short(value: Any) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _example(old: Json, new: Json, path: str) -> Iterator[str]:
    for name in old.get("headers", {}):
        if name not in new.get("headers", {}):
            yield f"{path}: header {name} removed"
    yield from _shape(old.get("value"), new.get("value"), f"{path} #")


def _shape(old: Any, new: Any, at: str) -> Iterator[str]:
    """An example may tell another case: a null or an empty list says nothing of the shape."""
    if old is None or new is None:
        return
    if _kind(old) != _kind(new):
        yield f"{at}: was {_kind(old)}, is {_kind(new)}"
    elif isinstance(old, dict):
        for name, value in old.items():
            if name not in new:
                yield f"{at}/{name}: no longer shown"
            else:
                yield from _shape(value, new[name], f"{at}/{name}")
    elif isinstance(old, list) and old and new:
        yield from _shape(old[0], new[0], f"{at}/0")


def _kind(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}
    return names[type(value)]


def _asyncapi(old: Json, new: Json) -> Iterator[str]:
    roots = _Roots(old, new)
    if old.get("defaultContentType") != new.get("defaultContentType"):
        yield f"defaultContentType {_short(old.get('defaultContentType'))} -> {_short(new.get('defaultContentType'))}"
    for name, channel in old.get("channels", {}).items():
        if name not in new.get("channels", {}):
            yield f"topic {name}: removed"
        else:
            yield from _topic(channel, new["channels"][name], roots, f"topic {name}")
    for name, operation in old.get("operations", {}).items():
        after = new.get("operations", {}).get(name)
        if after is None:
            yield f"operation {name}: removed"
        elif (operation["action"], operation["channel"]) != (after["action"], after["channel"]):
            yield f"operation {name}: changed"


def _topic(old: Json, new: Json, roots: _Roots, at: str) -> Iterator[str]:
    if old.get("address") != new.get("address"):
        yield f"{at}: address {_short(old.get('address'))} -> {_short(new.get('address'))}"
    tags, tags_now = ({tag["name"] for tag in channel.get("tags", [])} for channel in (old, new))
    if tags and tags != tags_now:  # who may read it
        yield f"{at}: {_short(sorted(tags))} -> {_short(sorted(tags_now))}"
    messages, messages_now = old.get("messages", {}), new.get("messages", {})
    if messages.keys() != messages_now.keys():
        yield f"{at}: carries other messages"
    for name in messages.keys() & messages_now.keys():
        yield from _message(messages[name], messages_now[name], roots, at)
    kafka, kafka_now = (c.get("bindings", {}).get("kafka", {}) for c in (old, new))
    for setting in ("topic", "partitions"):
        if kafka.get(setting) != kafka_now.get(setting):
            yield f"{at}: {setting} {_short(kafka.get(setting))} -> {_short(kafka_now.get(setting))}"
    yield from _settings(kafka.get("topicConfiguration", {}), kafka_now.get("topicConfiguration", {}), at)


def _settings(old: Json, new: Json, at: str) -> Iterator[str]:
    for name, value in old.items():
        before, after = _setting(value), _setting(new.get(name))
        longer = name.endswith("retention.ms") and isinstance(before, int) and isinstance(after, int) and after > before
        if before != after and not longer:
            yield f"{at}: {name} {_short(before)} -> {_short(after)}"


def _setting(value: Any) -> Any:
    """The same value in each of its spellings: numbers and policies were published as text once."""
    if isinstance(value, str):
        return int(value) if value.lstrip("-").isdigit() else sorted(value.split(","))
    return sorted(value) if isinstance(value, list) else value


def _message(old: Json, new: Json, roots: _Roots, at: str) -> Iterator[str]:
    before, after = _with_traits(old, roots.old), _with_traits(new, roots.new)
    if before.get("contentType") != after.get("contentType"):
        yield f"{at}: contentType {_short(before.get('contentType'))} -> {_short(after.get('contentType'))}"
    if _plain(before.get("payload"), roots.old) != _plain(after.get("payload"), roots.new):
        yield f"{at}: payload changed"
    headers, headers_now = before.get("headers", {}), after.get("headers", {})
    yield from _schema(headers, headers_now, roots, f"{at}: headers")
    key, key_now = (m.get("bindings", {}).get("kafka", {}).get("key", {}) for m in (before, after))
    yield from _schema(key, key_now, roots, f"{at}: key")


def _with_traits(message: Json, root: Json) -> Json:
    resolved = _resolved(message, root)
    whole: Json = {}
    for trait in resolved.get("traits", []):
        whole |= _resolved(trait, root)
    return whole | resolved
