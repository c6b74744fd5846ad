"""Faults armed inside a service by its `sabotage` setting, to show that the checker finds them. Off unless set."""

_armed: dict[str, str] = {}


def arm_sabotage(setting: str) -> None:
    """Arm `name` or `name:argument`."""
    if setting:
        name, _, argument = setting.partition(":")
        _armed[name] = argument


def sabotaged(name: str, argument: str = "") -> bool:
    """Whether this fault is armed, for this argument where it was armed for one."""
    return name in _armed and _armed[name] in ("", argument)
