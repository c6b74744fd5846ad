"""What the tools refuse before they touch anything, and how they say it."""

import pytest
from typer.testing import CliRunner

from pelangi.chassis.redrive import DeadLetter
from pelangi.chassis.scan import Unreadable
from pelangi.cli import dlq
from pelangi.cli.main import app

NOBODY = {"INTAKE_KAFKA_BOOTSTRAP": "127.0.0.1:1"}


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments), env={**NOBODY, "COLUMNS": "200", "TERM": "dumb"})
    return done.exit_code, done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("dlq", "list", "nobody"),
        ("dlq", "retry", "intake"),
        ("dlq", "retry", "intake", "a.v1-0-1", "--all"),
        ("dlq", "retry", "intake", "--request", "x", "--all"),
        ("keys", "rotate", "notify"),
        ("keys", "where", "request-created.v1"),
        ("keys", "where", "none.v1"),
        ("replay",),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    assert run(*arguments)[0] == 2


@pytest.mark.parametrize("because", [(), ("--because", ""), ("--because", "  ")])
def test_content_is_refused_without_a_reason_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, because: tuple[str, ...]
) -> None:
    monkeypatch.setattr(dlq, "_letters", lambda service: pytest.fail("it was read"))
    code, output = run("dlq", "show", "intake", "a.v1-0-1", "--reveal", *because)
    assert (code, "--because" in output) == (1, True)


def test_what_cannot_be_noted_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is away: the reason for asking cannot be kept."""
    from pelangi.chassis.dead_letters import Original
    from pelangi.chassis.store import StoreError

    async def away(*_: object) -> None:
        raise StoreError("mongodb://intake:secret@somewhere")

    monkeypatch.setattr(dlq, "_letters", lambda service: [DeadLetter("item-closed.v1-0-1", b"")])
    monkeypatch.setattr("pelangi.chassis.redrive.original", lambda *_: Original(b"k", b"Sarinah", [], False))
    monkeypatch.setattr(dlq, "_note", away)
    code, output = run("dlq", "show", "intake", "item-closed.v1-0-1", "--reveal", "--because", "tiket 77")
    assert (code, "Sarinah" in output, "secret" in output) == (1, False, False)


def test_nothing_to_retry_is_no_fault_and_an_unknown_record_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dlq, "_letters", lambda service: [])
    assert run("dlq", "list", "intake") == (0, "no dead letters\n")
    assert run("dlq", "retry", "intake", "--all") == (0, "0 of 0 recovered\n")
    assert run("dlq", "retry", "intake", "a.v1-0-1") == (1, "refused: no dead letter a.v1-0-1\n")


def test_kafka_away_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(settings: object) -> list[DeadLetter]:
        raise Unreadable("intake.dlq: Kafka says nothing")

    monkeypatch.setattr("pelangi.chassis.redrive.read_letters", away)
    assert run("dlq", "list", "intake") == (1, "refused: intake.dlq: Kafka says nothing\n")


@pytest.mark.parametrize("raw", [b"\x1b[2J", b"\xff", "a\u202eb".encode(), b"a\0"])
def test_what_would_steer_a_terminal_is_shown_in_base64(raw: bytes) -> None:
    assert dlq._text(raw).startswith("base64 ")


def test_plain_text_is_shown_as_it_is() -> None:
    assert (dlq._text('{"nama": "Kué"}\n'.encode()), dlq._text(None)) == ('{"nama": "Kué"}\n', "null")


def test_a_key_goes_to_stdout_as_an_entry_of_a_ring() -> None:
    import json

    code, output = run("keys", "new", "visits")
    ((kid, key),) = json.loads(output).items()
    assert (code, kid.startswith("visits-"), len(key)) == (0, True, 43)
