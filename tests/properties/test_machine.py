"""The hypothesis state machine of ARCHITECTURE.md §5: people, faults and time in any order; then quiet, and nothing is wrong.

Everything is drawn from one seed and the order of the rules: a failure prints the rules that lead to it.
"""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from pelangi.contracts.topics import BY_NAME, REQUEST_SUBMITTED, read_by
from tests.faults.report import Result, keep, whole
from tests.properties.machine import invariants
from tests.properties.machine.people import Call, People
from tests.properties.machine.process import Process
from tests.properties.machine.tally import TALLY, missing, table
from tests.properties.machine.world import REPLICAS, World, made, services
from tests.support.submissions import submission

EXAMPLES, STEPS = (350, 60) if whole() else (32, 50)
QUIET_S = 1500.0
EVERYWHERE = (
    "subscriber.before-commit",
    "consumer.after-read",
    "consumer.half-written",
    "consumer.half-updated",
    "consumer.after-write",
    "consumer.after-dead-letters",
    "relay.after-read",
    "relay.after-send",
    "relay.after-commit",
)
POINTS = {
    "intake": ("command.after-write", "duplicate.after-heading", "duplicate.after-learning"),
    "scheduling": (
        "booking.after-wanted",
        "booking.after-booked",
        "booking.after-amended",
        "booking.after-left",
        "booking.after-held",
        "visit.after-day",
        "visit.after-first-member",
    ),
    "issuance": ("command.after-write",),
    "notify": ("send.after-claim", "send.after-accepted"),
}
"""The points that a service passes besides those of every service."""
PLACES = [(service, replica) for service in ("intake", "scheduling", "issuance", "notify") for replica in REPLICAS]
ARMED = [(where, point) for where in PLACES for point in (*EVERYWHERE, *POINTS[where[0]])]
place = st.sampled_from(PLACES)
replica = st.sampled_from(REPLICAS)
which = st.integers(0, 30)


SEEN = {
    "filed": 50,
    "kill": 10,
    "pause": 10,
    "fenced": 1,
    "dead letter": 10,
    "redelivered": 50,
    "lost race": 20,
    "unknown outcome": 20,
    "requests 201": 50,
    "details 200": 1,
    "deceased 200": 1,
    "withdrawal 200": 1,
    "depart 200": 1,
    "arrive 200": 1,
    "complete 200": 1,
    "reschedule 200": 1,
    "fail 200": 1,
    "transitions 200": 1,
    "crash *": 3,
}
"""How often each must be seen in a run."""


