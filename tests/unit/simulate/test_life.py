"""What happens to made-up requests is drawn from the seed, is a body that intake takes, and covers all that is to be played."""

from collections import Counter
from datetime import date

import pytest

from pelangi.contracts.request import RequestBody
from pelangi.simulate import Chances, SimulateOptions
from pelangi.simulate.bodies import is_duplicate, request_body
from pelangi.simulate.life import Fate, corrected, fate_of, fate_without_info

TODAY = date(2026, 11, 24)
OPTIONS = SimulateOptions(seed=11)


def test_two_thousand_requests_meet_every_fate() -> None:
    fates = Counter(fate_of(OPTIONS, number) for number in range(2000))
    assert fates.keys() >= set(Fate) - {Fate.COMPLETED}
    assert fates[Fate.NOTHING] > 1500
    assert {fate_without_info(OPTIONS, n) for n in range(100)} == {Fate.COMPLETED, Fate.NO_CONTACT, Fate.NOTHING}


def test_without_chances_nothing_happens() -> None:
    calm = SimulateOptions(
        seed=11, chances=Chances(*[0.0] * 7, duplicate=False, deceased=0, corrected=0, moved=0, moved_away=0, no_contact=0)
    )
    assert {fate_of(calm, number) for number in range(500)} == {Fate.NOTHING}


def test_a_duplicate_asks_for_the_same_people_by_another_requester() -> None:
    numbers = [n for n in range(500) if is_duplicate(11, n)]
    assert 3 <= len(numbers) <= 25
    for number in numbers:
        first, second = request_body(11, number - 1, TODAY), request_body(11, number, TODAY)
        assert first["persons"] == second["persons"]
        assert first["requester"] != second["requester"]
        assert not is_duplicate(11, number - 1)


@pytest.mark.parametrize("fate", [Fate.CORRECTED, Fate.MOVED, Fate.MOVED_AWAY, Fate.COMPLETED])
def test_a_corrected_body_is_whole_and_different(fate: Fate) -> None:
    for number in range(60):
        body = request_body(11, number, TODAY)
        if not body["place"]["village_code"].startswith("19.71."):
            continue  # closed already
        after = corrected(11, number, body, fate)
        RequestBody.model_validate(after)
        assert after != body
        assert [p["ref"] for p in after["persons"]] == [p["ref"] for p in body["persons"]]
