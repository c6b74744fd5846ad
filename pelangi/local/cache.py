"""Where fetched and built programs are kept between runs."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """Where fetched programs are kept between runs: `PELANGI_CACHE`, else the user's cache folder."""
    if chosen := os.environ.get("PELANGI_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pelangi"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file's lock, so that parallel runs fetch or build once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
