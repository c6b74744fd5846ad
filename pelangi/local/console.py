"""What the one-machine run prints."""

import os
import sys
import threading
from contextlib import suppress


class Console:
    """Lines on stdout with the program's name before them, in colour where a person reads them."""

    COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
    WIDTH = 13

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[str, int] = {}
        self._coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def __call__(self, name: str, text: str) -> None:
        """Print every line of a text."""
        with self._lock:
            number = self._names.setdefault(name, len(self._names))
            prefix = f"{name:<{self.WIDTH}}|"
            if self._coloured:
                prefix = f"\033[{self.COLOURS[number % len(self.COLOURS)]}m{prefix}\033[0m"
            with suppress(OSError, ValueError):  # nobody reads any more: the run goes on
                sys.stdout.write("".join(f"{prefix} {line}\n" for line in text.split("\n")))
                sys.stdout.flush()
