"""What stores and restricted topics show: nothing in healthy ones, every kind of broken promise in broken ones."""

from copy import deepcopy
from dataclasses import replace

import pytest

from pelangi.audit.checks import Checker, check
from pelangi.audit.history import History
from pelangi.audit.sealed import DeadLetter
from pelangi.contracts import topics
from tests.unit.audit import inside, stories
from tests.unit.audit.breaks_inside import INSIDE, case
from tests.unit.audit.test_checks import BREAKS, codes


def test_healthy_stores_and_restricted_topics_have_no_findings() -> None:
    assert check(inside.whole()) == []


@pytest.mark.parametrize("name", sorted(INSIDE))
def test_a_broken_promise_inside_is_found(name: str) -> None:
    assert name.partition(" ")[0] in codes(INSIDE[name](inside.whole()))


@pytest.mark.parametrize("code", sorted(BREAKS))
def test_a_broken_promise_outside_is_found_beside_all_that(code: str) -> None:
    assert code in codes(BREAKS[code](inside.whole()))


@pytest.mark.parametrize("name", sorted(INSIDE))
def test_no_finding_inside_holds_more_than_ids_and_codes(name: str) -> None:
    secret = "Siti Rahayu"
    history = deepcopy(inside.whole())
    for cases in history.cases.values():
        for one in cases.values():
            one["name"] = secret
    assert not any(secret in finding.detail for finding in check(INSIDE[name](history)))


def unread(history: History, *, stores: bool, restricted: bool) -> History:
    """The history as it is without that access."""
    requests = {
        id_: replace(r, stored={} if stores else r.stored, sealed=None if restricted else r.sealed)
        for id_, r in history.requests.items()
    }
    history = replace(history, requests=requests)
    history = replace(history, cases={}, shared=None) if stores else history
    return replace(history, letters=None) if restricted else history


@pytest.mark.parametrize(("stores", "restricted"), [(True, False), (False, True), (True, True)])
def test_a_source_that_is_not_read_is_no_finding(stores: bool, restricted: bool) -> None:
    assert check(unread(inside.whole(), stores=stores, restricted=restricted)) == []


def test_history_of_days_is_no_finding() -> None:
    """A booking of a visit that has ended is kept, and one that is on its way to another day stands in both."""
    history = inside.whole()
    assert history.shared is not None
    ended = [day for day in history.shared.days if day["_id"] != "2026-12-10"]
    assert all(day["bookings"] for day in ended)
    assert codes(history) == set()


def test_who_was_closed_while_the_team_was_there_is_no_finding_in_the_day() -> None:
    broken = case("scheduling", lambda c: c["visits"][0].update(status="CANCELLED", items=[]))
    assert "member-differs" not in codes(broken(inside.whole()))
    unended = case("scheduling", lambda c: c["visits"][0].update(status="CANCELLED"), inside.NEIGHBOUR)
    assert "member-differs" in codes(unended(inside.whole()))


def test_what_others_wrote_badly_is_a_dead_letter_by_right() -> None:
    letter = DeadLetter("intake", "request-submitted.v1-2-2", "schema", topics.REQUEST_SUBMITTED, "")
    history = inside.whole()
    assert history.letters is not None
    letters = replace(history.letters, dead={**history.letters.dead, ("intake", letter.coordinates): letter})
    assert codes(replace(history, letters=letters)) == set()


def test_what_did_not_change_is_not_checked_again() -> None:
    history, checker = inside.whole(), Checker()
    assert checker.check(history) == []
    broken = INSIDE["effect-missing"](history)
    home = broken.requests[stories.uid("home")]
    found = checker.check(broken)
    assert {finding.request_id for finding in found} == {home.request_id}
    assert checker.check(broken) == found
    assert "facts" not in home.__dict__, "what can be derived again is not kept"
    assert checker.check(history) == []
