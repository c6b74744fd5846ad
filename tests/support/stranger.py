"""An example as somebody else has it: its folder copied, an environment with its own requirements and nothing of ours."""

import shutil
import subprocess
import sys
from pathlib import Path

UV = Path(sys.executable).with_name("uv")


def copied(example: Path, folder: Path) -> Path:
    """The folder of an example, copied, with an environment that holds what it says it needs."""
    shutil.copytree(example, folder, ignore=shutil.ignore_patterns("__pycache__", ".venv", "state*.json"))
    run(folder, UV, "venv", "--quiet", "--python", sys.executable, ".venv")
    run(folder, UV, "pip", "install", "--quiet", "--python", ".venv/bin/python", "-r", "requirements.txt")
    missing = subprocess.run([folder / ".venv/bin/python", "-c", "import pelangi"], cwd=folder, capture_output=True, check=False)
    assert b"ModuleNotFoundError" in missing.stderr
    return folder


def run(folder: Path, *command: Path | str) -> str:
    """What a command prints, run in that folder to its good end."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
