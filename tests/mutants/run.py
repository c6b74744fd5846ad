"""`make mutants`: try every mutant on a copy of the tree; exit 1 unless the named test of each fails."""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.mutants.mutants import MUTANTS, Mutant  # noqa: E402 - found through the line above

NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".data", ".*_cache", ".hypothesis", "node_modules", "__pycache__")
AT_ONCE = max((os.cpu_count() or 1), 1)
KILLED, SURVIVED, BROKEN = "killed", "SURVIVED", "BROKEN TEST"
FAILED = 1
"""pytest's exit code for failed tests; others say that they could not be run."""


def attempt(mutant: Mutant) -> str:
    """What became of a mutant on a tree of its own."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        tree = shutil.copytree(ROOT, Path(folder) / "tree", ignore=NOT_COPIED)
        target = tree / mutant.file
        target.write_text(target.read_text(encoding="utf-8").replace(mutant.old, mutant.new), encoding="utf-8")
        argv = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", mutant.test]
        env = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(argv, cwd=tree, env=env, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode == 0:
        return SURVIVED
    return KILLED if done.returncode == FAILED else f"{BROKEN}\n{done.stdout[-2000:]}{done.stderr[-500:]}"


def main(names: list[str]) -> int:
    """Try all, or those whose name holds one of the words; how many were not killed decides the exit code."""
    chosen = [m for m in MUTANTS if not names or any(name in m.name for name in names)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(attempt, chosen))
    for mutant, result in zip(chosen, results, strict=True):
        print(f"{result:10} {mutant.name}  ({mutant.test})")  # noqa: T201 - this is its output
    killed = results.count(KILLED)
    print(f"mutants: {killed} of {len(chosen)} killed")  # noqa: T201
    return 0 if killed == len(chosen) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
