"""What the figures were measured on; nothing that names the machine."""

import os
import platform
import subprocess
from importlib.metadata import version

import psutil

from pelangi.local.database import RUST_VERSION, chosen_server
from pelangi.local.kafka import VERSION
from pelangi.local.process import PROJECT

LIBRARIES = ("faststream", "aiokafka", "motor", "pymongo", "pydantic", "fastapi", "uvicorn", "uvloop")


def machine() -> dict[str, object]:
    """Processors, memory, versions of what was measured, and the commit."""
    build = RUST_VERSION if chosen_server() == "rust" else version("secantusdb")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False)
    return {
        "commit": commit.stdout.strip(),
        "machine": {
            "processors": os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30),
            "processor": _processor(),
            "python": platform.python_version(),
            "store": f"SecantusDB {build} ({chosen_server()}), synced on commit",
            "kafka": f"Apache Kafka {VERSION}, one node",
            **{name: version(name) for name in LIBRARIES},
        },
    }


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()
