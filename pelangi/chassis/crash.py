"""Named points at which a fault test can end the process. No-ops unless armed by the service's `crash_point` setting."""

import os
import sys

_armed: dict[str, int] = {}


def arm(setting: str) -> None:
    """Arm `name` or `name:n` (the n-th passage ends the process)."""
    if setting:
        name, _, count = setting.partition(":")
        _armed[name] = int(count or "1")


def crash_point(name: str) -> None:
    """End the process here, at once and without any clean-up, if this point is armed."""
    if name not in _armed:
        return
    _armed[name] -= 1
    if _armed[name] <= 0:
        sys.stderr.write(f"crash point {name}\n")
        sys.stderr.flush()
        os._exit(77)
