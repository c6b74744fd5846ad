"""What is encrypted opens for its reader at its record only."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelangi.contracts.codes import ReachChannel, ReachTo, RequesterKind
from pelangi.contracts.encryption import BrokenToken, KeyRing, UnknownKey
from pelangi.contracts.events import PublicRequest
from pelangi.contracts.examples import EXAMPLES, TIME
from pelangi.contracts.request import RequestPlace
from pelangi.contracts.sealing import (
    DetailsKeys,
    contact_opener,
    identity_opener,
    planning_opener,
    seal_details,
    seal_visits,
    visits_opener,
)
from pelangi.contracts.snapshots import Address, Contact, Identity, IdentityPerson, Planning, PlanningItem, PlanningPerson, Visits


def key(fill: str) -> str:
    return urlsafe_b64encode(fill.encode() * 32).decode().rstrip("=")


OLD, NEW = KeyRing.of({"old": key("o")}), KeyRing.of({"new": key("n"), "old": key("o")})
AT: Any = {"topic": "request-details.v1", "key": "r1"}
TOKEN = OLD.encrypt(b"secret", **AT)


def test_round_trip_and_shape() -> None:
    assert OLD.decrypt(TOKEN, **AT) == b"secret"
    header = json.loads(urlsafe_b64decode(TOKEN.split(".")[0] + "=="))
    assert header == {"alg": "dir", "enc": "A256GCM", "kid": "old", **AT}
    assert OLD.encrypt(b"secret", **AT) != TOKEN, "a fresh nonce each time"


def test_rotation_readers_first() -> None:
    assert NEW.decrypt(TOKEN, **AT) == b"secret"
    with pytest.raises(UnknownKey):
        OLD.decrypt(NEW.encrypt(b"secret", **AT), **AT)


def test_a_wrong_key_of_the_right_name() -> None:
    with pytest.raises(BrokenToken):
        KeyRing.of({"old": key("x")}).decrypt(TOKEN, **AT)


@pytest.mark.parametrize("elsewhere", [{"topic": "request-details.v1", "key": "r2"}, {"topic": "visit-details.v1", "key": "r1"}])
def test_moved_to_another_record(elsewhere: Any) -> None:
    with pytest.raises(BrokenToken, match="another record"):
        OLD.decrypt(TOKEN, **elsewhere)


@pytest.mark.parametrize("part", [0, 2, 3, 4])
def test_every_tampered_part(part: int) -> None:
    parts = TOKEN.split(".")
    raw = bytearray(urlsafe_b64decode(parts[part] + "=="))
    if part == 0:
        raw = bytearray(bytes(raw).replace(b'"r1"', b'"r1" '))  # the same header in other bytes: it is authenticated
    else:
        raw[0] ^= 1
    parts[part] = urlsafe_b64encode(bytes(raw)).decode().rstrip("=")
    with pytest.raises(BrokenToken):
        OLD.decrypt(".".join(parts), **AT)


def test_an_encrypted_key_is_not_taken() -> None:
    parts = TOKEN.split(".")
    with pytest.raises(BrokenToken):
        OLD.decrypt(".".join([parts[0], "AAAA", *parts[2:]]), **AT)


@given(st.text(max_size=60) | st.from_regex(r"\A[A-Za-z0-9_-]{0,20}(\.[A-Za-z0-9_-]{0,20}){3,5}\Z"))
def test_whatever_is_no_token_is_broken(text: str) -> None:
    with pytest.raises((BrokenToken, UnknownKey)):
        OLD.decrypt(text, **AT)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "alg": json_values | st.sampled_from(["dir", "none", "A256KW", "RSA-OAEP"]),
        "enc": json_values | st.sampled_from(["A256GCM", "A128CBC-HS256"]),
        "kid": json_values | st.just("old"),
        "topic": json_values | st.just(AT["topic"]),
        "key": json_values | st.just(AT["key"]),
        "zip": json_values | st.just("DEF"),
        "crit": json_values,
    },
)


@given(headers | json_values)
def test_whatever_header_it_has(header: Any) -> None:
    """Nothing but these two may come out: a third would be taken for infrastructure and stop the consumer for ever."""
    first = urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    with pytest.raises((BrokenToken, UnknownKey)):
        OLD.decrypt(".".join([first, *TOKEN.split(".")[1:]]), **AT)


def test_a_deeply_nested_header_is_broken() -> None:
    first = urlsafe_b64encode(b"[" * 100_000).decode().rstrip("=")
    with pytest.raises(BrokenToken):
        OLD.decrypt(".".join([first, *TOKEN.split(".")[1:]]), **AT)


def sealed() -> tuple[Any, DetailsKeys, tuple[Planning, Identity, Contact]]:
    keys = DetailsKeys(*(KeyRing.of({name: key(name[0])}) for name in ("planning", "person", "contact")))
    public: Any = EXAMPLES["request-details.v1"]
    request: PublicRequest = public.request
    items = [PlanningItem(item_id="019ab4d2-6f11-7a0b-8c4d-1e3f5a7b9c20", person_ref="1", service_kind="KTP_NEW")]
    place = RequestPlace(visit_kind="HOME", village_code="19.71.04.1009", address="Jalan Contoh 1")
    planning = Planning(
        filled_at=TIME, place=place, items=items, companion=None, availability=[], deadline=None,
        persons=[PlanningPerson(ref="1", categories=["ELDERLY"], needs=["BEDRIDDEN"])],
    )  # fmt: skip
    person = IdentityPerson(
        ref="1", name="Contoh", aliases=[], nik=None, nik_absence_reason=None, family_card_number=None,
        birth_date=date(1951, 7, 1), birth_date_precision="YEAR", sex="P", mother_name=None, ever_married=None,
        guardian_name=None, guardian_relation=None,
    )  # fmt: skip
    contact = Contact(
        receipt_code="0123456789A", village_code="19.71.04.1009", requester_kind=RequesterKind.RT_RW,
        requester=Address(phone="+628120000000"), persons=[Address()], guardians=[None], companion=None,
        channel=ReachChannel.SMS, to=ReachTo.REQUESTER,
    )  # fmt: skip
    parts = planning, Identity(persons=[person], items=items), contact
    return seal_details(request, *parts, keys), keys, parts


def test_each_reader_opens_its_own_part_and_no_other() -> None:
    details, keys, parts = sealed()
    openers = [planning_opener, identity_opener, contact_opener]
    for at, (opener, ring) in enumerate(zip(openers, (keys.planning, keys.person, keys.contact), strict=True)):
        opened = opener(ring)(details)
        assert (opened.request, opened.part) == (details.request, parts[at])
        for other in openers:
            if other is not opener:
                with pytest.raises(UnknownKey):
                    other(ring)(details)


def test_nothing_personal_is_in_clear() -> None:
    details, _, _ = sealed()
    raw = details.model_dump_json()
    for secret in ("Contoh", "ELDERLY", "BEDRIDDEN", "+628120000000", "0123456789A", "1951"):
        assert secret not in raw


def test_each_part_holds_what_its_reader_needs_and_no_more() -> None:
    _, _, (planning, person, contact) = sealed()
    assert 'Contoh"' not in planning.model_dump_json() and "+62" not in planning.model_dump_json()
    assert "+62" not in person.model_dump_json() and "ELDERLY" not in person.model_dump_json()
    assert "ELDERLY" not in contact.model_dump_json() and "1951" not in contact.model_dump_json()


def test_a_snapshot_put_under_another_request_is_broken() -> None:
    details, keys, _ = sealed()
    other = details.request.model_copy(update={"request_id": "00000000-0000-5000-8000-000000000000"})
    with pytest.raises(BrokenToken):
        planning_opener(keys.planning)(details.model_copy(update={"request": other}))


def test_visits() -> None:
    ring = KeyRing.of({"visits": key("v")})
    details = seal_visits("7b0f3c8a-2f64-5d1e-8a52-3f6a0c9d1e42", Visits(visits=[]), ring)
    assert visits_opener(ring)(details) == Visits(visits=[])
    with pytest.raises(BrokenToken):
        visits_opener(ring)(details.model_copy(update={"request_id": "00000000-0000-5000-8000-000000000000"}))


def test_the_largest_snapshot_is_read_again() -> None:
    """The library refuses by default to decrypt more than 64 KiB of what it encrypts at any size."""
    plain = b"x" * 2_000_000
    ring = KeyRing.of({"k": urlsafe_b64encode(bytes(32)).decode().rstrip("=")})
    assert ring.decrypt(ring.encrypt(plain, topic="t", key="k"), topic="t", key="k") == plain
