"""`make test`: all tests, in two suites at once, since most of those with servers wait most of the time.

Those without servers run with less priority beside the others; their output comes in one piece, after the others'.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
WITHOUT_SERVERS = ("unit", "properties", "contracts", "deploy", "mutants")


def main() -> int:
    """Whether a suite failed. Ctrl-C reaches both, and both are waited for."""
    folders = sorted(folder.name for folder in (ROOT / "tests").iterdir() if any(folder.glob("**/test_*.py")))
    beside, others = [f for f in folders if f in WITHOUT_SERVERS], [f for f in folders if f not in WITHOUT_SERVERS]
    with tempfile.TemporaryFile("w+") as output:
        side = subprocess.Popen(("nice", "-n", "5", *_pytest(beside, "-p", "no:cacheprovider")), stdout=output, stderr=output)
        try:
            failed = subprocess.run(_pytest(others), cwd=ROOT, check=False).returncode
        finally:
            failed_beside = side.wait()
            output.seek(0)
            sys.stdout.write(f"\nWithout servers ({', '.join(beside)}):\n{output.read()}")
    return 1 if failed or failed_beside else 0


def _pytest(folders: list[str], *options: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "pytest", "--durations=20", *options, *(f"tests/{folder}" for folder in folders))


if __name__ == "__main__":
    sys.exit(main())
