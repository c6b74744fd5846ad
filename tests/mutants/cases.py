"""Mutants of what is written: cases, facts and the store."""

from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    # the outbox and the version
    Mutant(
        "outbox is overwritten instead of pushed",
        "pelangi/chassis/case.py",
        'update["$push"] = {"outbox": {"$each": self.envelopes}}',
        'update.setdefault("$set", {})["outbox"] = self.envelopes',
        "tests/unit/chassis/test_case.py",
    ),
    Mutant(
        "no $min on pending_since",
        "pelangi/chassis/case.py",
        'update["$min"] = {"pending_since": self.envelopes[0]["time"]}',
        "pass",
        "tests/unit/chassis/test_case.py",
    ),
    Mutant(
        "no $min on pending_since, seen from outside",
        "pelangi/chassis/case.py",
        'update["$min"] = {"pending_since": self.envelopes[0]["time"]}',
        "pass",
        "tests/properties/test_machine.py",
    ),
    Mutant(
        "one version for all transitions of a write",
        "pelangi/chassis/case.py",
        'version = self.after["version"] + 1',
        'version = (self.before["version"] if self.before else 0) + 1',
        "tests/unit/chassis/test_case.py",
    ),
    Mutant(
        "events are dropped",
        "pelangi/chassis/case.py",
        'self.envelopes.append(_envelope(after["_id"], emission, version, wall, trace))',
        "pass",
        "tests/unit/chassis/test_case.py",
    ),
    Mutant(
        "two events of one aggregate in one transition",
        "pelangi/chassis/case.py",
        'assert all((e.type, e.aggregate) != (emission.type, emission.aggregate) for e in emits), "two events of one aggregate"',
        "pass",
        "tests/unit/chassis/test_case.py",
    ),
    # which facts are known
    Mutant(
        "sequences per type only",
        "pelangi/chassis/case.py",
        "return f\"{self.type.replace('.', '_')}:{self.aggregate}\"",
        "return self.type.replace('.', '_')",
        "tests/unit/chassis/test_case.py",
    ),
    Mutant(
        "sequences per aggregate only",
        "pelangi/chassis/case.py",
        "return f\"{self.type.replace('.', '_')}:{self.aggregate}\"",
        "return self.aggregate",
        "tests/unit/chassis/test_case.py",
    ),
    Mutant(
        "known means that the case exists",
        "pelangi/chassis/case.py",
        "if applied.get(slot, -1) >= fact.sequence:",
        'if cast(BaseCase, case)["version"]:',
        "tests/unit/chassis/test_consumer.py",
    ),
    Mutant(
        "an older fact is applied",
        "pelangi/chassis/case.py",
        "if applied.get(slot, -1) >= fact.sequence:",
        "if applied.get(slot, -1) == fact.sequence:",
        "tests/unit/chassis/test_case.py",
    ),
    # the store
    Mutant(
        "an update without its guard",
        "pelangi/chassis/store.py",
        'self._inner.update_one({"_id": guarded.id, "version": guarded.version}, guarded.update)',
        'self._inner.update_one({"_id": guarded.id}, guarded.update)',
        "tests/stores/test_collection.py",
    ),
    Mutant(
        "a bulk without its guard",
        "pelangi/chassis/store.py",
        'UpdateOne({"_id": u.id, "version": u.version}, u.update)',
        'UpdateOne({"_id": u.id}, u.update)',
        "tests/stores/test_collection.py",
    ),
    Mutant(
        "a duplicate key on any index means it is there",
        "pelangi/chassis/store.py",
        'if fields != ["_id"]:',
        "if not fields:",
        "tests/stores/test_collection.py",
    ),
    Mutant(
        "reads that a failover takes back",
        "pelangi/chassis/store.py",
        'ReadConcern("majority")',
        'ReadConcern("local")',
        "tests/stores/test_collection.py",
    ),
    Mutant(
        "writes that a failover takes back",
        "pelangi/chassis/store.py",
        'WriteConcern("majority", j=True)',
        "WriteConcern(1)",
        "tests/stores/test_collection.py",
    ),
    Mutant(
        "applied means modified",
        "pelangi/chassis/store.py",
        "return bool(result.matched_count)",
        "return bool(result.modified_count)",
        "tests/stores/test_collection.py",
    ),
)
