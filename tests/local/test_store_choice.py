"""Which build of the store runs, and that neither reads the files of the other."""

from pathlib import Path

import pytest

from pelangi.local import database
from pelangi.local.database import Database, build_rust_server, chosen_server


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PELANGI_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PELANGI_STORE", raising=False)
    return tmp_path / "cache"


def put_server(cache: Path) -> Path:
    server = cache / f"secantus-mdb-{database.RUST_VERSION}" / "secantusd-rs"
    server.parent.mkdir(parents=True)
    server.touch()
    return server


def test_python_unless_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> None:
    store = Database(tmp_path)
    assert Path(store.command().argv[0]).name == "secantusd-py"
    monkeypatch.setenv("PELANGI_STORE", "rust")
    with pytest.raises(RuntimeError, match="make store"):
        store.command()
    server = put_server(cache)
    assert store.command().argv[0] == str(server)


def test_each_build_has_files_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> None:
    put_server(cache)
    python = Database(tmp_path).command().argv
    monkeypatch.setenv("PELANGI_STORE", "rust")
    rust = Database(tmp_path).command().argv
    assert python[python.index("--storage-path") + 1] != rust[rust.index("--storage-path") + 1]
    assert "--sync-on-commit" in python and "--sync-on-commit" in rust, "without it kill -9 loses acknowledged writes"


def test_an_unknown_build_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PELANGI_STORE", "mongod")
    with pytest.raises(RuntimeError, match="python or rust"):
        chosen_server()


def test_it_is_built_once(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    server = put_server(cache)
    monkeypatch.setattr(database.shutil, "which", lambda _: pytest.fail("nothing is built again"))
    assert build_rust_server() == server


def test_a_machine_without_cargo_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database.shutil, "which", lambda _: None)
    with pytest.raises(RuntimeError, match="cargo"):
        build_rust_server()
