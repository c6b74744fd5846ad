"""What must hold when all is quiet again. Each function fails with what it found."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, cast
from uuid import UUID

from pelangi.chassis.case import Fact
from pelangi.chassis.dead_letters import unseal
from pelangi.chassis.decode import Broken
from pelangi.chassis.ids import derived_id
from pelangi.chassis.service import make_decoder
from pelangi.chassis.settings import key_ring
from pelangi.contracts.envelope import from_headers
from pelangi.contracts.topics import REQUEST_CREATED, REQUEST_SUBMITTED, SUBMISSION_ANSWERED, TOPICS, read_by
from services.intake.routes import CLIENT
from services.notify import rows
from services.scheduling.case import OPEN_VISIT, held, wanted
from services.scheduling.day import VACATED
from services.scheduling.days import occupied, used_minutes
from tests.properties.machine.kafka import Entry
from tests.properties.machine.people import People
from tests.properties.machine.world import World

EVENTS = [t for t in TOPICS if t.owner and not t.name.endswith(".dlq")]
LEFT = ("outbox", "pending_since", "due_since", "to_open_since", "to_join_since", "releases_since", "wanted_since")
"""Fields of a case that somebody still has to work on, set or not empty."""


def stranded(world: World) -> list[str]:
    """What still waits for a service of ours."""
    found = [
        f"{name} {field} of {case['_id']}"
        for name in world.services
        for case in world.cases(name).values()
        for field in LEFT
        if case.get(field)
    ]
    found += [f"unspread {day['unspread']} of {day['_id']}" for day in world.days().values() if day.get("unspread")]
    found += [f"no visit of {c['_id']}" for c in world.cases("scheduling").values() if c.get("plan_from") == ""]
    lags = {name: world.kafka.lag(name, read_by(name)) for name in world.services}
    return found + [f"lag of {name}: {lag}" for name, lag in lags.items() if lag]


def check(world: World, people: People, poison: set[tuple[str, int, int]]) -> None:
    """All of them."""
    one_answer_per_key(people)
    one_effect_per_filing(world, people)
    one_content_per_id(world)
    sequences_never_go_back(world)
    every_fact_is_known(world)
    bookings_and_cases_agree(world)
    no_team_is_in_two_places(world)
    each_message_once(world)
    each_poison_set_aside(world, poison)
    each_submission_answered(world, poison)


def one_answer_per_key(people: People) -> None:
    """Whatever a key was answered with success is its answer for ever."""
    for call in people.calls:
        successes = {answer for answer in call.answers if answer[0] < 300}
        assert len(successes) <= 1, (call.path, successes)
        assert not successes or call.answers[-1] in successes, (call.path, [status for status, _ in call.answers])


def one_effect_per_filing(world: World, people: People) -> None:
    """Every request that exists was announced once, and every 201 is a request that exists."""
    created: defaultdict[str, set[str]] = defaultdict(set)
    for entry in _events(world, REQUEST_CREATED):
        created[(entry.key or b"").decode()].add(_id(entry))
    real = {i for i, case in world.cases("intake").items() if "body" in case}
    assert set(created) == real, set(created) ^ real
    assert all(len(found) == 1 for found in created.values()), created
    namespace = UUID(cast(Any, world.services["intake"].settings).deployment_secret.get_secret_value())
    for call in people.filed():
        status, answer = call.answers[-1]
        assert (status, json.loads(answer)["request_id"]) == (201, derived_id(namespace, CLIENT, call.key))
        assert json.loads(answer)["request_id"] in real
    for name in ("scheduling", "issuance", "notify"):
        assert real <= set(world.cases(name)), name


def one_content_per_id(world: World) -> None:
    """Two records of one id say the same; encrypted ones after they are opened."""
    said: dict[str, Any] = {}
    for topic in EVENTS:
        for entry in _events(world, topic.name):
            content = (entry.key, dict(entry.headers), _open(world, entry))
            assert said.setdefault(_id(entry), content) == content, (topic.name, _id(entry))


def sequences_never_go_back(world: World) -> None:
    """In the order of a partition; an exact repeat of what was read before is none."""
    for topic in EVENTS:
        newest: dict[tuple[str, str], int] = {}
        seen: set[str] = set()
        for entry in _events(world, topic.name):
            fact = _fact(world, entry)
            at = (fact.request_id, fact.aggregate)
            assert _id(entry) in seen or fact.sequence > newest.get(at, -1), (topic.name, at, fact.sequence, newest[at])
            newest[at] = max(newest.get(at, -1), fact.sequence)
            seen.add(_id(entry))


def every_fact_is_known(world: World) -> None:
    """To everybody who reads it."""
    for topic in EVENTS:
        for entry in _events(world, topic.name):
            for name in (n for n in world.services if topic.name in read_by(n)):
                fact = make_decoder(world.services[name])(entry)[0]
                case = world.cases(name).get(fact.request_id, {})
                assert case.get("applied", {}).get(fact.slot, -1) >= fact.sequence, (name, fact.slot, fact.sequence)


def bookings_and_cases_agree(world: World) -> None:
    """What a case holds is booked, what is booked is held; a booking of an ended visit is history."""
    cases = world.cases("scheduling")
    for case in cases.values():
        assert wanted(case) is None
        if slot := held(case):
            assert slot["placement_id"] in world.days()[slot["day"]]["bookings"], case["_id"]
        assert sum(v["status"] in OPEN_VISIT for v in case.get("visits", [])) <= 1, case["_id"]
    for day in world.days().values():
        for placement_id, booking in day.get("bookings", {}).items():
            visit = day["visits"][booking["visit_id"]]
            member = visit["members"].get(booking["request_id"], {})
            if visit["status"] in OPEN_VISIT and not member.get("gone"):
                slot = held(cases[booking["request_id"]])
                assert slot and slot["placement_id"] == placement_id, (day["_id"], booking)


def no_team_is_in_two_places(world: World) -> None:
    """Visits of one team do not overlap, and hold no more than they are long."""
    for day in world.days().values():
        for team in {v["team_id"] for v in day.get("visits", {}).values()}:
            spans = occupied(day, team)
            assert all(a[1] <= b[0] for a, b in pairwise(spans)), (day["_id"], team, spans)
        for visit_id, visit in day.get("visits", {}).items():
            assert visit["status"] in VACATED or used_minutes(day, visit_id) <= visit["end"] - visit["start"], (
                day["_id"],
                visit_id,
            )


def each_message_once(world: World) -> None:
    """The provider has what is recorded as sent, once; nothing else."""
    messages = [row for case in world.cases("notify").values() for row in case.get("messages", {}).values()]
    sent = {row["message_id"] for row in messages if row["state"] == rows.SENT}
    assert not [row["state"] for row in messages if row["state"] in rows.OPEN_STATES]
    assert set(world.mailbox.mails) == sent, len(set(world.mailbox.mails) ^ sent)
    assert not sent or max(world.mailbox.mails.values()) == 1, world.mailbox.mails.most_common(3)


def each_poison_set_aside(world: World, poison: set[tuple[str, int, int]]) -> None:
    """By every reader, perhaps more than once, whole each time; and nothing but poison."""
    for name, service in world.services.items():
        keys = key_ring(service.settings.dead_letter_keys)
        found: set[tuple[str, int, int]] = set()
        for entry in world.kafka.committed(f"{name}.dlq"):
            clear = {k: v.decode() for k, v in entry.headers}
            at = (clear["source_topic"], int(clear["source_partition"]), int(clear["source_offset"]))
            letter = unseal(entry.value or b"", keys, topic=f"{name}.dlq", key=(entry.key or b"").decode())
            source = next(e for e in world.kafka.committed(at[0]) if (e.topic, e.partition, e.offset) == at)
            assert (letter.key, letter.value, letter.headers) == (source.key, source.value, list(source.headers)), at
            found.add(at)
        assert found == {at for at in poison if at[0] in read_by(name)}, (name, found ^ poison)


def each_submission_answered(world: World, poison: set[tuple[str, int, int]]) -> None:
    """Once, under its key."""
    asked = Counter(e.key for e in world.kafka.committed(REQUEST_SUBMITTED) if (e.topic, e.partition, e.offset) not in poison)
    answers = {(e.key, _id(e)) for e in _events(world, SUBMISSION_ANSWERED)}
    assert Counter(key for key, _ in answers) == asked


def _events(world: World, topic: str) -> Iterator[Entry]:
    """The records of a topic that are events of ours."""
    return (e for e in world.kafka.committed(topic) if _is_event(world, e))


def _is_event(world: World, entry: Entry) -> bool:
    try:
        _fact(world, entry)
    except Broken:
        return False
    return True


def _fact(world: World, entry: Entry) -> Fact[Any]:
    if entry.topic == SUBMISSION_ANSWERED:  # for other systems: no service of ours decodes it
        at = from_headers(entry.topic, entry.key, entry.headers)
        return Fact(entry.topic, at.request_id, at.request_id, at.sequence, at.traceparent, entry.value)
    reader = next(n for n in world.services if entry.topic in read_by(n))
    return make_decoder(world.services[reader])(entry)[0]


def _open(world: World, entry: Entry) -> Any:
    """The content as each of its readers opens it."""
    readers = [n for n in world.services if entry.topic in read_by(n)]
    return [make_decoder(world.services[n])(entry)[0].data for n in readers] or entry.value


def _id(entry: Entry) -> str:
    return dict(entry.headers)["ce_id"].decode()