class Machine(RuleBasedStateMachine):
    """Everybody at once. Rules begin something; only `time passes` and the end let it be finished."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.poison: set[tuple[str, int, int]] = set()
        self.submissions: list[Any] = []

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        self.world = World(seed)
        self.people = People(self.world)
        self.world.loop.pass_(3)

    def _pass(self, seconds: float = 0.02) -> None:
        self.world.loop.pass_(seconds)

    @rule(seconds=st.sampled_from((0.01, 0.05, 0.2, 1, 5, 12, 40)))
    def time_passes(self, seconds: float) -> None:
        self._pass(seconds)

    @rule(to=st.sampled_from(((0,), (1,), (0, 1), (0, 0))))
    def file(self, to: tuple[int, ...]) -> None:
        self.people.make(self.people.filing(), *to)
        self._pass()

    @rule(at=which, to=replica)
    def call_again(self, at: int, to: int) -> None:
        if self.people.calls:
            self.people.make(self.people.calls[-1 - at % len(self.people.calls)], to)
            self._pass()

    @rule(at=which, to=replica)
    def change_request(self, at: int, to: int) -> None:
        what = self.world.rng.choice(("withdrawal", "deceased", "details", "details"))
        requests = sorted(self.world.cases("intake"))
        if requests and (call := self.people.on_request(requests[at % len(requests)], what)):
            self._make(call, to)

    @rule(to=replica)
    def team_calls(self, to: int) -> None:
        self._make(self.people.of_team(), to)

    @rule(to=replica)
    def visit_is_made(self, to: int) -> None:
        for _ in range(3):
            self._make(self.people.of_team(well=True), to)
            self._pass(2)

    @rule(to=replica, steps=st.integers(1, 4))
    def desk_calls(self, to: int, steps: int) -> None:
        for _ in range(steps):
            self._make(self.people.of_desk(), to)
            self._pass(0.5)

    def _make(self, call: Call | None, to: int) -> None:
        if call:
            self.people.make(call, to)
            self._pass()

    @rule(at=which, again=st.booleans(), filed_too=st.booleans())
    def submit_over_kafka(self, at: int, again: bool, filed_too: bool) -> None:
        """A new one, one again, or one under a key that the portal uses too (another client: another request)."""
        if again and self.submissions:
            self.world.kafka.append(*self.submissions[at % len(self.submissions)])
            return
        filing = self.people.filing()
        if not filed_too:
            self.people.calls.remove(filing)
        raw = submission(filing.key, filing.body)
        self.submissions.append((REQUEST_SUBMITTED, raw.key, raw.value, raw.headers))
        self.world.kafka.append(*self.submissions[-1])
        self._pass()

    @rule(service=st.sampled_from(("intake", "scheduling", "issuance", "notify")), at=which, kind=st.integers(0, 3))
    def poison_comes(self, service: str, at: int, kind: int) -> None:
        topics = read_by(service)
        topic = topics[at % len(topics)]
        real = self.world.kafka.committed(topic)
        key, headers = (real[0].key, list(real[0].headers)) if real and kind else (b"?", [])
        value = (None if topic not in ("request-details.v1", "visit-details.v1") else b"[]", b"{", b"\xff\x00", b"[]")[kind]
        entry = self.world.kafka.append(topic, key, value, headers)
        self.poison.add((topic, entry.partition, entry.offset))
        assert BY_NAME[topic]

    @rule(service=st.sampled_from(("intake", "scheduling", "issuance", "notify")), back=st.integers(1, 20))
    def redeliver(self, service: str, back: int) -> None:
        """An operator, or a restored offset, reads some of it again."""
        group = self.world.kafka.groups[service]
        for where in sorted(group.committed):
            group.committed[where] = max(0, group.committed[where] - self.world.rng.randint(0, back))
        self.world.kafka.rebalance(service)

    @rule(service=st.sampled_from(("intake", "scheduling", "issuance", "notify")))
    def rebalance(self, service: str) -> None:
        """The partitions change hands, whatever their owners are at."""
        self.world.kafka.groups[service].members.reverse()
        self.world.kafka.rebalance(service)

    def _process(self, where: tuple[str, int]) -> Process:
        return self.world.processes[where]

    @rule(where=place)
    def kill(self, where: tuple[str, int]) -> None:
        TALLY["kill"] += 1
        self._process(where).kill()

    @rule(at=st.sampled_from(ARMED), passage=st.integers(1, 3))
    def arm(self, at: tuple[tuple[str, int], str], passage: int) -> None:
        where, point = at
        self._process(where).armed[point] = passage
        self.people.make(self.people.filing(), 0)  # something to pass it with
        self._pass(5)

    @rule()
    def revive(self) -> None:
        self.world.revive()
        self._pass(0.5)

    @rule(where=place)
    def stop_and_start(self, where: tuple[str, int]) -> None:
        """A rolling update."""
        process = self._process(where)
        if not process.dead and not process.paused:
            process.stop()
            self._pass(2)
            process.kill()
            self.world.start(*where)

    @rule(where=place)
    def pause(self, where: tuple[str, int]) -> None:
        process = self._process(where)
        if not process.dead and not process.paused:
            TALLY["pause"] += 1
            process.pause()

    @rule(service=st.sampled_from(("intake", "scheduling", "issuance", "notify")))
    def pause_leader(self, service: str) -> None:
        """Whoever leads stands still with what it has read; another leads meanwhile."""
        lease = self.world.stores[service].collection("lease").documents.get("leader")
        for (name, _), process in self.world.processes.items():
            if lease and name == service and process.running.lease.holder == lease["holder"]:
                for _ in range(3):  # something to be about to send
                    self.people.make(self.people.filing(), 0)
                self._pass(self.world.rng.uniform(0.02, 0.3))
                self._stand_still(process)

    def _stand_still(self, process: Process) -> None:
        if not process.dead and not process.paused:
            TALLY["pause"] += 1
            process.pause()
            self._pass(9)
            process.resume()

    @rule(where=place)
    def resume(self, where: tuple[str, int]) -> None:
        self._process(where).resume()

    @rule(rate=st.sampled_from((0.02, 0.1, 0.4)))
    def trouble_begins(self, rate: float) -> None:
        self.world.trouble = rate

    @precondition(lambda self: self.world.trouble)
    @rule()
    def trouble_ends(self) -> None:
        self.world.trouble = 0.0

    @rule(where=place, seconds=st.sampled_from((-90, -5, 5, 90)))
    def clock_steps(self, where: tuple[str, int], seconds: int) -> None:
        clock = self._process(where).clock
        clock.skew = clock.skew.__class__(seconds=seconds)

    def teardown(self) -> None:
        """All faults end; what was begun is finished; then nothing is wrong."""
        if not hasattr(self, "world"):
            return
        try:
            self._calm()
            assert self.world.loop.until(self._is_quiet, QUIET_S, 5), invariants.stranded(self.world)
            for call in self.people.calls:
                self.people.make(call, *REPLICAS)
            assert self.world.loop.until(lambda: not self.people.under_way and self._is_quiet(), QUIET_S)
            invariants.check(self.world, self.people, self.poison)
            TALLY["filed"] += len(self.people.filed())
            TALLY["dead letter"] += sum(len(log) for w, log in self.world.kafka.logs.items() if w.topic.endswith(".dlq"))
        finally:
            self.world.end()

    def _calm(self) -> None:
        self.world.trouble = 0.0
        for process in self.world.processes.values():
            process.armed.clear()
            process.clock.skew *= 0
            process.resume()
            assert process.dead or not process.work.done() or process.running._stopping.is_set(), process.work
        self._pass(1)
        self.world.revive()
        self._pass(45)  # the sweeper, too, had its turn

    def _is_quiet(self) -> bool:
        if not self.people.under_way and self.people.repeat_unanswered():
            return False
        return not self.people.under_way and not invariants.stranded(self.world)


@pytest.fixture
def made_world() -> Iterator[None]:
    """Processes of ours instead of real ones; their log would be longer than the run."""
    services()
    TALLY.clear()
    logging.disable(logging.CRITICAL)
    with made():
        yield
    logging.disable(logging.NOTSET)


def test_everybody_at_once(made_world: None) -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not whole(),
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
            phases=[Phase.generate, Phase.shrink] if whole() else [Phase.generate],  # shrinking takes minutes
        ),
    )
    crashes = sum(count for name, count in TALLY.items() if name.startswith("crash "))
    keep(Result("hypothesis state machine", kills=crashes + TALLY["kill"] + TALLY["pause"], requests=TALLY["filed"]))
    assert not missing(SEEN), (missing(SEEN), table())
