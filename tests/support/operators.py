"""What the server does with filters, updates and the relay's pipeline, for `memory_store`. An unknown operator raises."""

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from pelangi.chassis.store import Document, Filter

_MISSING = object()


def matches(document: Mapping[str, Any], filter: Filter) -> bool:
    """Whether a document matches a filter: equality, arrays by any element, dotted paths, and the operators below."""
    for key, wanted in filter.items():
        if key == "$or":
            if not any(matches(document, f) for f in wanted):
                return False
        elif key == "$and":
            if not all(matches(document, f) for f in wanted):
                return False
        elif not _matches_field(values_at(document, key), wanted):
            return False
    return True


_TYPES: dict[str, type] = {"string": str, "bool": bool, "int": int, "object": dict, "array": list}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda a, b: a == b,
    "$in": lambda a, b: a in b,
    "$lt": lambda a, b: type(a) is type(b) and a < b,
    "$lte": lambda a, b: type(a) is type(b) and a <= b,
    "$gt": lambda a, b: type(a) is type(b) and a > b,
    "$gte": lambda a, b: type(a) is type(b) and a >= b,
    "$regex": lambda a, b: isinstance(a, str) and re.search(b, a) is not None,
    "$type": lambda a, b: isinstance(a, _TYPES[b]),
}


def _matches_field(values: list[Any], wanted: Any) -> bool:
    operators = isinstance(wanted, Mapping) and any(k.startswith("$") for k in wanted)
    for operator, operand in wanted.items() if operators else [("$eq", wanted)]:
        if operator == "$exists":
            good = bool(values) == bool(operand)
        elif operator in {"$ne", "$nin"}:
            good = not _matches_field(values, {"$eq" if operator == "$ne" else "$in": operand})
        elif operator == "$elemMatch":
            good = any(isinstance(v, Mapping) and matches(v, operand) for v in _spread(values))
        else:
            null = values or [None]  # an equality with null matches what is missing, too
            good = any(_COMPARE[operator](v, operand) for v in [*null, *_spread(null)])
        if not good:
            return False
    return True


def values_at(value: Any, path: str) -> list[Any]:
    """The values at a dotted path; through arrays, every element's; empty where there is none."""
    head, _, rest = path.partition(".")
    if isinstance(value, list):
        if head.isdigit():
            value = {head: value[int(head)]} if int(head) < len(value) else {}
        else:
            return [found for element in value for found in values_at(element, path)]
    if not isinstance(value, Mapping) or head not in value:
        return []
    return values_at(value[head], rest) if rest else [value[head]]


def _spread(values: list[Any]) -> list[Any]:
    return [element for v in values if isinstance(v, list) for element in v]


def order_key(values: list[Any]) -> tuple[bool, Any]:
    return (bool(values), values[0]) if values else (False, 0)


def updated(document: Document, update: Mapping[str, Any]) -> Document:
    """A document after an update document."""
    after = deepcopy(document)
    for operator, fields in update.items():
        for path, operand in fields.items():
            holder, key = _holder(after, path)
            old = holder.get(key, _MISSING)
            if operator == "$unset":
                holder.pop(key, None)
            else:
                holder[key] = _operate(operator, old, operand)
    return after


def _holder(document: Document, path: str) -> tuple[Document, str]:
    *parents, key = path.split(".")
    for parent in parents:
        document = document.setdefault(parent, {})
    return document, key


def _operate(operator: str, old: Any, operand: Any) -> Any:
    missing = old is _MISSING
    elements = operand["$each"] if isinstance(operand, Mapping) and "$each" in operand else [operand]
    known = [] if missing else old
    results: dict[str, Callable[[], Any]] = {
        "$set": lambda: operand,
        "$inc": lambda: operand if missing else old + operand,
        "$min": lambda: operand if missing else min(old, operand),
        "$max": lambda: operand if missing else max(old, operand),
        "$push": lambda: _sliced([*known, *elements], operand.get("$slice") if isinstance(operand, Mapping) else None),
        "$addToSet": lambda: [*known, *(e for e in elements if e not in known)],
        "$pull": lambda: [e for e in known if not (matches(e, operand) if isinstance(e, Mapping) else e == operand)],
    }
    return results[operator]()


def _sliced(elements: list[Any], keep: int | None) -> list[Any]:
    if keep is None:
        return elements
    return elements[keep:] if keep < 0 else elements[:keep]


def piped(document: Document, stages: Sequence[Mapping[str, Any]]) -> Document:
    """A document after a pipeline of `$set` stages: what the relay's clearing needs."""
    after = deepcopy(document)
    for stage in stages:
        ((operator, fields),) = stage.items()
        assert operator == "$set", operator
        computed = {key: _evaluate(expression, after, {}) for key, expression in fields.items()}
        after.update({k: v for k, v in computed.items() if v is not _MISSING})
        for key in [k for k, v in computed.items() if v is _MISSING]:
            after.pop(key, None)
    return after


def _evaluate(expression: Any, document: Document, this: Mapping[str, Any]) -> Any:
    """The value of an aggregation expression; `this` is the element in hand inside `$filter`."""
    if isinstance(expression, str) and expression.startswith("$"):
        return _variable(expression, document, this)
    if isinstance(expression, list):
        return [_evaluate(e, document, this) for e in expression]
    if not isinstance(expression, Mapping):
        return expression
    ((operator, operand),) = expression.items()
    if operator in {"$filter", "$map"}:
        elements = _evaluate(operand["input"], document, this) or []
        keep, map_ = operand.get("cond", True), operand.get("in", "$$this")
        kept = [e for e in elements if _evaluate(keep, document, e)]
        return kept if operator == "$filter" else [_evaluate(map_, document, e) for e in kept]
    if operator == "$cond":
        return _evaluate(operand[1 if _evaluate(operand[0], document, this) else 2], document, this)
    arguments = _evaluate(operand, document, this)
    results: dict[str, Callable[[], Any]] = {
        "$gt": lambda: arguments[0] > arguments[1],
        "$eq": lambda: arguments[0] == arguments[1],
        "$min": lambda: min(arguments, default=None),
    }
    return results[operator]()


def _variable(expression: str, document: Document, this: Mapping[str, Any]) -> Any:
    if expression == "$$REMOVE":
        return _MISSING
    if expression.startswith("$$this."):
        return next(iter(values_at(this, expression.removeprefix("$$this."))), None)
    head, _, rest = expression.removeprefix("$").partition(".")
    found = values_at(document, head + ("." + rest if rest else ""))
    return found if rest and isinstance(document.get(head), list) else next(iter(found), None)
