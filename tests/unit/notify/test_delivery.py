"""What a claim, a result and an answer make of a row; only the claim that is stored counts."""

from datetime import timedelta
from typing import cast

import pytest

from services.notify.channels import Accepted, Reject, Result, Retry, Unknown
from services.notify.delivery import claim, no_answer, pause_s, record, resolve
from services.notify.messages import Tell
from services.notify.model import Case, with_row
from services.notify.rows import Row

from .facts import NOW, created, details, fold

UNTIL = NOW + timedelta(seconds=30)
TELL = Tell("ACCEPTED", "accepted", "REQUESTER", "EMAIL", "requester@contoh.invalid")
RESULTS: list[Result] = [Accepted("x"), Retry(0, "SMTP_4XX"), Reject("SMTP_5XX"), Unknown("TIMEOUT")]


def claimed(by: str = "mine") -> tuple[Case, str]:
    case = fold([created(), details()])
    key = next(iter(case["messages"]))
    return claim(case, key, TELL, by, UNTIL), key


def as_state(case: Case, key: str, state: str) -> Case:
    return with_row(case, key, cast(Row, {**case["messages"][key], "state": state}))


def test_a_claim_is_due_again_when_others_may_ask_about_it() -> None:
    case, key = claimed()
    assert case["due_since"] == UNTIL
    assert case["messages"][key]["attempts"] == 1


@pytest.mark.parametrize("result", RESULTS)
def test_somebody_elses_claim_is_left_alone(result: Result) -> None:
    case, key = claimed("theirs")
    assert record(case, key, "mine", result, NOW) is case
    assert resolve(case, key, "mine", True, NOW) is case
    assert no_answer(case, key, "mine", NOW) is case


@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("state", ["SENT", "EXPIRED", "FAILED"])
def test_an_end_is_an_end(result: Result, state: str) -> None:
    case, key = claimed()
    ended = as_state(case, key, state)
    assert record(ended, key, "mine", result, NOW) is ended
    assert resolve(ended, key, "mine", False, NOW) is ended


@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("state", ["PENDING", "UNKNOWN"])
def test_a_late_result_counts_only_if_the_message_went_out(result: Result, state: str) -> None:
    case, key = claimed()
    asked = as_state(case, key, state)
    after = record(asked, key, "mine", result, NOW)
    assert after["messages"][key]["state"] == "SENT" if isinstance(result, Accepted) else after is asked


@pytest.mark.parametrize("result", RESULTS)
def test_recording_twice_changes_nothing(result: Result) -> None:
    case, key = claimed()
    once = record(case, key, "mine", result, NOW)
    assert once is not case
    assert record(once, key, "mine", result, NOW) is once


def test_pauses_grow_to_a_quarter_of_an_hour() -> None:
    assert [pause_s(n) for n in (0, 1, 4, 10, 99)] == [1, 2, 16, 900, 900]


def test_a_provider_may_ask_for_a_longer_pause() -> None:
    case, key = claimed()
    after = record(case, key, "mine", Retry(120, "SMTP_4XX"), NOW)
    assert after["due_since"] == NOW + timedelta(seconds=120)
