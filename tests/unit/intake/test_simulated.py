"""Made-up requests keep the rules of the registry: the simulator's, of any seed and day."""

from datetime import UTC, date, datetime, time

import pytest

from pelangi.chassis.web import validate
from pelangi.contracts.request import RequestBody
from pelangi.simulate.bodies import request_body
from services.intake import rules

EXPECTED = {"out_of_area", "birth_reported_late", "under_17_card_later", "muslim_marriage_goes_to_kua"}


@pytest.mark.parametrize(("seed", "today"), [(11, date(2026, 11, 24)), (12, date(2027, 2, 28)), (13, date(2028, 2, 29))])
def test_simulated_bodies_break_no_rule_and_look_odd_only_where_life_does(seed: int, today: date) -> None:
    now = datetime.combine(today, time(3), UTC)
    seen = set()
    for number in range(300):
        raw = request_body(seed, number, today)
        body = validate(RequestBody, raw, broken=rules.errors(raw, today))
        seen |= {w.code for w in rules.warnings(body, now)}
    assert seen <= EXPECTED
    assert "under_17_card_later" in seen
