"""Structured JSON logs to stdout: ids and codes, never personal data."""

import logging
import sys
from typing import Any

from pythonjsonlogger.json import JsonFormatter


def setup_logs(service: str, level: str) -> None:
    """Every logger of the process writes JSON lines with `time`, `level`, `logger`, `service`, `message` and extras."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            static_fields={"service": service},
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "faststream"):
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = True
    # access lines would hold receipt codes and query strings; HTTP is counted in metrics by route
    logging.getLogger("uvicorn.access").disabled = True
    for noisy in ("aiokafka", "pymongo", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def without_text(error: BaseException) -> Any:
    """`exc_info` with the traceback and class of an exception, and not its own text: that can hold what a person typed."""
    return (RuntimeError, RuntimeError(type(error).__name__), error.__traceback__)
