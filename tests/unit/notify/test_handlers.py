"""Facts in any order, any number of times, end in the same facts and the same rows."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pelangi.chassis.case import Fact
from pelangi.contracts.topics import read_by
from services.notify.handlers import HANDLERS
from services.notify.rows import AT_ONCE, in_order

from .facts import (
    REQUEST,
    VISIT_1,
    closed,
    completed,
    contact,
    created,
    details,
    erased,
    everything,
    fold,
    handed_over,
    issued,
    scheduled,
    visits,
)


def test_every_topic_that_notify_reads_has_a_handler() -> None:
    assert set(HANDLERS) == set(read_by("notify"))


@st.composite
def orders(draw: st.DrawFn) -> list[Fact[Any]]:
    """The facts of one request in some order, some of them again."""
    facts = everything() + (draw(st.sampled_from([[], [erased()]])))
    again = draw(st.lists(st.sampled_from(facts), max_size=8))
    return draw(st.permutations(facts + again))


@given(orders())
def test_any_order_and_repetition_ends_the_same(facts: list[Fact[Any]]) -> None:
    tombstone = [f for f in facts if f.data is None][:1]
    assert fold(facts) == fold(everything() + tombstone)


def test_one_row_per_thing_to_tell() -> None:
    case = fold(everything())
    assert [(r["purpose"], r.get("visit_id", "")[-1:], r.get("revision")) for _, r in in_order(case["messages"])] == [
        ("ACCEPTED", "", None),
        ("SCHEDULED", "1", 1),
        ("SCHEDULED", "1", 2),
        ("VISIT_DONE", "1", None),
        ("SCHEDULED", "2", 1),
        ("SCHEDULED", "2", 2),
        ("READY", "", None),
        ("HANDED_OVER", "", None),
        ("CLOSED", "", None),
    ]
    assert len({r["message_id"] for r in case["messages"].values()}) == 9
    assert not any("." in key or "$" in key for key in case["messages"])


def test_a_snapshot_creates_no_message() -> None:
    assert fold([details(), visits()])["messages"] == {}


def test_messages_wait_for_the_contact() -> None:
    waiting = fold([created(), scheduled()])
    assert len(waiting["messages"]) == 2
    assert "due_since" not in waiting
    assert fold([details()], waiting)["due_since"] == AT_ONCE


def test_erasure_forgets_the_contact_and_ends_what_waits() -> None:
    case = fold([*everything(), erased(sequence=7), created()])
    assert case["erased"]
    assert "contact" not in case
    assert "contoh.invalid" not in repr(case)
    assert {(r["state"], r["reason"]) for r in case["messages"].values()} == {("EXPIRED", "ERASED")}
    assert "due_since" not in case
    assert case["details_version"] == 7


def test_a_fact_after_the_erasure_is_told_to_nobody() -> None:
    case = fold([details(), erased(), completed(), closed(), issued(), handed_over()])
    assert {r["state"] for r in case["messages"].values()} == {"EXPIRED"}


def test_the_newest_snapshot_counts() -> None:
    case = fold([details(contact(village_code="19.71.01.1004"), version=5), details(version=4)])
    assert case["details_version"] == 5
    assert case["contact"]["village_code"] == "19.71.01.1004"


def test_a_lower_revision_that_comes_late_has_its_row_already() -> None:
    case = fold([scheduled(revision=3)])
    assert sorted(r["revision"] for r in case["messages"].values()) == [1, 2, 3]
    assert fold([scheduled(revision=1)], case)["visits"][VISIT_1]["revision"] == 3
    assert all(key.split(":")[1] == VISIT_1 for key in case["messages"])
    assert REQUEST not in repr(case["messages"])
