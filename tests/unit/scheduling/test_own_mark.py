"""The third step of a booking holds only what this very booking wanted (ARCHITECTURE.md §2, own mark)."""

from datetime import UTC, datetime
from typing import Any, cast

from services.scheduling import model
from services.scheduling.case import Case, Slot

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def test_a_slow_booker_does_not_hold_what_another_wants() -> None:
    mine: Any = {"placement_id": "mine", "visit_id": "v1", "request_id": "r", "day": "2026-12-01"}
    theirs: Any = {**mine, "placement_id": "theirs", "visit_id": "v2"}
    case = cast(Case, {"_id": "r", "version": 3, "placement": {"held": None, "wanted": theirs}})
    assert model.hold(case, cast(Slot, {**mine, "start": 500, "end": 560}), NOW) is case
