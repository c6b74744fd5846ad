"""A member that the planner is still booking into a visit follows the visit all the same."""

from datetime import timedelta

import pytest

from pelangi.contracts.codes import VisitKind
from services.scheduling import booking
from tests.unit.scheduling.city import City, details


class Stopped(Exception):
    """The planner's process ends here."""


async def test_a_member_booked_but_not_yet_held_follows_a_visit_that_failed(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    await city.fold(details(1, visit_kind=VisitKind.COMMUNITY_POINT))
    await city.run()
    visit_id = (await city.visit(1))["visit_id"]
    await city.fold(details(2, visit_kind=VisitKind.COMMUNITY_POINT))

    def stop(name: str) -> None:
        if name == "booking.after-booked":
            raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(booking, "crash_point", stop)
        with pytest.raises(Stopped):
            await city.work.planner()
    assert (await city.post(f"/v1/visits/{visit_id}/fail", {"reason": "WEATHER_OR_FLOOD"})).status_code == 200
    for _ in range(3):
        city.clock.at += timedelta(seconds=70)
        await city.run()
    assert (await city.case(2))["visits"][0]["status"] == "FAILED"
    assert (await city.visit(2))["visit_id"] != visit_id
