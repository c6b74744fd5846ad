"""Other systems post requests as events: the example, its folder alone, on real Kafka; and what intake does with them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import httpx
import pytest
from confluent_kafka import KafkaException
from pydantic import SecretStr

from pelangi.chassis.dead_letters import unseal
from pelangi.chassis.settings import development_key, key_ring
from pelangi.contracts.topics import REQUEST_CREATED, REQUEST_SUBMITTED, SUBMISSION_ANSWERED
from services.intake.app import Settings
from tests.faults.filing import assert_once
from tests.support.bodies import body
from tests.support.records import Raw, produce, read_all
from tests.support.service import ServiceProcess, expel, wait_for
from tests.support.stranger import copied, run
from tests.support.submissions import OTHER_KEYS, submission

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "form_python"
USER = "form"


@pytest.fixture(scope="module")
def intake(kafka: Any, database: Any) -> Iterator[ServiceProcess]:
    with ServiceProcess("intake", kafka, database).start() as process:
        yield process
    expel(kafka, "intake")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copied folder with an environment that holds its requirements and nothing of ours."""
    return copied(EXAMPLE, tmp_path_factory.mktemp("form") / "copy")


def post(folder: Path, intake: ServiceProcess, *options: str) -> Any:
    """The command of the README: the answer it prints."""
    at = ("--intake", intake.url, "--bootstrap", intake.kafka.bootstrap)
    return json.loads(run(folder, ".venv/bin/python", "form.py", *options, *at))


def answers(kafka: Any, key: str) -> list[Raw]:
    return [r for r in read_all(kafka, SUBMISSION_ANSWERED, user=USER) if r.key == key.encode()]


def answered(kafka: Any, key: str, count: int = 1) -> list[Any]:
    """The data of the answers under this key, once there are so many."""
    found = wait_for(lambda: len(rows := answers(kafka, key)) >= count and rows, what="no answer to a submission")
    return [json.loads(r.value) for r in found]


def request_id(key: str, client: str = "hospital") -> str:
    return str(uuid5(UUID(Settings().deployment_secret.get_secret_value()), f"/clients/{client}|{key}"))


def test_a_stranger_posts_a_request_and_prints_the_answer(kafka: Any, intake: ServiceProcess, stranger: Path) -> None:
    key = str(uuid4())
    answer = post(stranger, intake, "request.json", "--key", key, "--client", "dinsos.form")
    assert answer == {
        "submission_id": key,
        "outcome": "ACCEPTED",
        "request_id": request_id(key, "dinsos.form"),
        "problems": [],
    }
    whole = httpx.get(f"{intake.url}/v1/requests/{answer['request_id']}").json()
    assert (whole["status"], whole["channel"], whole["requester"]["kind"]) == ("ACCEPTED", "API", "HOSPITAL")

    # the same form sent again, as after a lost answer: another answer, no other request
    assert post(stranger, intake, "--key", key, "--client", "dinsos.form") == answer
    # a mistake, told without what was typed; the key is free for the corrected form
    mistaken = json.loads((stranger / "request.json").read_text()) | {"colour": "merah"}
    (stranger / "mistaken.json").write_text(json.dumps(mistaken))
    other = str(uuid4())
    refused = post(stranger, intake, "mistaken.json", "--key", other)
    assert (refused["outcome"], refused["request_id"]) == ("REFUSED", None)
    assert refused["problems"] == [{"pointer": "#", "code": "extra_forbidden"}]  # all forms read this: no name that no field has
    assert post(stranger, intake, "request.json", "--key", other)["outcome"] == "ACCEPTED"
    # and once it is used up, not for another one
    assert post(stranger, intake, "mistaken.json", "--key", other)["problems"] == [{"pointer": "#", "code": "key_reused"}]
    assert_once(kafka, REQUEST_CREATED, [answer["request_id"], request_id(other, "example-form")])


def test_the_example_is_thirty_lines() -> None:
    """What it says and does; the list of options aside."""
    code = (EXAMPLE / "form.py").read_text().partition('if __name__ == "__main__"')[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 40


def test_refused_unknown_undecryptable_and_foreign(kafka: Any, intake: ServiceProcess) -> None:
    refused, unknown, broken, foreign, good = (str(uuid4()) for _ in range(5))
    sealed = submission(broken, body())
    sent = produce(
        kafka,
        USER,
        [
            submission(refused, body(channel="SMOKE_SIGNAL")),
            submission(unknown, body(), keys=OTHER_KEYS),
            sealed.but(value=(sealed.value or b"")[:-6]),
            submission(foreign, body()).but(headers={"ce_source": b"/services/scheduling"}),
            submission(good, body()),
        ],
    )
    assert answered(kafka, refused)[0]["problems"] == [{"pointer": "#/channel", "code": "enum"}]
    assert answered(kafka, unknown)[0]["problems"] == [{"pointer": "#", "code": "unknown_key"}]
    assert answered(kafka, good)[0]["outcome"] == "ACCEPTED"
    for key in (refused, unknown):
        assert httpx.get(f"{intake.url}/v1/requests/{request_id(key)}").status_code == 404

    letters = wait_for(lambda: len(rows := dead_letters(kafka, sent)) == 2 and rows, what="no dead letters")
    assert [letters[at].header("reason") for at in (2, 3)] == ["encryption", "envelope"]
    assert letters[2].header("request_id") == request_id(broken)
    assert "request_id" not in dict(letters[3].headers)
    key = (letters[2].key or b"").decode()
    original = unseal(letters[2].value or b"", key_ring(SecretStr(development_key("intake.dlq"))), topic="intake.dlq", key=key)
    assert (original.key, original.value) == (sent[2].key, sent[2].value)
    assert answers(kafka, broken) == answers(kafka, foreign) == []
    assert intake.all_well()


def dead_letters(kafka: Any, sent: list[Raw]) -> dict[int, Raw]:
    """Intake's dead letters of what was sent, by their place in it."""
    places = {f"{r.topic}-{r.partition}-{r.offset}".encode(): at for at, r in enumerate(sent)}
    return {places[r.key]: r for r in read_all(kafka, "intake.dlq") if r.key in places}


def test_a_killed_intake_answers_each_submission_once(kafka: Any, intake: ServiceProcess) -> None:
    """The process ends after the write and before the commit: the records come again and answer nothing new."""
    intake.kill()
    expel(kafka, "intake")
    keys = [str(uuid4()) for _ in range(20)]
    intake.start(wait=False, crash_point="consumer.after-write")
    produce(kafka, USER, [submission(key, body()) for key in keys])
    intake.wait_crashed()
    expel(kafka, "intake")
    intake.start()
    for key in keys:
        assert answered(kafka, key)[0] == {
            "submission_id": key, "outcome": "ACCEPTED", "request_id": request_id(key), "problems": [],
        }  # fmt: skip
    assert_once(kafka, REQUEST_CREATED, [request_id(key) for key in keys])
    produce(kafka, USER, [submission(key, body()) for key in keys[:1]])
    assert len(answered(kafka, keys[0], 2)) == 2, "a repeat is answered again"
    ids = [r.header("ce_id") for key in keys for r in answers(kafka, key)]
    assert len(set(ids)) == len(keys) + 1


def test_who_may_write_and_who_may_read(kafka: Any) -> None:
    record = submission(str(uuid4()), body())
    with pytest.raises(KafkaException):
        produce(kafka, "scheduling", [record])
    with pytest.raises(KafkaException):
        read_all(kafka, REQUEST_SUBMITTED, user=USER)
