"""Processes that stop themselves where a test wants them to (`name=stop`, pelangi/chassis/crash.py)."""

import psutil

from tests.support.service import ServiceProcess


def stopped(process: ServiceProcess) -> bool:
    """Whether it has stopped itself at the point that was armed."""
    return psutil.Process(process.child.pid).status() == psutil.STATUS_STOPPED
