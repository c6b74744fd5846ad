"""docker-compose.yml as compose understands it: anchors, merges and variables replaced."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
COMPOSE_FILE = PROJECT / "docker-compose.yml"


def run(*command: Path | str) -> str:
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def resolved() -> dict[str, Any]:
    empty = PROJECT / "deploy" / "docker" / ".env.example"
    output = run(BIN / "docker-compose", "--env-file", empty, "-f", COMPOSE_FILE, "config", "--format", "json")
    model: dict[str, Any] = json.loads(output)
    return model


MODEL = resolved()
SERVICES_OF_FILE: dict[str, dict[str, Any]] = MODEL["services"]
