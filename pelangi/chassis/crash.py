"""Named points at which a fault test can end or stop the process. No-ops unless armed by the service's `crash_point` setting."""

import fcntl
import os
import signal
import sys
from pathlib import Path

_armed: dict[str, tuple[int, bool]] = {}
_list: list[Path] = []

EXIT_CODE = 77


def arm(setting: str) -> None:
    """Arm points, separated by commas.

    `name` or `name:n`: the n-th passage ends the process. `name=stop`: it stops itself there (SIGSTOP) until somebody lets it
    go on. `@file`: all points in the file, one on a line; one that ends the process is taken out of it first, so that the next
    start arms those that are left.
    """
    for entry in filter(None, setting.split(",")):
        if entry.startswith("@"):
            _list.append(Path(entry[1:]))
            for line in _list[-1].read_text(encoding="utf-8").split():
                arm(line)
            continue
        point, _, what = entry.partition("=")
        name, _, count = point.partition(":")
        _armed[name] = (int(count or "1"), what == "stop")


def armed(name: str) -> bool:
    """Whether this point is armed: for a step that is cut in two only there."""
    return name in _armed


def crash_point(name: str) -> None:
    """End the process here, at once and without any clean-up, if this point is armed."""
    if name not in _armed:
        return
    left, stop = _armed[name]
    _armed[name] = (left - 1, stop)
    if left > 1:
        return
    sys.stderr.write(f"crash point {name}\n")
    sys.stderr.flush()
    if stop:
        del _armed[name]
        os.kill(os.getpid(), signal.SIGSTOP)
        return
    for path in _list:
        _take_out(path, name)
    os._exit(EXIT_CODE)


def _take_out(path: Path, name: str) -> None:
    with path.open("r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        left = [line for line in file.read().split() if line.partition(":")[0] != name]
        file.seek(0)
        file.truncate()
        file.write("".join(f"{line}\n" for line in left))
