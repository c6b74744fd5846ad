"""Faults armed inside a service by its `sabotage` setting, to show that the checker finds them. Off unless set."""

from collections.abc import Callable, Mapping
from typing import Any

_armed: dict[str, str] = {}


def arm_sabotage(setting: str) -> None:
    """Arm `name` or `name:argument`."""
    if setting:
        name, _, argument = setting.partition(":")
        _armed[name] = argument


def sabotaged(name: str, argument: str = "") -> bool:
    """Whether this fault is armed, for this argument where it was armed for one."""
    return name in _armed and _armed[name] in ("", argument)


def raising(handlers: Mapping[str, Callable[..., Any]]) -> Mapping[str, Callable[..., Any]]:
    """The handlers; where `handler-raises:prefix` is armed, they raise for requests whose id begins so."""
    if "handler-raises" not in _armed:
        return handlers
    prefix = _armed["handler-raises"]

    def wrapped(handler: Callable[..., Any]) -> Callable[..., Any]:
        def handle(case: Any, fact: Any, now: Any) -> Any:
            if fact.request_id.startswith(prefix):
                raise ArithmeticError("sabotage")
            return handler(case, fact, now)

        return handle

    return {topic: wrapped(handler) for topic, handler in handlers.items()}
