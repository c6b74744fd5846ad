"""`python -m tests.faults [CLASS …]`: try the faults at length (all without a name), then write docs/faults.md.

Each class is a module of this folder (`random_kills` is test_random_kills.py), `everyday` (tests/system), or `machine`
(tests/properties). What each came to is kept in docs/faults/, so that one can be tried again, and `--render` alone writes
the page again. The exit code is 1 where a test failed, the checker found something, or (all classes) too few were killed or
filed.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pelangi.local.process import PROJECT, leashed
from pelangi.local.up import default_folder
from tests.bench.machine import machine
from tests.faults.report import FINDINGS, Result, read, render, row, shortfalls, totals

PAGE = PROJECT / "docs" / "faults.md"
KEPT = PROJECT / "docs" / "faults"
FOLDER = Path(__file__).parent
EVERYDAY, EVERYDAY_FILE = "everyday", PROJECT / "tests" / "system" / "test_everyday_faults.py"
MACHINE, MACHINE_FILE = "machine", PROJECT / "tests" / "properties" / "test_machine.py"
EVERYDAY_REQUESTS = 300
TEST_TIMEOUT_S = 3000
POLL_S = 1.0


def classes() -> dict[str, Path]:
    """The file of each class, in the order of trying: random kills last, they take longest."""
    files = {path.stem.removeprefix("test_"): path for path in sorted(FOLDER.glob("test_*.py"))}
    last = files.pop("random_kills")
    return {**files, EVERYDAY: EVERYDAY_FILE, MACHINE: MACHINE_FILE, "random_kills": last}


def kept(names: Sequence[str]) -> list[Result]:
    """What was kept of these classes, in their order."""
    return [result for name in names if _lines(name).exists() for result in read(_lines(name))]


def try_class(name: str, path: Path) -> bool:
    """Run one class, printing each of its lines as it comes; whether its tests passed."""
    lines, began, shown = _lines(name), time.monotonic(), 0
    lines.parent.mkdir(parents=True, exist_ok=True)
    lines.write_text("")
    env = {"PELANGI_FAULTS": "whole", "PELANGI_FAULTS_OUT": str(lines), "PELANGI_FAULT_REQUESTS": str(EVERYDAY_REQUESTS)}
    argv = [sys.executable, "-m", "pytest", "-q", "-s", "-o", f"timeout={TEST_TIMEOUT_S}", str(path)]
    log = default_folder() / "faults" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    _say(f"{name}: begins; its output is in {log}")
    with log.open("w") as output:
        run = subprocess.Popen(leashed(argv), cwd=PROJECT, env={**os.environ, **env}, stdout=output, stderr=subprocess.STDOUT)
        try:
            while run.poll() is None:
                time.sleep(POLL_S)
                shown = _show(lines, shown)
        finally:
            run.terminate()
            run.wait()
    _show(lines, shown)
    seconds = round(time.monotonic() - began)
    facts = {
        "passed": run.returncode == 0,
        "seconds": seconds,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        **machine(),
    }
    _facts(name).write_text(json.dumps(facts, indent=1) + "\n")
    _say(f"{name}: {'passed' if run.returncode == 0 else 'FAILED'} after {seconds} s")
    if run.returncode:
        _say(log.read_text()[-4000:])
    return run.returncode == 0


def write_page() -> list[Result]:
    """docs/faults.md from everything that was kept; returns it."""
    names = list(classes())
    results = kept(names)
    facts = {name: json.loads(_facts(name).read_text()) for name in names if _facts(name).exists()}
    about = _about(facts) if facts else {}
    PAGE.write_text(render(results, about))
    return results


def _about(facts: dict[str, dict[str, object]]) -> dict[str, object]:
    commits = sorted({str(fact["commit"]) for fact in facts.values()})
    newest = max(facts.values(), key=lambda fact: str(fact["at"]))
    on = ", ".join(f"{name} {value}" for name, value in dict(newest["machine"]).items())  # type: ignore[call-overload]
    about: dict[str, object] = {
        "tried": f"{str(newest['at'])[:10]}, commit {', '.join(commits)}",
        "minutes": round(sum(int(str(fact["seconds"])) for fact in facts.values()) / 60),
        "on": on,
    }
    failed = [name for name, fact in facts.items() if not fact["passed"]]
    missing = [name for name in classes() if name not in facts]
    return about | ({"failed": ", ".join(failed)} if failed else {}) | ({"not tried": ", ".join(missing)} if missing else {})


def main(names: Sequence[str], only_render: bool) -> int:
    """The exit code."""
    files = classes()
    wanted = list(names or files)
    passed = True
    if not only_render:
        for name in wanted:
            passed = try_class(name, files[name]) and passed
            write_page()
    results = write_page()
    _say(
        f"all: {', '.join(f'{count} {name}' for name, count in totals(results).items())}; {PAGE.relative_to(PROJECT)} is written"
    )
    if names:
        return 0 if passed and not any(totals(kept(wanted))[name] for name in FINDINGS) else 1
    missing = shortfalls(results)
    _say("\n".join(f"missing: {text}" for text in missing) or "nothing is missing")
    return 0 if passed and not missing else 1


def _lines(name: str) -> Path:
    return KEPT / f"{name}.jsonl"


def _facts(name: str) -> Path:
    return KEPT / f"{name}.json"


def _show(path: Path, shown: int) -> int:
    results = read(path)
    for result in results[shown:]:
        _say(row(result))
    return len(results)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("name", nargs="*", metavar="CLASS", choices=[*classes(), []], help="only these classes")
    parser.add_argument("--render", action="store_true", help="try nothing: write the page from what was kept")
    given = parser.parse_args()
    sys.exit(main(given.name, given.render))
