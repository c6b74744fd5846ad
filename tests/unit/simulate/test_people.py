"""The made-up city keeps the law: nobody asks for what they may not have, and every number is nobody's."""

import re
from collections import Counter
from datetime import date, timedelta
from itertools import chain

import pytest

from pelangi.contracts.codes import ServiceKind, Sex, VisitKind
from pelangi.contracts.regions import villages
from pelangi.contracts.request import Person, RequestBody
from pelangi.simulate.api import request_key
from pelangi.simulate.bodies import request_body

TODAY = date(2026, 11, 24)
COUNT = 1500


@pytest.fixture(scope="module")
def bodies() -> list[RequestBody]:
    return [RequestBody.model_validate(request_body(7, number, TODAY)) for number in range(COUNT)]


def people(bodies: list[RequestBody]) -> list[Person]:
    return list(chain.from_iterable(body.persons for body in bodies))


def age(person: Person, on: date) -> int:
    assert person.birth_date is not None
    had_birthday = (on.month, on.day) >= (person.birth_date.month, person.birth_date.day)
    return on.year - person.birth_date.year - (not had_birthday)


def test_the_same_seed_and_number_give_the_same_body() -> None:
    assert request_body(3, 5, TODAY) == request_body(3, 5, TODAY)
    assert request_body(3, 5, TODAY) != request_body(4, 5, TODAY)


def test_all_kelurahan_visit_kinds_and_services_occur(bodies: list[RequestBody]) -> None:
    assert villages().keys() <= {body.place.village_code for body in bodies}
    assert {body.place.visit_kind for body in bodies} == set(VisitKind)
    assert {service for person in people(bodies) for service in person.services} == set(ServiceKind)
    kinds = Counter(body.place.visit_kind for body in bodies)
    assert kinds.most_common(1)[0][0] == VisitKind.HOME


def test_places_lie_near_the_centre_of_their_kelurahan(bodies: list[RequestBody]) -> None:
    for place in (body.place for body in bodies):
        if place.lat is not None and place.lon is not None:
            village = villages()[place.village_code]
            assert abs(place.lat - village.lat) <= 0.003
            assert abs(place.lon - village.lon) <= 0.003


@pytest.mark.parametrize("later", [timedelta(), timedelta(days=40)])
def test_nobody_asks_for_what_they_may_not_have(bodies: list[RequestBody], later: timedelta) -> None:
    for person in people(bodies):
        years = age(person, TODAY + later)
        services = set(person.services)
        assert years < 100
        assert years >= 16 or ServiceKind.KTP_RECORDING not in services
        assert years >= 16 or not services & {ServiceKind.KTP_NEW, ServiceKind.KTP_REISSUE}  # at 16: the card later
        assert years < 17 or ServiceKind.KIA not in services
        assert years >= 18 or person.ever_married is False
        assert len(services) == len(person.services)


def test_numbers_are_well_formed_and_belong_to_nobody(bodies: list[RequestBody]) -> None:
    found = [person for person in people(bodies) if person.nik]
    assert 0.5 < len(found) / len(people(bodies)) < 0.9
    for person in found:
        assert person.nik is not None
        assert person.birth_date is not None
        assert re.fullmatch(r"1971(0[1-7])[0-9]{6}9[0-9]{3}", person.nik)
        day = person.birth_date.day + (40 if person.sex is Sex.P else 0)
        assert person.nik[6:12] == f"{day:02}{person.birth_date:%m%y}"
        assert person.nik != person.family_card_number
    assert all(person.nik_absence_reason for person in people(bodies) if not person.nik)
    for body in bodies:
        assert body.requester.phone is None or body.requester.phone.startswith("+6280000")
        assert body.requester.email is None or re.search(r"@(warga\.example\.invalid|warga\.test)$", body.requester.email)


def test_some_cannot_be_found_or_reached_and_some_live_elsewhere(bodies: list[RequestBody]) -> None:
    def lost(body: RequestBody) -> bool:
        place = body.place
        humans = [body.requester, body.companion, *body.persons, *(p.guardian for p in body.persons)]
        found = place.address or place.landmark or place.lat is not None
        return not found and not any(h is not None and (h.phone or h.email) for h in humans)

    assert 10 < sum(map(lost, bodies)) < COUNT / 10
    outside = [body for body in bodies if not body.place.village_code.startswith("19.71.")]
    assert 10 < len(outside) < COUNT / 10
    assert not any(map(lost, outside))
    sizes = Counter(len(body.persons) for body in bodies)
    assert sizes[1] > COUNT / 3
    assert max(sizes) == 40


def test_a_key_is_the_runs_and_the_numbers() -> None:
    keys = {request_key(run, number) for run in ("a", "b") for number in range(10)}
    assert len(keys) == 20
    assert request_key("a", 1) == request_key("a", 1)
